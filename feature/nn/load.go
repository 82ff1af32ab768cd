package nn

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/internal/exec"
)

// ErrFormat is wrapped by errors about files that are not saved networks.
var ErrFormat = errors.New("not a saved network")

// TensorError is the error of a file whose tensor does not fit.
type TensorError struct {
	Tensor string
	Err    error // wraps ErrFormat
}

func (e *TensorError) Error() string { return fmt.Sprintf("nn: load: tensor %q: %v", e.Tensor, e.Err) }

// Unwrap returns Err.
func (e *TensorError) Unwrap() error { return e.Err }

// Bounds on what a file may ask for, checked before anything is allocated.
const (
	maxHeader  = 1 << 24 // bytes
	maxTensors = 1 << 16
	maxLayers  = 1 << 14
	maxWork    = 1 << 28 // elements of all activations of one sample
	maxStride  = 1 << 7  // the gradient of a convolution plans for each phase of both axes
	maxPooled  = 1 << 36 // elements that all windows of poolings see, of one sample
)

// Load reads a network that Save wrote. It reads no more than the file holds
// and allocates no more than a small multiple of that. Errors wrap ErrFormat,
// ErrArchitecture or, as a TensorError, name the tensor that does not fit.
func Load(path string) (*Network, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("nn: load: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("nn: load: %w", err)
	}
	return decode(bufio.NewReaderSize(f, 1<<16), info.Size())
}

// decode reads a network from r, which holds size bytes.
func decode(r io.Reader, size int64) (*Network, error) {
	entries, data, err := readHeader(r, size)
	if err != nil {
		return nil, err
	}
	if entries[metadataKey] == nil {
		return nil, fmt.Errorf("nn: load: %w: the header has %d tensors but no metadata with an architecture: Load reads what Save wrote, not safetensors of other programs", ErrFormat, len(entries))
	}
	n, err := rebuild(entries[metadataKey])
	if err != nil {
		return nil, err
	}
	delete(entries, metadataKey)
	order, err := match(n.Spec().Params, entries, data)
	if err != nil {
		return nil, err
	}
	weights := make([][]float32, len(order))
	for _, i := range order {
		p := n.Spec().Params[i]
		weights[i] = make([]float32, feature.Size(p.Shape))
		if err := readTensor(r, weights[i]); err != nil {
			return nil, &TensorError{p.Name, fmt.Errorf("%w: %w", ErrFormat, err)}
		}
	}
	exec.SetWeights(n.executor, weights)
	return n, nil
}

// readHeader returns the entries of the header and the number of bytes of data
// behind it.
func readHeader(r io.Reader, size int64) (map[string]json.RawMessage, int64, error) {
	var length uint64
	if err := binary.Read(r, binary.LittleEndian, &length); err != nil {
		return nil, 0, fmt.Errorf("nn: load: %w: %w", ErrFormat, err)
	}
	if size < 8 || length > maxHeader || int64(length) > size-8 {
		return nil, 0, fmt.Errorf("nn: load: %w: header of %d bytes in a file of %d", ErrFormat, length, size)
	}
	header := make([]byte, length)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, 0, fmt.Errorf("nn: load: %w: header: %w", ErrFormat, err)
	}
	entries, err := object(header)
	if err != nil {
		return nil, 0, fmt.Errorf("nn: load: %w: header: %w", ErrFormat, err)
	}
	return entries, size - 8 - int64(length), nil
}

// object returns the values of a JSON object by their keys, as they are spelled.
// Package json alone takes the last of equal keys and does not mind upper case:
// then two programs could read two networks from one file.
func object(text []byte) (map[string]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	t, err := dec.Token()
	if err != nil {
		return nil, err
	}
	if t != json.Delim('{') {
		return nil, fmt.Errorf("%v instead of a JSON object", t)
	}
	entries := map[string]json.RawMessage{}
	for dec.More() {
		if t, err = dec.Token(); err != nil {
			return nil, err
		}
		key, _ := t.(string) // a key is one, or Token fails
		if entries[key] != nil {
			return nil, fmt.Errorf("%q is there twice", key)
		}
		if len(entries) == maxTensors {
			return nil, fmt.Errorf("more than %d entries", maxTensors)
		}
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return nil, err
		}
		entries[key] = v
	}
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	if rest := text[dec.InputOffset():]; len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("%d bytes behind the object", len(rest))
	}
	return entries, nil
}

// decodeObject decodes a JSON object that has these keys at most, each once, and
// maybe others if more is set.
func decodeObject(text []byte, v any, more bool, keys ...string) error {
	entries, err := object(text)
	if err != nil {
		return err
	}
	for key := range entries {
		spelled := slices.Contains(keys, key)
		alike := slices.ContainsFunc(keys, func(k string) bool { return strings.EqualFold(k, key) })
		if !spelled && (!more || alike) {
			return fmt.Errorf("unknown key %q", key)
		}
	}
	return json.Unmarshal(text, v)
}

