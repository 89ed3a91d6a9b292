// Command demo shows mezzo's main job on a terminal: three tasks from one OCI
// image (one well behaved, one spinning at half a CPU, one over its memory),
// held by the kernel to what they were given, and what the master knows of them.
// It runs on this machine where that has cgroups v2 and root, in the VM
// otherwise, and fails unless everything came out as it should.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	stay := flag.Bool("stay", false, "keep the cluster up afterwards, until interrupted")
	bin := flag.String("bin", "bin/mezzo", "the binary to show")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *bin, *stay); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, bin string, stay bool) (err error) {
	p, err := choosePlace(ctx, bin, stay)
	if err != nil {
		return err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
		defer cancel()
		if cerr := p.close(end); err == nil {
			err = cerr
		}
	}()
	say("Running %s", p.where)
	if err := p.start(ctx); err != nil {
		return err
	}
	say("mezzo local is up: master and agent in one process, at %s", p.master)
	if err := show(ctx, p); err != nil {
		return err
	}
	if stay {
		p.stay(ctx)
	}
	return nil
}

// say prints a line of the story, apart from the commands' own output.
func say(format string, args ...any) {
	fmt.Printf("\n\x1b[1m# "+format+"\x1b[0m\n", args...)
}
