package containerizer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"mezzo/containerizer/logger"
	"mezzo/images"
	"mezzo/internal/errs"
	"mezzo/isolator"
)

// undoTimeout bounds the clean-up after a launch that went wrong, and a
// destruction whose caller has gone.
const undoTimeout = time.Minute

var errOvertaken = fmt.Errorf("it was destroyed meanwhile: %w", errs.Conflict)

// errUncertain says that nobody knows yet whether a process began to run.
var errUncertain = errors.New("whether it started will be known when it is launched again")

// Launch starts a container and returns when its process runs. Nothing is left
// of one that could not be started; if nobody can tell, for want of containerd,
// the next Launch or Recover can, and no process runs twice.
//
// It may be repeated, as after a crash: a container with this id that was
// started from the same Spec and runs is left alone. One that was never started
// begins anew.
//
// Errors: name the container, and are of class errs.Invalid (Spec, or what the
// image asks for), errs.NotFound (image, command, sandbox), errs.Exists (the id
// belongs to another Spec, or, ErrEnded, to a container that has ended), errs.Conflict (it
// is being launched, or was destroyed meanwhile), or one of those of
// images.Store.Ensure.
func (c *Containerizer) Launch(ctx context.Context, s Spec) (Launched, error) {
	l, err := c.launchInTurn(ctx, &s)
	if err != nil {
		return Launched{}, fmt.Errorf("launch container %s: %w", s.ID, err)
	}
	return l, nil
}

func (c *Containerizer) launchInTurn(ctx context.Context, s *Spec) (l Launched, err error) {
	if err := s.validate(c.hidden); err != nil {
		return Launched{}, err
	}
	t := c.turns.enter(s.ID)
	defer c.turns.leave(s.ID, t)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := c.turns.launching(t, cancel); err != nil {
		return Launched{}, err
	}
	defer c.turns.launched(t)
	release, err := t.take(ctx)
	if err != nil {
		return Launched{}, err
	}
	defer release()
	c.turns.ended(t, nil)

	l, fresh, err := c.relaunch(ctx, s)
	if err != nil || !fresh {
		return l, err
	}
	if l, err = c.launch(ctx, s); err == nil || errors.Is(err, errUncertain) && ctx.Err() == nil {
		return l, err
	}
	if cause := context.Cause(ctx); errors.Is(cause, errOvertaken) {
		err = cause
	}
	undo, done := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer done()
	return Launched{}, errors.Join(err, c.remove(undo, s.ID, nil))
}

// relaunch finds out whether there is anything to launch.
func (c *Containerizer) relaunch(ctx context.Context, s *Spec) (l Launched, fresh bool, err error) {
	rec, err := c.engine.find(ctx, s.ID)
	ran, markErr := c.mayHaveRun(s.ID)
	switch {
	case markErr != nil:
		return Launched{}, false, markErr
	case errors.Is(err, errs.NotFound):
		return Launched{}, true, nil
	case err != nil:
		return Launched{}, false, err
	case rec.labels[labelSpec] != s.digest():
		return Launched{}, false, fmt.Errorf("the id belongs to a container started from something else: %w", errs.Exists)
	case rec.state == running:
		c.markSurelyStarted(s.ID)
		return Launched{PID: rec.pid, ImageDigest: rec.labels[labelImage]}, false, nil
	case ran && rec.state != created:
		return Launched{}, false, ErrEnded
	}
	return Launched{}, true, c.remove(ctx, s.ID, nil) // it was never started
}

