// Command mesosgo prints the address of each master that mesos-go's detector
// tells of, "none" for none. Built without modules, against Debian's package.
package main

import (
	"fmt"
	"os"

	"github.com/mesos/mesos-go/api/v0/detector"
	_ "github.com/mesos/mesos-go/api/v0/detector/zoo"
	mesos "github.com/mesos/mesos-go/api/v0/mesosproto"
)

func main() {
	d, err := detector.New(os.Args[1])
	if err == nil {
		err = d.Detect(detector.OnMasterChanged(func(info *mesos.MasterInfo) {
			if info == nil {
				fmt.Println("none")
			} else {
				fmt.Printf("%s:%d %s\n", info.GetAddress().GetIp(), info.GetAddress().GetPort(), info.GetId())
			}
		}))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	<-d.Done()
}
