package onnx

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dlfd-go/unlearn/feature"
)

// exhausting are graphs y of x that panicked, gave wrong numbers, or asked for
// gigabytes or minutes, with the kind of error that they must give and the place
// that it must name.
func exhausting() map[string]struct {
	opset int64
	input []int64
	parts [][]byte
	kind  error
	place string
} {
	type c = struct {
		opset int64
		input []int64
		parts [][]byte
		kind  error
		place string
	}
	large := []int64{1 << 20, 1 << 20}
	pads := []int64{1<<20 - 4, 1<<20 - 4, 1<<20 - 4, 1<<20 - 4}
	pool := func(op string) [][]byte {
		return [][]byte{opOf(op, "y", x, intsAttr("kernel_shape", large...), intsAttr("strides", large...), intsAttr("pads", pads...))}
	}
	deep := [][]byte{rawInts("n", 1, 1<<22), opOf("Tile", "t0", []string{"x", "n"})}
	for i := range 400 {
		deep = append(deep, nodeOf("Sigmoid", fmt.Sprintf("t%d", i+1), fmt.Sprintf("t%d", i)))
	}
	seen := func(parts ...[]byte) [][]byte {
		return append(parts, rawInts("n", 64), rawFloats("w", []int64{2}, 1, 2), nodeOf("Reshape", "v", "w", "n"))
	}
	image := []int64{1, 4, 4}
	return map[string]c{
		"pooling over a window of 2⁴⁰": {17, image, pool("MaxPool"), ErrLimit, "1048576×1048576"},
		"average over a window of 2⁴⁰": {17, image, pool("AveragePool"), ErrLimit, "1048576×1048576"},
		"window as large as the image": {17, []int64{1, 512, 512}, [][]byte{opOf("MaxPool", "y", x, intsAttr("kernel_shape", 512, 512), intsAttr("pads", 256, 256, 255, 255))}, ErrLimit, "512×512"},
		"padding":                      {17, image, [][]byte{random("w", 1, 1, 3, 3), opOf("Conv", "y", xw, intsAttr("pads", pads...))}, ErrLimit, "padding"},
		"strides":                      {17, []int64{1, 256, 256}, [][]byte{random("w", 1, 1, 1, 1), opOf("Conv", "y", xw, intsAttr("strides", 255, 255))}, ErrLimit, "255×255"},
		"strides, transposed":          {17, []int64{1, 2, 2}, [][]byte{random("w", 1, 1, 1, 1), opOf("ConvTranspose", "y", xw, intsAttr("strides", 1<<11, 1<<11))}, ErrLimit, "2048×2048"},
		"activations for a gradient":   {17, []int64{1}, append(deep, nodeOf("ReduceMean", "y", "t400")), ErrLimit, "MaxKept"},
		"matrix product":               {17, []int64{1}, append([][]byte{rawInts("n", 1, 2800, 2800), rawInts("rs", -1, 1, 1), nodeOf("Reshape", "a", "x", "rs"), nodeOf("Tile", "p0", "a", "n")}, products(14)...), ErrLimit, "MaxWork"},
		"product of many":              {17, []int64{1 << 22}, [][]byte{nodeOf("Flatten", "f", "x"), opOf("ReduceProd", "y", []string{"f"}, intsAttr("axes", 1))}, ErrLimit, "MaxWork"},
		"response over channels":       {17, []int64{1 << 20, 1, 1}, [][]byte{opOf("LRN", "y", x, intAttr("size", 1<<20))}, ErrLimit, "MaxWork"},
		"sum of an empty name":         {17, []int64{2}, [][]byte{rawInts("n", 1), nodeOf("Add", "a", "n", ""), nodeOf("Add", "y", "x", "a")}, ErrFormat, "the a"},
		"joined to an empty name":      {17, []int64{2}, [][]byte{nodeOf("Concat", "y", "x", "")}, ErrFormat, "the y"},
		"length -1":                    {17, []int64{2}, [][]byte{initializer("e", typeInt64, []int64{0}, nil), rawInts("t", 0, -1), rawInts("z", 0), rawInts("o", 0), nodeOf("Reshape", "a", "e", "t"), nodeOf("Slice", "b", "a", "z", "o", "z"), nodeOf("Add", "y", "x", "b")}, ErrFormat, "the a"},
		"linear resizing":              {13, []int64{1, 1, 8}, [][]byte{rawFloats("n", []int64{4}, 1, 1, 1, 1<<20), opOf("Resize", "y", []string{"x", "", "n"}, textAttr("mode", "linear"))}, ErrLimit, "MaxTables"},
		"two values of a constant":     {17, []int64{4}, [][]byte{opOf("Constant", "c", nil, intAttr("value_int", 1), floatAttr("value_float", 2)), nodeOf("Add", "y", "x", "c")}, ErrFormat, "the c"},
		"weight of another size":       {17, []int64{64}, seen(nodeOf("Add", "y", "x", "v")), ErrFormat, "the v"},
		"weight of another size, Exp":  {17, []int64{64}, seen(nodeOf("Exp", "u", "v"), nodeOf("Add", "y", "x", "u")), ErrFormat, "the v"},
		"constant":                     {17, []int64{2}, [][]byte{rawInts("n", 1<<11, 1<<11), rawInts("m", 1, 1), nodeOf("ConstantOfShape", "a", "n"), nodeOf("ConstantOfShape", "b", "n"), nodeOf("Add", "y", "a", "b")}, ErrLimit, "MaxTables"},
	}
}

