package main

// Goal: the flags of who is offered what are taken, shown as they stand, and
// refused with the words that help. Method: the whole program, as in main_test.go.

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOfferingFlags(t *testing.T) {
	addr, port := freeAddr(t)
	hosts := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(hosts, []byte("a1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	common := []string{"--ip=127.0.0.1", "--port=" + port, "--work_dir=" + t.TempDir()}
	const domain = `{"fault_domain":{"region":{"name":"west"},"zone":{"name":"a"}}}`
	for _, row := range []struct {
		args []string
		want map[string]string
	}{
		{nil, map[string]string{
			"offer_timeout": "1mins", "offer_sizing": "shared", "min_offer_share": "cpus:1;mem:1024",
			"min_allocatable_resources": "cpus:0.01|mem:32", "filter_gpu_resources": "true", "role_sorter": "drf",
			"framework_sorter": "drf", "weights": "", "whitelist": "", "domain": "", "fair_sharing_excluded_resource_names": "",
		}},
		{[]string{
			"--offer_timeout=0secs", "--offer_sizing=whole", "--min_offer_share=cpus:2", "--min_allocatable_resources=cpus:1|mem:8;disk:1",
			"--no-filter_gpu_resources", "--role_sorter=random", "--framework_sorter=random", "--weights=b=0.5,a=2",
			"--whitelist=file://" + hosts, "--domain=" + domain, "--fair_sharing_excluded_resource_names=gpus,disk",
		}, map[string]string{
			"offer_timeout": "0secs", "offer_sizing": "whole", "min_offer_share": "cpus:2", "min_allocatable_resources": "cpus:1|disk:1;mem:8",
			"filter_gpu_resources": "false", "role_sorter": "random", "framework_sorter": "random", "weights": "a=2,b=0.5",
			"whitelist": hosts, "domain": domain, "fair_sharing_excluded_resource_names": "gpus,disk",
		}},
		{[]string{"--min_offer_share=", "--min_allocatable_resources="}, map[string]string{"min_offer_share": "", "min_allocatable_resources": ""}},
	} {
		r := start(t, nil, append([]string{"mesos-master"}, append(common, row.args...)...)...)
		var answer struct{ Flags map[string]string }
		r.get(t, addr, "/flags", &answer)
		for name, want := range row.want {
			if got := answer.Flags[name]; got != want {
				t.Errorf("%v: flag %s is %q, want %q", row.args, name, got, want)
			}
		}
		if code := r.end(t); code != 0 {
			t.Errorf("exit code %d; stderr:\n%s", code, r.stderr.String())
		}
	}
	for flag, says := range map[string]string{
		"--offer_sizing=half":                        "want shared or whole",
		"--role_sorter=lottery":                      "want drf or random",
		"--min_offer_share=cpus":                     "cpus",
		"--min_offer_share=ports:[1-2]":              "no plain scalar",
		"--min_allocatable_resources=cpus:-1":        "negative",
		"--weights=a=0":                              "from 0.001",
		"--weights=a":                                "role=weight",
		"--whitelist=/no/such/file":                  "/no/such/file",
		"--domain=west":                              "--domain",
		`--domain={"fault_domain":{}}`:               "region",
		`--domain={}`:                                "no region or no zone",
		"--fair_sharing_excluded_resource_names=a,,": "unfair resource is empty",
	} {
		r := start(t, nil, append([]string{"mesos-master", flag}, common...)...)
		if code := r.wait(t); code != 1 || !strings.Contains(r.stderr.String(), says) {
			t.Errorf("%s: exit code %d; stderr:\n%s", flag, code, r.stderr.String())
		}
	}
}
