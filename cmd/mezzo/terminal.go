package main

import (
	"os"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// terminal is the one on which the program was started.
type terminal struct{ in, out int }

// Size implements cli.Terminal.
func (t terminal) Size() (columns, rows int) {
	columns, rows, err := term.GetSize(t.out)
	if err != nil || columns <= 0 || rows <= 0 {
		return 80, 24
	}
	return columns, rows
}

// Watch implements cli.Terminal. The goroutine that reads stays until a key is
// pressed or the process ends: a read of a terminal can't be called off.
func (t terminal) Watch() (keys <-chan byte, stop func()) {
	pressed, done := make(chan byte), make(chan struct{})
	tell := func(key byte) bool {
		select {
		case pressed <- key:
			return true
		case <-done:
			return false
		}
	}
	before, err := unix.IoctlGetTermios(t.in, unix.TCGETS)
	hasKeys := err == nil
	prepare := func() {
		if hasKeys {
			single := *before
			single.Lflag &^= unix.ICANON | unix.ECHO // keys at once and unseen; Ctrl-C stays a signal
			_ = unix.IoctlSetTermios(t.in, unix.TCSETS, &single)
		}
	}
	prepare()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGWINCH, unix.SIGCONT)
	var heeding sync.WaitGroup
	heeding.Go(func() {
		for s := range signals {
			if s == unix.SIGCONT {
				prepare() // the shell had it meanwhile
			}
			tell(0)
		}
	})
	if hasKeys {
		go func() {
			var key [1]byte
			for n, err := unix.Read(t.in, key[:]); n == 1 && err == nil && tell(key[0]); {
				n, err = unix.Read(t.in, key[:])
			}
		}()
	}
	return pressed, func() {
		signal.Stop(signals)
		close(signals)
		close(done)
		heeding.Wait()
		if hasKeys {
			_ = unix.IoctlSetTermios(t.in, unix.TCSETS, before)
		}
	}
}

// Raw implements cli.Keyboard.
func (t terminal) Raw() (restore func(), err error) {
	before, err := term.MakeRaw(t.in)
	if err != nil {
		return nil, err
	}
	return func() { _ = term.Restore(t.in, before) }, nil // it may be gone
}

// Resized implements cli.Keyboard.
func (t terminal) Resized() (changes <-chan struct{}, stop func()) {
	c, signals := make(chan struct{}, 1), make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGWINCH)
	var heeding sync.WaitGroup
	heeding.Go(func() {
		defer close(c)
		for range signals {
			select {
			case c <- struct{}{}:
			default: // one is on its way already
			}
		}
	})
	return c, func() {
		signal.Stop(signals)
		close(signals)
		heeding.Wait()
	}
}
