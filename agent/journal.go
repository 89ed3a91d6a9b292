package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"mezzo/agent/checkpoint"
	"mezzo/agent/core"
	"mezzo/agent/nested"
	pb "mezzo/api/checkpoint"
	"mezzo/api/ids"
	v1 "mezzo/api/mesos/v1"
	"mezzo/internal/errs"
)

// journal makes durable what the core asks to be saved, and holds what is to be
// done about it back until then: nothing is launched, told or destroyed that a
// process after this one would not know of. What waits at the same time is
// written together.
type journal struct {
	disk    disk
	log     *slog.Logger
	changes map[string][]byte // not durable yet; nil: to be removed
	held    []core.Effect
	then    []func() // to be done beside them
	failing bool
}

// disk is where it lies: a checkpoint.Store.
type disk interface {
	Commit([]checkpoint.Change) error
	Close() error
}

// prefixes of keys.
var prefixes = map[core.RecordKind]string{
	core.FrameworkRecord: "framework/", core.TaskRecord: "task/", core.LifeRecord: "life/", core.ExecutorRecord: "executor/",
	core.OperationRecord: "operation/", core.ConvertedRecord: "converted/",
}

func openJournal(workDir string, strict bool, log *slog.Logger) (*journal, recovered, int, error) {
	path := journalPath(workDir)
	j := &journal{log: log, changes: make(map[string][]byte)}
	records, problems, err := j.open(path)
	if err != nil && !strict && errors.Is(err, errs.Corrupt) {
		aside := fmt.Sprintf("%s.corrupt-%d", path, time.Now().Unix())
		log.Error("checkpoint is put aside: its tasks are destroyed, and their frameworks told that they are gone", "err", err, "aside", aside)
		problems = append(problems, err)
		if err = os.Rename(path, aside); err == nil {
			records, _, err = j.open(path)
		}
	}
	if err != nil {
		return nil, recovered{}, 0, fmt.Errorf("%w; %s", err, cure)
	}
	r, undecoded := decodeRecords(records)
	problems = append(problems, undecoded...)
	if strict && len(problems) > 0 {
		return nil, recovered{}, 0, errors.Join(fmt.Errorf("recover tasks: %w; %s", errors.Join(problems...), cure), j.close())
	}
	for _, p := range problems {
		log.Error("part of the checkpoint is lost", "err", p)
	}
	return j, r, len(problems), nil
}

const cure = "start with --strict=false to go on without what can't be read: containers of tasks that are not known any more are destroyed"

func (j *journal) open(path string) (records map[string][]byte, problems []error, err error) {
	store, err := checkpoint.Open(path)
	if err != nil {
		return nil, nil, err
	}
	if records, problems, err = store.Load(); err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	j.disk = store
	return records, problems, nil
}

func (j *journal) close() error { return j.disk.Close() }

// forget makes the next agent know of nothing.
func (j *journal) forget(workDir string) error {
	return errors.Join(j.close(), forgetJournal(workDir))
}

