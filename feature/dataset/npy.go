package dataset

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/finite"
)

// maxNPY bounds the elements of an array: 2²⁸, a gibibyte.
const maxNPY = 1 << 28

var (
	npyType  = regexp.MustCompile(`'descr'\s*:\s*('[^']*'|[^,]*)`)
	npyOrder = regexp.MustCompile(`'fortran_order'\s*:\s*(True|False)`)
	npyShape = regexp.MustCompile(`'shape'\s*:\s*\(([^)]*)\)`)
)

// NPY reads an array as NumPy saves it (format versions 1 to 3), in either byte
// order, row-major or column-major: float16, float32, float64, bool and integers
// of 8 to 64 bits. float64 is rounded to float32. A finite number beyond
// float32 is an error (feature.ErrNotFinite), and so is an integer that float32
// cannot hold exactly, as most are above 2²⁴ (ErrFormat): it may be an identity.
//
// Memory grows with the data that is really there. Errors name the file and wrap
// ErrFormat, ErrTooLarge, feature.ErrNotFinite or the file system's.
func NPY(file string) (feature.Tensor, error) {
	f, err := openFile(file)
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
		return feature.Tensor{}, fmt.Errorf("%w: descr, fortran_order or shape is missing in the header %q", ErrFormat, header)
	}
	number, err := newNPYNumber(typ[1])
	if err != nil {
		return feature.Tensor{}, err
	}
	shape, n, err := npyDims(dims[1])
	if err != nil {
		return feature.Tensor{}, err
	}
	raw, err := npyBytes(r, int64(n)*int64(number.width), shape)
	if err != nil {
		return feature.Tensor{}, err
	}
	x := feature.NewTensor(shape...)
	for i := range x.Data {
		if x.Data[i], err = number.read(raw[i*number.width : (i+1)*number.width]); err != nil {
			return feature.Tensor{}, fmt.Errorf("element %d: %w", i, err)
		}
	}
	if order[1] == "True" {
		x.Data = rowMajor(x.Data, shape)
	}
	return x, nil
}

// npyBytes reads the elements, which must be all that is left.
func npyBytes(r io.Reader, want int64, shape []int) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, want+1)) // one more shows what is left over
	switch got := int64(len(raw)); {
	case err != nil:
		return nil, fmt.Errorf("%w: after %d bytes of elements: %w", ErrFormat, got, bareError(err))
	case got < want:
		return nil, fmt.Errorf("%w: the array is cut off: %d of %d bytes for shape %v: %w", ErrFormat, got, want, shape, io.ErrUnexpectedEOF)
	case got > want:
		return nil, fmt.Errorf("%w: more than the %d bytes of an array of shape %v", ErrFormat, want, shape)
	}
	return raw, nil
}

// rowMajor reorders a column-major array.
func rowMajor(data []float32, shape []int) []float32 {
	if len(data) == 0 {
		return data
	}
	to, index := make([]float32, len(data)), make([]int, len(shape))
	for i := range to {
		from := 0
		for k, d := range slices.Backward(shape) {
			from = from*d + index[k]
		}
		to[i] = data[from]
		for k := len(shape) - 1; k >= 0; k-- { // the next index in row-major order
			if index[k]++; index[k] < shape[k] {
				break
			}
			index[k] = 0
		}
	}
	return to
}

// npyNumber reads one element of a type.
type npyNumber struct {
	kind  byte // b, i, u or f, as NumPy calls them
	width int  // in bytes
	order binary.ByteOrder
}

// newNPYNumber parses a type such as '<f4'.
func newNPYNumber(descr string) (npyNumber, error) {
	name := strings.Trim(descr, "'")
	if len(name) == 3 {
		n := npyNumber{name[1], int(name[2] - '0'), binary.LittleEndian}
		if name[0] == '>' {
			n.order = binary.BigEndian
		}
		widths := map[byte][]int{'b': {1}, 'i': {1, 2, 4, 8}, 'u': {1, 2, 4, 8}, 'f': {2, 4, 8}}
		if strings.IndexByte("<>|=", name[0]) >= 0 && slices.Contains(widths[n.kind], n.width) {
			return n, nil
		}
	}
	if strings.HasPrefix(descr, "[") {
		descr = "of a structure"
	}
	return npyNumber{}, fmt.Errorf("%w: elements are %s, want bool, integers or float16 to float64", ErrFormat, descr)
}

