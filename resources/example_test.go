package resources_test

import (
	"fmt"

	"mezzo/resources"
)

func Example() {
	total, err := resources.Parse("cpus:4;mem:1024;cpus(eng):2;ports:[31000-32000]", resources.DefaultRole)
	if err != nil {
		fmt.Println(err)
		return
	}
	task, ok := total.Find(resources.MustParse("cpus:2.5;mem:64;ports:[31005-31005]"), "eng/web")
	fmt.Println(task, ok)
	rest, ok := total.Sub(task)
	fmt.Println(rest, ok)
	fmt.Println(task.Quantities(), task.CPUMilli(), task.MemBytes())
	// Output:
	// cpus:0.5;cpus(eng):2;mem:64;ports:[31005-31005] true
	// cpus:3.5;mem:960;ports:[31000-31004, 31006-32000] true
	// cpus:2.5;mem:64 2500 67108864
}
