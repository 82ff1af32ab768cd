package feature_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
)

// roll is a dataset of labels and persons whose pixels must not be read.
type roll struct {
	labels  []int
	persons []string // nil: unknown
}

func (r roll) Len() int        { return len(r.labels) }
func (r roll) Shape() []int    { return []int{1} }
func (r roll) Classes() int    { return 50 }
func (r roll) Label(i int) int { return r.labels[i] }
func (r roll) Identity(i int) string {
	if r.persons == nil {
		return ""
	}
	return r.persons[i]
}
func (r roll) Read([]int, []float32, []int) error { return errors.New("pixels were read") }

func labelsOf(t *testing.T, d feature.Dataset) []int {
	t.Helper()
	l, err := feature.Labels(d)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func halves(t *testing.T, d feature.Dataset) (a, b feature.Dataset) {
	t.Helper()
	a, b, err := feature.Halves(d)
	if err != nil {
		t.Fatal(err)
	}
	if a.Len()+b.Len() != d.Len() {
		t.Fatalf("%d and %d samples of %d", a.Len(), b.Len(), d.Len())
	}
	return a, b
}

// Sizes, and sizes of each class, differ by at most one, with one sample a class
// as with many.
func TestHalvesAreEven(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	sets := [][]int{{}, {3}, {0, 0, 0, 1, 1, 2, 0, 1}}
	once := make([]int, 50)
	for i := range once {
		once[i] = i
	}
	sets = append(sets, once)
	for range 200 {
		labels := make([]int, r.IntN(60))
		for i := range labels {
			labels[i] = r.IntN(1 + r.IntN(50))
		}
		sets = append(sets, labels)
	}
	for _, labels := range sets {
		a, b := halves(t, roll{labels: labels})
		if d := a.Len() - b.Len(); d != 0 && d != 1 {
			t.Errorf("%v: halves of %d and %d", labels, a.Len(), b.Len())
		}
		var excess [50]int
		for _, l := range labelsOf(t, a) {
			excess[l]++
		}
		for _, l := range labelsOf(t, b) {
			excess[l]--
		}
		for class, e := range excess {
			if e < -1 || e > 1 {
				t.Errorf("%v: class %d has %d more on one side", labels, class, e)
			}
		}
	}
}

// A person is on one side, and halves are as even as persons of up to m samples
// allow: no size differs by more than m.
func TestHalvesKeepPersonsTogether(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var d roll
		most := 0
		for p := range 1 + r.IntN(12) {
			n := 1 + r.IntN(9)
			most = max(most, n)
			for range n {
				d.labels = append(d.labels, r.IntN(3))
				d.persons = append(d.persons, fmt.Sprint("person ", p))
			}
		}
		r.Shuffle(len(d.labels), func(i, j int) {
			d.labels[i], d.labels[j] = d.labels[j], d.labels[i]
			d.persons[i], d.persons[j] = d.persons[j], d.persons[i]
		})
		a, b := halves(t, d)
		if shared := feature.SharedIdentities(a, b); shared != nil {
			t.Fatalf("%q are on both sides", shared)
		}
		if diff := a.Len() - b.Len(); max(diff, -diff) > 2*most {
			t.Errorf("persons of up to %d samples: halves of %d and %d", most, a.Len(), b.Len())
		}
		again, _ := halves(t, d)
		if !slices.Equal(labelsOf(t, a), labelsOf(t, again)) {
			t.Error("a second division differs")
		}
	}
}

func TestHalvesBeside(t *testing.T) {
	one := roll{labels: []int{0}, persons: []string{"ann"}}
	two := roll{labels: []int{0, 1}, persons: []string{"bob", ""}}
	d := roll{labels: []int{0, 1, 0, 1, 2, 2}, persons: []string{"bob", "bob", "ann", "cy", "", "bob"}}
	a, b, err := feature.HalvesBeside(d, one, two)
	if err != nil {
		t.Fatal(err)
	}
	if got := feature.Identities(a); !slices.Contains(got, "ann") || slices.Contains(got, "bob") {
		t.Errorf("first half has %q", got)
	}
	if got := feature.Identities(b); !slices.Contains(got, "bob") || slices.Contains(got, "ann") {
		t.Errorf("second half has %q", got)
	}
	if _, _, err := feature.HalvesBeside(d, one, one); !errors.Is(err, feature.ErrParameter) {
		t.Errorf("a person on both sides: %v", err)
	}
	if _, _, err := feature.Halves(nil); !errors.Is(err, feature.ErrParameter) {
		t.Errorf("no dataset: %v", err)
	}
}

func TestPartition(t *testing.T) {
	d := roll{labels: []int{0, 1, 2, 3, 4}}
	yes, no, err := feature.Partition(d, func(i int) bool { return i%2 == 1 })
	if err != nil {
		t.Fatal(err)
	}
	if a, b := labelsOf(t, yes), labelsOf(t, no); !slices.Equal(a, []int{1, 3}) || !slices.Equal(b, []int{0, 2, 4}) {
		t.Errorf("chosen %v, others %v", a, b)
	}
	if _, _, err := feature.Partition(d, nil); !errors.Is(err, feature.ErrParameter) {
		t.Errorf("no function: %v", err)
	}
}

// A last batch of too few samples joins the one before; nothing else changes.
func TestBatchesOf(t *testing.T) {
	for _, c := range []struct {
		n, size, least int
		want           []int
	}{
		{33, 32, 2, []int{33}}, {33, 32, 1, []int{32, 1}}, {34, 32, 2, []int{32, 2}}, {65, 32, 2, []int{32, 33}},
		{64, 32, 2, []int{32, 32}}, {1, 32, 2, []int{1}}, {3, 2, 2, []int{3}}, {0, 32, 2, nil}, {7, 4, 4, []int{7}},
	} {
		d := make(counted, c.n)
		var got, order []int
		for b, err := range feature.BatchesOf(d, c.size, c.least, nil) {
			if err != nil {
				t.Fatal(err)
			}
			got, order = append(got, len(b.Labels)), append(order, b.Index...)
		}
		if !slices.Equal(got, c.want) || len(order) != c.n || !slices.IsSorted(order) {
			t.Errorf("%d samples, %d at a time, at least %d: batches of %v, want %v", c.n, c.size, c.least, got, c.want)
		}
	}
	for _, err := range feature.BatchesOf(make(counted, 3), 2, 3, nil) {
		if !errors.Is(err, feature.ErrParameter) {
			t.Errorf("at least 3 of 2: %v", err)
		}
	}
}

type counted []struct{}

func (c counted) Len() int     { return len(c) }
func (c counted) Shape() []int { return []int{1} }
func (c counted) Classes() int { return 1 }
func (c counted) Read(index []int, x []float32, labels []int) error {
	return feature.CheckRead(c, index, x, labels)
}
