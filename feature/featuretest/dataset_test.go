package featuretest_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
)

func blobs() *featuretest.Blobs { return featuretest.NewBlobs(100, 4, 3, 1, 1, 1) }

func TestBlobsKeepTheLaws(t *testing.T) { featuretest.RunDataset(t, blobs()) }

func TestAcceptsDatasets(t *testing.T) {
	b := blobs()
	sub, err := feature.Subset(b, []int{7, 3, 3})
	if err != nil {
		t.Fatal(err)
	}
	for name, d := range map[string]feature.Dataset{
		"empty": featuretest.NewBlobs(0, 4, 3, 1, 1, 1), "one sample": featuretest.NewBlobs(1, 4, 3, 1, 1, 1),
		"without options": struct{ feature.Dataset }{b}, "subset": sub, "named": &badData{Blobs: b, names: func() []string { return []string{"a", "b", "c"} }},
	} {
		if err := featuretest.CheckDataset(d); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// badData is a right dataset with class names and one thing wrong; a nil field
// is right.
type badData struct {
	*featuretest.Blobs
	length   func() int
	shape    func() []int
	read     func(index []int, x []float32, labels []int) error
	label    func(i int) int
	identity func(i int) string
	names    func() []string
	as       func(target any) bool
}

func (d *badData) Len() int {
	if d.length != nil {
		return d.length()
	}
	return d.Blobs.Len()
}

func (d *badData) Shape() []int {
	if d.shape != nil {
		return d.shape()
	}
	return d.Blobs.Shape()
}

func (d *badData) Read(index []int, x []float32, labels []int) error {
	if d.read != nil {
		return d.read(index, x, labels)
	}
	return d.Blobs.Read(index, x, labels)
}

func (d *badData) Label(i int) int {
	if d.label != nil {
		return d.label(i)
	}
	return d.Blobs.Label(i)
}

func (d *badData) Identity(i int) string {
	if d.identity != nil {
		return d.identity(i)
	}
	return d.Blobs.Identity(i)
}

func (d *badData) ClassNames() []string {
	if d.names != nil {
		return d.names()
	}
	return []string{"a", "b", "c"}
}

func (d *badData) As(target any) bool { return d.as != nil && d.as(target) }

type readFunc = func(index []int, x []float32, labels []int) error

// badReads are faulty readers by the law that must catch each.
func badReads(b *featuretest.Blobs) map[string]readFunc {
	var calls, inside atomic.Int32
	var kept, cached []float32
	// after is a right reader, changed when it has read.
	after := func(change readFunc) readFunc {
		return func(index []int, x []float32, labels []int) error {
			if err := b.Read(index, x, labels); err != nil {
				return err
			}
			return change(index, x, labels)
		}
	}
	return map[string]readFunc{
		"reads: noise": after(func(_ []int, x []float32, _ []int) error {
			if len(x) > 0 {
				x[0] += float32(calls.Add(1)) * 1e-3
			}
			return nil
		}),
		"reads: leaves the last element": func(index []int, x []float32, labels []int) error {
			own := slices.Clone(x)
			err := b.Read(index, own, labels)
			if len(own) > 0 {
				copy(x, own[:len(own)-1])
			}
			return err
		},
		"reads: no empty read": after(func(index []int, _ []float32, _ []int) error {
			if len(index) == 0 {
				return errors.New("nothing to read")
			}
			return nil
		}),
		"reads: changes the index": after(func(index []int, _ []float32, _ []int) error { clear(index); return nil }),
		"reads: label by position": after(func(_ []int, _ []float32, labels []int) error {
			for i := range labels {
				labels[i] = i % 3
			}
			return nil
		}),
		"order and duplicates: reads sorted": func(index []int, x []float32, labels []int) error {
			return b.Read(slices.Sorted(slices.Values(index)), x, labels)
		},
		"order and duplicates: each once": after(func(index []int, x []float32, labels []int) error {
			for i, k := range index {
				if slices.Contains(index[:i], k) {
					clear(x[4*i : 4*i+4])
				}
			}
			return nil
		}),
		"values: NaN": after(func(_ []int, x []float32, _ []int) error {
			for i := range x {
				x[i] = float32(math.NaN())
			}
			return nil
		}),
		"values: labels from 1": after(func(_ []int, _ []float32, labels []int) error {
			for i := range labels {
				labels[i]++
			}
			return nil
		}),
		"arguments: cache by buffer": func(index []int, x []float32, labels []int) error {
			if len(x) > 0 && len(cached) > 0 && &x[0] == &cached[0] {
				return nil
			}
			cached = x
			return b.Read(index, x, labels)
		},
		"arguments: writes to an old buffer": func(index []int, x []float32, labels []int) error {
			copy(kept, b.X.Data)
			kept = x
			return b.Read(index, x, labels)
		},
		"read errors: panics": func(index []int, x []float32, labels []int) error {
			for i, k := range index {
				copy(x[4*i:4*i+4], b.X.Row(k))
				labels[i] = b.Labels[k]
			}
			return nil
		},
		"read errors: clamps": func(index []int, x []float32, labels []int) error {
			own := slices.Clone(index)
			for i := range own {
				own[i] = min(max(own[i], 0), b.Len()-1)
			}
			return b.Read(own, x, labels)
		},
		"read errors: too short is well": func(index []int, x []float32, labels []int) error {
			if err := b.Read(index, x, labels); !errors.Is(err, feature.ErrShape) {
				return err
			}
			return nil
		},
		"concurrent reads: one buffer": after(func(_ []int, x []float32, _ []int) error {
			if inside.Add(1) > 1 && len(x) > 0 {
				x[0]++
			}
			time.Sleep(100 * time.Microsecond)
			inside.Add(-1)
			return nil
		}),
	}
}

func badSets(b *featuretest.Blobs) map[string]*badData {
	var calls atomic.Int32
	count := func() int { return int(calls.Add(1)) }
	return map[string]*badData{
		"description: grows":                      {length: func() int { return 50 + count() }},
		"description: shape of nothing":           {shape: func() []int { return []int{4, 0} }},
		"description: panics":                     {shape: func() []int { panic("no shape") }},
		"description: As says yes":                {as: func(any) bool { return true }},
		"description: As panics":                  {as: func(any) bool { panic("as") }},
		"labels and identities: other label":      {label: func(i int) int { return (b.Labels[i] + 1) % 3 }},
		"labels and identities: label panics":     {label: func(int) int { panic("label") }},
		"labels and identities: counts":           {identity: func(int) string { return fmt.Sprint(count()) }},
		"class names and pixels: two names":       {names: func() []string { return []string{"a", "b"} }},
		"class names and pixels: new names":       {names: func() []string { return []string{"a", "b", fmt.Sprint(count())} }},
		"class names and pixels: names panic":     {names: func() []string { panic("names") }},
		"subset and concat: names differ by call": {names: func() []string { return [][]string{{"a", "b", "c"}, {"a", "b", "d"}}[count()/3%2] }},
	}
}

func TestRejectsBadDatasets(t *testing.T) {
	b := blobs()
	sets := badSets(b)
	for name, r := range badReads(b) {
		sets[name] = &badData{read: r}
	}
	zero := blobs()
	zero.Scale.Std = []float64{0}
	for name, d := range sets {
		if raced && strings.HasPrefix(name, "arguments") {
			continue
		}
		d.Blobs = b
		expectLaw(t, name, featuretest.CheckDataset(d))
	}
	expectLaw(t, "class names and pixels: deviation 0", featuretest.CheckDataset(&badData{Blobs: zero}))
}

// expectLaw fails unless err says that the law before the colon in name is broken.
func expectLaw(t *testing.T, name string, err error) {
	t.Helper()
	law, _, _ := strings.Cut(name, ":")
	if err == nil || !strings.Contains(err.Error(), "featuretest: "+law+": ") {
		t.Errorf("%s: error is %v", name, err)
		return
	}
	t.Logf("%s: %s", name, strings.SplitN(err.Error(), "\n", 2)[0])
}