// products multiplies p0 by itself, and the result again, n times.
func products(n int) [][]byte {
	var list [][]byte
	for i := range n {
		from := fmt.Sprintf("p%d", i)
		list = append(list, nodeOf("MatMul", fmt.Sprintf("p%d", i+1), from, from))
	}
	return append(list, nodeOf("Relu", "y", fmt.Sprintf("p%d", n)))
}

// intTable is an initializer of n integers in no order.
func intTable(name string, n int64) []byte {
	v := make([]int64, n)
	for i := range v {
		v[i] = int64(i) * int64(i) * 7 % n
	}
	return rawInts(name, v...)
}

func hostileFile(opset int64, input []int64, parts [][]byte) []byte {
	return versioned(8, opset, slices.Concat(parts, [][]byte{inputOf("x", append([]int64{-1}, input...)...), outputOf("y")})...)
}

func TestExhaustingFiles(t *testing.T) {
	for name, tc := range exhausting() {
		data := hostileFile(tc.opset, tc.input, tc.parts)
		err := measured(t, name, func() error {
			m, err := Read(bytes.NewReader(data), nil)
			if m != nil {
				return fmt.Errorf("loads")
			}
			return err
		})
		if !errors.Is(err, tc.kind) || !strings.Contains(err.Error(), tc.place) {
			t.Errorf("%s: %v; want one that wraps %q and says %q", name, err, tc.kind, tc.place)
		}
	}
}

