package featuretest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/finite"
)

// RunDataset checks every law of feature.Dataset, and of the optional interfaces
// that d offers, in a subtest of its own. Of a large set 64 samples are read,
// spread over all positions. A panic of d fails the law that was being checked.
func RunDataset(t *testing.T, d feature.Dataset) {
	t.Helper()
	runLaws(t, datasetLaws(d))
}

// CheckDataset returns an error that lists every law which d breaks.
func CheckDataset(d feature.Dataset) error { return checkLaws(datasetLaws(d)) }

func datasetLaws(d feature.Dataset) []law {
	laws := []law{{"description", func() error { return checkDescription(d) }}}
	for _, l := range []struct {
		name  string
		check func(*datasetSuite) error
	}{
		{"reads", (*datasetSuite).reads},
		{"order and duplicates", (*datasetSuite).order},
		{"values", (*datasetSuite).values},
		{"arguments", (*datasetSuite).arguments},
		{"read errors", (*datasetSuite).readErrors},
		{"labels and identities", (*datasetSuite).claims},
		{"class names and pixels", (*datasetSuite).names},
		{"concurrent reads", (*datasetSuite).concurrent},
		{"reading ahead", (*datasetSuite).ahead},
		{"subset and concat", (*datasetSuite).compose},
	} {
		laws = append(laws, law{l.name, func() error {
			s, err := newDatasetSuite(d)
			if err != nil {
				return err
			}
			return l.check(s)
		}})
	}
	return laws
}

// checkDescription checks what the reads build on.
func checkDescription(d feature.Dataset) error {
	shape := slices.Clone(d.Shape())
	n, classes := d.Len(), d.Classes()
	if n < 0 || classes < 1 || feature.Size(shape) < 1 || slices.Min(append(shape, 1)) < 1 {
		return fmt.Errorf("%d samples of shape %v in %d classes", n, shape, classes)
	}
	if d.Len() != n || d.Classes() != classes || !slices.Equal(d.Shape(), shape) {
		return errors.New("two calls of Len, Shape or Classes differ")
	}
	return checkAs(d)
}

// datasetSuite is a dataset and a first reading of some of its samples.
type datasetSuite struct {
	d     feature.Dataset
	index []int
	reading
}

// reading is what one Read gave.
type reading struct {
	x      []float32
	labels []int
}

const samplesRead = 64

func newDatasetSuite(d feature.Dataset) (*datasetSuite, error) {
	s := &datasetSuite{d: d}
	n := d.Len()
	for i := range min(n, samplesRead) {
		s.index = append(s.index, i*max(n-1, 1)/max(min(n, samplesRead)-1, 1))
	}
	var err error
	s.reading, err = read(d, s.index)
	return s, err
}

// read reads into buffers that hold what no dataset gives.
func read(d feature.Dataset, index []int) (reading, error) {
	r := reading{make([]float32, len(index)*feature.Size(d.Shape())), make([]int, len(index))}
	r.soil()
	given := slices.Clone(index)
	if err := d.Read(given, r.x, r.labels); err != nil {
		return r, fmt.Errorf("read of samples %v: %w", index, err)
	}
	if !slices.Equal(given, index) {
		return r, fmt.Errorf("Read changed the index from %v to %v", index, given)
	}
	return r, nil
}

func (r reading) soil() {
	for i := range r.x {
		r.x[i] = float32(math.NaN())
	}
	for i := range r.labels {
		r.labels[i] = -1
	}
}

// same returns an error unless two readings are equal to the bit.
func (r reading) same(what string, o reading) error {
	if !slices.Equal(r.labels, o.labels) {
		return fmt.Errorf("%s: labels %v and %v", what, r.labels, o.labels)
	}
	return sameBits(what, r.x, o.x)
}

// reads checks that equal calls give equal bits, in one call and one by one.
func (s *datasetSuite) reads() error {
	again, err := read(s.d, s.index)
	if err != nil {
		return err
	}
	if err := s.same("two equal reads", again); err != nil {
		return err
	}
	n := feature.Size(s.d.Shape())
	for i, k := range s.index {
		one, err := read(s.d, []int{k})
		if err != nil {
			return err
		}
		if err := (reading{s.x[i*n : (i+1)*n], s.labels[i : i+1]}).same(fmt.Sprintf("sample %d in a batch and alone", k), one); err != nil {
			return err
		}
	}
	_, err = read(s.d, nil)
	return err
}

