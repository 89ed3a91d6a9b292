package mesosgo

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

// gocode is where Debian's golang-*-dev packages put their sources.
const gocode = "/usr/share/gocode"

// peer is a running testdata/codec; request and answer are its own.
type peer struct {
	enc *json.Encoder
	dec *json.Decoder
}

type request struct {
	Message string
	Format  string
	Data    []byte
}

type answer struct {
	Error       string
	JSON        []byte
	Protobuf    []byte
	Descriptors [][]byte
}

func startPeer(t *testing.T) *peer {
	t.Helper()
	if _, err := os.Stat(filepath.Join(gocode, "src/github.com/mesos/mesos-go")); err != nil {
		const why = "Debian package golang-github-mesos-mesos-go-dev is not installed"
		if os.Getenv("MEZZO_TEST_REQUIRED") != "" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	bin := filepath.Join(t.TempDir(), "codec")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin, ".")
	build.Dir = "testdata/codec"
	build.Env = append(os.Environ(), "GO111MODULE=off", "GOPATH="+gocode, "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}

	cmd := exec.Command(bin)
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
			t.Error(err)
		}
	})
	return &peer{json.NewEncoder(in), json.NewDecoder(out)}
}

func (p *peer) ask(t *testing.T, req request) answer {
	t.Helper()
	var ans answer
	if err := errors.Join(p.enc.Encode(req), p.dec.Decode(&ans)); err != nil {
		t.Fatal(err)
	}
	if ans.Error != "" {
		t.Fatalf("mesos-go, %s as %s: %s\n%q", req.Message, req.Format, ans.Error, req.Data)
	}
	return ans
}

// descriptors are the library's own .proto files.
func (p *peer) descriptors(t *testing.T) []*descriptorpb.FileDescriptorProto {
	t.Helper()
	var files []*descriptorpb.FileDescriptorProto
	for _, zipped := range p.ask(t, request{}).Descriptors {
		r, err := gzip.NewReader(bytes.NewReader(zipped))
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		f := new(descriptorpb.FileDescriptorProto)
		if err := proto.Unmarshal(data, f); err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}
