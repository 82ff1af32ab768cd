package dataset

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/dlfd-go/unlearn/feature"
)

// maxNPY bounds the elements of an array: 2²⁸, a gibibyte.
const maxNPY = 1 << 28

var (
	npyType  = regexp.MustCompile(`'descr'\s*:\s*'([^']*)'`)
	npyOrder = regexp.MustCompile(`'fortran_order'\s*:\s*(True|False)`)
	npyShape = regexp.MustCompile(`'shape'\s*:\s*\(([^)]*)\)`)
)

// NPY reads an array as NumPy saves it (format versions 1 to 3): float32 or
// float64, which is rounded, little-endian and in row-major order. Memory grows
// with the data that is really there. Errors name the file and wrap ErrFormat,
// ErrTooLarge or the file system's.
func NPY(file string) (feature.Tensor, error) {
	f, err := os.Open(file)
	if err != nil {
		return feature.Tensor{}, fmt.Errorf("dataset: %w", err)
	}
	defer f.Close()
	x, err := readNPY(bufio.NewReader(f))
	if err != nil {
		return feature.Tensor{}, fmt.Errorf("dataset: %s: %w", file, err)
	}
	return x, nil
}

func readNPY(r io.Reader) (feature.Tensor, error) {
	header, err := npyHeader(r)
	if err != nil {
		return feature.Tensor{}, err
	}
	typ, order, dims := npyType.FindStringSubmatch(header), npyOrder.FindStringSubmatch(header), npyShape.FindStringSubmatch(header)
	if typ == nil || order == nil || dims == nil {
		return feature.Tensor{}, fmt.Errorf("%w: header %q", ErrFormat, header)
	}
	if typ[1] != "<f4" && typ[1] != "<f8" || order[1] != "False" {
		return feature.Tensor{}, fmt.Errorf("%w: elements of type %q, column-major: %s; want <f4 or <f8 in rows", ErrFormat, typ[1], order[1])
	}
	shape, n, err := npyDims(dims[1])
	if err != nil {
		return feature.Tensor{}, err
	}
	width := int64(typ[1][2] - '0')
	raw, err := io.ReadAll(io.LimitReader(r, int64(n)*width+1))
	if err != nil || int64(len(raw)) != int64(n)*width {
		return feature.Tensor{}, fmt.Errorf("%w: %d bytes or more for an array of shape %v (%v)", ErrFormat, len(raw), shape, err)
	}
	x := feature.NewTensor(shape...)
	for i := range x.Data {
		if width == 4 {
			x.Data[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		} else {
			x.Data[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:])))
		}
	}
	return x, nil
}

// npyHeader returns the dictionary at the start of a file.
func npyHeader(r io.Reader) (string, error) {
	var start [8]byte
	if _, err := io.ReadFull(r, start[:]); err != nil || string(start[:6]) != "\x93NUMPY" || start[6] < 1 || start[6] > 3 {
		return "", fmt.Errorf("%w: no array of NumPy's format 1 to 3", ErrFormat)
	}
	var length [4]byte
	size := 2 // bytes of the header's length
	if start[6] > 1 {
		size = 4
	}
	if _, err := io.ReadFull(r, length[:size]); err != nil {
		return "", fmt.Errorf("%w: cut off header", ErrFormat)
	}
	n := binary.LittleEndian.Uint32(length[:])
	if n > 1<<16 {
		return "", fmt.Errorf("%w: header of %d bytes", ErrTooLarge, n)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(r, header); err != nil {
		return "", fmt.Errorf("%w: cut off header", ErrFormat)
	}
	return string(header), nil
}

// npyDims parses a tuple of numbers.
func npyDims(s string) (shape []int, n int, err error) {
	n = 1
	for _, part := range strings.Split(s, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		d, err := strconv.Atoi(part)
		if err != nil || d < 0 || len(shape) == 32 {
			return nil, 0, fmt.Errorf("%w: shape (%s)", ErrFormat, s)
		}
		if d > 0 && n > maxNPY/d {
			return nil, 0, fmt.Errorf("%w: shape (%s) is above %d elements", ErrTooLarge, s, maxNPY)
		}
		shape, n = append(shape, d), n*d
	}
	return shape, n, nil
}
