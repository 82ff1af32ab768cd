package dlfd

import (
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
)

// Kind is what a request asks to be forgotten.
type Kind string

// The kinds. An empty Kind is KindSample.
const (
	KindSample Kind = "sample" // single samples; the same persons and classes may be retained
	KindPerson Kind = "person" // all samples of one person, or of several
	KindClass  Kind = "class"  // all samples of one class, or of several
	// KindMislabeled is samples with wrong labels: what was learned from the labels
	// must go, and the samples may stay with the right ones.
	KindMislabeled Kind = "mislabelled"
)

// kinds are all of them.
var kinds = []Kind{KindSample, KindPerson, KindClass, KindMislabeled}

// Valid reports whether k is one of the kinds, by name.
func (k Kind) Valid() bool { return slices.Contains(kinds, k) }

// Demand says what must be forgotten, and of what kind it is. It stands in Data,
// AuditData and, as its Kind, in a receipt:
//
//   - A method refuses data that contradict the kind; see [Data.Demand].
//   - [Align] goes on in a request for a class although its samples cannot be told from
//     unseen ones of the class: both are known, and both must go.
//   - An audit judges a class by unseen samples of it, tells the test accuracy with and
//     without it, and relearns it from prototypes; of wrong labels it says how many were
//     found.
type Demand struct {
	Kind Kind
	// Samples are positions in the training set, for KindSample and KindMislabeled.
	Samples []int
	// Persons are identities, for KindPerson.
	Persons []string
	// Classes are labels, for KindClass.
	Classes []int
	// Right has the right label of each of Samples, for KindMislabeled, where they are
	// known. Unseen samples, whose labels are right, are then given wrong ones in the
	// same way, for what steers and for what judges: without them a retrained model
	// would be told apart by its low confidence in wrong labels. Where Right is nil,
	// methods give the Holdout wrong labels of the forget set in turn, and an audit does
	// not compare with unseen samples unless there are retrained models.
	Right []int
	// Relabel retains the samples of KindMislabeled with their right labels. It needs
	// Right. If it is false, they go as a whole.
	Relabel bool
}

// kind is that of a demand that may be nil.
func (d *Demand) kind() Kind {
	if d == nil || d.Kind == "" {
		return KindSample
	}
	return d.Kind
}

// Request divides a training set as the demand says; see [NewRequest], of which it has
// the halves and the errors.
//
// The AuditData has the whole forget set as Forget where that has no halves.
//
//   - KindPerson: everybody in Persons is in the training set and nobody in unseen. An
//     error names a person by the position in Persons, never by the identity.
//   - KindClass: the NonMembers of the report are unseen samples of the classes, which
//     count as forgotten too; Test has all classes.
//   - KindMislabeled with Right: the Holdout and the NonMembers have wrong labels too,
//     and Test the right ones. With Relabel, Retain has the samples at its end.
//
// Errors wrap ErrParameter for a field that another kind has, positions and labels out
// of range or given twice, and right labels that are the labels; ErrEmpty for a person
// or a class without a training sample, and where a set would have none; ErrOverlap for
// a person in unseen.
func (d Demand) Request(train, unseen feature.Dataset) (*Request, error) {
	if train == nil || unseen == nil {
		return nil, fmt.Errorf("dlfd: request: %w: an argument is nil", ErrParameter)
	}
	if err := d.check(); err != nil {
		return nil, fmt.Errorf("dlfd: request: %w", err)
	}
	labels, err := feature.Labels(train)
	if err != nil {
		return nil, fmt.Errorf("dlfd: request: %w", err)
	}
	chosen, err := d.choose(train, labels, unseen)
	if err != nil {
		return nil, fmt.Errorf("dlfd: request: %w", err)
	}
	r, err := NewRequest(train, func(i int) bool { return chosen[i] }, unseen)
	if err != nil {
		return nil, err
	}
	if r.AuditData.Forget.Len() == 0 { // one sample, or one person: no half judges, and the accuracy needs none
		r.AuditData.Forget = r.Data.Forget
	}
	d.Kind = d.kind()
	switch d.Kind {
	case KindClass:
		err = r.unseenOfClasses(d.Classes)
	case KindMislabeled:
		err = r.mislabel(d, train, labels)
	}
	if err != nil {
		return nil, fmt.Errorf("dlfd: request: %w", err)
	}
	r.Data.Demand, r.AuditData.Demand = &d, &d
	return r, nil
}

