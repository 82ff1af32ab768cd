package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
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
		{npy("{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }", []bool{false, true}), []int{2}, []float32{0, 1}},
		{npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }", []uint8{7, 255}), []int{2}, []float32{7, 255}},
		{npy("{'descr': '|i1', 'fortran_order': False, 'shape': (2,), }", []int8{7, -128}), []int{2}, []float32{7, -128}},
		{npy("{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }", []int32{-5, 1 << 24}), []int{2}, []float32{-5, 1 << 24}},
		{npy("{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }", []int64{-5, 3, -1 << 63}), []int{3}, []float32{-5, 3, -1 << 63}},
		{npy("{'descr': '<u8', 'fortran_order': False, 'shape': (2,), }", []uint64{9, 1 << 63}), []int{2}, []float32{9, 1 << 63}},
		{npy("{'descr': '>i2', 'fortran_order': False, 'shape': (2,), }", []uint8{1, 2, 0xff, 0xfe}), []int{2}, []float32{258, -2}},
		{npy("{'descr': '>f8', 'fortran_order': False, 'shape': (), }", []uint8{0x3f, 0xf8, 0, 0, 0, 0, 0, 0}), nil, []float32{1.5}},
		// numpy.array([1.5, -2, 65504, 2**-24, inf], 'f2')
		{npy("{'descr': '<f2', 'fortran_order': False, 'shape': (5,), }", []uint16{0x3e00, 0xc000, 0x7bff, 1, 0x7c00}), []int{5},
			[]float32{1.5, -2, 65504, 0x1p-24, float32(math.Inf(1))}},
		// numpy.asfortranarray([[1, 2, 3], [4, 5, 6]]), and 2×1×2
		{npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", []float32{1, 4, 2, 5, 3, 6}), []int{2, 3}, []float32{1, 2, 3, 4, 5, 6}},
		{npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 1, 2), }", []float32{1, 3, 2, 4}), []int{2, 1, 2}, []float32{1, 2, 3, 4}},
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
		text string
	}{
		"empty":        {nil, ErrFormat, "ends after 0 bytes"},
		"other file":   {[]byte("\x89PNG\r\n\x1a\n and more"), ErrFormat, "starts with 89 50"},
		"version":      {[]byte("\x93NUMPY\x04\x00\xff\xff"), ErrFormat, "version 4"},
		"huge header":  {[]byte("\x93NUMPY\x02\x00\xff\xff\xff\x7f"), ErrTooLarge, "header of"},
		"short header": {[]byte("\x93NUMPY\x01\x00\xff\x00{"), ErrFormat, "header is cut off"},
		"huge shape":   {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999, 99999999), }", []float32{1}), ErrTooLarge, "above"},
		"empty, huge":  {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 99999999999), }", []float32{}), ErrTooLarge, "above"},
		"beyond int":   {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", []float32{}), ErrTooLarge, "above"},
		"short":        {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", []float32{1}), io.ErrUnexpectedEOF, "cut off: 4 of 12 bytes for shape [3]"},
		"long":         {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", []float32{1, 2}), ErrFormat, "more than the 4 bytes"},
		"overflow":     {npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", []float64{1, 1e300}), feature.ErrNotFinite, "element 1: value is not finite: 1e+300 is beyond float32"},
		"integer":      {npy("{'descr': '<i4', 'fortran_order': False, 'shape': (1,), }", []int32{1<<24 + 1}), ErrFormat, "16777217 exactly"},
		"largest int":  {npy("{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }", []int64{math.MaxInt64}), ErrFormat, "9223372036854775807"},
		"largest uint": {npy("{'descr': '<u8', 'fortran_order': False, 'shape': (1,), }", []uint64{math.MaxUint64}), ErrFormat, "18446744073709551615"},
		"rounds up":    {npy("{'descr': '<u8', 'fortran_order': False, 'shape': (1,), }", []uint64{1<<63 - 1}), ErrFormat, "exactly"},
		"complex":      {npy("{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", []float32{1, 2}), ErrFormat, "elements are '<c8'"},
		"objects":      {npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", []float32{1}), ErrFormat, "'|O'"},
		"structure":    {npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", []float32{1}), ErrFormat, "structure"},
		"no order":     {npy("{'descr': '<f4', 'shape': (1,), }", []float32{1}), ErrFormat, "fortran_order"},
		"no numbers":   {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (a,), }", []float32{1}), ErrFormat, "(a,)"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NPY(write(t, t.TempDir(), "x.npy", string(tc.file)))
			wantError(t, err, tc.want, "x.npy", tc.text)
		})
	}
	if _, err := NPY(filepath.Join(t.TempDir(), "none.npy")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

func FuzzNPY(f *testing.F) {
	f.Add(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", []float32{1, 2, 3, 4}))
	f.Add(npy("{'descr': '>f2', 'fortran_order': True, 'shape': (2, 2), }", []uint16{1, 2, 3, 4}))
	f.Add(npy("{'descr': '|b1', 'fortran_order': True, 'shape': (1, 0, 2), }", []uint16{}))
	f.Add(npy("{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }", []int64{math.MaxInt64}))
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := readNPY(bytes.NewReader(data))
		if err == nil && len(x.Data) > len(data) {
			t.Errorf("%d elements from %d bytes", len(x.Data), len(data))
		}
	})
}
