//go:build !linux

package cluster

import (
	"errors"
	"fmt"
)

func inNetns(name string, f func() error) error {
	if name != "" {
		return fmt.Errorf("enter network namespace %s: %w", name, errors.ErrUnsupported)
	}
	return f()
}
