package dlfd

import (
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
)

// checkDemand returns an error if the data contradict the demand.
func (s *Session) checkDemand() error {
	if s.Data.Demand == nil {
		return nil
	}
	kind := s.Data.Demand.kind()
	if !kind.Valid() {
		return fmt.Errorf("%w: Demand has kind %q, which is none of %q", ErrParameter, kind, kinds)
	}
	s.Result.Kind = kind
	if s.Data.Forget == nil { // a method that needs it has been refused
		return nil
	}
	var problem string
	var err error
	switch kind {
	case KindPerson:
		problem = s.personsApart()
	case KindClass:
		problem, err = s.classesApart()
	case KindMislabeled:
		err = s.wrongHoldout()
	}
	switch {
	case err != nil || problem == "":
		return err
	case s.opt.AllowOverlap:
		s.Result.Notes = append(s.Result.Notes, problem)
		return nil
	}
	return fmt.Errorf("%w: %s; %s", ErrOverlap, problem, hint)
}

// personsApart says which persons of the forget set stand where they must not. It names
// nobody: a person is told by the position in Demand.Persons, or, without that list,
// among the sorted identities of the forget set.
func (s *Session) personsApart() string {
	who := Demand{Persons: s.Data.Demand.Persons}
	if len(who.Persons) == 0 {
		who.Persons = feature.Identities(s.Data.Forget)
	}
	if len(who.Persons) == 0 {
		s.Result.Notes = append(s.Result.Notes, "the request is for a person, and the forget set does not know whom it shows: whether that person stands in another set was not checked")
		return ""
	}
	for _, set := range []namedSet{{name: "retain", Dataset: s.Data.Retain}, {name: "holdout", Dataset: s.Data.Holdout}} {
		if set.missing() {
			continue
		}
		if back := who.countPersons(set.Dataset); back != "" {
			return fmt.Sprintf("%s must not show a person of the forget set: %s", set.name, back)
		}
	}
	return ""
}

// classesApart says which classes of the forget set are retained, and sets others.
func (s *Session) classesApart() (string, error) {
	labels, err := feature.Labels(s.Data.Forget)
	if err != nil {
		return "", fmt.Errorf("forget: %w", err)
	}
	gone := distinct(labels)
	if !isEmpty(s.Data.Retain) {
		kept, err := feature.Labels(s.Data.Retain)
		if err != nil {
			return "", fmt.Errorf("retain: %w", err)
		}
		for _, c := range gone {
			if first := slices.Index(kept, c); first >= 0 {
				n := len(kept) - len(slices.DeleteFunc(slices.Clone(kept), func(y int) bool { return y == c }))
				return fmt.Sprintf("the request is for the whole of class %d, and retain has %d samples of it, the first is sample %d", c, n, first), nil
			}
		}
	}
	if isEmpty(s.Data.Holdout) {
		return "", nil
	}
	s.others, err = otherClasses(s.Data.Holdout, gone)
	return "", err
}

func isEmpty(d feature.Dataset) bool { return d == nil || d.Len() == 0 }

// distinct returns the labels without repetitions, in order.
func distinct(labels []int) []int {
	all := slices.Clone(labels)
	slices.Sort(all)
	return slices.Compact(all)
}

// otherClasses returns the samples of the holdout whose class is retained, each with the
// label of a class that goes: a retrained model gives that class to samples of it about
// as seldom as to these, and unseen samples of the class itself are no such measure, as
// the model knows them too. It returns nil if there are none.
func otherClasses(holdout feature.Dataset, gone []int) (feature.Dataset, error) {
	_, others, err := byClass(holdout, gone)
	if err != nil || others.Len() == 0 {
		return nil, err
	}
	labels := make([]int, others.Len())
	for i := range labels {
		labels[i] = gone[i%len(gone)]
	}
	return &relabeled{others, labels}, nil
}

// wrongHoldout gives the holdout wrong labels, where the right labels of the forget set are
// not known: each sample one of those of the forget set, in turn, that is not its own.
// A retrained model has no more confidence in the wrong labels of forget samples than in
// these, and much more in right ones.
func (s *Session) wrongHoldout() error {
	if len(s.Data.Demand.Right) > 0 || isEmpty(s.Data.Holdout) {
		return nil
	}
	given, err := feature.Labels(s.Data.Forget)
	if err != nil {
		return fmt.Errorf("forget: %w", err)
	}
	own, err := feature.Labels(s.Data.Holdout)
	if err != nil {
		return fmt.Errorf("holdout: %w", err)
	}
	var index, labels []int
	next := 0
	for i, y := range own {
		for range given {
			w := given[next%len(given)]
			next++
			if w != y {
				index, labels = append(index, i), append(labels, w)
				break
			}
		}
	}
	if len(index) == 0 {
		return fmt.Errorf("%w: every sample of the holdout and of forget has label %d, so that none can be given a wrong one", ErrEmpty, given[0])
	}
	of, err := feature.Subset(s.Data.Holdout, index)
	s.Data.Holdout = &relabeled{of, labels}
	return err
}
