package dataset

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
)

var (
	_ feature.Dataset    = (*Set)(nil)
	_ feature.Identified = (*Set)(nil)
	_ feature.Normalized = (*Set)(nil)
)

// numbersSet has n samples of 2×1×2 whose values tell sample and place.
func numbersSet(t *testing.T, n int, p feature.Pixels) *Set {
	t.Helper()
	s := Samples{X: feature.NewTensor(n, 2, 1, 2), Pixels: p}
	for i := range s.X.Data {
		s.X.Data[i] = float32(i) / 8
	}
	for i := range n {
		s.Labels = append(s.Labels, i%3)
		s.Identities = append(s.Identities, string(rune('a'+i/2)))
		s.Paths = append(s.Paths, "mem")
	}
	return must[*Set](t)(Memory(s))
}

func TestMemory(t *testing.T) {
	d := numbersSet(t, 5, feature.Pixels{})
	equal(t, "shape", d.Shape(), []int{2, 1, 2})
	if d.Classes() != 3 || d.ClassNames() != nil || d.ClassName(2) != "2" {
		t.Errorf("%d classes with the names %q, want 3 without", d.Classes(), d.ClassNames())
	}
	equal(t, "identities", feature.Identities(d), []string{"a", "b", "c"})
	x, labels := make([]float32, 8), make([]int, 2)
	if err := d.Read([]int{4, 0}, x, labels); err != nil {
		t.Fatal(err)
	}
	equal(t, "values", x, []float32{2, 2.125, 2.25, 2.375, 0, .125, .25, .375})
	equal(t, "labels", labels, []int{1, 0})
	if d.Path(4) != "mem" || d.Path(5) != "" || d.Identity(-1) != "" {
		t.Errorf("paths %q, %q, identity %q", d.Path(4), d.Path(5), d.Identity(-1))
	}
}

func TestMemoryKeepsNothing(t *testing.T) {
	s := Samples{X: feature.NewTensor(2, 3), Labels: []int{0, 1}, Classes: []string{"p", "q"}, Identities: []string{"a", "b"}}
	d := must[*Set](t)(Memory(s))
	s.X.Data[0], s.Labels[0], s.Classes[0], s.Identities[0] = 9, 1, "z", "z"
	x, l := readOne(t, d, 0)
	if x[0] != 0 || l != 0 || d.ClassNames()[0] != "p" || d.Identity(0) != "a" {
		t.Errorf("the set changed with its arguments: %v, %d, %v, %q", x, l, d.ClassNames(), d.Identity(0))
	}
}

func TestMemoryErrors(t *testing.T) {
	ok := func() Samples { return Samples{X: feature.NewTensor(2, 3, 2, 2), Labels: []int{0, 1}} }
	for name, c := range map[string]struct {
		change func(*Samples)
		want   error
		text   string
	}{
		"no batch axis":   {func(s *Samples) { s.X = feature.Tensor{} }, feature.ErrShape, "[]"},
		"no rows":         {func(s *Samples) { s.X = feature.NewTensor(0, 3) }, feature.ErrShape, "0"},
		"short data":      {func(s *Samples) { s.X.Data = s.X.Data[:5] }, feature.ErrShape, "5"},
		"NaN":             {func(s *Samples) { s.X.Data[13] = float32(math.NaN()) }, feature.ErrNotFinite, "row 1, element 1"},
		"few labels":      {func(s *Samples) { s.Labels = s.Labels[:1] }, feature.ErrShape, "2 samples with 1 labels"},
		"few identities":  {func(s *Samples) { s.Identities = []string{"a"} }, feature.ErrShape, "1 identities"},
		"many paths":      {func(s *Samples) { s.Paths = []string{"a", "b", "c"} }, feature.ErrShape, "3 paths"},
		"negative label":  {func(s *Samples) { s.Labels[1] = -1 }, feature.ErrLabel, "sample 1 has label -1"},
		"label too large": {func(s *Samples) { s.Classes = []string{"x"} }, feature.ErrLabel, "sample 1 has label 1 of 1"},
		"unnamed class":   {func(s *Samples) { s.Classes = []string{"x", ""} }, ErrFormat, "class 1"},
		"equal classes":   {func(s *Samples) { s.Classes = []string{"x", "x"} }, ErrFormat, `"x"`},
		"zero deviation":  {func(s *Samples) { s.Pixels.Std = []float64{0} }, feature.ErrNotFinite, "std 0"},
		"channels":        {func(s *Samples) { s.Pixels.Mean = []float64{0, 1} }, feature.ErrShape, "2 channels"},
	} {
		t.Run(name, func(t *testing.T) {
			s := ok()
			c.change(&s)
			_, err := Memory(s)
			wantError(t, err, c.want, c.text)
		})
	}
}

