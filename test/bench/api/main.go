// Command api measures one master as its readers and frameworks find it: /state and
// GET_STATE of large clusters, what a hundred who poll them do to offers, calls and
// status updates in a second, memory for each task. The master is the real one; agents
// are streams that say what agents say.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

func main() {
	bin := flag.String("bin", "bin/mezzo", "the binary to measure")
	sizes := flag.String("agents", "1000,10000,40000", "comma-separated numbers of agents, each with 5 frameworks × 2 tasks")
	pollers := flag.Int("pollers", 100, "who read /state each second")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *bin, *sizes, *pollers); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, bin, sizes string, pollers int) error {
	var rows []row
	for text := range strings.SplitSeq(sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fmt.Errorf("-agents %q: %q is no number of agents", sizes, text)
		}
		fmt.Fprintf(os.Stderr, "bench: %d agents\n", n)
		r, err := measure(ctx, bin, n, pollers)
		if err != nil {
			return fmt.Errorf("%d agents: %w", n, err)
		}
		rows = append(rows, r)
	}
	fmt.Fprintln(os.Stderr, "bench: calls and updates")
	calls, updates, err := measureRates(ctx, bin)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "agents\ttasks\t/state\t\tGET_STATE JSON\t\tprotobuf\t\toffers, nobody reads\t\t\tpolled by "+strconv.Itoa(pollers)+"\t\t\tdocuments/s\tusage, samples/s\tCPUs\t/state\tmemory\tper task\t")
	fmt.Fprintln(w, "\t\t\tMB\t\tMB\t\tMB\tp50\tp99\tmost\tp50\tp99\tmost\t\t\t\t\t\t\t")
	for _, r := range rows {
		fmt.Fprintf(w, "%d\t%d\t", r.agents, r.tasks)
		for _, d := range r.documents {
			fmt.Fprintf(w, "%v\t%.1f\t", round(d.took), float64(d.bytes)/1e6)
		}
		for _, l := range []latencies{r.quiet, r.polled} {
			fmt.Fprintf(w, "%v\t%v\t%v\t", round(l.at(0.5)), round(l.at(0.99)), round(l.at(1)))
		}
		fmt.Fprintf(w, "%.1f\t%.0f\t%.2f\t%v\t%d MB\t%d B\t\n", r.rate, r.reported.rate, r.reported.cpu, round(r.reported.state), r.memory/1e6, (r.memory-r.empty)/int64(r.tasks))
	}
	fmt.Fprintf(w, "\n%.0f calls/s by %d schedulers\t\n%.0f updates/s, acknowledged, to one framework\t\n", calls, callers, updates)
	return w.Flush()
}

func round(d time.Duration) time.Duration {
	switch {
	case d > time.Second:
		return d.Round(10 * time.Millisecond)
	case d > 10*time.Millisecond:
		return d.Round(100 * time.Microsecond)
	}
	return d.Round(time.Microsecond)
}

// startMaster runs one, with a port and directory of its own, until stop.
func startMaster(ctx context.Context, bin string) (addr string, cmd *exec.Cmd, stop func(), err error) {
	bin, err = filepath.Abs(bin)
	if err != nil {
		return "", nil, nil, err
	}
	port, err := freePort()
	if err != nil {
		return "", nil, nil, err
	}
	dir, err := os.MkdirTemp("", "mezzobench")
	if err != nil {
		return "", nil, nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return "", nil, nil, err
	}
	defer log.Close()
	cmd = exec.Command(bin, "master", "--ip=127.0.0.1", "--port="+port, "--work_dir="+dir+"/work", "--logging_level=warning")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return "", nil, nil, err
	}
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	}
	addr = "127.0.0.1:" + port
	if err := until(ctx, func() bool { return fetch(ctx, addr, "/state", nil) == nil }); err != nil {
		stop()
		return "", nil, nil, fmt.Errorf("the master does not serve: %w", err)
	}
	return addr, cmd, stop, nil
}
