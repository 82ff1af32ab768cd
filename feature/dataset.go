package feature

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
)

// Dataset is a fixed list of labelled samples.
//
// Laws: Len, Shape and Classes do not change; equal calls of Read give equal
// bits; Read may run on several goroutines at once.
type Dataset interface {
	Len() int
	Shape() []int // of one sample; callers must not modify it
	Classes() int // labels are in [0, Classes)

	// Read copies sample index[i] into row i of x, which holds
	// len(index)×size of a sample, and its label into labels[i].
	Read(index []int, x []float32, labels []int) error
}

// Identified is implemented by datasets that know whom a sample shows. An
// empty string means unknown.
type Identified interface {
	Identity(i int) string
}

// Normalized is implemented by datasets of images whose values are normalised
// pixels.
type Normalized interface {
	Pixels() Pixels
}

// Subset returns the samples of d at the given positions, in that order. It is
// Identified and Normalized as d is. It keeps index.
func Subset(d Dataset, index []int) (Dataset, error) {
	for i, k := range index {
		if k < 0 || k >= d.Len() {
			return nil, fmt.Errorf("feature: subset position %d asks for sample %d of %d", i, k, d.Len())
		}
	}
	return subset{d, index}, nil
}

type subset struct {
	of    Dataset
	index []int
}

func (s subset) Len() int              { return len(s.index) }
func (s subset) Shape() []int          { return s.of.Shape() }
func (s subset) Classes() int          { return s.of.Classes() }
func (s subset) Identity(i int) string { return IdentityOf(s.of, s.index[i]) }
func (s subset) Pixels() Pixels        { return PixelsOf(s.of) }

func (s subset) Read(index []int, x []float32, labels []int) error {
	inner := make([]int, len(index))
	for i, k := range index {
		if k < 0 || k >= len(s.index) {
			return fmt.Errorf("feature: read of sample %d of %d", k, len(s.index))
		}
		inner[i] = s.index[k]
	}
	return s.of.Read(inner, x, labels)
}

// Concat returns the samples of all parts one after the other. The parts must
// agree on the shape, the number of classes and the normalisation.
func Concat(parts ...Dataset) (Dataset, error) {
	if len(parts) == 0 {
		return nil, fmt.Errorf("feature: concat of no datasets")
	}
	c := concat{parts: parts}
	for i, p := range parts {
		if !slices.Equal(p.Shape(), parts[0].Shape()) || p.Classes() != parts[0].Classes() {
			return nil, fmt.Errorf("feature: %w: part %d has samples %v and %d classes, part 0 has %v and %d",
				ErrShape, i, p.Shape(), p.Classes(), parts[0].Shape(), parts[0].Classes())
		}
		if a, b := PixelsOf(p), PixelsOf(parts[0]); !slices.Equal(a.Mean, b.Mean) || !slices.Equal(a.Std, b.Std) {
			return nil, fmt.Errorf("feature: part %d is normalised by %v, part 0 by %v", i, a, b)
		}
		c.end = append(c.end, c.Len()+p.Len())
	}
	return c, nil
}

type concat struct {
	parts []Dataset
	end   []int // end[i] is the position after the last sample of part i
}

func (c concat) Len() int {
	if len(c.end) == 0 {
		return 0
	}
	return c.end[len(c.end)-1]
}
func (c concat) Shape() []int   { return c.parts[0].Shape() }
func (c concat) Classes() int   { return c.parts[0].Classes() }
func (c concat) Pixels() Pixels { return PixelsOf(c.parts[0]) }

func (c concat) Identity(i int) string {
	part, k := c.find(i)
	return IdentityOf(c.parts[part], k)
}

// find returns the part that holds sample i and its position there.
func (c concat) find(i int) (part, k int) {
	part, _ = slices.BinarySearch(c.end, i+1)
	if part > 0 {
		i -= c.end[part-1]
	}
	return part, i
}

