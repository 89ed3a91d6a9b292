package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesos/v1/master"
	"mezzo/api/mesosjson"
	"mezzo/api/usage"
)

// show launches the three tasks, prints what the master knows of them, and
// checks it.
func show(ctx context.Context, p *place) error {
	say("A task that behaves: asks for 0.2 CPUs and 64 MiB, uses next to nothing")
	if err := p.mezzo(ctx, "run", "--detach", "--name=behaved", "--image="+p.image, "--cpus=0.2", "--mem=64", "--", "sh", "-c", "while :; do echo tick; sleep 1; done"); err != nil {
		return err
	}
	say("A task that spins: would take a whole CPU, gets 0.5")
	if err := p.mezzo(ctx, "run", "--detach", "--name=spinning", "--image="+p.image, "--cpus=0.5", "--mem=64", "--", "sh", "-c", "while :; do :; done"); err != nil {
		return err
	}
	say("A task over its memory: has 32 MiB, wants 256; the kernel ends it, mezzo says why")
	err := p.mezzo(ctx, "run", "--name=greedy", "--image="+p.image, "--cpus=0.2", "--mem=32", "--", "dd", "if=/dev/zero", "of=/dev/null", "bs=256M", "count=1")
	var exit *exec.ExitError
	if err == nil {
		return errors.New("the task over its memory was to fail, and did not")
	}
	if !errors.As(err, &exit) {
		return err
	}
	say("What the master knows: allocated, limit, used, throttled, state")
	if err := await(ctx, p, settled); err != nil {
		return err
	}
	if err := p.mezzo(ctx, "top", "--once", "--all"); err != nil {
		return err
	}
	say("The agent's own numbers, beside what it has given out")
	return p.mezzo(ctx, "agents")
}

// settled says what is still missing before the table tells the whole story.
func settled(c *usage.Cluster) error {
	byName := map[string]*usage.TaskUsage{}
	for _, t := range c.GetTasks() {
		byName[t.GetName()] = t
	}
	behaved, spinning, greedy := byName["behaved"], byName["spinning"], byName["greedy"]
	switch {
	case behaved.GetState() != v1.TaskState_TASK_RUNNING:
		return fmt.Errorf("behaved is %v", behaved.GetState())
	case spinning.GetState() != v1.TaskState_TASK_RUNNING:
		return fmt.Errorf("spinning is %v", spinning.GetState())
	case greedy.GetState() != v1.TaskState_TASK_FAILED:
		return fmt.Errorf("greedy is %v", greedy.GetState())
	case greedy.GetUsed().GetMemory().GetOomKills() == 0:
		return errors.New("greedy has no OOM kill")
	case spinning.GetUsed().GetCpu().GetThrottledShare() < 0.5:
		return fmt.Errorf("spinning is throttled in %.0f %% of its periods", 100*spinning.GetUsed().GetCpu().GetThrottledShare())
	}
	if rate := spinning.GetUsed().GetCpu().GetRateCpus(); rate < 0.45 || rate > 0.55 {
		return fmt.Errorf("spinning uses %.3f CPUs", rate)
	}
	return nil
}

// await polls GET_USAGE until ok has nothing to say.
func await(ctx context.Context, p *place, ok func(*usage.Cluster) error) error {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := getUsage(ctx, p)
		if err == nil {
			if err = ok(c); err == nil {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not seen at the master in time: %w", err)
		case <-tick.C:
		}
	}
}

func getUsage(ctx context.Context, p *place) (*usage.Cluster, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.master+"/api/v1", strings.NewReader(`{"type":"GET_USAGE"}`))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET_USAGE: %s: %s", resp.Status, bytes.TrimSpace(body))
	}
	var r master.Response
	if err := mesosjson.Unmarshal(body, &r); err != nil {
		return nil, err
	}
	return r.GetGetUsage(), nil
}

// mezzo runs a user's command against the cluster and shows it as typed.
func (p *place) mezzo(ctx context.Context, args ...string) error {
	shown := make([]string, len(args))
	for i, a := range args {
		if strings.ContainsAny(a, " ;*") {
			a = "'" + a + "'"
		}
		shown[i] = a
	}
	fmt.Println("$ mezzo", strings.Join(shown, " "))
	cmd := p.command(ctx, p.bin, args...)
	cmd.Env = append(os.Environ(), "MEZZO_MASTER="+p.master)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("mezzo %s: %w", args[0], err)
	}
	return nil
}
