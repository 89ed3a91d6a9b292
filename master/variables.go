package master

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"mezzo/api/link"
	api "mezzo/api/replog"
	"mezzo/internal/errs"
	"mezzo/master/registry"
	"mezzo/replog"
	"mezzo/replog/state"
)

// Access says which names a token opens: those below its prefixes. Tokens are
// known by their SHA-256 only.
type Access map[[sha256.Size]byte][]string

// ReadAccess reads the file of --state_access: a line for each prefix, and the
// SHA-256 of the token that opens it, in hexadecimal; # begins a comment.
//
// Errors: errs.Invalid names the line.
func ReadAccess(path string) (Access, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("state_access: %w: %w", err, errs.Invalid)
	}
	defer f.Close()
	a, err := parseAccess(f)
	if err != nil {
		return nil, fmt.Errorf("state_access %s: %w", path, err)
	}
	return a, nil
}

func parseAccess(r io.Reader) (Access, error) {
	a := Access{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(text)
		if len(fields) == 0 {
			continue
		}
		var sum []byte
		if len(fields) == 2 {
			sum, _ = hex.DecodeString(fields[1])
		}
		switch {
		case len(sum) != sha256.Size:
			return nil, fmt.Errorf("line %d: want a prefix and the SHA-256 of a token: %w", n, errs.Invalid)
		case strings.HasPrefix(fields[0], registry.Prefix) || strings.HasPrefix(registry.Prefix, fields[0]):
			return nil, fmt.Errorf("line %d: prefix %q opens the registry, which is the masters' own: %w", n, fields[0], errs.Invalid)
		}
		key := [sha256.Size]byte(sum)
		a[key] = append(a[key], fields[0])
	}
	return a, lines.Err()
}

// opens tells whether who calls may use a name.
func (a Access) opens(ctx context.Context, name string) bool {
	md, _ := metadata.FromIncomingContext(ctx)
	for _, v := range md.Get("authorization") {
		token, bearer := strings.CutPrefix(v, "Bearer ")
		if !bearer {
			continue
		}
		for _, prefix := range a[sha256.Sum256([]byte(token))] {
			if strings.HasPrefix(name, prefix) {
				return true
			}
		}
	}
	return false
}

// Variables serves the log's variables to programs elsewhere, as far as a lets
// them.
func (e *Ensemble) Variables(a Access) api.StateServer { return &variables{e: e, access: a} }

type variables struct {
	api.UnimplementedStateServer
	e      *Ensemble
	access Access
}

// admit lets a call through that may use all of names, here.
func (v *variables) admit(ctx context.Context, names ...string) (*state.Leader, error) {
	for _, name := range names {
		if !v.access.opens(ctx, name) {
			return nil, status.Errorf(codes.PermissionDenied, "no token that opens %q (--state_access)", name)
		}
	}
	l := v.e.current.Load()
	if l == nil {
		_ = grpc.SetTrailer(ctx, metadata.Pairs(link.LeaderTrailer, v.e.Leader()))
		return nil, status.Error(codes.FailedPrecondition, "this master does not lead")
	}
	return l, nil
}

// failed is an error as gRPC says it.
func failed(err error) error {
	code := codes.Unknown
	switch {
	case err == nil:
		return nil
	case errors.Is(err, replog.ErrDemoted):
		code = codes.Aborted
	case errors.Is(err, errs.Invalid):
		code = codes.InvalidArgument
	case errors.Is(err, errs.Exhausted):
		code = codes.ResourceExhausted
	}
	return status.Error(code, errs.Text(err))
}

func (v *variables) Fetch(ctx context.Context, r *api.FetchRequest) (*api.FetchReply, error) {
	l, err := v.admit(ctx, r.GetName())
	if err != nil {
		return nil, err
	}
	got, err := l.Fetch(ctx, r.GetName())
	return &api.FetchReply{Variable: toWire(got)}, failed(err)
}

func (v *variables) Names(ctx context.Context, r *api.NamesRequest) (*api.NamesReply, error) {
	l, err := v.admit(ctx, r.GetPrefix())
	if err != nil {
		return nil, err
	}
	names, err := l.Names(ctx, r.GetPrefix())
	return &api.NamesReply{Names: names}, failed(err)
}

func (v *variables) Commit(ctx context.Context, r *api.CommitRequest) (*api.CommitReply, error) {
	var t state.Txn
	var names []string
	for _, p := range r.GetPut() {
		names = append(names, p.GetName())
		t.Put = append(t.Put, state.Restore(p.GetName(), p.GetVersion(), p.GetValue()))
	}
	for _, p := range r.GetDelete() {
		names = append(names, p.GetName())
		t.Delete = append(t.Delete, state.Restore(p.GetName(), p.GetVersion(), nil))
	}
	l, err := v.admit(ctx, names...)
	if err != nil {
		return nil, err
	}
	now, ok, err := l.Commit(ctx, t)
	reply := &api.CommitReply{Done: ok}
	for _, n := range now {
		reply.Now = append(reply.Now, toWire(n))
	}
	return reply, failed(err)
}

func toWire(v state.Variable) *api.Variable {
	return &api.Variable{Name: v.Name(), Version: v.Version(), Value: v.Value()}
}
