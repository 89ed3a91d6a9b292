package main

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"

	api "mezzo/api/replog"
	"mezzo/replog"
	"mezzo/replog/state"
)

func addresses(n int) (addrs []string) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			fatal(err)
		}
		defer l.Close()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs
}

func serve(dir, addr string, peers []string) (*replog.Log, *grpc.Server, error) {
	l, err := replog.Open(replog.Config{Dir: dir, Addr: addr, Peers: peers, Bootstrap: true},
		replog.Deps{Log: slog.New(slog.DiscardHandler), Fatal: fatal})
	if err != nil {
		return nil, nil, err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, nil, err
	}
	s := grpc.NewServer(grpc.MaxRecvMsgSize(api.MaxMessageBytes))
	api.RegisterReplicaServer(s, l.Server())
	go s.Serve(listener)
	return l, s, nil
}

type mezzo struct {
	logs    []*replog.Log
	servers []*grpc.Server
	writer  *replog.Writer
}

func openMezzo(dir string, n int) (system, error) {
	m := &mezzo{}
	addrs := addresses(n)
	for i, addr := range addrs {
		l, s, err := serve(filepath.Join(dir, strconv.Itoa(i)), addr, slices.Clone(addrs))
		if err != nil {
			return nil, err
		}
		m.logs, m.servers = append(m.logs, l), append(m.servers, s)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var err error
	m.writer, err = m.logs[0].Elect(ctx)
	return m, err
}

func (m *mezzo) append(_ int, data []byte) error {
	_, err := m.writer.AppendWait(context.Background(), data)
	return err
}

func (m *mezzo) close() {
	for i, l := range m.logs {
		l.Close()
		m.servers[i].Stop()
	}
}

// replicate is a replica in a process of its own, which appends when it leads
// and prints a line for each append.
func replicate(args []string) {
	l, _, err := serve(args[0], args[1], strings.Split(args[2], ","))
	if err != nil {
		fatal(err)
	}
	for {
		w, err := l.Elect(context.Background())
		if err != nil {
			fatal(err)
		}
		for {
			if _, err := w.AppendWait(context.Background(), []byte("x")); err != nil {
				break
			}
			fmt.Println("appended")
			time.Sleep(time.Millisecond)
		}
	}
}

// failover kills the leader of three processes, again and again.
func failover(base string, times int) {
	addrs := addresses(3)
	type line struct {
		who int
		at  time.Time
	}
	lines := make(chan line, 1<<16)
	var cmds [3]*exec.Cmd
	start := func(i int) {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), fmt.Sprintf("MEZZO_BENCH_REPLICA=%s %s %s", filepath.Join(base, "failover", strconv.Itoa(i)), addrs[i], strings.Join(addrs, ",")))
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			fatal(err)
		}
		cmds[i] = cmd
		go func() {
			for s := bufio.NewScanner(out); s.Scan(); {
				lines <- line{i, time.Now()}
			}
		}()
	}
	for i := range cmds {
		start(i)
	}
	leader := (<-lines).who
	var gaps []time.Duration
	for range times {
		for until := time.After(1500 * time.Millisecond); until != nil; { // all are there again
			select {
			case l := <-lines:
				leader = l.who
			case <-until:
				until = nil
			}
		}
		_ = cmds[leader].Process.Kill()
		killed := time.Now()
		_ = cmds[leader].Wait()
		for {
			if l := <-lines; l.who != leader {
				gaps = append(gaps, l.at.Sub(killed))
				start(leader)
				leader = l.who
				break
			}
		}
	}
	for _, c := range cmds {
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	slices.Sort(gaps)
	fmt.Printf("Failover: leader killed → first append by the next, %d times: median %d ms, worst %d ms.\n",
		times, gaps[len(gaps)/2].Milliseconds(), gaps[len(gaps)-1].Milliseconds())
}

// recovery is a registry of 50,000 agents: 50,000 variables of 300 bytes.
func recovery(base string) {
	const variables = 50_000
	dir, addr := filepath.Join(base, "recovery"), addresses(1)[0]
	ctx := context.Background()
	lead := func() (*replog.Log, *state.State, *state.Leader) {
		l, s, err := serve(dir, addr, []string{addr})
		if err != nil {
			fatal(err)
		}
		s.Stop()
		st := state.Open(l, state.Config{})
		w, err := l.Elect(ctx)
		if err != nil {
			fatal(err)
		}
		leader, err := st.Lead(ctx, w)
		if err != nil {
			fatal(err)
		}
		return l, st, leader
	}
	l, st, leader := lead()
	done := make(chan error, variables)
	for i := range variables {
		v := state.New(fmt.Sprintf("registry/agent/%036d", i)).Mutate(make([]byte, 300))
		if err := leader.Set(ctx, state.Txn{Put: []state.Variable{v}}, func(err error) { done <- err }); err != nil {
			fatal(err)
		}
	}
	for range variables {
		if err := <-done; err != nil {
			fatal(err)
		}
	}
	disk := l.DiskBytes()
	st.Close()
	l.Close()
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	l, st, _ = lead()
	took := time.Since(start)
	runtime.GC()
	runtime.ReadMemStats(&after)
	fmt.Printf("\nRecovery of %d variables of 300 B from a cold start to leading: %d ms; memory %d B, disk %d B for each.\n",
		variables, took.Milliseconds(), (after.HeapAlloc-before.HeapAlloc)/variables, disk/variables)
	if n := st.Stats().Variables; n != variables {
		fatal(fmt.Errorf("%d variables came back", n))
	}
	st.Close()
	l.Close()
}