func (c *Containerizer) launch(ctx context.Context, s *Spec) (Launched, error) {
	img, config, err := c.ensureImage(ctx, s)
	if err != nil {
		return Launched{}, err
	}
	root, err := c.engine.prepare(ctx, s.ID, img)
	if err != nil {
		return Launched{}, err
	}
	who, err := c.account(ctx, s, config, root)
	if err != nil {
		return Launched{}, err
	}
	spec, err := newSpec(c.context(ctx), s, config, who, c.hidden)
	if err != nil {
		return Launched{}, err
	}
	spec.Root = root.root()
	if err := ownSandbox(s, who); err != nil {
		return Launched{}, err
	}
	if s.Fill != nil {
		if err := s.Fill(ctx, who.UID, who.GID); err != nil {
			return Launched{}, err
		}
	}
	inner := isolator.Container{ID: s.ID, Limits: s.Limits, Capabilities: s.Capabilities, Group: s.Group, Within: s.Within}
	if err := c.isolators.Prepare(ctx, inner, spec); err != nil {
		return Launched{}, err
	}
	labels, err := c.labels(s, inner, img)
	if err != nil {
		return Launched{}, err
	}
	pid, err := c.engine.create(ctx, creation{
		id: s.ID, image: img.Ref, spec: spec, labels: labels, output: logURI(c.cfg.Logger, logger.Argument(c.cfg.Rotation, s.Sandbox)),
	})
	if err != nil {
		return Launched{}, err
	}
	if err := c.markStarted(s.ID); err != nil {
		return Launched{}, err
	}
	// Nobody needs to wait before the start: the shim keeps the exit.
	if err := c.engine.start(ctx, s.ID); errors.Is(err, errs.Unavailable) {
		return Launched{}, fmt.Errorf("%w; %w", err, errUncertain)
	} else if err != nil {
		return Launched{}, err
	}
	c.markSurelyStarted(s.ID)
	c.log.Info("container started", "container_id", s.ID, "image", img.Ref, "pid", pid)
	return Launched{PID: pid, ImageDigest: img.Digest.String()}, nil
}

// ensureImage returns the zero Image, and nothing asked for, without one.
func (c *Containerizer) ensureImage(ctx context.Context, s *Spec) (images.Image, *ocispec.ImageConfig, error) {
	if s.Image == "" {
		return images.Image{}, &ocispec.ImageConfig{}, nil
	}
	policy := images.IfAbsent
	if s.AlwaysPull {
		policy = images.Always
	}
	img, err := c.engine.image(ctx, s.Image, policy, func(p images.Progress) { c.progress(s.ID, p) })
	return img, img.Config, err
}

// account finds whom the process runs as; for root, nothing is looked up.
func (c *Containerizer) account(ctx context.Context, s *Spec, config *ocispec.ImageConfig, root rootfs) (account, error) {
	name := s.User
	if name == "" {
		name = config.User
	}
	if !needsLookup(name) {
		return superuser, nil
	}
	passwd, group, err := root.accounts(ctx)
	if err != nil {
		return account{}, err
	}
	return findAccount(name, passwd, group)
}

// ownSandbox gives the sandbox and the mounts from within it, not what else is
// in it, to the container's user, and makes the files of output.
func ownSandbox(s *Spec, who account) error {
	dir := s.Sandbox
	st, err := os.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("sandbox %q: %w", dir, errs.NotFound)
	case err != nil:
		return fmt.Errorf("sandbox: %w", err)
	case !st.IsDir():
		return invalid("sandbox %q is not a directory", dir)
	}
	for _, m := range append([]Mount{{Source: dir}}, s.Mounts...) {
		if !within(m.Source, dir) && !m.Own {
			continue
		}
		if err := os.Lchown(m.Source, int(who.UID), int(who.GID)); err != nil {
			return fmt.Errorf("sandbox: %w", err)
		}
	}
	if err := createOutput(dir, who.UID, who.GID); err != nil {
		return fmt.Errorf("output files: %w", err)
	}
	return nil
}

func (c *Containerizer) labels(s *Spec, inner isolator.Container, img images.Image) (map[string]string, error) {
	told, err := json.Marshal(inner)
	if err != nil {
		return nil, fmt.Errorf("encode labels: %w", err)
	}
	labels := maps.Clone(s.Labels)
	if labels == nil {
		labels = make(map[string]string)
	}
	labels[labelOwner] = c.cfg.StateDir
	labels[labelSpec] = s.digest()
	labels[labelContainer] = string(told)
	labels[labelSandbox] = s.Sandbox
	labels[labelImage] = img.Digest.String()
	return labels, nil
}

// digest tells two Specs apart.
func (s *Spec) digest() string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("a Spec has only strings and numbers: %v", err))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