// TestLimitsAreOptions lowers one limit at a time below what a small file needs.
func TestLimitsAreOptions(t *testing.T) {
	data := hostileFile(17, []int64{8, 8, 8}, [][]byte{random("w", 8, 8, 3, 3), nodeOf("Conv", "c", "x", "w"), intTable("i", 6), opOf("Gather", "y", []string{"c", "i"}, intAttr("axis", 3))})
	for name, opt := range map[string]Options{
		"":          {},
		"MaxWork":   {MaxWork: 8 * 8 * 9 * 36},
		"MaxKernel": {MaxKernel: 8},
		"MaxKept":   {MaxKept: 4 * 8 * 36},
		"MaxTables": {MaxTables: 8 * 6 * 36},
	} {
		_, err := Read(bytes.NewReader(data), &opt)
		if name == "" && err != nil || name != "" && (!errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), "Options."+name)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestMemoryOfABatch asks for a gradient whose activations would fill any
// machine, and lowers the limit below what a small one takes.
func TestMemoryOfABatch(t *testing.T) {
	wide := hostileFile(17, []int64{1}, [][]byte{rawInts("n", 1, 1<<20), opOf("Tile", "a", []string{"x", "n"}), random("w", 1<<20), nodeOf("Mul", "b", "a", "w"),
		nodeOf("Exp", "c", "b"), opOf("ReduceMean", "y", []string{"c"}, intsAttr("axes", 1))})
	for name, c := range map[string]struct {
		opt   Options
		batch int
		fits  bool
	}{"small": {Options{RunOnly: true}, 2, true}, "large": {Options{RunOnly: true}, 1 << 14, false}, "lowered": {Options{RunOnly: true, MaxMemory: 1 << 20}, 2, false}} {
		m, err := Read(bytes.NewReader(wide), &c.opt)
		if err != nil {
			t.Fatal(err)
		}
		x, dx := feature.NewTensor(c.batch, 1), make([]float32, c.batch)
		err = measured(t, name, func() error {
			return m.Grad(t.Context(), x, []string{m.Spec().Logits}, func(_, _ []feature.Tensor) error { return nil }, dx, nil)
		})
		if c.fits && err != nil || !c.fits && !errors.Is(err, ErrLimit) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// measured runs f, which must take less than a second (ten times that with the
// race detector, say) and allocate less than 100 MB in all.
func measured(t *testing.T, name string, f func() error) error {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	err := f()
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 100<<20 || took > 10*time.Second {
		t.Errorf("%s: %v and %d bytes", name, took, used)
	}
	t.Logf("%s: %v, %d kB: %v", name, took.Round(time.Microsecond), (after.TotalAlloc-before.TotalAlloc)>>10, err)
	return err
}

// cases returns the folder of a kind of cases beside the test data, or skips.
func cases(t testing.TB, kind string) string {
	t.Helper()
	dir := filepath.Join(folder(t), "..", "..", "cases", kind)
	if _, err := os.Stat(dir); err != nil {
		t.Skip(err)
	}
	return dir
}

// TestHostileCases wants from every file an error, or a model that can be run.
func TestHostileCases(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(cases(t, "hostile"), "*.onnx"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, path := range files {
		err := measured(t, filepath.Base(path), func() error {
			_, err := Load(path, nil)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "node") {
			t.Errorf("%s: %v", path, err)
		}
		if err := Check(path, nil); err != nil && strings.Contains(err.Error(), "panic") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestLongChainsTakeLinearTime reads graphs whose nodes ask about all that come
// after them, or before.
func TestLongChainsTakeLinearTime(t *testing.T) {
	const n = 20000
	name := func(i int) string { return fmt.Sprintf("t%d", i) }
	layer := [][]byte{random("w", 4, 4), nodeOf("MatMul", "h", "x", "w"), rawFloats("k", []int64{4}, 0, 0, 0, 0)}
	masks := append(slices.Clone(layer), nodeOf("Greater", "t0", "h", "k"))
	shapes := append(slices.Clone(layer), nodeOf("Relu", "t0", "h"))
	for i := range n {
		masks = append(masks, nodeOf("Not", name(i+1), name(i)))
		shapes = append(shapes, nodeOf("Shape", fmt.Sprintf("s%d", i), name(i)), nodeOf("Reshape", name(i+1), name(i), fmt.Sprintf("s%d", i)))
	}
	for name, parts := range map[string][][]byte{
		"masks":  append(masks, nodeOf("Where", "y", name(n), "h", "k")),
		"shapes": append(shapes, nodeOf("Tanh", "y", name(n))),
	} {
		start := time.Now()
		if _, err := Read(bytes.NewReader(hostileFile(17, []int64{4}, parts)), nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		// Half a second on an idle machine; minutes where it is quadratic.
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s: %v", name, took)
		}
	}
}
