// Command mkimage writes an OCI archive of a small busybox image.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"mezzo/images/imagetest"
)

func main() {
	var o imagetest.Options
	out := flag.String("o", "busybox.tar", "archive to write")
	name := flag.String("name", "docker.io/library/busybox:latest", "name of the image in the archive")
	flag.StringVar(&o.Busybox, "busybox", "", "static busybox binary (default: busybox in PATH)")
	flag.StringVar(&o.User, "user", "", "USER of the image; \"app\" is uid 1000")
	flag.StringVar(&o.WorkingDir, "workdir", "", "WORKDIR of the image")
	list(&o.Entrypoint, "entrypoint", "word of the ENTRYPOINT; may be repeated")
	list(&o.Cmd, "cmd", "word of the CMD; may be repeated")
	list(&o.Env, "env", "NAME=value of the ENV; may be repeated")
	flag.Parse()

	if err := write(*out, *name, o); err != nil {
		fmt.Fprintln(os.Stderr, "mkimage:", err)
		os.Exit(1)
	}
}

func list(to *[]string, name, usage string) {
	flag.Func(name, usage, func(s string) error { *to = append(*to, strings.TrimSpace(s)); return nil })
}

func write(out, name string, o imagetest.Options) error {
	img, err := imagetest.Build(o)
	if err != nil {
		return err
	}
	return imagetest.WriteFile(out, imagetest.Named{Name: name, Image: img})
}
