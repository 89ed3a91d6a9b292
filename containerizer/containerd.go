package containerizer

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/types"
	"github.com/containerd/containerd/api/types/runc/options"
	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"github.com/containerd/typeurl/v2"

	"mezzo/images"
	"mezzo/internal/errs"
	"mezzo/isolator"
)

// containerdEngine is the engine of real containers. It speaks to containerd's
// services by id and keeps nothing, so a restart of either side is no event.
type containerdEngine struct {
	cfg      Config
	client   *containerd.Client
	images   *images.Store
	runcRoot string
	address  string // of containerd
}

var _ engine = (*containerdEngine)(nil)

func (e *containerdEngine) context(ctx context.Context) context.Context {
	return namespaces.WithNamespace(ctx, e.cfg.Namespace)
}

func (e *containerdEngine) image(ctx context.Context, ref string, p images.Policy, report func(images.Progress)) (images.Image, error) {
	return e.images.Ensure(ctx, ref, p, report)
}

func (e *containerdEngine) prepare(ctx context.Context, id isolator.ID, img images.Image) (rootfs, error) {
	if img.Ref == "" {
		return e.prepareHost(id)
	}
	ctx = e.context(ctx)
	if err := e.images.Pin(ctx, string(id), map[string]string{labelOwner: e.cfg.StateDir}, img); err != nil {
		return nil, err
	}
	ctx = leases.WithLease(ctx, string(id))
	m, err := e.snapshots().Prepare(ctx, string(id), img.ChainID)
	if errdefs.IsAlreadyExists(err) { // of a launch that was cut short
		if err = e.snapshots().Remove(ctx, string(id)); err == nil {
			m, err = e.snapshots().Prepare(ctx, string(id), img.ChainID)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("prepare snapshot: %w", classify(err))
	}
	return snapshot(m), nil
}

func (e *containerdEngine) prepareHost(id isolator.ID) (rootfs, error) {
	dir := e.hostRoot(id)
	if err := removeHostRoot(dir); err != nil {
		return nil, err
	}
	if err := makeHostRoot(dir); err != nil {
		return nil, err
	}
	return hostRoot(dir), nil
}

func (e *containerdEngine) hostRoot(id isolator.ID) string {
	return filepath.Join(e.cfg.StateDir, "host", string(id))
}

func (e *containerdEngine) diskUsage(ctx context.Context, id isolator.ID) (int64, error) {
	c, err := e.client.ContainerService().Get(e.context(ctx), string(id))
	if err != nil {
		return 0, classify(err)
	}
	if c.SnapshotKey == "" {
		return 0, nil // it is on the host's file system
	}
	u, err := e.snapshots().Usage(e.context(ctx), c.SnapshotKey)
	if err != nil {
		return 0, fmt.Errorf("usage of snapshot: %w", classify(err))
	}
	return u.Size, nil
}

func (e *containerdEngine) snapshots() snapshots.Snapshotter {
	return e.client.SnapshotService(e.cfg.Snapshotter)
}

func (e *containerdEngine) create(ctx context.Context, n creation) (uint32, error) {
	ctx = e.context(ctx)
	spec, err := typeurl.MarshalAny(n.spec)
	if err != nil {
		return 0, fmt.Errorf("encode spec: %w", err)
	}
	runc, err := typeurl.MarshalAny(&options.Options{Root: e.runcRoot})
	if err != nil {
		return 0, fmt.Errorf("encode runtime options: %w", err)
	}
	rec := containers.Container{
		ID: string(n.id), Labels: n.labels, Image: n.image, Spec: spec,
		Runtime: containers.RuntimeInfo{Name: e.cfg.Runtime, Options: runc},
	}
	var root []*types.Mount
	if n.image != "" {
		rec.Snapshotter, rec.SnapshotKey = e.cfg.Snapshotter, string(n.id)
		m, err := e.snapshots().Mounts(ctx, string(n.id))
		if err != nil {
			return 0, fmt.Errorf("mount snapshot: %w", classify(err))
		}
		root = mount.ToProto(m)
	}
	if _, err := e.client.ContainerService().Create(ctx, rec); err != nil {
		return 0, fmt.Errorf("create record: %w", classify(err))
	}
	r, err := e.createTask(ctx, &tasks.CreateTaskRequest{
		ContainerID: string(n.id), Rootfs: root, Stdout: n.output, Stderr: n.output,
	})
	if err != nil {
		return 0, explainRuntime(errgrpc.ToNative(err), n.spec.Process.Args[0])
	}
	return r.Pid, nil
}

// createPatience is how long containerd may take to clear up after a creation of
// the same container whose asker is gone.
const createPatience = 15 * time.Second

// createTask waits for such a clearing up: an agent that was killed in the middle
// of a launch leaves containerd at work on it, and the next one asks again.
func (e *containerdEngine) createTask(ctx context.Context, req *tasks.CreateTaskRequest) (*tasks.CreateTaskResponse, error) {
	for deadline := time.Now().Add(createPatience); ; {
		r, err := e.client.TaskService().Create(ctx, req)
		if err == nil || !bundleTaken(err) || time.Now().After(deadline) {
			return r, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(retryMin):
		}
	}
}

// bundleTaken tells whether a shim's directory was there already, or was taken away
// under the shim: by an earlier creation, which ends. containerd has no class for it.
func bundleTaken(err error) bool {
	text := err.Error()
	return strings.Contains(text, "failed to start shim") &&
		(strings.Contains(text, "mkdir") && strings.Contains(text, "file exists") || strings.Contains(text, "no such file or directory"))
}

func (e *containerdEngine) start(ctx context.Context, id isolator.ID) error {
	_, err := e.client.TaskService().Start(e.context(ctx), &tasks.StartRequest{ContainerID: string(id)})
	if err != nil {
		return fmt.Errorf("start: %w", classify(errgrpc.ToNative(err)))
	}
	return nil
}

// defaultRuncRoot is where the shim has runc keep its state unless told otherwise.
const defaultRuncRoot = "/run/containerd/runc"

// startCut looks for the pipe on which a container's process waits for its start,
// which runc removes when it is done. The process gives up if who started it dies
// meanwhile, as the shim lets it with containerd.
func (e *containerdEngine) startCut(id isolator.ID) bool {
	root := e.runcRoot
	if root == "" {
		root = defaultRuncRoot
	}
	_, err := os.Lstat(filepath.Join(root, e.cfg.Namespace, string(id), "exec.fifo"))
	return err == nil
}

func (e *containerdEngine) remove(ctx context.Context, id isolator.ID) error {
	ctx = e.context(ctx)
	if err := e.deleteTask(ctx, id); err != nil {
		return fmt.Errorf("delete task: %w", err)
	}
	if err := present(e.client.ContainerService().Delete(ctx, string(id))); err != nil {
		return fmt.Errorf("delete record: %w", err)
	}
	if err := present(e.snapshots().Remove(ctx, string(id))); err != nil {
		return fmt.Errorf("remove snapshot: %w", err)
	}
	if err := e.images.Unpin(ctx, string(id)); err != nil {
		return err
	}
	return removeHostRoot(e.hostRoot(id))
}

// deleteTask tries for a while: a shim that was lost a moment ago answers with
// errors until containerd has noticed.
func (e *containerdEngine) deleteTask(ctx context.Context, id isolator.ID) error {
	const tries = 50
	for n := 1; ; n++ {
		_, err := e.client.TaskService().Delete(ctx, &tasks.DeleteTaskRequest{ContainerID: string(id)})
		err = errgrpc.ToNative(err)
		if errdefs.IsNotFound(err) {
			endShim(id, e.address)
			return nil
		}
		if err = present(err); err == nil || n == tries {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(retryMin):
		}
	}
}

// present is err unless it says that there was nothing to remove.
func present(err error) error {
	if errdefs.IsNotFound(err) {
		return nil
	}
	return classify(err)
}

func (e *containerdEngine) usage(ctx context.Context, id isolator.ID) (isolator.Usage, error) {
	r, err := e.client.TaskService().Metrics(e.context(ctx), &tasks.MetricsRequest{Filters: []string{"id==" + string(id)}})
	if err != nil {
		return isolator.Usage{}, fmt.Errorf("ask for metrics: %w", classify(errgrpc.ToNative(err)))
	}
	if len(r.Metrics) == 0 || r.Metrics[0].Data == nil {
		return isolator.Usage{}, fmt.Errorf("metrics of container %s: %w", id, errs.NotFound)
	}
	return decodeMetrics(r.Metrics[0], time.Now())
}
