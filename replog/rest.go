package replog

import (
	"cmp"
	"fmt"
	"slices"

	"mezzo/internal/errs"
	"mezzo/replog/paxos"
	"mezzo/replog/wal"
)

// Verify reads a directory at rest, and changes nothing.
//
// Errors: errs.Corrupt names file and offset; errs.NotFound if there is no log.
func Verify(dir string) (*wal.Report, error) {
	r, err := wal.Verify(wal.OS(dir))
	if err != nil {
		return nil, fmt.Errorf("verify log %q: %w", dir, err)
	}
	return r, nil
}

// StateOf is the state in what was found in a directory.
func StateOf(r *wal.Report) (paxos.State, error) { return stateOf(r) }

// ReadDir reads what a directory at rest holds: entries in order, of which those
// from State.Chosen on are not known to be chosen.
func ReadDir(dir string) (paxos.State, []paxos.Entry, error) {
	newest := map[uint64]paxos.Entry{}
	r, err := wal.Dump(wal.OS(dir), func(i wal.Item) {
		if i.Name == "" && i.Kind < wal.FirstState {
			e := entryOf(i.Record)
			e.Data = slices.Clone(e.Data)
			newest[e.Position] = e
		}
	})
	if err != nil {
		return paxos.State{}, nil, fmt.Errorf("read log %q: %w", dir, err)
	}
	state, err := stateOf(r)
	if err != nil {
		return paxos.State{}, nil, fmt.Errorf("read log %q: %w", dir, err)
	}
	var all []paxos.Entry
	for _, e := range newest {
		if e.Position >= state.Begin {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b paxos.Entry) int { return cmp.Compare(a.Position, b.Position) })
	return state, all, nil
}

// Dump visits a line for each record of a directory at rest, as it lies there.
func Dump(dir string, visit func(line string)) error {
	_, err := wal.Dump(wal.OS(dir), func(i wal.Item) {
		what := i.Name
		switch s, err := parseState(i.Payload); {
		case what != "":
		case i.Kind == kindState && err != nil:
			what = err.Error()
		case i.Kind == kindState:
			what = fmt.Sprintf("state: promised %d, begin %d, chosen %d, %d members since %d", s.Promised, s.Begin, s.Chosen, len(s.Members.Members), s.Members.Since)
		default:
			what = fmt.Sprintf("position %d, ballot %d, kind %d, %d bytes", i.Position, i.Ballot, i.Kind, len(i.Payload))
		}
		visit(fmt.Sprintf("%s %8d  %s", i.File, i.Offset, what))
	})
	if err != nil {
		return fmt.Errorf("dump log %q: %w", dir, err)
	}
	return nil
}

// kindInitialized marks a replica that may begin an ensemble.
const kindInitialized = kindState + 1

// Initialize makes the directory of a replica that may begin an ensemble with
// others, though its Config.Bootstrap says no.
//
// Errors: errs.Exists if it is part of an ensemble.
func Initialize(dir string) error {
	if r, err := wal.Verify(wal.OS(dir)); err == nil {
		if _, begun := r.State[kindState]; begun {
			return fmt.Errorf("initialize log %q: there is one: %w", dir, errs.Exists)
		}
	}
	failed := make(chan error, 2)
	w, _, err := wal.Open(wal.Config{Dir: dir, Ensemble: content}, wal.Deps{Fatal: func(err error) { failed <- err }})
	if err != nil {
		return fmt.Errorf("initialize log: %w", err)
	}
	if err := w.Append([]wal.Record{{Kind: kindInitialized}}, true, func(err error) { failed <- err }); err != nil {
		failed <- err
	}
	if err := <-failed; err != nil {
		return fmt.Errorf("initialize log %q: %w", dir, err)
	}
	return w.Close()
}