// check returns an error unless the fields belong to the kind.
func (d Demand) check() error {
	kind := d.kind()
	if !kind.Valid() {
		return fmt.Errorf("%w: kind %q is none of %q", ErrParameter, kind, kinds)
	}
	for _, f := range []struct {
		name string
		n    int
		of   []Kind
	}{
		{"Samples", len(d.Samples), []Kind{KindSample, KindMislabeled}}, {"Persons", len(d.Persons), []Kind{KindPerson}},
		{"Classes", len(d.Classes), []Kind{KindClass}},
	} {
		if belongs := slices.Contains(f.of, kind); belongs != (f.n > 0) {
			return fmt.Errorf("%w: %d %s in a request of kind %q", ErrParameter, f.n, f.name, kind)
		}
	}
	switch {
	case len(d.Right) > 0 && kind != KindMislabeled:
		return fmt.Errorf("%w: %d Right labels in a request of kind %q", ErrParameter, len(d.Right), kind)
	case len(d.Right) > 0 && len(d.Right) != len(d.Samples):
		return fmt.Errorf("%w: %d Right labels of %d Samples", ErrParameter, len(d.Right), len(d.Samples))
	case d.Relabel && len(d.Right) == 0:
		return fmt.Errorf("%w: Relabel without Right labels", ErrParameter)
	}
	return nil
}

// choose returns which training samples must go.
func (d Demand) choose(train feature.Dataset, labels []int, unseen feature.Dataset) ([]bool, error) {
	switch d.kind() {
	case KindPerson:
		return d.choosePersons(train, unseen)
	case KindClass:
		return d.chooseClasses(labels, train.Classes())
	}
	chosen := make([]bool, len(labels))
	for k, i := range d.Samples {
		switch {
		case i < 0 || i >= len(labels):
			return nil, fmt.Errorf("%w: Samples[%d] is %d of %d training samples", ErrParameter, k, i, len(labels))
		case chosen[i]:
			return nil, fmt.Errorf("%w: Samples[%d] is %d, which is there before", ErrParameter, k, i)
		case len(d.Right) > 0 && (d.Right[k] < 0 || d.Right[k] >= train.Classes() || d.Right[k] == labels[i]):
			return nil, fmt.Errorf("%w: Right[%d] is %d; sample %d has label %d of %d", ErrParameter, k, d.Right[k], i, labels[i], train.Classes())
		}
		chosen[i] = true
	}
	return chosen, nil
}

func (d Demand) choosePersons(train, unseen feature.Dataset) ([]bool, error) {
	position := make(map[string]int)
	for k, p := range d.Persons {
		if other, ok := position[p]; ok || p == "" {
			return nil, fmt.Errorf("%w: Persons[%d] has no name, or the name of Persons[%d]", ErrParameter, k, other)
		}
		position[p] = k
	}
	if back := d.countPersons(unseen); back != "" {
		return nil, fmt.Errorf("%w: unseen, which steers and judges, must show other persons: %s", ErrOverlap, back)
	}
	chosen, found := make([]bool, train.Len()), make([]bool, len(d.Persons))
	for i := range chosen {
		if k, ok := position[feature.IdentityOf(train, i)]; ok {
			chosen[i], found[k] = true, true
		}
	}
	if k := slices.Index(found, false); k >= 0 {
		return nil, fmt.Errorf("%w: person %d of %d has no sample among %d for training", ErrEmpty, k, len(d.Persons), train.Len())
	}
	return chosen, nil
}

// countPersons says which of the persons have how many samples in a set, and is empty
// where none has any.
func (d Demand) countPersons(set feature.Dataset) string {
	counts, first := make([]int, len(d.Persons)), make([]int, len(d.Persons))
	for i := range set.Len() {
		k := slices.Index(d.Persons, feature.IdentityOf(set, i))
		if k < 0 {
			continue
		}
		if counts[k] == 0 {
			first[k] = i
		}
		counts[k]++
	}
	text, n := "", 0
	for k, count := range counts {
		if count == 0 {
			continue
		}
		if n++; n > 1 {
			text += ", "
		}
		if n <= mostTold {
			text += fmt.Sprintf("person %d of %d has %d samples there, the first is sample %d", k, len(d.Persons), count, first[k])
		}
	}
	return text
}

