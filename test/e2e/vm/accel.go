package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const qemu = "qemu-system-x86_64"

// accel is how QEMU runs the guest's code, and what follows from it.
type accel struct {
	Name   string
	CPU    string
	Kernel string  // on the kernel's command line
	Slow   float64 // how much longer than on real hardware things take
	tried  bool    // nobody asked for it by name, and it may not work
}

var (
	kvm = accel{Name: "kvm", CPU: "host", Slow: 1}
	// Richer CPU models than Nehalem cost the emulator more than they give the guest.
	tcg = accel{Name: "tcg,thread=multi", CPU: "Nehalem", Kernel: "clocksource=tsc tsc=reliable", Slow: 5}
)

// findAccel is KVM where it works, or what MEZZO_VM_ACCEL says.
func (w *workplace) findAccel(ctx context.Context) (accel, error) {
	switch name := os.Getenv("MEZZO_VM_ACCEL"); name {
	case "kvm":
		return kvm, nil
	case "tcg":
		return tcg, nil
	case "":
	default:
		return accel{}, fmt.Errorf("MEZZO_VM_ACCEL=%q, want kvm or tcg", name)
	}
	if broken, err := w.broken(); err != nil || broken || !kvmWorks(ctx) {
		return tcg, err
	}
	a := kvm
	a.tried = true
	return a, nil
}

// brokenMark remembers, as long as this machine runs, that a guest did not come up
// on KVM: one that is nested may make a virtual CPU and fail in the middle of a
// kernel's boot ("KVM internal error").
func (w *workplace) brokenMark() string { return filepath.Join(w.cache, "kvm-broken") }

func (w *workplace) broken() (bool, error) {
	mark, err := os.ReadFile(w.brokenMark())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	boot, err := os.ReadFile(bootID)
	return bytes.Equal(mark, boot), err
}

func (w *workplace) markBroken() error {
	boot, err := os.ReadFile(bootID)
	if err != nil {
		return err
	}
	return os.WriteFile(w.brokenMark(), boot, 0o644)
}

const bootID = "/proc/sys/kernel/random/boot_id"

// kvmWorks tells whether a virtual CPU can be made. That /dev/kvm is there
// proves nothing: on nested hosts it may open and fail later.
func kvmWorks(ctx context.Context) bool {
	if _, err := os.Stat("/dev/kvm"); err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, qemu, "-accel", "kvm", "-machine", "q35", "-cpu", "host", "-m", "64",
		"-nodefaults", "-display", "none", "-S", "-monitor", "stdio")
	cmd.Stdin = strings.NewReader("quit\n")
	return cmd.Run() == nil
}