func forgetJournal(workDir string) error {
	if err := os.Remove(journalPath(workDir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget tasks: %w", err)
	}
	return nil
}

// journalPath is where it lies. Layout: package checkpoint's; keys as in
// prefixes, values as in api/checkpoint.
func journalPath(workDir string) string { return filepath.Join(workDir, "meta", "tasks.db") }

// recovered is all that an earlier process kept.
type recovered struct {
	core.Recovered
	nested    []nested.Container
	converted []*v1.Resource
}

// decodeRecords makes messages of records. A life without its task is what a removal
// leaves that nobody needs.
func decodeRecords(records map[string][]byte) (r recovered, problems []error) {
	parse := func(key string, m proto.Message) bool {
		err := proto.UnmarshalOptions{AllowPartial: true}.Unmarshal(records[key], m)
		if err != nil {
			problems = append(problems, fmt.Errorf("record %q: %w: %w", key, err, errs.Corrupt))
		}
		return err == nil
	}
	for key := range records {
		if strings.HasPrefix(key, prefixes[core.FrameworkRecord]) {
			if f := new(pb.Framework); parse(key, f) {
				r.Frameworks = append(r.Frameworks, f)
			}
		}
		if strings.HasPrefix(key, prefixes[core.ExecutorRecord]) {
			if x := new(pb.Executor); parse(key, x) {
				r.Executors = append(r.Executors, core.RecoveredExecutor{Executor: x})
			}
		}
		if strings.HasPrefix(key, prefixes[core.OperationRecord]) {
			if o := new(pb.Operation); parse(key, o) {
				r.Operations = append(r.Operations, o)
			}
		}
		if strings.HasPrefix(key, prefixes[core.ConvertedRecord]) {
			if c := new(pb.Converted); parse(key, c) {
				r.converted = append(r.converted, c.GetResources()...)
			}
		}
		if strings.HasPrefix(key, nestedPrefix) {
			if n := new(pb.Nested); parse(key, n) {
				c, err := nested.FromRecord(n)
				if err != nil {
					problems = append(problems, err)
					continue
				}
				r.nested = append(r.nested, c)
			}
		}
		if id, ok := strings.CutPrefix(key, prefixes[core.TaskRecord]); ok {
			t, life, lifeKey := new(pb.Task), new(pb.Life), prefixes[core.LifeRecord]+id
			if _, there := records[lifeKey]; !there {
				problems = append(problems, fmt.Errorf("record %q is missing: %w", lifeKey, errs.Corrupt))
			} else if parse(key, t) && parse(lifeKey, life) {
				r.Tasks = append(r.Tasks, core.RecoveredTask{Task: t, Life: life})
			}
		}
	}
	return r, problems
}

// take sorts an effect: what it returns is to be done at once.
func (j *journal) take(e core.Effect) (now bool) {
	switch e := e.(type) {
	case core.Save:
		key := prefixes[e.Key.Kind] + e.Key.ID
		if e.Record == nil {
			j.changes[key] = nil
			return false
		}
		stamp(e.Record, sinceBoot())
		b, err := proto.MarshalOptions{AllowPartial: true}.Marshal(e.Record)
		if err != nil {
			panic(fmt.Sprintf("encode a record: %v", err)) // of our own making
		}
		j.changes[key] = b
		return false
	case core.Trace:
		return true
	case core.Send:
		if e.Message.GetPong() != nil {
			return true // promises nothing
		}
	}
	j.held = append(j.held, e)
	return false
}

// nestedPrefix is of the keys of containers that calls launch, before their names.
const nestedPrefix = "nested/"

// note keeps what changed of a nested container; nil: nothing of it any more. Once
// that is durable, then is called.
func (j *journal) note(name ids.ContainerID, r *pb.Nested, then func()) {
	var b []byte
	if r != nil {
		var err error
		if b, err = (proto.MarshalOptions{AllowPartial: true}).Marshal(r); err != nil {
			panic(fmt.Sprintf("encode a record: %v", err)) // of our own making
		}
	}
	j.changes[nestedPrefix+string(name)] = b
	j.then = append(j.then, then)
}

// full says that so much waits for a disk which takes nothing that nothing more
// should happen.
func (j *journal) full() bool { return j.failing && len(j.held)+len(j.then) >= maxHeld }

// maxHeld bounds what is held back while the disk takes nothing.
const maxHeld = 4096

// commit makes all durable and returns what may be done now.
func (j *journal) commit() ([]core.Effect, []func()) {
	if len(j.changes) > 0 {
		changes := make([]checkpoint.Change, 0, len(j.changes))
		for key, value := range j.changes {
			changes = append(changes, checkpoint.Change{Key: key, Value: value})
		}
		err := j.disk.Commit(changes)
		if err != nil {
			if !j.failing {
				j.log.Error("the agent can't write down what it does, and does nothing until it can: free space on the disk of work_dir", "err", err)
			}
			j.failing = true
			return nil, nil
		}
		clear(j.changes)
	}
	if j.failing {
		j.failing = false
		j.log.Info("the disk takes what the agent writes down again")
	}
	effects, then := j.held, j.then
	j.held, j.then = nil, nil
	return effects, then
}
