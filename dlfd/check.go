package dlfd

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/finite"
)

// namedSet is a dataset of a request.
type namedSet struct {
	name string
	feature.Dataset
	needed bool // the method reads it
	// relabels says that a sample of another set may stand here with another label.
	relabels bool
}

// check returns an error unless the datasets that are needed are there, those
// that are there fit the model and one another, every sample that is needed is
// finite and has a label that the model knows, Retain has more than one class, and
// no two sets share what they must not. It reads each set once.
func (s *Session) check(needs Needs) error {
	// Retain, the largest, comes last: the samples of the others are remembered.
	sets := []namedSet{{name: "forget", Dataset: s.Data.Forget, needed: needs.Forget}, {name: "holdout", Dataset: s.Data.Holdout, needed: needs.Holdout}, {name: "retain", Dataset: s.Data.Retain, needed: needs.Retain}}
	spec := s.Model.Spec()
	if !needs.Heads {
		if err := feature.CheckOneHead(spec); err != nil {
			return err
		}
	}
	if err := spec.Heads.Check(spec.Outputs()); err != nil {
		return err
	}
	for _, c := range []int{2, 0, 1} { // errors are told in the order of Data
		if err := sets[c].fits(spec); err != nil {
			return err
		}
	}
	sets = slices.DeleteFunc(sets, namedSet.missing)
	for i, a := range sets {
		for _, b := range sets[:i] {
			if err := feature.CheckClasses(a.Dataset, b.Dataset); err != nil {
				return fmt.Errorf("%s and %s: %w", a.name, b.name, err)
			}
		}
	}
	if err := s.checkDemand(); err != nil {
		return err
	}
	mislabeled := s.Data.Demand.kind() == KindMislabeled
	if !mislabeled { // whoever is shown may stay with the right label
		s.Result.Overlap = feature.SharedIdentities(s.Data.Retain, s.Data.Forget)
	}
	seen := make(samples)
	s.digests = make(map[string]string)
	for _, set := range sets {
		set.relabels = mislabeled && set.name == "retain"
		sum := sha256.New()
		shared, err := seen.read(s.ctx, set, spec.Classes(), sum)
		if err != nil {
			return fmt.Errorf("%s: %w", set.name, err)
		}
		s.Result.Shared = append(s.Result.Shared, shared...)
		s.digests[set.name] = set.digest(sum)
	}
	return s.reportOverlap()
}

func (d namedSet) missing() bool { return d.Dataset == nil || d.Len() == 0 }

func (d namedSet) fits(spec feature.Spec) error {
	if d.missing() {
		if d.needed {
			return fmt.Errorf("%w: %s", ErrEmpty, d.name)
		}
		return nil
	}
	if !slices.Equal(d.Shape(), spec.Input) {
		return fmt.Errorf("%w: %s has samples of shape %v, the model takes %v", feature.ErrShape, d.name, d.Shape(), spec.Input)
	}
	if err := feature.CheckHeads(spec, d.Dataset); err != nil {
		return fmt.Errorf("%s: %w", d.name, err)
	}
	if d.Classes() > spec.Classes() {
		return fmt.Errorf("%w: %s has %d classes, the model %d", feature.ErrLabel, d.name, d.Classes(), spec.Classes())
	}
	return nil
}

// samples knows samples by a hash of their values. Two samples with equal hashes
// of 128 bits are taken for equal.
type samples map[[16]byte]place

type place struct {
	set          string
	index, label int
}

// read goes through a set, so that a bad sample is told before any work and not
// when, or if, a method comes across it. It returns the samples that stand in a
// set that was read before, and remembers those of all sets but retain. sum gets
// samples, labels and persons in their order. Memory:
// 16 bytes and a place a sample that is remembered.
func (k samples) read(ctx context.Context, d namedSet, classes int, sum hash.Hash) ([]Shared, error) {
	var shared []Shared
	var buf []byte
	last := d.name == "retain"
	first, several := -1, false // the first label; there is another
	// Datasets are free to hold more than memory does: not more than 16 MiB at once.
	size := min(max(1<<22/max(feature.Size(d.Shape()), 1), 1), 256)
	for b, err := range feature.BatchesContext(ctx, d.Dataset, size, 1, nil) {
		if err != nil {
			return nil, err
		}
		for i, label := range b.Labels {
			row, index := b.X.Row(i), b.Index[i]
			if first < 0 {
				first = label
			}
			several = several || label != first
			if err := d.checkSample(index, row, label); err != nil {
				return nil, err
			}
			var id [16]byte
			id, buf = hashOf(row, buf)
			sum.Write(id[:])
			fmt.Fprintf(sum, "%d %q\n", label, feature.IdentityOf(d.Dataset, index))
			if p, ok := k[id]; ok && p.set != d.name && !(d.relabels && p.label != label) {
				shared = append(shared, Shared{Sets: [2]string{d.name, p.set}, Index: [2]int{index, p.index}})
			} else if !ok && !last {
				k[id] = place{d.name, index, label}
			}
		}
	}
	if last && d.needed && !several {
		return nil, fmt.Errorf("%w: all %d samples have label %d of %d classes; a descent on them would teach the model to say nothing else",
			ErrParameter, d.Len(), first, classes)
	}
	return shared, nil
}

// digest describes a set that was read.
func (d namedSet) digest(sum hash.Hash) string {
	return fmt.Sprintf("%d samples of shape %v and %d classes, pixels %v, SHA-256 %x", d.Len(), d.Shape(), d.Classes(), feature.PixelsOf(d.Dataset), sum.Sum(nil))
}

func (d namedSet) checkSample(i int, x []float32, label int) error {
	if !d.needed {
		return nil
	}
	if label < 0 || label >= d.Classes() {
		return fmt.Errorf("%w: sample %d has label %d of %d classes", feature.ErrLabel, i, label, d.Classes())
	}
	if j := finite.First(x); j >= 0 {
		return fmt.Errorf("%w: element %d of sample %d is %v", feature.ErrNotFinite, j, i, x[j])
	}
	return nil
}

// hashOf returns 128 bits of a SHA-256 of x, and the buffer it used, for the next.
func hashOf(x []float32, buf []byte) ([16]byte, []byte) {
	buf = buf[:0]
	for _, v := range x {
		buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
	}
	sum := sha256.Sum256(buf)
	return [16]byte(sum[:16]), buf
}

// mostTold is how many places an error names.
const mostTold = 5

const hint = "Options.AllowOverlap goes on all the same"

// reportOverlap tells what stands in two sets, and returns an error unless that
// is allowed.
func (s *Session) reportOverlap() error {
	ids, shared := s.Result.Overlap, s.Result.Shared
	if len(ids) == 0 && len(shared) == 0 {
		return nil
	}
	s.emit(Event{Overlap: ids, Shared: shared})
	if s.opt.AllowOverlap {
		return nil
	}
	const most = mostTold
	if len(ids) > 0 {
		return fmt.Errorf("%w: retain and forget both have samples of %q%s; %s", ErrOverlap, ids[:min(len(ids), most)], more(len(ids)-most), hint)
	}
	text := ""
	for i, p := range shared[:min(len(shared), most)] {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("sample %d of %s is sample %d of %s", p.Index[0], p.Sets[0], p.Index[1], p.Sets[1])
	}
	return fmt.Errorf("%w: %s%s; %s", ErrOverlap, text, more(len(shared)-most), hint)
}

func more(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}
