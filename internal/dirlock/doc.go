// Package dirlock keeps a second process out of a directory.
package dirlock
