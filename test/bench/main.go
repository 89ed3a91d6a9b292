// Command bench measures the whole system against `ctr run` on the same
// containerd, in the same minute: from ACCEPT to TASK_RUNNING at the framework,
// and what master, agent and each running task cost in memory. It prints ratios
// beside the figures, since the figures are this machine's.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"mezzo/containerizer/daemon"
	"mezzo/images/imagetest"
)

func main() {
	bin := flag.String("bin", "bin/mezzo", "the binary to measure")
	rounds := flag.Int("n", 30, "launches of each kind, taken in turn")
	tasks := flag.Int("tasks", 10, "tasks running while memory is read")
	waves := flag.String("waves", "", "comma-separated numbers of containers that are asked for at once; measures the agent instead")
	updates := flag.Int("updates", 3000, "tasks of an executor that each tell two states")
	teller := flag.Bool("executor", false, "be that executor")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	sizes, err := numbers(*waves)
	switch {
	case *teller:
		err = tell(ctx)
	case err == nil:
		err = run(ctx, *bin, *rounds, *tasks, sizes, *updates)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func numbers(list string) (all []int, err error) {
	for _, s := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' }) {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("-waves %q: %q is no number of containers", list, s)
		}
		all = append(all, n)
	}
	return all, nil
}

func run(ctx context.Context, bin string, rounds, tasks int, waves []int, updates int) error {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mezzobench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	archive := filepath.Join(dir, "busybox.tar")
	if err := imagetest.WriteBusybox(archive, imagetest.Options{}); err != nil {
		return err
	}
	d, err := daemon.Connect(ctx, daemon.Config{Address: daemon.Private, Dir: filepath.Join(dir, "ctrd")}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer stopDaemon(d)
	c, err := startCluster(ctx, bin, dir, d.Address())
	if err != nil {
		return err
	}
	defer c.stop()

	peer := ctr{socket: d.Address(), image: "docker.io/library/busybox:latest"}
	if err := peer.importImage(ctx, archive); err != nil {
		return err
	}
	fw, err := subscribe(ctx, c.master, "file://"+archive)
	if err != nil {
		return err
	}
	if len(waves) > 0 {
		told, err := measureUpdates(ctx, fw, updates)
		if err != nil {
			return err
		}
		measured, err := measureWaves(ctx, c, fw, peer, waves)
		if err != nil {
			return err
		}
		return printWaves(os.Stdout, measured, updates, told)
	}
	launches, peers, err := measureLaunch(ctx, fw, peer, rounds)
	if err != nil {
		return err
	}
	mem, err := measureMemory(ctx, c, fw, tasks)
	if err != nil {
		return err
	}
	return printAll(os.Stdout, launches, peers, mem)
}

func stopDaemon(d *daemon.Daemon) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := d.Stop(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench: stop containerd:", err)
	}
}

// measureLaunch takes the two in turn, so that both see the same machine. The
// first of each warms caches and is not counted.
func measureLaunch(ctx context.Context, fw *framework, peer ctr, rounds int) (ours, theirs []time.Duration, err error) {
	for i := range rounds + 1 {
		a, err := fw.launch(ctx)
		if err != nil {
			return nil, nil, err
		}
		if err := fw.killAll(ctx); err != nil {
			return nil, nil, err
		}
		b, err := peer.run(ctx, fmt.Sprintf("bench%d", i))
		if err != nil {
			return nil, nil, err
		}
		if i > 0 {
			ours, theirs = append(ours, a), append(theirs, b)
		}
	}
	return ours, theirs, nil
}

func percentile(d []time.Duration, p int) time.Duration {
	s := slices.Sorted(slices.Values(d))
	return s[min(len(s)-1, len(s)*p/100)]
}

func printAll(out io.Writer, ours, theirs []time.Duration, m memory) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "launch, %d each\tp50\tp99\tmin\t\n", len(ours))
	for _, row := range []struct {
		name string
		d    []time.Duration
	}{{"mezzo: ACCEPT to TASK_RUNNING", ours}, {"ctr run -d: start to return", theirs}} {
		fmt.Fprintf(w, "%s\t%v\t%v\t%v\t\n", row.name, percentile(row.d, 50).Round(time.Millisecond), percentile(row.d, 99).Round(time.Millisecond), slices.Min(row.d).Round(time.Millisecond))
	}
	ratio := func(p int) float64 { return float64(percentile(ours, p)) / float64(percentile(theirs, p)) }
	fmt.Fprintf(w, "ratio\t%.2f\t%.2f\t%.2f\t\n\n", ratio(50), ratio(99), float64(slices.Min(ours))/float64(slices.Min(theirs)))
	fmt.Fprintf(w, "memory (PSS)\tat rest\twith %d tasks\tper task\t\n", m.tasks)
	for _, row := range m.rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t\n", row.name, mib(row.rest), mib(row.busy), mib((row.busy-row.rest)/int64(m.tasks)))
	}
	return w.Flush()
}

func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
