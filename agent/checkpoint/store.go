package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/crc64"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"

	"mezzo/internal/errs"
)

// Store is an open file of records.
//
// Concurrency: Commit and Load one at a time.
type Store struct {
	db    *bbolt.DB
	path  string
	total uint64 // of all records, as Load or the last Commit saw them
}

// Change sets a record, or removes it where Value is nil.
type Change struct {
	Key   string
	Value []byte
}

// bucket holds all records. Its name is the version of the format. The value of
// whole, 8 bytes, tells whether all are there: the exclusive or of their digests.
var (
	bucket = []byte("records-1")
	whole  = []byte("\x00whole")
)

const (
	// lockTimeout bounds the wait for a file that another process has open.
	lockTimeout = 5 * time.Second
	// allocBytes is by how much the file grows at a time.
	allocBytes = 1 << 20
)

// Open opens the file at path, or makes it, durably.
//
// Errors: errs.Corrupt if it is not, or no longer, such a file; errs.Conflict if
// another process has it.
func Open(path string) (*Store, error) {
	_, err := os.Stat(path)
	fresh := errors.Is(err, fs.ErrNotExist)
	s := &Store{path: path}
	err = guard(func() (err error) {
		if s.db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout, FreelistType: bbolt.FreelistMapType}); err != nil {
			return err
		}
		s.db.AllocSize = allocBytes
		return s.db.Update(func(tx *bbolt.Tx) error {
			_, err := tx.CreateBucketIfNotExists(bucket)
			return err
		})
	})
	switch {
	case errors.Is(err, bbolt.ErrTimeout):
		err = fmt.Errorf("another process has it: %w", errs.Conflict)
	case errors.Is(err, bbolt.ErrInvalid), errors.Is(err, bbolt.ErrChecksum), errors.Is(err, bbolt.ErrVersionMismatch):
		err = fmt.Errorf("%w: %w", err, errs.Corrupt)
	case err == nil && fresh:
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open checkpoint %q: %w", path, err), s.Close())
	}
	return s, nil
}

// Load returns all records. Those that are damaged are left out; each is a
// problem. An error says that the file as a whole can't be read.
//
// Errors: errs.Corrupt.
func (s *Store) Load() (records map[string][]byte, problems []error, err error) {
	records = make(map[string][]byte)
	err = guard(func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			b := tx.Bucket(bucket)
			if b == nil {
				return fmt.Errorf("it has no records of this version: %w", errs.Corrupt)
			}
			s.total = 0
			err := b.ForEach(func(k, v []byte) error {
				if bytes.Equal(k, whole) {
					return nil
				}
				s.total ^= digest(k, v)
				value, err := open(string(k), v)
				if err != nil {
					problems = append(problems, fmt.Errorf("record %q of checkpoint %q: %w", k, s.path, err))
					return nil
				}
				records[string(k)] = value
				return nil
			})
			if want := b.Get(whole); err == nil && len(problems) == 0 && (len(records) > 0 || want != nil) && (len(want) != 8 || binary.BigEndian.Uint64(want) != s.total) {
				problems = append(problems, fmt.Errorf("checkpoint %q: records are missing from it: %w", s.path, errs.Corrupt))
			}
			return err
		})
	})
	if err != nil {
		return nil, problems, fmt.Errorf("read checkpoint %q: %w", s.path, err)
	}
	return records, problems, nil
}

// Commit makes changes durable: all of them or, with an error, none. Load comes
// before the first one.
func (s *Store) Commit(changes []Change) error {
	total := s.total
	err := guard(func() error {
		return s.db.Update(func(tx *bbolt.Tx) error {
			b := tx.Bucket(bucket)
			for _, c := range changes {
				key := []byte(c.Key)
				if old := b.Get(key); old != nil {
					total ^= digest(key, old)
				}
				if c.Value == nil {
					if err := b.Delete(key); err != nil {
						return fmt.Errorf("remove record %q: %w", c.Key, err)
					}
					continue
				}
				sealed := seal(c.Key, c.Value)
				total ^= digest(key, sealed)
				if err := b.Put(key, sealed); err != nil {
					return fmt.Errorf("write record %q: %w", c.Key, err)
				}
			}
			return b.Put(whole, binary.BigEndian.AppendUint64(nil, total))
		})
	})
	if err != nil {
		return fmt.Errorf("write checkpoint %q: %w", s.path, err)
	}
	s.total = total
	return nil
}

// Close closes the file.
func (s *Store) Close() error {
	if s == nil || s.db == nil {
		return nil
	}
	return s.db.Close()
}

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	ecma       = crc64.MakeTable(crc64.ECMA)
)

// digest tells a record as it lies on disk from all others.
func digest(key, sealed []byte) uint64 {
	return crc64.Update(crc64.Checksum(key, ecma), ecma, sealed)
}

// sum is over the key too, so that a record is not taken for another.
func sum(key string, value []byte) uint32 {
	return crc32.Update(crc32.Checksum([]byte(key), castagnoli), castagnoli, value)
}

func seal(key string, value []byte) []byte {
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, len(value)+4), sum(key, value)), value...)
}

func open(key string, sealed []byte) ([]byte, error) {
	if len(sealed) < 4 || binary.BigEndian.Uint32(sealed) != sum(key, sealed[4:]) {
		return nil, fmt.Errorf("its checksum does not fit: %w", errs.Corrupt)
	}
	return append([]byte{}, sealed[4:]...), nil
}

// guard makes an error of what a damaged file leads bbolt into: it trusts its
// pages, which are mapped into memory, and panics or faults where they make no
// sense.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("its pages make no sense (%v): %w", p, errs.Corrupt)
		}
	}()
	return f()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
