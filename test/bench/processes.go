package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// processes are a master and an agent, apart so that each is measured alone.
type processes struct {
	bin, dir      string
	master        string // host:port
	agentArgs     []string
	masterProcess *exec.Cmd
	agentProcess  *exec.Cmd
}

func startCluster(ctx context.Context, bin, dir, socket string) (*processes, error) {
	masterPort, err := freePort()
	if err != nil {
		return nil, err
	}
	agentPort, err := freePort()
	if err != nil {
		return nil, err
	}
	c := &processes{bin: bin, dir: dir, master: "127.0.0.1:" + masterPort}
	c.masterProcess, err = start(dir, bin, "master", "--ip=127.0.0.1", "--port="+masterPort, "--work_dir="+filepath.Join(dir, "master"))
	if err != nil {
		return nil, err
	}
	c.agentArgs = []string{"--ip=127.0.0.1", "--port=" + agentPort, "--master=" + c.master, "--registration_backoff_factor=10ms",
		"--work_dir=" + filepath.Join(dir, "agent"), "--containerd=" + socket, isolation(), "--resources=cpus:16;mem:8192"}
	if err := c.startAgent(); err != nil {
		c.stop()
		return nil, err
	}
	return c, c.ready(ctx)
}

func (c *processes) startAgent() (err error) {
	c.agentProcess, err = start(c.dir, c.bin, "agent", c.agentArgs...)
	return err
}

// isolation is the real one where the machine can hold tasks to limits.
func isolation() string {
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err != nil {
		return "--isolation=none"
	}
	return "--isolation=cgroups2"
}

func start(dir, bin, verb string, args ...string) (*exec.Cmd, error) {
	log, err := os.Create(filepath.Join(dir, verb+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(bin, append([]string{verb}, args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	return cmd, cmd.Start()
}

func (c *processes) stop() {
	for _, p := range []*exec.Cmd{c.agentProcess, c.masterProcess} {
		if p != nil && p.Process != nil {
			_ = p.Process.Signal(syscall.SIGTERM)
			_ = p.Wait()
		}
	}
}

func (c *processes) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.master+"/metrics/snapshot", nil)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			active := hasActiveAgent(resp)
			resp.Body.Close()
			if active {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return errors.New("no agent became active within a minute")
		case <-tick.C:
		}
	}
}

func hasActiveAgent(resp *http.Response) bool {
	s := bufio.NewScanner(resp.Body)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		if strings.Contains(s.Text(), `"master/slaves_active":1`) {
			return true
		}
	}
	return false
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// memory is what was read before and while tasks run.
type memory struct {
	tasks int
	rows  []memoryRow
}

type memoryRow struct {
	name       string
	rest, busy int64 // bytes of PSS
}

func measureMemory(ctx context.Context, c *processes, fw *framework, tasks int) (memory, error) {
	m := memory{tasks: tasks, rows: []memoryRow{{name: "master"}, {name: "agent"}, {name: "shims and loggers"}}}
	read := func(into func(*memoryRow) *int64) error {
		for i, pids := range [][]int{{c.masterProcess.Process.Pid}, {c.agentProcess.Process.Pid}, helpers()} {
			for _, pid := range pids {
				n, err := pss(pid)
				if err != nil {
					return err
				}
				*into(&m.rows[i]) += n
			}
		}
		return nil
	}
	if err := read(func(r *memoryRow) *int64 { return &r.rest }); err != nil {
		return m, err
	}
	for range tasks {
		if _, err := fw.launch(ctx); err != nil {
			return m, err
		}
	}
	if err := read(func(r *memoryRow) *int64 { return &r.busy }); err != nil {
		return m, err
	}
	return m, fw.killAll(ctx)
}

// helpers are the processes that live beside each task: its shim, its logger.
func helpers() []int {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	var pids []int
	for _, d := range dirs {
		cmdline, err := os.ReadFile(filepath.Join(d, "cmdline"))
		if err != nil {
			continue
		}
		argv := strings.Split(string(cmdline), "\x00")
		shim := strings.Contains(argv[0], "containerd-shim")
		logger := strings.HasSuffix(argv[0], "/mezzo") && len(argv) > 1 && argv[1] == "logger"
		if shim || logger {
			pid, _ := strconv.Atoi(filepath.Base(d))
			pids = append(pids, pid)
		}
	}
	return pids
}

// pss is a process's share of physical memory (proc(5), smaps_rollup).
func pss(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "Pss:" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("no Pss for process %d", pid)
}
