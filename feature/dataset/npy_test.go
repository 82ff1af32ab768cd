package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// npy is a file of version 1 with the given header and numbers.
func npy(header string, numbers any) []byte {
	b := bytes.NewBufferString("\x93NUMPY\x01\x00")
	header += strings.Repeat(" ", 10) + "\n"
	_ = binary.Write(b, binary.LittleEndian, uint16(len(header)))
	b.WriteString(header)
	_ = binary.Write(b, binary.LittleEndian, numbers)
	return b.Bytes()
}

func TestNPY(t *testing.T) {
	for _, tc := range []struct {
		file  []byte
		shape []int
		data  []float32
	}{
		{npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", []float32{1, 2, 3, 4}), []int{2, 2}, []float32{1, 2, 3, 4}},
		{npy("{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }", []float64{.1, 2, math.Inf(1)}), []int{3}, []float32{.1, 2, float32(math.Inf(1))}},
		{npy("{'descr': '<f4', 'fortran_order': False, 'shape': (), }", []float32{7}), nil, []float32{7}},
		{npy("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 5), }", []float32{}), []int{0, 5}, nil},
	} {
		path := filepath.Join(t.TempDir(), "x.npy")
		if err := os.WriteFile(path, tc.file, 0o600); err != nil {
			t.Fatal(err)
		}
		x, err := NPY(path)
		if err != nil || !slices.Equal(x.Shape, tc.shape) || !slices.Equal(x.Data, tc.data) {
			t.Errorf("%v, %v; want %v of shape %v", x, err, tc.data, tc.shape)
		}
	}
}

func TestNPYErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		file []byte
		want error
	}{
		"empty":        {nil, ErrFormat},
		"other file":   {[]byte("\x89PNG\r\n\x1a\n and more"), ErrFormat},
		"huge header":  {[]byte("\x93NUMPY\x02\x00\xff\xff\xff\x7f"), ErrTooLarge},
		"huge shape":   {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999, 99999999), }", []float32{1}), ErrTooLarge},
		"short":        {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", []float32{1}), ErrFormat},
		"long":         {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", []float32{1, 2}), ErrFormat},
		"integers":     {npy("{'descr': '<i4', 'fortran_order': False, 'shape': (1,), }", []int32{1}), ErrFormat},
		"column-major": {npy("{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }", []float32{1}), ErrFormat},
		"no numbers":   {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (a,), }", []float32{1}), ErrFormat},
	} {
		if _, err := readNPY(bytes.NewReader(tc.file)); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	if _, err := NPY(filepath.Join(t.TempDir(), "none.npy")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

func FuzzNPY(f *testing.F) {
	f.Add(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", []float32{1, 2, 3, 4}))
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := readNPY(bytes.NewReader(data))
		if err == nil && 4*len(x.Data) > len(data) {
			t.Errorf("%d elements from %d bytes", len(x.Data), len(data))
		}
	})
}
