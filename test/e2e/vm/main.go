// Command vm makes the machines that the end-to-end tests run on: QEMU virtual
// machines, with KVM where it works and in plain emulation otherwise.
//
//	go run ./test/e2e/vm up        one node; writes .e2e/cluster.json
//	go run ./test/e2e/vm run n1    a shell on it
//	go run ./test/e2e/vm down
//
// Three things are made, each from the one before:
//
//	image     kernel and disk           build-image.sh    cached by the scripts' hash
//	template  a node, booted and saved  boot once         cached by the QEMU command line
//	nodes     restored from it          every `up`        2 to 5 seconds
//
// A template is RAM in a file, device state and a disk overlay. Nodes map its
// RAM copy-on-write, so many cost little. Each gets its own name, address,
// clock and randomness through an agent on its second serial port, and sits
// on a bridge in a network namespace that belongs to the checkout: two
// checkouts never meet. Nothing is written into the tree but the cluster file.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage: go run ./test/e2e/vm COMMAND

  build                    make the image, unless it is there; print its directory
  template                 make image and template, unless they are there
  up [-n N]                bring up N nodes, n1 to nN; keeps nodes that are up as asked
  run NODE [CMD...]        run a command as root on a node, or a shell; passes on its exit status
  push [-to NODE] SRC DST  copy a file to all nodes, or to one
  status                   say what is up
  down                     stop the nodes

flags of template and up:
  -cpus N  -memory MiB     size of a node
  -fresh                   (up) throw away nodes that are up

environment:
  MEZZO_VM_CACHE           where images, templates and nodes live (${XDG_CACHE_HOME:-~/.cache}/mezzo/vm)
  MEZZO_VM_ACCEL           kvm or tcg, instead of trying

Needs root and the packages of test/e2e/vm/host-deps.sh.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := dispatch(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "vm:", err)
		os.Exit(1)
	}
}

func dispatch(ctx context.Context, args []string) error {
	if len(args) == 0 {
		args = []string{"help"}
	}
	name, args := args[0], args[1:]
	if name == "help" || name == "-h" || name == "--help" {
		fmt.Print(usage)
		return nil
	}
	w, err := openWorkplace()
	if err != nil {
		return err
	}
	flags := flag.NewFlagSet(name, flag.ExitOnError)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	size := defaultSize
	sized := func() {
		flags.IntVar(&size.CPUs, "cpus", size.CPUs, "")
		flags.IntVar(&size.MemoryMiB, "memory", size.MemoryMiB, "")
	}
	switch name {
	case "build":
		_ = flags.Parse(args) // exits on error
		img, err := w.image(ctx)
		if err == nil {
			fmt.Println(img.dir)
		}
		return err
	case "template":
		sized()
		_ = flags.Parse(args)
		t, err := w.template(ctx, size)
		if err == nil {
			fmt.Println(t.dir)
		}
		return err
	case "up":
		sized()
		n := flags.Int("n", 1, "")
		fresh := flags.Bool("fresh", false, "")
		_ = flags.Parse(args)
		return w.up(ctx, *n, size, *fresh)
	case "run":
		if len(args) == 0 {
			return errors.New("run: which node?")
		}
		return w.run(args[0], args[1:])
	case "push":
		to := flags.String("to", "", "")
		_ = flags.Parse(args)
		if flags.NArg() != 2 {
			return errors.New("push: want a file and where it goes")
		}
		return w.push(ctx, *to, flags.Arg(0), flags.Arg(1))
	case "status":
		return w.status()
	case "down":
		return w.down(ctx)
	default:
		fmt.Fprint(os.Stderr, usage)
		return fmt.Errorf("unknown command %q", name)
	}
}
