// Package robust attacks the built binary, natively, as an unfriendly network,
// user and disk would.
package robust
