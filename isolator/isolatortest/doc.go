// Package isolatortest holds the contract suite that every isolator passes, and
// an in-memory isolator with all abilities for the tests of other packages.
package isolatortest
