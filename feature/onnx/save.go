package onnx

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/atomicfile"
)

// Saving never writes a model anew. Tools keep what they need in fields that this package
// does not read, and a file that was not trained must come out as it went in, so the
// bytes that were read are changed where weights changed, and nowhere else. Floats in raw
// data or typed fields have fixed places. Half-precision numbers in typed fields are
// variable in length: their fields are replaced, and the lengths of all fields around
// them are written again.

var _ feature.Saver = (*Model)(nil)

// edit replaces the bytes [lo, hi) of a file.
type edit struct {
	lo, hi int
	data   []byte
}

// Write writes the file as it was read, with the weights that have changed since
// in the place of the old ones: a model that was not trained gives the bytes that
// it was read from. Weights that the file keeps in other files than the model
// are an error (see Save). The other errors are those of w, and ErrLimit if a
// half-precision file cannot hold a weight.
func (m *Model) Write(w io.Writer) error {
	if name := m.firstExternal(); name != "" {
		return fmt.Errorf("onnx: %w: tensor %q is kept outside of the file; use Save", ErrExternal, name)
	}
	data, err := m.patched()
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return fmt.Errorf("onnx: %w", err)
	}
	return nil
}

// firstExternal returns the first weight that is in another file, or "".
func (m *Model) firstExternal() string {
	for _, w := range m.weights {
		if w.t != nil && w.t.external != nil {
			return w.t.name
		}
	}
	return ""
}

// Save is Write to a file, and for external data to files of the same names in
// its folder. What is there is replaced at once, or stays on an error. External
// data is not written into the folder that it was read from, where it would
// change the model that was read.
func (m *Model) Save(path string) error {
	data, err := m.patched()
	if err != nil {
		return err
	}
	if m.firstExternal() != "" {
		if err := m.saveExternal(filepath.Dir(path)); err != nil {
			return err
		}
	}
	return replaceFile(path, data)
}

// replaceFile writes data to a file, whole or not at all.
func replaceFile(path string, data []byte) error {
	err := atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
	if err != nil {
		return fmt.Errorf("onnx: %w", err)
	}
	return nil
}

// patched returns the file with the current weights.
func (m *Model) patched() ([]byte, error) {
	out := slices.Clone(m.data)
	var edits []edit
	var spans []span
	for i, w := range m.weights {
		if w.t == nil || w.t.external != nil {
			continue
		}
		changed, err := w.changed(m.data32[i])
		if err != nil {
			return nil, err
		}
		if changed == nil {
			continue
		}
		if err := w.fits(m.data32[i], changed); err != nil {
			return nil, err
		}
		if w.t.raw != nil {
			w.t.patchRaw(out[w.t.raw.at:w.t.raw.hi], m.data32[i], changed)
			continue
		}
		e, err := w.t.patchTyped(out, m.data32[i], changed)
		if err != nil {
			return nil, err
		}
		edits, spans = append(edits, e...), append(spans, w.t.spans...)
	}
	return splice(out, edits, spans), nil
}

// changed tells which weights are not those of the file, or returns nil if all
// are.
func (w *weight) changed(now []float32) ([]bool, error) {
	var changed []bool
	err := w.t.each(func(i int, v float64) {
		if math.Float32bits(float32(v)) == math.Float32bits(now[i]) {
			return
		}
		if changed == nil {
			changed = make([]bool, w.t.size)
		}
		changed[i] = true
	})
	return changed, err
}

// fits returns an error if a finite weight becomes infinite in the file.
func (w *weight) fits(now []float32, changed []bool) error {
	for i, v := range now {
		if !changed[i] || math.IsInf(float64(v), 0) {
			continue
		}
		if w.t.typ == typeFloat16 && toHalf(v)&0x7fff == 0x7c00 || w.t.typ == typeBfloat16 && toBrain(v)&0x7fff == 0x7f80 {
			return fmt.Errorf("onnx: %w: element %d of %q is %v, above what half precision holds", ErrLimit, i, w.t.name, v)
		}
	}
	return nil
}

// encode returns the bits of a weight in the file's type.
func encode(typ int64, v float32) uint64 {
	switch typ {
	case typeDouble:
		return math.Float64bits(float64(v))
	case typeFloat16:
		return uint64(toHalf(v))
	case typeBfloat16:
		return uint64(toBrain(v))
	}
	return uint64(math.Float32bits(v))
}

// put writes the lowest n bytes of v.
func put(dst []byte, v uint64, n int) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	copy(dst[:n], b[:n])
}

// patchRaw changes raw data in place.
func (t *tensor) patchRaw(raw []byte, now []float32, changed []bool) {
	w := width[t.typ]
	for i, c := range changed {
		if c {
			put(raw[i*w:], encode(t.typ, now[i]), w)
		}
	}
}

// patchTyped changes floats and doubles in place; half-precision numbers are
// varints, whose fields are written anew.
func (t *tensor) patchTyped(out []byte, now []float32, changed []bool) ([]edit, error) {
	var edits []edit
	at, w := 0, width[t.typ]
	for _, fd := range t.typed {
		n := countTyped(fd, t.typ)
		switch {
		case t.typ == typeFloat || t.typ == typeDouble:
			for i := range n {
				if changed[at+i] {
					start := fd.hi - (n-i)*w // packed, or one number before the end
					put(out[start:], encode(t.typ, now[at+i]), w)
				}
			}
		case slices.Contains(changed[at:at+n], true):
			body, err := t.rewritten(fd, now[at:at+n], changed[at:at+n])
			if err != nil {
				return nil, err
			}
			edits = append(edits, edit{fd.lo, fd.hi, body})
		}
		at += n
	}
	return edits, nil
}

