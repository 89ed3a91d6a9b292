package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

func onHost(bin string) (*place, error) {
	dir, err := os.MkdirTemp("", "mezzo-demo")
	if err != nil {
		return nil, err
	}
	p := &place{
		where: "on this machine: it has cgroups v2", bin: bin, master: "127.0.0.1:" + masterPort,
		image: "file://" + filepath.Join(dir, "busybox.tar"), http: http.DefaultClient, command: exec.CommandContext,
	}
	log, err := os.Create(filepath.Join(dir, "mezzo.log"))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(bin, local("127.0.0.1", filepath.Join(dir, "work"))...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is ours; close stops it
	p.start = func(ctx context.Context) error {
		if err := writeImage(filepath.Join(dir, "busybox.tar")); err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		return p.ready(ctx, log.Name())
	}
	p.close = func(context.Context) error {
		if cmd.Process != nil {
			_ = cmd.Process.Signal(os.Interrupt)
			if err := cmd.Wait(); err != nil {
				return fmt.Errorf("mezzo local: %w (its log: %s)", err, log.Name())
			}
		}
		return os.RemoveAll(dir)
	}
	return p, nil
}
