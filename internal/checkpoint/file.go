// Package checkpoint keeps the state of a run in a file from which the run goes on
// after its process was killed.
//
// A file says what the run depends on, part by part, and is refused where a part is
// another now, where it is damaged, and where it has another version.
package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dlfd-go/unlearn/internal/atomicfile"
)

// Err is wrapped by the error of a file that cannot be used.
var Err = errors.New("the checkpoint cannot be used")

const (
	magic = "unlearn checkpoint\n"
	// version is that of the format, which includes what the code of this module
	// keeps in it. It is raised when either changes.
	version = 1
	// header is magic, the version in 4 bytes, and the length of the body in 8; after the
	// body comes the SHA-256 of all before.
	header = len(magic) + 4 + 8
)

// Part is one thing that a run depends on.
type Part struct{ Name, Value string }

// piece is one part of the state of a run.
type piece struct {
	Name string
	Data []byte
}

// content is what a file holds.
type content struct {
	Parts  []Part
	Pieces []piece
}

// write replaces the file at path. The body is the parts, then name and data of every
// piece, each with its length before it.
func write(path string, c content) error {
	parts, err := Encode(c.Parts)
	if err != nil {
		return err
	}
	blobs, size := [][]byte{parts}, 8+len(parts)
	for _, p := range c.Pieces {
		blobs = append(blobs, []byte(p.Name), p.Data)
		size += 16 + len(p.Name) + len(p.Data)
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		sum := sha256.New()
		all := io.MultiWriter(w, sum)
		start := binary.LittleEndian.AppendUint32([]byte(magic), version)
		if _, err := all.Write(binary.LittleEndian.AppendUint64(start, uint64(size))); err != nil {
			return err
		}
		for _, b := range blobs {
			if _, err := all.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(b)))); err != nil {
				return err
			}
			if _, err := all.Write(b); err != nil {
				return err
			}
		}
		_, err := w.Write(sum.Sum(nil))
		return err
	})
}

// read returns what the file at path holds, or nil if there is no file.
func read(path string) (*content, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %s %w", Err, filepath.Base(path), err)
	}
	return c, nil
}

func parse(data []byte) (*content, error) {
	if len(data) < header || string(data[:len(magic)]) != magic {
		return nil, fmt.Errorf("is no checkpoint, or cut off: it has %d bytes", len(data))
	}
	if v := binary.LittleEndian.Uint32(data[len(magic):]); v != version {
		return nil, fmt.Errorf("has version %d of the format; this program reads version %d", v, version)
	}
	size := binary.LittleEndian.Uint64(data[len(magic)+4:])
	if have := len(data) - header - sha256.Size; have < 0 || uint64(have) != size {
		return nil, fmt.Errorf("is damaged: it has %d bytes after its header, not %d", len(data)-header, size+sha256.Size)
	}
	end := len(data) - sha256.Size
	if sum := sha256.Sum256(data[:end]); !bytes.Equal(sum[:], data[end:]) {
		return nil, errors.New("is damaged: its checksum is another")
	}
	return parseBody(decoder{buf: data[header:end]})
}

func parseBody(d decoder) (*content, error) {
	c := new(content)
	if err := Decode(d.bytes(), &c.Parts); err != nil {
		return nil, err
	}
	for d.err == nil && len(d.buf) > 0 {
		c.Pieces = append(c.Pieces, piece{string(d.bytes()), d.bytes()})
	}
	return c, d.err
}

// difference shows two texts from shortly before where they begin to differ.
func difference(was, is string) string {
	same := 0
	for same < len(was) && same < len(is) && was[same] == is[same] {
		same++
	}
	return fmt.Sprintf("%q then, %q now", excerpt(was, same), excerpt(is, same))
}

func excerpt(s string, from int) string {
	const before, after = 24, 56
	lo, hi := max(0, from-before), min(len(s), from+after)
	text := s[lo:hi]
	if lo > 0 {
		text = "…" + text
	}
	if hi < len(s) {
		text += "…"
	}
	return text
}
