package dirlock_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"mezzo/internal/dirlock"
	"mezzo/internal/errs"
)

func TestTake(t *testing.T) {
	dir := t.TempDir()
	lock, err := dirlock.Take(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dirlock.Take(dir); !errors.Is(err, errs.Conflict) || !strings.Contains(err.Error(), dir) {
		t.Errorf("a second: got %v; want class %v", err, errs.Conflict)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := dirlock.Take(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if _, err := dirlock.Take(dir + "/none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: got %v", err)
	}
}
