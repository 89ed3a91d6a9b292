// Command codec decodes and encodes messages with the types of the mesos-go
// library, which know nothing of mezzo's. It reads requests from stdin and
// writes one answer to each to stdout, both as JSON objects. It is built in
// GOPATH mode against the packaged library, so no code of mezzo is in it.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"

	"github.com/gogo/protobuf/proto"

	_ "github.com/mesos/mesos-go/api/v1/lib"
	_ "github.com/mesos/mesos-go/api/v1/lib/agent"
	_ "github.com/mesos/mesos-go/api/v1/lib/allocator"
	_ "github.com/mesos/mesos-go/api/v1/lib/executor"
	_ "github.com/mesos/mesos-go/api/v1/lib/maintenance"
	_ "github.com/mesos/mesos-go/api/v1/lib/master"
	_ "github.com/mesos/mesos-go/api/v1/lib/quota"
	_ "github.com/mesos/mesos-go/api/v1/lib/scheduler"
)

// files are the names under which the library registers its descriptors.
var files = []string{
	"mesos.proto", "agent/agent.proto", "allocator/allocator.proto", "executor/executor.proto",
	"maintenance/maintenance.proto", "master/master.proto", "quota/quota.proto", "scheduler/scheduler.proto",
}

type request struct {
	Message string // such as "mesos.scheduler.Call"; empty asks for the descriptors
	Format  string // of Data: "json" or "protobuf"
	Data    []byte
}

type answer struct {
	Error       string
	JSON        []byte   // the message as the library writes it
	Protobuf    []byte   // the same
	Descriptors [][]byte // gzipped FileDescriptorProtos
}

func main() {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for in.More() {
		var req request
		if err := in.Decode(&req); err != nil {
			fmt.Fprintln(os.Stderr, "codec:", err)
			os.Exit(1)
		}
		ans, err := serve(req)
		if err != nil {
			ans.Error = err.Error()
		}
		if err := out.Encode(ans); err != nil {
			fmt.Fprintln(os.Stderr, "codec:", err)
			os.Exit(1)
		}
	}
}

func serve(req request) (ans answer, err error) {
	if req.Message == "" {
		for _, f := range files {
			ans.Descriptors = append(ans.Descriptors, proto.FileDescriptor(f))
		}
		return ans, nil
	}
	typ := proto.MessageType(req.Message)
	if typ == nil {
		return ans, fmt.Errorf("no message %s", req.Message)
	}
	m := reflect.New(typ.Elem()).Interface().(proto.Message)
	if req.Format == "json" {
		err = json.Unmarshal(req.Data, m)
	} else {
		err = proto.Unmarshal(req.Data, m)
	}
	if err != nil {
		return ans, fmt.Errorf("decode: %v", err)
	}
	if ans.JSON, err = json.Marshal(m); err != nil {
		return ans, fmt.Errorf("encode JSON: %v", err)
	}
	if ans.Protobuf, err = proto.Marshal(m); err != nil {
		return ans, fmt.Errorf("encode protobuf: %v", err)
	}
	return ans, nil
}
