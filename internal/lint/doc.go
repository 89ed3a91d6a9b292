// Package lint holds the rules of the house that no general linter knows, as
// tests: who may import whom, what a pure package may touch, how big a file
// gets. Each rule is data; a failure says which line broke it and why it is
// there.
package lint
