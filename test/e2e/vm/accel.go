package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
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
}

var (
	kvm = accel{Name: "kvm", CPU: "host", Slow: 1}
	// Richer CPU models than Nehalem cost the emulator more than they give the guest.
	tcg = accel{Name: "tcg,thread=multi", CPU: "Nehalem", Kernel: "clocksource=tsc tsc=reliable", Slow: 5}
)

// findAccel is KVM where it works, or what MEZZO_VM_ACCEL says.
func findAccel(ctx context.Context) (accel, error) {
	switch name := os.Getenv("MEZZO_VM_ACCEL"); name {
	case "kvm":
		return kvm, nil
	case "tcg":
		return tcg, nil
	case "":
	default:
		return accel{}, fmt.Errorf("MEZZO_VM_ACCEL=%q, want kvm or tcg", name)
	}
	if kvmWorks(ctx) {
		return kvm, nil
	}
	return tcg, nil
}

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