// rebuild makes the network that the metadata describe, without weights.
func rebuild(raw json.RawMessage) (*Network, error) {
	var meta metadata
	if err := decodeObject(raw, &meta, true, "format", "unlearn.architecture"); err != nil {
		return nil, fmt.Errorf("nn: load: %w: metadata: %w", ErrFormat, err)
	}
	if meta.Format != fileFormat {
		return nil, fmt.Errorf("nn: load: %w: format %q, want %q", ErrFormat, meta.Format, fileFormat)
	}
	var arch architecture
	dec := json.NewDecoder(bytes.NewReader([]byte(meta.Architecture)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&arch); err != nil {
		return nil, fmt.Errorf("nn: load: %w: architecture: %w", ErrFormat, err)
	}
	if len(arch.Layers) > maxLayers || len(arch.Taps) > maxLayers {
		return nil, fmt.Errorf("nn: load: %w: %d layers and %d taps, at most %d", ErrFormat, len(arch.Layers), len(arch.Taps), maxLayers)
	}
	return replay(arch)
}

// replay calls the builder as the architecture says.
func replay(arch architecture) (*Network, error) {
	b := NewBuilder(0, arch.Input...)
	b.Divide(arch.Heads)
	work, pooled := 0, 0.0
	for _, l := range arch.Layers {
		if l.Stride > maxStride {
			return nil, fmt.Errorf("nn: load: %w: layer %q has stride %d, at most %d", ErrFormat, l.Name, l.Stride, maxStride)
		}
		out := b.apply(l)
		if b.err != nil {
			break
		}
		if l.Op == "maxpool" || l.Op == "avgpool" { // their windows need no bytes of the file
			pooled += float64(b.g.Size(b.values[out])) * float64(l.Kernel) * float64(l.Kernel)
		}
		if pooled > maxPooled {
			return nil, fmt.Errorf("nn: load: %w: poolings over windows of more than %d elements in all", ErrFormat, int64(maxPooled))
		}
		if work += b.g.Size(b.values[out]); work > maxWork {
			return nil, fmt.Errorf("nn: load: %w: activations of more than %d elements", ErrFormat, maxWork)
		}
	}
	for _, t := range arch.Taps {
		b.Tap(t.Name, t.Value)
	}
	if b.err == nil && (arch.Logits < 0 || int(arch.Logits) >= len(b.values)) {
		return nil, fmt.Errorf("nn: load: %w: logits are value %d of %d", ErrFormat, arch.Logits, len(b.values))
	}
	n, err := b.finish(arch.Logits)
	if err != nil {
		return nil, fmt.Errorf("nn: load: %w", err)
	}
	return n, nil
}

// match compares the tensors of the header with the parameters and returns the
// parameters in the order of their data, which must have no gaps.
func match(params []feature.Param, entries map[string]json.RawMessage, data int64) ([]int, error) {
	at := make([]int64, len(params))
	order := make([]int, len(params))
	for i, p := range params {
		start, err := matchOne(p, entries)
		if err != nil {
			return nil, &TensorError{p.Name, fmt.Errorf("%w: %w", ErrFormat, err)}
		}
		delete(entries, p.Name)
		at[i], order[i] = start, i
	}
	for name := range entries {
		return nil, &TensorError{name, fmt.Errorf("%w: the architecture has no such parameter", ErrFormat)}
	}
	slices.SortFunc(order, func(i, j int) int { return int(at[i] - at[j]) })
	var end int64
	for _, i := range order {
		if at[i] != end {
			return nil, &TensorError{params[i].Name, fmt.Errorf("%w: data start at byte %d, want %d", ErrFormat, at[i], end)}
		}
		end += 4 * int64(feature.Size(params[i].Shape))
	}
	if end != data {
		return nil, fmt.Errorf("nn: load: %w: %d bytes of tensors, the file has %d", ErrFormat, end, data)
	}
	return order, nil
}

// matchOne returns where the data of a parameter start.
func matchOne(p feature.Param, entries map[string]json.RawMessage) (int64, error) {
	raw, ok := entries[p.Name]
	if !ok {
		return 0, errors.New("missing")
	}
	var t tensorInfo
	if err := decodeObject(raw, &t, false, "dtype", "shape", "data_offsets"); err != nil {
		return 0, err
	}
	if t.Dtype != "F32" || !slices.Equal(t.Shape, p.Shape) {
		return 0, fmt.Errorf("%s of shape %v, want F32 of %v", t.Dtype, t.Shape, p.Shape)
	}
	if n := 4 * int64(feature.Size(p.Shape)); t.Offsets[0] < 0 || t.Offsets[1]-t.Offsets[0] != n {
		return 0, fmt.Errorf("data at bytes %v, want %d bytes", t.Offsets, n)
	}
	return t.Offsets[0], nil
}

func readTensor(r io.Reader, dst []float32) error {
	var buf [4096]byte
	for len(dst) > 0 {
		part := buf[:min(len(buf), 4*len(dst))]
		if _, err := io.ReadFull(r, part); err != nil {
			return err
		}
		for i := range len(part) / 4 {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(part[4*i:]))
		}
		dst = dst[len(part)/4:]
	}
	return nil
}
