package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// size is what the guest sees of a machine.
type size struct{ CPUs, MemoryMiB int }

// defaultSize was measured as the best on a machine with two cores: a task
// spins at its share of one CPU while containerd works on the other.
var defaultSize = size{CPUs: 2, MemoryMiB: 2048}

// machine is one QEMU process and its directory.
type machine struct {
	name string // unique on this host
	dir  string // sockets, pid, console and, of a node, the disk
	disk string
	ram  string // the file that backs the guest's memory
	tap  string // made by QEMU if it is not there
	// restore: wait for a saved state, and keep changes of the RAM to oneself.
	restore bool
	image   image
	size    size
	accel   accel
}

// args is the QEMU command line. A state can only be restored by a machine of
// the same devices at the same addresses as the one that saved it.
func (m machine) args() []string {
	backend := fmt.Sprintf("memory-backend-file,id=ram,size=%dM,mem-path=%s,share=on", m.size.MemoryMiB, escape(m.ram))
	var incoming []string
	if m.restore {
		backend = strings.TrimSuffix(backend, "on") + "off"
		incoming = []string{"-incoming", "defer"}
	}
	kernel := strings.Join([]string{
		"console=ttyS0 quiet reboot=t panic=-1 psi=1 net.ifnames=0 ipv6.disable=1",
		"mitigations=off nowatchdog systemd.show_status=0", m.accel.Kernel,
	}, " ")
	return append([]string{
		"-name", m.name,
		"-machine", "q35,memory-backend=ram,hpet=off,vmport=off,smm=off,usb=off,sata=off,smbus=off",
		"-accel", m.accel.Name, "-cpu", m.accel.CPU,
		"-smp", strconv.Itoa(m.size.CPUs), "-m", strconv.Itoa(m.size.MemoryMiB) + "M", "-object", backend,
		"-nodefaults", "-no-user-config", "-display", "none",
		"-kernel", m.image.kernel(), "-initrd", m.image.initrd(), "-append", kernel,
		"-chardev", "file,id=console,path=" + escape(m.path("console")), "-serial", "chardev:console",
		"-chardev", "socket,id=agent,server=on,wait=off,path=" + escape(m.path("serial")), "-serial", "chardev:agent",
		"-qmp", "unix:" + escape(m.path("qmp")) + ",server=on,wait=off",
		"-drive", "if=none,id=disk,format=qcow2,cache=unsafe,file=" + escape(m.disk),
		"-device", "virtio-blk-pci,drive=disk,addr=3",
		"-netdev", "tap,id=net,script=no,downscript=no,vhost=off,ifname=" + m.tap,
		"-device", "virtio-net-pci,netdev=net,mac=52:54:00:77:00:00,romfile=,addr=4",
		"-device", "virtio-rng-pci,addr=5",
	}, incoming...)
}

// escape makes a path a value in one of QEMU's comma-separated options.
func escape(path string) string { return strings.ReplaceAll(path, ",", ",,") }

func (m machine) path(name string) string { return filepath.Join(m.dir, name) }

// launch starts QEMU, in the network namespace or, if that is empty, in a new
// one of its own. QEMU outlives this program.
func (m machine) launch(netns string) (*exec.Cmd, error) {
	args := append([]string{"ip", "netns", "exec", netns, qemu}, m.args()...)
	if netns == "" {
		args = append([]string{"unshare", "--net", qemu}, m.args()...)
	}
	log, err := os.Create(m.path("log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", m.name, err)
	}
	return cmd, os.WriteFile(m.path("pid"), []byte(strconv.Itoa(cmd.Process.Pid)), 0o644)
}

// diagnose adds to an error what QEMU and the guest's console said last.
func (m machine) diagnose(err error) error {
	if err == nil {
		return nil
	}
	log, _ := os.ReadFile(m.path("log"))         // missing is as good as empty
	console, _ := os.ReadFile(m.path("console")) // likewise
	return fmt.Errorf("%s: %w\n%s%s", m.name, err, log, console[max(0, len(console)-2000):])
}

// pid is the process id of the machine called name that runs in dir; 0 if none does.
func pid(dir, name string) int {
	b, err := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(string(b))
	if err != nil {
		return 0
	}
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || !bytes.Contains(cmdline, []byte("\x00-name\x00"+name+"\x00")) {
		return 0
	}
	return pid
}

// kill ends the machine called name that runs in dir, if one does.
func kill(ctx context.Context, dir, name string) error {
	p := pid(dir, name)
	if p == 0 {
		return nil
	}
	if err := syscall.Kill(p, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill %s: %w", name, err)
	}
	return poll(ctx, 10*time.Second, func() error {
		if pid(dir, name) != 0 {
			return fmt.Errorf("%s (pid %d) does not end", name, p)
		}
		return nil
	})
}

// poll tries until try succeeds, and gives its last error after the timeout.
func poll(ctx context.Context, timeout time.Duration, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		case <-time.After(20 * time.Millisecond):
		}
	}
}