// order checks that Read honors the order of the index, and duplicates in it.
func (s *datasetSuite) order() error {
	back := slices.Clone(s.index)
	slices.Reverse(back)
	got, err := read(s.d, slices.Concat(back, s.index, back))
	if err != nil {
		return err
	}
	n, m := feature.Size(s.d.Shape()), len(s.index)
	for i := range 3 * m {
		at := i % m
		if i/m != 1 {
			at = m - 1 - at
		}
		want := reading{s.x[at*n : (at+1)*n], s.labels[at : at+1]}
		if err := want.same(fmt.Sprintf("sample %d read several times in one call", s.index[at]), reading{got.x[i*n : (i+1)*n], got.labels[i : i+1]}); err != nil {
			return err
		}
	}
	return nil
}

// values checks that numbers are finite and labels in range.
func (s *datasetSuite) values() error {
	n := feature.Size(s.d.Shape())
	if i := finite.First(s.x); i >= 0 {
		return fmt.Errorf("sample %d, element %d is %v", s.index[i/n], i%n, s.x[i])
	}
	for i, l := range s.labels {
		if l < 0 || l >= s.d.Classes() {
			return fmt.Errorf("sample %d has label %d of %d classes", s.index[i], l, s.d.Classes())
		}
	}
	return nil
}

// arguments checks that Read keeps no argument: a caller may use the buffers again.
func (s *datasetSuite) arguments() error {
	first := reading{slices.Clone(s.x), slices.Clone(s.labels)}
	index := slices.Clone(s.index)
	s.soil()
	if err := s.d.Read(index, s.x, s.labels); err != nil {
		return err
	}
	if err := first.same("a read into buffers used before", s.reading); err != nil {
		return err
	}
	s.soil()
	clear(index)
	again, err := read(s.d, s.index)
	if err != nil {
		return err
	}
	if err := first.same("a read after the caller used its buffers again", again); err != nil {
		return err
	}
	untouched := reading{slices.Clone(s.x), slices.Clone(s.labels)}
	untouched.soil()
	return untouched.same("buffers of an earlier read, after a later one", s.reading)
}

// readErrors checks what Read refuses.
func (s *datasetSuite) readErrors() error {
	n, size := s.d.Len(), feature.Size(s.d.Shape())
	for _, k := range []int{-1, n, math.MaxInt, math.MinInt} {
		if err := s.d.Read([]int{k}, make([]float32, size), make([]int, 1)); err == nil {
			return fmt.Errorf("no error for sample %d of %d", k, n)
		}
	}
	if n == 0 {
		return nil
	}
	one := []int{n - 1}
	return errors.Join(
		want("x of one element too few", s.d.Read(one, make([]float32, size-1), make([]int, 1)), feature.ErrShape),
		want("x of one element too many", s.d.Read(one, make([]float32, size+1), make([]int, 1)), feature.ErrShape),
		want("nil x", s.d.Read(one, nil, make([]int, 1)), feature.ErrShape),
		want("nil labels", s.d.Read(one, make([]float32, size), nil), feature.ErrShape),
		want("one label too many", s.d.Read(one, make([]float32, size), make([]int, 2)), feature.ErrShape),
		want("x without an index", s.d.Read(nil, make([]float32, size), nil), feature.ErrShape))
}

// claims checks what the set says of single samples without reading them.
func (s *datasetSuite) claims() error {
	labeled, _ := feature.As[feature.Labeled](s.d)
	identified, _ := feature.As[feature.Identified](s.d)
	for i, k := range s.index {
		if labeled != nil && labeled.Label(k) != s.labels[i] {
			return fmt.Errorf("Label(%d) is %d, Read says %d", k, labeled.Label(k), s.labels[i])
		}
		if identified == nil {
			continue
		}
		if a, b := identified.Identity(k), identified.Identity(k); a != b {
			return fmt.Errorf("Identity(%d) is %q and then %q", k, a, b)
		}
	}
	return nil
}

// names checks what the set says of itself.
func (s *datasetSuite) names() error {
	if c, ok := feature.As[feature.ClassNamed](s.d); ok {
		names := slices.Clone(c.ClassNames())
		if names != nil && len(names) < s.d.Classes() { // nil: the classes have no names
			return fmt.Errorf("%d names for %d classes", len(names), s.d.Classes())
		}
		if !slices.Equal(names, c.ClassNames()) {
			return errors.New("two calls of ClassNames differ")
		}
	}
	if m, ok := feature.As[feature.MultiLabeled](s.d); ok {
		n, err := feature.Combinations(m.Targets())
		if err != nil {
			return err
		}
		if len(m.Targets()) < 2 || n != s.d.Classes() {
			return fmt.Errorf("%d targets with %d combinations of classes for %d classes", len(m.Targets()), n, s.d.Classes())
		}
	}
	shape := s.d.Shape()
	if p, ok := feature.As[feature.Normalized](s.d); ok && len(shape) > 0 {
		if err := p.Pixels().Check(shape[0]); err != nil {
			return fmt.Errorf("Pixels: %w", err)
		}
		if !reflect.DeepEqual(p.Pixels(), p.Pixels()) {
			return errors.New("two calls of Pixels differ")
		}
	}
	return nil
}