// read returns the element in b.
func (n npyNumber) read(b []byte) (float32, error) {
	var bits uint64
	switch n.width {
	case 1:
		bits = uint64(b[0])
	case 2:
		bits = uint64(n.order.Uint16(b))
	case 4:
		bits = uint64(n.order.Uint32(b))
	case 8:
		bits = n.order.Uint64(b)
	}
	switch n.kind {
	case 'f':
		return n.float(bits)
	case 'i':
		unused := 64 - 8*n.width
		return exactly(int64(bits<<unused) >> unused)
	}
	return exactly(bits)
}

func (n npyNumber) float(bits uint64) (float32, error) {
	switch n.width {
	case 2:
		return half(uint16(bits)), nil
	case 4:
		return math.Float32frombits(uint32(bits)), nil
	}
	v := math.Float64frombits(bits)
	f := float32(v)
	if finite.Is(v) && !finite.Is(f) {
		return 0, fmt.Errorf("%w: %v is beyond float32", feature.ErrNotFinite, v)
	}
	return f, nil
}

// exactly returns an error if v changes as a float32.
func exactly[T int64 | uint64](v T) (float32, error) {
	f := float32(v)
	// 2⁶³ and 2⁶⁴, which large integers may be rounded to, do not convert back.
	if f >= 0x1p63 && (f == 0x1p64 || v>>63 == 0) || T(f) != v {
		return 0, fmt.Errorf("%w: float32 cannot hold the integer %d exactly", ErrFormat, v)
	}
	return f, nil
}

// half widens a float16, which is exact.
func half(bits uint16) float32 {
	sign, exponent, fraction := uint32(bits>>15)<<31, int(bits>>10&31), uint32(bits&1023)
	switch exponent {
	case 0:
		v := math.Ldexp(float64(fraction), -24)
		return math.Float32frombits(sign | math.Float32bits(float32(v)))
	case 31:
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | uint32(exponent+127-15)<<23 | fraction<<13)
}

// npyHeader returns the dictionary at the start of a file.
func npyHeader(r io.Reader) (string, error) {
	var start [8]byte
	if n, err := io.ReadFull(r, start[:]); err != nil {
		return "", fmt.Errorf("%w: the file ends after %d bytes: %w", ErrFormat, n, bareError(err))
	}
	if string(start[:6]) != "\x93NUMPY" {
		return "", fmt.Errorf("%w: not an array of NumPy: starts with % x", ErrFormat, start[:6])
	}
	if start[6] < 1 || start[6] > 3 {
		return "", fmt.Errorf("%w: version %d of NumPy's format, want 1 to 3", ErrFormat, start[6])
	}
	var length [4]byte
	size := 2 // bytes of the header's length
	if start[6] > 1 {
		size = 4
	}
	if _, err := io.ReadFull(r, length[:size]); err != nil {
		return "", fmt.Errorf("%w: the header is cut off: %w", ErrFormat, bareError(err))
	}
	n := binary.LittleEndian.Uint32(length[:])
	if n > 1<<16 {
		return "", fmt.Errorf("%w: header of %d bytes", ErrTooLarge, n)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(r, header); err != nil {
		return "", fmt.Errorf("%w: the header is cut off: %w", ErrFormat, bareError(err))
	}
	return string(header), nil
}

// npyDims parses a tuple of numbers. Axes are bounded even where another one is
// empty.
func npyDims(s string) (shape []int, n int, err error) {
	n = 1
	bound := 1 // the product without empty axes
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		d, err := strconv.Atoi(part)
		switch {
		case errors.Is(err, strconv.ErrRange) || err == nil && d > 0 && bound > maxNPY/d:
			return nil, 0, fmt.Errorf("%w: shape (%s) is above %d elements", ErrTooLarge, s, maxNPY)
		case err != nil || d < 0 || len(shape) == 32:
			return nil, 0, fmt.Errorf("%w: shape (%s)", ErrFormat, s)
		}
		shape, n, bound = append(shape, d), n*d, bound*max(d, 1)
	}
	return shape, n, nil
}