func (c concat) Read(index []int, x []float32, labels []int) error {
	n := Size(c.Shape())
	if err := CheckRead(c, index, x, labels); err != nil {
		return err
	}
	for i, k := range index {
		part, at := c.find(k)
		if err := c.parts[part].Read([]int{at}, x[i*n:(i+1)*n], labels[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// CheckRead returns an error unless the arguments of a Read fit d. It is meant
// for implementations of Dataset.
func CheckRead(d Dataset, index []int, x []float32, labels []int) error {
	if len(labels) != len(index) || len(x) != len(index)*Size(d.Shape()) {
		return fmt.Errorf("feature: %w: read of %d samples of shape %v into %d numbers and %d labels",
			ErrShape, len(index), d.Shape(), len(x), len(labels))
	}
	for _, k := range index {
		if k < 0 || k >= d.Len() {
			return fmt.Errorf("feature: read of sample %d of %d", k, d.Len())
		}
	}
	return nil
}

// IdentityOf returns the identity of sample i, or "" if d does not know it.
func IdentityOf(d Dataset, i int) string {
	if id, ok := d.(Identified); ok {
		return id.Identity(i)
	}
	return ""
}

// Identities returns the different identities of d, sorted, without the
// unknown. d may be nil.
func Identities(d Dataset) []string {
	if d == nil {
		return nil
	}
	seen := make(map[string]bool)
	for i := range d.Len() {
		seen[IdentityOf(d, i)] = true
	}
	delete(seen, "")
	return slices.Sorted(maps.Keys(seen))
}

// SharedIdentities returns the identities that stand in both datasets, sorted.
// Either may be nil.
func SharedIdentities(a, b Dataset) []string {
	in := Identities(b)
	var both []string
	for _, id := range Identities(a) {
		if _, ok := slices.BinarySearch(in, id); ok {
			both = append(both, id)
		}
	}
	return both
}

// PixelsOf returns how the images of d are normalised: the identity unless d
// is Normalized.
func PixelsOf(d Dataset) Pixels {
	if p, ok := d.(Normalized); ok {
		return p.Pixels()
	}
	return Pixels{}
}

// Batch is a group of samples. Its slices are valid until the next one.
type Batch struct {
	X      Tensor
	Labels []int
	Index  []int // positions in the dataset
}

// Batches runs over all samples of d once, size at a time; the last batch may
// be shorter. src shuffles; with a nil src the order is that of d. An error
// ends the loop after it is yielded. Buffers are reused between batches.
func Batches(d Dataset, size int, src rand.Source) iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		if size < 1 {
			yield(Batch{}, fmt.Errorf("feature: batch size %d is below 1", size))
			return
		}
		order := make([]int, d.Len())
		for i := range order {
			order[i] = i
		}
		if src != nil {
			rand.New(src).Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		}
		size = min(size, max(len(order), 1))
		buf := NewTensor(append([]int{size}, d.Shape()...)...)
		labels := make([]int, size)
		for lo := 0; lo < len(order); lo += size {
			index := order[lo:min(lo+size, len(order))]
			b := Batch{X: buf.Slice(0, len(index)), Labels: labels[:len(index)], Index: index}
			err := d.Read(index, b.X.Data, b.Labels)
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
}

// ReadAll reads every sample of d into one batch.
func ReadAll(d Dataset) (Batch, error) {
	for b, err := range Batches(d, max(d.Len(), 1), nil) {
		return b, err
	}
	return Batch{}, fmt.Errorf("feature: the dataset is empty")
}

// Predict runs m over d in evaluation mode, batch samples at a time, and
// returns the values of the taps, one tensor of d.Len() rows for each, and the
// labels. An empty dataset gives tensors without rows.
func Predict(ctx context.Context, m Model, d Dataset, taps []string, batch int) ([]Tensor, []int, error) {
	spec := m.Spec()
	out := make([]Tensor, len(taps))
	for i, name := range taps {
		t, err := spec.Tap(name)
		if err != nil {
			return nil, nil, err
		}
		out[i] = NewTensor(append([]int{d.Len()}, t.Shape...)...)
	}
	labels := make([]int, 0, d.Len())
	part := make([]Tensor, len(taps))
	for b, err := range Batches(d, batch, nil) {
		if err != nil {
			return nil, nil, err
		}
		lo := len(labels)
		for i := range out {
			part[i] = out[i].Slice(lo, lo+len(b.Labels))
		}
		if err := m.Forward(ctx, b.X, taps, part); err != nil {
			return nil, nil, fmt.Errorf("feature: samples %d to %d: %w", lo, lo+len(b.Labels)-1, err)
		}
		labels = append(labels, b.Labels...)
	}
	return out, labels, nil
}