// concurrent checks that reads on several goroutines give what one read gives.
func (s *datasetSuite) concurrent() error {
	return onGoroutines(func() error {
		for _, k := range []int{0, len(s.index) / 2} {
			got, err := read(s.d, s.index[k:])
			if err != nil {
				return err
			}
			n := feature.Size(s.d.Shape())
			if err := (reading{s.x[k*n:], s.labels[k:]}).same("read on several goroutines", got); err != nil {
				return err
			}
		}
		return nil
	})
}

// ahead checks that ReadAhead, where d offers it, gives what Read gives, refuses
// what Read refuses, and does not read where ctx is done.
func (s *datasetSuite) ahead() error {
	a, ok := feature.As[feature.AheadReader](s.d)
	if !ok {
		return nil
	}
	size := feature.Size(s.d.Shape())
	err := onGoroutines(func() error {
		got := reading{make([]float32, len(s.x)), make([]int, len(s.labels))}
		got.soil()
		if err := a.ReadAhead(context.Background(), slices.Clone(s.index), got.x, got.labels); err != nil {
			return err
		}
		return s.same("ReadAhead", got)
	})
	if err != nil || s.d.Len() == 0 {
		return err
	}
	if err := a.ReadAhead(context.Background(), []int{s.d.Len()}, make([]float32, size), make([]int, 1)); err == nil {
		return fmt.Errorf("ReadAhead: no error for sample %d of %d", s.d.Len(), s.d.Len())
	}
	done, cancel := context.WithCancel(context.Background())
	cancel()
	return want("ReadAhead where ctx is done", a.ReadAhead(done, s.index, make([]float32, len(s.x)), make([]int, len(s.labels))), context.Canceled)
}

// compose checks that the subset of all samples, and the concatenation of two
// parts, change no bit and no claim.
func (s *datasetSuite) compose() error {
	all := make([]int, s.d.Len())
	for i := range all {
		all[i] = i
	}
	full, err := feature.Subset(s.d, all)
	if err != nil {
		return err
	}
	a, err := feature.Subset(s.d, all[:len(all)/2])
	if err != nil {
		return err
	}
	b, err := feature.Subset(s.d, all[len(all)/2:])
	if err != nil {
		return err
	}
	whole, err := feature.Concat(a, b)
	if err != nil {
		return err
	}
	return errors.Join(s.equal("the subset of all samples", full), s.equal("the concatenation of two halves", whole))
}

func (s *datasetSuite) equal(what string, w feature.Dataset) error {
	got, err := read(w, s.index)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err := s.same(what, got); err != nil {
		return err
	}
	for i, pair := range [][2]bool{
		{offers[feature.Identified](s.d), offers[feature.Identified](w)}, {offers[feature.Labeled](s.d), offers[feature.Labeled](w)},
		{offers[feature.ClassNamed](s.d), offers[feature.ClassNamed](w)}, {offers[feature.Normalized](s.d), offers[feature.Normalized](w)},
		{offers[feature.MultiLabeled](s.d), offers[feature.MultiLabeled](w)},
		{offers[feature.AheadReader](s.d), offers[feature.AheadReader](w)},
	} {
		if pair[0] != pair[1] {
			return fmt.Errorf("%s: %s is offered by the set: %t, by the wrapper: %t", what, datasetOptions[i], pair[0], pair[1])
		}
	}
	for _, k := range s.index {
		if x, y := feature.IdentityOf(s.d, k), feature.IdentityOf(w, k); x != y {
			return fmt.Errorf("%s: the identity of sample %d is %q, was %q", what, k, y, x)
		}
	}
	if !slices.Equal(feature.ClassNamesOf(s.d), feature.ClassNamesOf(w)) || !reflect.DeepEqual(feature.PixelsOf(s.d), feature.PixelsOf(w)) {
		return fmt.Errorf("%s: class names or pixels differ", what)
	}
	return nil
}

var datasetOptions = [...]string{"Identified", "Labeled", "ClassNamed", "Normalized", "MultiLabeled", "AheadReader"}
