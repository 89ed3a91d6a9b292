package lint

import (
	"go/token"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// pure lists the packages that turn events into effects and touch nothing else.
var pure = []string{"resources", "allocator", "allocator/sorter", "master/constraint", "master/core", "agent/core", "agent/launch", "agent/meter", "agent/task", "agent/updates"}

// impure are imports a pure package can't have.
var impure = []string{
	"os", "io/fs", "net", "net/http", "log", "log/slog", "sync", "sync/atomic", "context",
	"math/rand", "crypto/rand", "os/exec", "syscall", "golang.org/x/sys/unix",
	"google.golang.org/grpc", "github.com/google/uuid",
}

// clocks are calls a pure package can't make.
var clocks = map[string]string{
	"time.Now":       "time comes in with the event",
	"time.Since":     "time comes in with the event",
	"time.Until":     "time comes in with the event",
	"time.After":     "timers are the shell's",
	"time.AfterFunc": "timers are the shell's",
	"time.NewTimer":  "timers are the shell's",
	"time.NewTicker": "timers are the shell's",
	"time.Sleep":     "nothing waits in a core",
}

// dice are the functions of math/rand/v2 that draw from its global source. A
// pure package may make a generator of a seed that comes in.
var dice = []string{
	"ExpFloat64", "Float32", "Float64", "Int", "Int32", "Int32N", "Int64", "Int64N", "IntN", "N",
	"NormFloat64", "Perm", "Shuffle", "Uint", "Uint32", "Uint32N", "Uint64", "Uint64N", "UintN",
}

// TestPurity: the same inputs give the same bytes only if nothing else flows in.
func TestPurity(t *testing.T) {
	banned := maps.Clone(clocks)
	for _, name := range dice {
		banned["rand."+name] = "draw from a generator with a seed that comes in"
	}
	seen := map[string]bool{}
	for _, p := range packages(t) {
		if !slices.Contains(pure, p.room()) {
			continue
		}
		seen[p.room()] = true
		for _, imp := range p.Imports {
			if slices.Contains(impure, imp) {
				t.Errorf("pure package %s imports %s", p.room(), imp)
			}
		}
		for _, f := range p.files(p.GoFiles) {
			calls(t, f, banned, func(pos token.Position, name, why string) {
				t.Errorf("%s: %s in a pure package: %s", pos, name, why)
			})
		}
	}
	for _, room := range pure {
		if !seen[room] {
			t.Errorf("pure package %s is not there: mend the list", room)
		}
	}
}

// TestNoSleepInTests: a sleep is either too short or too long; wait for the condition.
func TestNoSleepInTests(t *testing.T) {
	banned := map[string]string{"time.Sleep": "wait for the condition"}
	for _, p := range packages(t) {
		for _, f := range p.files(slices.Concat(p.TestGoFiles, p.XTestGoFiles)) {
			calls(t, f, banned, func(pos token.Position, name, why string) {
				t.Errorf("%s: %s in a test: %s", pos, name, why)
			})
		}
	}
}

// TestNoGlobalLogger: whoever logs was given a logger.
func TestNoGlobalLogger(t *testing.T) {
	banned := map[string]string{
		"slog.Default": "the logger comes in with Deps", "slog.Info": "the logger comes in with Deps",
		"slog.Warn": "the logger comes in with Deps", "slog.Error": "the logger comes in with Deps",
	}
	for _, p := range packages(t) {
		for _, f := range p.files(p.GoFiles) {
			calls(t, f, banned, func(pos token.Position, name, why string) {
				t.Errorf("%s: %s: %s", pos, name, why)
			})
		}
	}
}

// maxLines of a file: past 400 look for a second noun, past 600 there is one.
const maxLines = 600

// TestFileSizes keeps god files out.
func TestFileSizes(t *testing.T) {
	for _, p := range packages(t) {
		for _, f := range p.files(p.GoFiles) {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Error(err)
				continue
			}
			if n := strings.Count(string(b), "\n"); n > maxLines {
				t.Errorf("%s has %d lines, more than %d: split it by noun", f, n, maxLines)
			}
		}
	}
}