// rewritten returns a field of varints with new weights.
func (t *tensor) rewritten(fd field, now []float32, changed []bool) ([]byte, error) {
	old := fd.data
	if fd.typ == protowire.VarintType {
		old = protowire.AppendVarint(nil, fd.v)
	}
	var body []byte
	for i, c := range changed {
		v, size := protowire.ConsumeVarint(old)
		if size < 0 {
			return nil, fmt.Errorf("onnx: %w: %s", ErrFormat, t.where)
		}
		if old = old[size:]; c {
			v = encode(t.typ, now[i])
		}
		body = protowire.AppendVarint(body, v)
	}
	tag := protowire.AppendTag(nil, fd.num, fd.typ)
	if fd.typ == protowire.VarintType {
		return append(tag, body...), nil
	}
	return protowire.AppendBytes(tag, body), nil
}

// splice applies edits, and gives the fields around them their new lengths. spans
// has these fields.
func splice(out []byte, edits []edit, spans []span) []byte {
	if len(edits) == 0 {
		return out
	}
	// Inner fields start behind outer ones: they are done first, and their
	// lengths count in the outer ones.
	slices.SortFunc(spans, func(a, b span) int { return b.lo - a.lo })
	for _, s := range slices.Compact(spans) {
		grown := 0
		for _, e := range edits {
			if e.lo >= s.at && e.hi <= s.hi {
				grown += len(e.data) - (e.hi - e.lo)
			}
		}
		if grown != 0 {
			edits = append(edits, prefix(out, s, grown))
		}
	}
	slices.SortFunc(edits, func(a, b edit) int { return a.lo - b.lo })
	var spliced []byte
	at := 0
	for _, e := range edits {
		spliced = append(append(spliced, out[at:e.lo]...), e.data...)
		at = e.hi
	}
	return append(spliced, out[at:]...)
}

// prefix returns the edit of the tag and length of a field that has grown.
func prefix(data []byte, s span, grown int) edit {
	tag, _ := protowire.ConsumeVarint(data[s.lo:])
	return edit{s.lo, s.at, protowire.AppendVarint(protowire.AppendVarint(nil, tag), uint64(s.hi-s.at+grown))}
}

// saveExternal copies the files of external data into a folder, changed.
func (m *Model) saveExternal(folder string) error {
	same, err := sameFolder(folder, m.folder)
	if err != nil {
		return err
	}
	if same {
		return fmt.Errorf("onnx: %w: %s is the folder that weights were read from; save to another one", ErrExternal, folder)
	}
	f, err := parse(m.data)
	if err != nil {
		return err
	}
	var names []string
	for _, t := range f.allTensors() {
		if name := t.external["location"]; t.external != nil && !slices.Contains(names, name) {
			if _, _, _, err := t.location(); err != nil {
				return err
			}
			names = append(names, name)
		}
	}
	for _, name := range names {
		if err := m.saveOutside(folder, name); err != nil {
			return err
		}
	}
	return nil
}

// allTensors returns the initializers and the tensors of attributes.
func (f *file) allTensors() []*tensor {
	all := f.graph.allTensors(nil)
	for _, fn := range f.functions {
		all = (&graphProto{nodes: fn.nodes}).allTensors(all)
	}
	return all
}

// allTensors appends the tensors of a graph and of those in it.
func (g *graphProto) allTensors(all []*tensor) []*tensor {
	all = append(all, g.tensors...)
	for _, n := range g.nodes {
		for _, a := range n.attrs {
			if a.t != nil {
				all = append(all, a.t)
			}
			if a.graph != nil {
				all = a.graph.allTensors(all)
			}
		}
	}
	return all
}

// sameFolder compares what the paths lead to, not how they are spelled: links and dots
// must not make one folder two.
func sameFolder(a, b string) (bool, error) {
	x, err := os.Stat(a)
	if err != nil {
		return false, fmt.Errorf("onnx: %w", err)
	}
	y, err := os.Stat(b)
	if err != nil {
		return false, fmt.Errorf("onnx: %w", err)
	}
	return os.SameFile(x, y), nil
}

// saveOutside writes one file of external data: the original with new weights.
func (m *Model) saveOutside(folder, name string) error {
	root, err := os.OpenRoot(m.folder)
	if err != nil {
		return fmt.Errorf("onnx: %w: %w", ErrExternal, err)
	}
	defer root.Close()
	src, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return fmt.Errorf("onnx: %w: %w", ErrExternal, err)
	}
	defer src.Close()
	data, err := io.ReadAll(src)
	if err != nil {
		return fmt.Errorf("onnx: %w: %w", ErrExternal, err)
	}
	for i, w := range m.weights {
		if w.t == nil || w.t.external == nil || w.t.external["location"] != name {
			continue
		}
		if err := w.patchOutside(data, m.data32[i], name); err != nil {
			return err
		}
	}
	target := filepath.Join(folder, filepath.FromSlash(name))
	if strings.ContainsRune(name, '/') {
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return fmt.Errorf("onnx: %w", err)
		}
	}
	return replaceFile(target, data)
}

// patchOutside changes the contents of a file of external data.
func (w *weight) patchOutside(data []byte, now []float32, name string) error {
	end := w.t.offset + int64(len(w.t.outside))
	if end > int64(len(data)) || !bytes.Equal(data[w.t.offset:end], w.t.outside) {
		return fmt.Errorf("onnx: %w: file %q has changed since it was read", ErrExternal, name)
	}
	changed, err := w.changed(now)
	if err == nil && changed != nil {
		err = w.fits(now, changed)
	}
	if err != nil {
		return err
	}
	w.t.patchRaw(data[w.t.offset:end], now, changed)
	return nil
}
