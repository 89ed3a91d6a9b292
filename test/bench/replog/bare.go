package main

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// bare writes to files whose blocks were written before and syncs them, which is
// what a disk can do at best; of three it waits for two.
type bare struct {
	files   []*os.File
	offsets []int64
	jobs    []chan []byte
	done    chan error
	behind  int // of the last append
}

const bareBytes = 64 << 20

func openBare(dir string, n int) (system, error) {
	b := &bare{done: make(chan error, 16)}
	for i := range n {
		f, err := os.Create(filepath.Join(dir, strconv.Itoa(i)))
		if err != nil {
			return nil, err
		}
		zeros := make([]byte, 1<<20)
		for at := int64(0); at < bareBytes; at += int64(len(zeros)) {
			if _, err := f.WriteAt(zeros, at); err != nil {
				return nil, err
			}
		}
		if err := f.Sync(); err != nil {
			return nil, err
		}
		jobs := make(chan []byte, 4)
		b.files, b.jobs = append(b.files, f), append(b.jobs, jobs)
		go func() {
			at := int64(0)
			for data := range jobs {
				if at+int64(len(data)) > bareBytes {
					at = 0
				}
				_, err := f.WriteAt(data, at)
				at += int64(len(data))
				if err == nil {
					err = syscall.Fdatasync(int(f.Fd()))
				}
				b.done <- err
			}
		}()
	}
	return b, nil
}

func (b *bare) append(_ int, data []byte) error {
	for _, j := range b.jobs {
		j <- data
	}
	need := len(b.files)/2 + 1 + b.behind
	for range need {
		if err := <-b.done; err != nil {
			return err
		}
	}
	b.behind = len(b.files) - len(b.files)/2 - 1
	return nil
}

func (b *bare) close() {
	for i, f := range b.files {
		close(b.jobs[i])
		f.Close()
	}
}