func TestNormalize(t *testing.T) {
	d := numbersSet(t, 2, feature.Pixels{})
	p := feature.Pixels{Mean: []float64{.25, .5}, Std: []float64{.5, 2}}
	n := must[*Set](t)(d.Normalize(p))
	got, _ := readOne(t, n, 1)
	equal(t, "normalized", got, []float32{.5, .75, .125, .1875}) // (.5, .625, .75, .875) exactly
	again, _ := readOne(t, must[*Set](t)(n.Normalize(feature.Pixels{})), 1)
	raw, _ := readOne(t, d, 1)
	equal(t, "normalized back", again, raw)
	p.Mean[0] = 7
	if n.Pixels().Mean[0] != .25 {
		t.Error("the set changed with its argument")
	}
}

func TestReadErrors(t *testing.T) {
	d := numbersSet(t, 2, feature.Pixels{})
	if err := d.Read([]int{2}, make([]float32, 4), []int{0}); err == nil || !strings.Contains(err.Error(), "sample 2 of 2") {
		t.Errorf("read of sample 2 of 2: error %v", err)
	}
	wantError(t, d.Read([]int{0}, make([]float32, 3), []int{0}), feature.ErrShape)
}

func TestReadConcurrently(t *testing.T) {
	d := numbersSet(t, 20, feature.Pixels{Mean: []float64{.5}, Std: []float64{.25}})
	want := must[feature.Batch](t)(feature.ReadAll(d))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			got, err := feature.ReadAll(d)
			if err != nil || !slices.Equal(got.X.Data, want.X.Data) {
				t.Errorf("a concurrent read differs: %v", err)
			}
		})
	}
	wg.Wait()
}

// batchOrder returns the samples of all batches, and the sizes of the batches.
func batchOrder(t *testing.T, d feature.Dataset, size int, src rand.Source) (order, sizes []int) {
	t.Helper()
	for b, err := range feature.Batches(d, size, src) {
		if err != nil {
			t.Fatal(err)
		}
		order = append(order, b.Index...)
		sizes = append(sizes, b.X.Rows())
		for i, k := range b.Index {
			x, l := readOne(t, d, k)
			equal(t, "row", b.X.Row(i), x)
			if l != b.Labels[i] {
				t.Errorf("sample %d has label %d in a batch, %d alone", k, b.Labels[i], l)
			}
		}
	}
	return order, sizes
}

func TestBatches(t *testing.T) {
	d := numbersSet(t, 11, feature.Pixels{})
	first, sizes := batchOrder(t, d, 4, rand.NewPCG(1, 2))
	again, _ := batchOrder(t, d, 4, rand.NewPCG(1, 2))
	other, _ := batchOrder(t, d, 4, rand.NewPCG(1, 3))
	plain, _ := batchOrder(t, d, 4, nil)
	equal(t, "sizes", sizes, []int{4, 4, 3})
	equal(t, "same seed", again, first)
	if slices.Equal(other, first) || slices.Equal(plain, first) {
		t.Errorf("orders %v, %v and %v should differ", first, other, plain)
	}
	slices.Sort(first)
	equal(t, "every sample once", first, plain)
	equal(t, "order without a source", plain, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
}
