package dataset

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"unsafe"
)

// mapping is a file that is used where the system keeps it, without a copy. Where a
// file cannot be mapped, it is read.
//
// Pages that have been used count as memory of the process, although the system
// takes them back where it needs them. So the mapping is made anew when limit bytes
// have been used: the pages stay in the system's cache, where they cost little to
// find again.
type mapping struct {
	file  *os.File
	size  int64
	limit int64
	used  atomic.Int64 // since the mapping was made

	mu     sync.RWMutex // held for writing while the mapping is made anew
	data   []byte       // nil: the file is not mapped
	closed bool
	freed  runtime.Cleanup
}

// newMapping maps the first size bytes of a file, which it takes over.
func newMapping(file *os.File, size, limit int64) *mapping {
	m := &mapping{file: file, size: size, limit: limit}
	m.renew()
	return m
}

// renew makes the mapping anew. The caller holds mu, or is alone.
func (m *mapping) renew() {
	m.release()
	m.used.Store(0)
	if m.closed || m.size == 0 || m.size > math.MaxInt {
		return
	}
	data, err := mapFile(m.file, int(m.size))
	if err != nil { // the file system may not know mappings
		return
	}
	m.data = data
	m.freed = runtime.AddCleanup(m, func(data []byte) { unmapFile(data) }, data)
}

func (m *mapping) release() {
	if m.data != nil {
		m.freed.Stop()
		unmapFile(m.data)
		m.data = nil
	}
}

func (m *mapping) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil
	}
	m.closed = true
	m.release()
	return m.file.Close()
}

// pageWindow is what a system maps around a byte that is used: 64 KiB in Linux.
const pageWindow = 1 << 16

// use calls f with n bytes from lo on.
func (m *mapping) use(lo int64, n int, f func([]byte)) error {
	pages := (lo+int64(n)+pageWindow-1)/pageWindow - lo/pageWindow
	if m.used.Add(pages*pageWindow) > m.limit {
		m.mu.Lock()
		if m.used.Load() > m.limit { // no other call has done it
			m.renew()
		}
		m.mu.Unlock()
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	switch {
	case m.closed:
		return fs.ErrClosed
	case m.data == nil:
		return m.read(lo, n, f)
	}
	return m.guard(func() { f(m.data[lo : lo+int64(n)]) })
}

func (m *mapping) read(lo int64, n int, f func([]byte)) error {
	buf := make([]byte, n)
	if _, err := m.file.ReadAt(buf, lo); err != nil {
		return cutOff(err)
	}
	f(buf)
	return nil
}

func cutOff(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: the file is cut off", ErrPack)
	}
	return bareError(err)
}

// guard calls f and turns the fault that a part of the mapping gives which the file
// does not have any more, or which cannot be read, into an error.
func (m *mapping) guard(f func()) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		fault, ok := p.(interface{ Addr() uintptr })
		if base := uintptr(unsafe.Pointer(&m.data[0])); !ok || fault.Addr() < base || fault.Addr()-base >= uintptr(len(m.data)) {
			panic(p)
		}
		err = fmt.Errorf("%w: the file was cut off, or cannot be read any more", ErrPack)
	}()
	f()
	return nil
}