func (d Demand) chooseClasses(labels []int, classes int) ([]bool, error) {
	gone := make([]bool, classes)
	for k, c := range d.Classes {
		switch {
		case c < 0 || c >= classes:
			return nil, fmt.Errorf("%w: Classes[%d] is %d of %d classes", ErrParameter, k, c, classes)
		case gone[c]:
			return nil, fmt.Errorf("%w: Classes[%d] is %d, which is there before", ErrParameter, k, c)
		case !slices.Contains(labels, c):
			return nil, fmt.Errorf("%w: class %d has no sample among %d for training", ErrEmpty, c, len(labels))
		}
		gone[c] = true
	}
	chosen := make([]bool, len(labels))
	for i, y := range labels {
		chosen[i] = gone[y]
	}
	return chosen, nil
}

// unseenOfClasses makes the unseen samples of the classes those that members are
// compared with.
func (r *Request) unseenOfClasses(gone []int) (err error) {
	r.AuditData.NonMember, _, err = byClass(r.AuditData.Test, gone)
	return err
}

// byClass divides d into the samples of some classes and the others.
func byClass(d feature.Dataset, classes []int) (of, others feature.Dataset, err error) {
	labels, err := feature.Labels(d)
	if err != nil {
		return nil, nil, err
	}
	return feature.Partition(d, func(i int) bool { return slices.Contains(classes, labels[i]) })
}

// mislabel gives unseen samples wrong labels as the forget set has them, and retained
// ones their right labels, as far as these are known.
func (r *Request) mislabel(d Demand, train feature.Dataset, labels []int) (err error) {
	if len(d.Right) == 0 {
		return nil
	}
	wrong := make(map[int][]int) // by right label
	for k, i := range d.Samples {
		wrong[d.Right[k]] = append(wrong[d.Right[k]], labels[i])
	}
	if r.Data.Holdout, err = mislabeled(r.Data.Holdout, wrong); err != nil {
		return err
	}
	if r.AuditData.NonMember, err = mislabeled(r.AuditData.Test, wrong); err != nil {
		return err
	}
	if r.Data.Holdout.Len() == 0 || r.AuditData.NonMember.Len() == 0 {
		return fmt.Errorf("%w: unseen has no sample of the right classes in one of its halves", ErrEmpty)
	}
	if !d.Relabel {
		return nil
	}
	again, err := feature.Subset(train, d.Samples)
	if err == nil {
		r.Data.Retain, err = feature.Concat(r.Data.Retain, &relabeled{again, d.Right})
	}
	r.AuditData.Retain = r.Data.Retain
	return err
}

// mislabeled returns the samples of d whose class has been given wrong labels, each
// with one of these in turn.
func mislabeled(d feature.Dataset, wrong map[int][]int) (feature.Dataset, error) {
	labels, err := feature.Labels(d)
	if err != nil {
		return nil, err
	}
	var index, given []int
	next := make(map[int]int)
	for i, y := range labels {
		if w := wrong[y]; len(w) > 0 {
			index, given = append(index, i), append(given, w[next[y]%len(w)])
			next[y]++
		}
	}
	of, err := feature.Subset(d, index)
	return &relabeled{of, given}, err
}

// relabeled is a dataset with other labels.
type relabeled struct {
	feature.Dataset
	labels []int
}

// Label implements feature.Labeled.
func (d *relabeled) Label(i int) int { return d.labels[i] }

// Read implements feature.Dataset.
func (d *relabeled) Read(index []int, x []float32, labels []int) error {
	if err := d.Dataset.Read(index, x, labels); err != nil {
		return err
	}
	for k, i := range index {
		labels[k] = d.labels[i]
	}
	return nil
}

// As implements the look-through of feature.As, but for labels.
func (d *relabeled) As(target any) bool {
	switch target.(type) {
	case *feature.Identified, *feature.ClassNamed, *feature.Normalized:
		return lookThrough(d.Dataset, target)
	}
	return false
}
