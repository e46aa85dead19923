package app

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"sync"
	"time"
)

// A checkpoint file is its first line and then frames, only ever appended: the
// length of the payload and a CRC-32C of kind and payload, four bytes each with
// the low byte first, one byte of kind, the payload. A frame that was not
// written whole ends the file.
const (
	journalMagic = "reconshield checkpoint 1\n"
	frameHead    = 9
	syncEvery    = time.Second
)

// errNotJournal reports a file that was never a checkpoint.
var errNotJournal = errors.New("the file is no checkpoint of a scan; name another, or remove it")

// frames is an open checkpoint file. Its methods may be called from several
// goroutines.
type frames struct {
	file *os.File
	stop chan struct{}
	done chan struct{}

	mu    sync.Mutex
	size  int64
	dirty bool
	err   error // first failure; nothing is written after it
	buf   []byte
}

// openFrames opens or makes the file, locks it, and cuts off what a crash left
// unfinished. fresh tells that it holds no frame yet.
func openFrames(path string) (f *frames, fresh bool, err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the user names it
	if err != nil {
		return nil, false, err
	}
	f = &frames{file: file, stop: make(chan struct{}), done: make(chan struct{})}
	if fresh, err = f.prepare(); err != nil {
		return nil, false, errors.Join(err, file.Close())
	}
	go f.syncing()
	return f, fresh, nil
}

func (f *frames) prepare() (fresh bool, err error) {
	info, err := f.file.Stat()
	if err != nil {
		return false, err
	}
	if !info.Mode().IsRegular() {
		return false, errors.New("not a regular file")
	}
	if err := lockFile(f.file); err != nil {
		return false, err
	}
	n, err := readFrames(io.NewSectionReader(f.file, 0, info.Size()), info.Size(), func(byte, []byte) bool {
		fresh = false
		return true
	})
	if err != nil {
		return false, err
	}
	if n == 0 {
		if _, err := f.file.WriteAt([]byte(journalMagic), 0); err != nil {
			return false, err
		}
		n = int64(len(journalMagic))
	}
	fresh = n == int64(len(journalMagic))
	f.size = n
	return fresh, f.file.Truncate(n)
}

// readFrames calls each with every whole frame of the first size bytes of r,
// until it returns false. The payload is only valid during the call. It returns
// the length of what is whole; 0 for a file that is empty, or was cut off in its
// first line. It holds no more than one frame, and none that is longer than
// what is left of the file.
func readFrames(r io.Reader, size int64, each func(kind byte, payload []byte) bool) (whole int64, err error) {
	in := bufio.NewReaderSize(r, 1<<16)
	start := make([]byte, min(int64(len(journalMagic)), size))
	if _, err := io.ReadFull(in, start); err != nil {
		return 0, err
	}
	switch {
	case string(start) != journalMagic[:len(start)]:
		return 0, errNotJournal
	case len(start) < len(journalMagic):
		return 0, nil
	}
	whole = int64(len(start))
	var head [frameHead]byte
	var payload []byte
	for {
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return whole, unlessShort(err)
		}
		length := int64(binary.LittleEndian.Uint32(head[:4]))
		if length > size-whole-frameHead {
			return whole, nil
		}
		if int64(cap(payload)) < length {
			payload = make([]byte, length)
		}
		payload = payload[:length]
		if _, err := io.ReadFull(in, payload); err != nil {
			return whole, unlessShort(err)
		}
		if frameSum(head[8], payload) != binary.LittleEndian.Uint32(head[4:8]) {
			return whole, nil
		}
		whole += frameHead + length
		if !each(head[8], payload) {
			return whole, nil
		}
	}
}

// unlessShort forgives the end of the file: what was cut off is not there.
func unlessShort(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

func frameSum(kind byte, payload []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum([]byte{kind}, table), table, payload)
}

// append writes a frame. It is on the disk a second later.
func (f *frames) append(kind byte, payload []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	f.buf = binary.LittleEndian.AppendUint32(f.buf[:0], uint32(len(payload))) //nolint:gosec // far less
	f.buf = binary.LittleEndian.AppendUint32(f.buf, frameSum(kind, payload))
	f.buf = append(append(f.buf, kind), payload...)
	n, err := f.file.WriteAt(f.buf, f.size)
	if err != nil {
		f.err = fmt.Errorf("write the checkpoint: %w", err)
		return f.err
	}
	f.size += int64(n)
	f.dirty = true
	return nil
}

// each calls do with the frames that are there now.
func (f *frames) each(do func(kind byte, payload []byte) bool) error {
	f.mu.Lock()
	size := f.size
	f.mu.Unlock()
	_, err := readFrames(io.NewSectionReader(f.file, 0, size), size, do)
	return err
}

// syncing takes what was written to the disk, now and then.
func (f *frames) syncing() {
	defer close(f.done)
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			f.sync()
		case <-f.stop:
			return
		}
	}
}

func (f *frames) sync() {
	f.mu.Lock()
	dirty := f.dirty
	f.dirty = false
	f.mu.Unlock()
	if !dirty {
		return
	}
	if err := f.file.Sync(); err != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.err = fmt.Errorf("write the checkpoint: %w", err)
	}
}

// close writes what waits and releases the file. It is called once.
func (f *frames) close() error {
	close(f.stop)
	<-f.done
	f.sync()
	return errors.Join(f.err, f.file.Close())
}
