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
// bits; Read may run on several goroutines at once. See [AheadReader] for datasets
// whose Read takes long.
type Dataset interface {
	Len() int
	Shape() []int // of one sample; callers must not modify it
	Classes() int // labels are in [0, Classes)

	// Read copies sample index[i] into row i of x, which holds
	// len(index)×size of a sample, and its label into labels[i]. Values are
	// finite. It does not modify index and keeps no argument. Errors: what
	// [CheckRead] returns, and those of the source of the data.
	Read(index []int, x []float32, labels []int) error
}

// Identified is implemented by datasets that know whom a sample shows. An
// empty string means unknown.
type Identified interface {
	Identity(i int) string
}

// Labeled is implemented by datasets that know the label of a sample without
// reading it.
type Labeled interface {
	Label(i int) int
}

// ClassNamed is implemented by datasets whose classes have names, one for each
// label. Datasets that call a class by one number and by different names are
// never mixed; see [CheckClasses].
type ClassNamed interface {
	ClassNames() []string // callers must not modify it
}

// Normalized is implemented by datasets of images whose values are normalized
// pixels.
type Normalized interface {
	Pixels() Pixels
}

// IdentityOf returns the identity of sample i, or "" if d does not know it.
func IdentityOf(d Dataset, i int) string {
	if id, ok := As[Identified](d); ok {
		return id.Identity(i)
	}
	return ""
}

// Labels returns the label of every sample: without reading samples where d is
// Labeled, and else by reading all of them, 256 at a time. An error wraps
// ErrLabel or is that of a Read.
func Labels(d Dataset) ([]int, error) {
	labels := make([]int, 0, d.Len())
	if l, ok := As[Labeled](d); ok {
		for i := range d.Len() {
			labels = append(labels, l.Label(i))
		}
	} else {
		for b, err := range Batches(d, 256, nil) {
			if err != nil {
				return nil, err
			}
			labels = append(labels, b.Labels...)
		}
	}
	for i, l := range labels {
		if l < 0 || l >= d.Classes() {
			return nil, fmt.Errorf("feature: %w: sample %d has label %d of %d classes", ErrLabel, i, l, d.Classes())
		}
	}
	return labels, nil
}

// ClassNamesOf returns the names of the classes of d, or nil if d has none.
func ClassNamesOf(d Dataset) []string {
	if n, ok := As[ClassNamed](d); ok {
		return n.ClassNames()
	}
	return nil
}

// CheckClasses returns an error wrapping ErrClasses if a and b call one class by
// different names. One of them may have fewer classes, or no names. Datasets with
// several labels a sample must have the same targets, else the error wraps ErrHeads.
func CheckClasses(a, b Dataset) error {
	s, t := TargetsOf(a), TargetsOf(b)
	if len(s) != len(t) {
		return fmt.Errorf("feature: %w: a sample has %d labels in one set and %d in the other", ErrHeads, max(len(s), 1), max(len(t), 1))
	}
	for i := range s {
		if s[i].Name != t[i].Name || s[i].Classes != t[i].Classes {
			return fmt.Errorf("feature: %w: label %d is %q with %d classes in one set and %q with %d in the other", ErrHeads, i, s[i].Name, s[i].Classes, t[i].Name, t[i].Classes)
		}
		if err := checkNames(fmt.Sprintf("label %d (%q), ", i, s[i].Name), s[i].ClassNames, t[i].ClassNames); err != nil {
			return err
		}
	}
	return checkNames("", ClassNamesOf(a), ClassNamesOf(b))
}

// checkNames compares the names of classes, as far as both lists go. An error names what
// they belong to.
func checkNames(of string, x, y []string) error {
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Errorf("feature: %w: %sclass %d is %q in one set and %q in the other", ErrClasses, of, i, x[i], y[i])
		}
	}
	return nil
}

// PixelsOf returns how the images of d are normalized: the identity unless d
// is Normalized.
func PixelsOf(d Dataset) Pixels {
	if p, ok := As[Normalized](d); ok {
		return p.Pixels()
	}
	return Pixels{}
}

// Identities returns the different identities of d, sorted, without the
// unknown. d may be nil.
func Identities(d Dataset) []string {
	if d == nil {
		return nil
	}
	id, ok := As[Identified](d)
	if !ok {
		return nil
	}
	seen := make(map[string]bool)
	for i := range d.Len() {
		seen[id.Identity(i)] = true
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
	return BatchesOf(d, size, 1, src)
}

// BatchesOf is Batches with a lower bound: where the last batch would have fewer
// than least samples, they are joined to the batch before. Batch norm needs that
// in training, as the variance of one value is no variance. A dataset of fewer
// than least samples is one batch.
func BatchesOf(d Dataset, size, least int, src rand.Source) iter.Seq2[Batch, error] {
	return BatchesContext(context.Background(), d, size, least, src)
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
	for b, err := range BatchesContext(ctx, d, batch, 1, nil) {
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
