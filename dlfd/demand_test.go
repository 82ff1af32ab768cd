package dlfd_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
)

func labelsOf(t *testing.T, d feature.Dataset) []int {
	t.Helper()
	b, err := feature.ReadAll(d) // and not what the dataset says without reading
	if err != nil {
		t.Fatal(err)
	}
	said, err := feature.Labels(d)
	if err != nil || !slices.Equal(said, b.Labels) {
		t.Fatalf("labels %v are read as %v, %v", said, b.Labels, err)
	}
	return b.Labels
}

// Several persons at once: all of their samples go, and nobody else's.
func TestDemandForPersons(t *testing.T) {
	train, unseen := crowd(t, "a", 12, 4), crowd(t, "bb", 6, 4)
	r, err := dlfd.Demand{Kind: dlfd.KindPerson, Persons: []string{"a7", "a2"}}.Request(train, unseen)
	if err != nil {
		t.Fatal(err)
	}
	if ids := feature.Identities(r.Data.Forget); !slices.Equal(ids, []string{"a2", "a7"}) || r.Data.Forget.Len() != 8 || r.Data.Retain.Len() != 40 {
		t.Errorf("forgotten are %v with %d samples, %d are retained", ids, r.Data.Forget.Len(), r.Data.Retain.Len())
	}
	res, err := dlfd.Align{Epochs: 1, Always: true}.Unlearn(context.Background(), featuretest.NewMLP(4, 8, 3, 1), r.Data, nil)
	if err != nil || res.Kind != dlfd.KindPerson {
		t.Errorf("%+v, %v", res, err)
	}
	if r.AuditData.Demand != r.Data.Demand || r.Data.Demand.Kind != dlfd.KindPerson {
		t.Errorf("demands %v and %v", r.AuditData.Demand, r.Data.Demand)
	}
}

// The unseen samples of a class count as forgotten, the others judge the task.
func TestDemandForClasses(t *testing.T) {
	train, unseen := crowd(t, "a", 30, 2), crowd(t, "bb", 24, 1)
	r, err := dlfd.Demand{Kind: dlfd.KindClass, Classes: []int{2}}.Request(train, unseen)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		d    feature.Dataset
		want []int
	}{
		"retain": {r.Data.Retain, []int{0, 1}}, "forget": {r.Data.Forget, []int{2}}, "holdout": {r.Data.Holdout, []int{0, 1, 2}},
		"test": {r.AuditData.Test, []int{0, 1, 2}}, "non-members": {r.AuditData.NonMember, []int{2}},
	} {
		got := labelsOf(t, c.d)
		slices.Sort(got)
		if got = slices.Compact(got); !slices.Equal(got, c.want) {
			t.Errorf("%s has classes %v, want %v", name, got, c.want)
		}
	}
}

// With right labels, unseen samples get wrong ones as the forget set has them, and
// retained samples come back with the right ones.
func TestDemandForWrongLabels(t *testing.T) {
	train, unseen := crowd(t, "a", 30, 1), crowd(t, "bb", 30, 1)
	right := make([]int, 6)
	index := []int{3, 4, 5, 9, 10, 11}
	for k, i := range index {
		right[k] = train.Labels[i]
		train.Labels[i] = (train.Labels[i] + 1) % 3
	}
	d := dlfd.Demand{Kind: dlfd.KindMislabeled, Samples: index, Right: right, Relabel: true}
	r, err := d.Request(train, unseen)
	if err != nil {
		t.Fatal(err)
	}
	retained := labelsOf(t, r.Data.Retain)
	if n := len(retained); n != 30 || !slices.Equal(retained[24:], right) {
		t.Errorf("%d retained, with labels %v at the end", n, retained[n-6:])
	}
	for name, c := range map[string]struct{ of, from feature.Dataset }{"holdout": {r.Data.Holdout, nil}, "non-members": {r.AuditData.NonMember, r.AuditData.Test}} {
		got := labelsOf(t, c.of)
		if c.from == nil {
			continue
		}
		for i, y := range labelsOf(t, c.from) { // each class is found wrong here
			if got[i] != (y+1)%3 {
				t.Fatalf("%s: sample %d of class %d has label %d", name, i, y, got[i])
			}
		}
	}
	featuretest.RunDataset(t, r.Data.Retain)
	featuretest.RunDataset(t, r.AuditData.NonMember)
	m := featuretest.NewMLP(4, 8, 3, 1)
	if _, err := (dlfd.Align{Epochs: 1, Always: true}).Unlearn(context.Background(), m, r.Data, nil); err != nil {
		t.Errorf("samples that are retained with the right label: %v", err)
	}
	plain := r.Data
	plain.Demand = nil
	if _, err := (dlfd.Align{Epochs: 1}).Unlearn(context.Background(), m, plain, nil); !errors.Is(err, dlfd.ErrOverlap) {
		t.Errorf("the same without the demand: %v", err)
	}
	r.Data.Retain = train // with the wrong labels
	if _, err := (dlfd.Align{Epochs: 1}).Unlearn(context.Background(), m, r.Data, nil); !errors.Is(err, dlfd.ErrOverlap) || !strings.Contains(err.Error(), "sample 3 of retain is sample 0 of forget") {
		t.Errorf("samples that are retained with the wrong label: %v", err)
	}
}

// noting is a method that keeps the labels of what steers it.
type noting struct{ holdout, forget *[]int }

func (n noting) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, "noting", m, data, opt, dlfd.Needs{Forget: true, Holdout: true}, func(_ context.Context, s *dlfd.Session) (err error) {
		if *n.holdout, err = feature.Labels(s.Data.Holdout); err != nil {
			return err
		}
		*n.forget, err = feature.Labels(s.Data.Forget)
		return err
	})
}

// Where right labels are not known, what steers is given wrong labels of the forget set.
func TestUnknownRightLabels(t *testing.T) {
	train, unseen := crowd(t, "a", 30, 1), crowd(t, "bb", 30, 1)
	train.Labels[4], train.Labels[8] = 2, 0
	r, err := dlfd.Demand{Kind: dlfd.KindMislabeled, Samples: []int{4, 8}}.Request(train, unseen)
	if err != nil {
		t.Fatal(err)
	}
	own := labelsOf(t, r.Data.Holdout)
	var steers, forget []int
	if _, err := (noting{&steers, &forget}).Unlearn(context.Background(), featuretest.NewMLP(4, 8, 3, 1), r.Data, nil); err != nil {
		t.Fatal(err)
	}
	if len(steers) != len(own) {
		t.Fatalf("%d of %d samples are left", len(steers), len(own))
	}
	for i, y := range steers {
		if y == own[i] || y != 0 && y != 2 {
			t.Errorf("sample %d of class %d steers with label %d", i, own[i], y)
		}
	}
	if !slices.Equal(forget, []int{2, 0}) || !slices.Equal(labelsOf(t, r.Data.Holdout), own) {
		t.Errorf("labels %v of forget; the request was changed", forget)
	}
	same := dlfd.Data{Retain: train, Forget: named(t, 9, 6, "one"), Holdout: named(t, 8, 6, "one"), Demand: r.Data.Demand}
	if _, err := (noting{&steers, &forget}).Unlearn(context.Background(), featuretest.NewMLP(4, 8, 3, 1), same, nil); !errors.Is(err, dlfd.ErrEmpty) {
		t.Errorf("nothing can be wrong: %v", err)
	}
}

// A forget set of one person has no half that judges: its accuracy is told all the same.
func TestOnePersonIsJudgedByAccuracy(t *testing.T) {
	r, err := dlfd.Demand{Kind: dlfd.KindPerson, Persons: []string{"a2"}}.Request(crowd(t, "a", 12, 4), crowd(t, "bb", 6, 4))
	if err != nil || r.AuditData.Forget.Len() != 4 || r.AuditData.Member.Len() != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestDemandErrors(t *testing.T) {
	train, unseen := crowd(t, "a", 12, 4), crowd(t, "bb", 6, 4)
	known := crowd(t, "bb", 6, 4)
	known.Persons[5], known.Persons[9] = "a7", "a7"
	only := func(classes ...int) *featuretest.Blobs {
		d := crowd(t, "a", 12, 4)
		for i := range d.Labels {
			d.Labels[i] = classes[i%len(classes)]
		}
		return d
	}
	for _, c := range []struct {
		d             dlfd.Demand
		train, unseen feature.Dataset
		err           error
		want          string
	}{
		{dlfd.Demand{Kind: dlfd.KindPerson, Persons: []string{"a1", "zoe"}}, train, unseen, dlfd.ErrEmpty, "person 1 of 2 has no sample among 48"},
		{dlfd.Demand{Kind: dlfd.KindPerson, Persons: []string{"a1", "a1"}}, train, unseen, dlfd.ErrParameter, "Persons[1]"},
		{dlfd.Demand{Kind: dlfd.KindPerson, Persons: []string{""}}, train, unseen, dlfd.ErrParameter, "Persons[0]"},
		{dlfd.Demand{Kind: dlfd.KindPerson, Persons: []string{"a1", "a7"}}, train, known, dlfd.ErrOverlap, "person 1 of 2 has 2 samples there, the first is sample 5"},
		{dlfd.Demand{Kind: dlfd.KindPerson}, train, unseen, dlfd.ErrParameter, "0 Persons"},
		{dlfd.Demand{Kind: dlfd.KindPerson, Persons: []string{"a1"}, Samples: []int{2}}, train, unseen, dlfd.ErrParameter, "1 Samples in a request of kind \"person\""},
		{dlfd.Demand{Kind: dlfd.KindClass, Classes: []int{3}}, train, unseen, dlfd.ErrParameter, "is 3 of 3 classes"},
		{dlfd.Demand{Kind: dlfd.KindClass, Classes: []int{1, 1}}, train, unseen, dlfd.ErrParameter, "which is there before"},
		{dlfd.Demand{Kind: dlfd.KindClass, Classes: []int{2}}, only(0, 1), unseen, dlfd.ErrEmpty, "class 2 has no sample among 48"},
		{dlfd.Demand{Kind: dlfd.KindClass, Classes: []int{0, 1}}, only(0, 1), unseen, dlfd.ErrEmpty, "0 retained"},
		{dlfd.Demand{Samples: []int{48}}, train, unseen, dlfd.ErrParameter, "is 48 of 48"},
		{dlfd.Demand{Samples: []int{4, 4}}, train, unseen, dlfd.ErrParameter, "Samples[1] is 4, which is there before"},
		{dlfd.Demand{}, train, unseen, dlfd.ErrParameter, "0 Samples"},
		{dlfd.Demand{Samples: []int{4}, Right: []int{1}}, train, unseen, dlfd.ErrParameter, "Right labels in a request of kind \"sample\""},
		{dlfd.Demand{Kind: dlfd.KindMislabeled, Samples: []int{4}, Relabel: true}, train, unseen, dlfd.ErrParameter, "Relabel without Right"},
		{dlfd.Demand{Kind: dlfd.KindMislabeled, Samples: []int{4}, Right: []int{1}}, train, unseen, dlfd.ErrParameter, "Right[0] is 1; sample 4 has label 1"},
		{dlfd.Demand{Kind: dlfd.KindMislabeled, Samples: []int{4}, Right: []int{2, 0}}, train, unseen, dlfd.ErrParameter, "2 Right labels of 1 Samples"},
		{dlfd.Demand{Kind: dlfd.KindMislabeled, Samples: []int{4}, Right: []int{2}}, train, only(0, 1), dlfd.ErrEmpty, "no sample of the right classes"},
		{dlfd.Demand{Kind: "group"}, train, unseen, dlfd.ErrParameter, `kind "group"`},
		{dlfd.Demand{Samples: []int{4}}, nil, unseen, dlfd.ErrParameter, "nil"},
	} {
		_, err := c.d.Request(c.train, c.unseen)
		if !errors.Is(err, c.err) || !strings.Contains(fmt.Sprint(err), c.want) || strings.Contains(fmt.Sprint(err), "a7") {
			t.Errorf("%+v: error %v, want %q", c.d, err, c.want)
		}
	}
}

// Data that contradict the demand are refused before any pass, whoever divided them, and
// the error names no person.
func TestContradictionsAreRefused(t *testing.T) {
	for _, c := range []struct {
		demand dlfd.Demand
		change func(retain, holdout *featuretest.Blobs)
		want   string
	}{
		{dlfd.Demand{Kind: dlfd.KindPerson}, func(retain, _ *featuretest.Blobs) { retain.Persons[11], retain.Persons[13] = "cc1", "cc1" },
			"retain must not show a person of the forget set: person 1 of 4 has 2 samples there, the first is sample 11"},
		{dlfd.Demand{Kind: dlfd.KindPerson, Persons: []string{"cc3", "cc2", "cc1", "cc0"}}, func(_, holdout *featuretest.Blobs) { holdout.Persons[7] = "cc3" },
			"holdout must not show a person of the forget set: person 0 of 4 has 1 samples there, the first is sample 7"},
		{dlfd.Demand{Kind: dlfd.KindClass}, func(*featuretest.Blobs, *featuretest.Blobs) {}, "the whole of class 0, and retain has 12 samples of it, the first is sample 0"},
	} {
		retain, forget, holdout := crowd(t, "a", 9, 4), crowd(t, "cc", 4, 3), crowd(t, "bbbb", 6, 4)
		c.change(retain, holdout)
		m := featuretest.NewMLP(4, 8, 3, 1)
		data := dlfd.Data{Retain: retain, Forget: forget, Holdout: holdout, Demand: &c.demand}
		_, err := dlfd.Align{}.Unlearn(context.Background(), m, data, nil)
		if !errors.Is(err, dlfd.ErrOverlap) || !strings.Contains(fmt.Sprint(err), c.want) || m.Calls != 0 || strings.Contains(fmt.Sprint(err), "cc") {
			t.Errorf("%s: error %v after %d passes, want %q", c.demand.Kind, err, m.Calls, c.want)
		}
		res, err := dlfd.Align{Epochs: 1, Always: true}.Unlearn(context.Background(), m, data, &dlfd.Options{AllowOverlap: true})
		if err != nil || len(res.Notes) == 0 || !strings.Contains(res.Notes[0], c.want) {
			t.Errorf("%s, allowed: %+v, %v", c.demand.Kind, res, err)
		}
	}
	nobody := crowd(t, "cc", 4, 3)
	nobody.Persons = make([]string, 12)
	data := dlfd.Data{Retain: crowd(t, "a", 9, 4), Forget: nobody, Holdout: crowd(t, "bbbb", 6, 4), Demand: &dlfd.Demand{Kind: dlfd.KindPerson}}
	res, err := dlfd.Align{Epochs: 1, Always: true}.Unlearn(context.Background(), featuretest.NewMLP(4, 8, 3, 1), data, nil)
	if err != nil || len(res.Notes) == 0 || !strings.Contains(res.Notes[0], "was not checked") {
		t.Errorf("nobody is known: %+v, %v", res, err)
	}
	data.Demand = &dlfd.Demand{Kind: "group"}
	if _, err := (dlfd.Align{}).Unlearn(context.Background(), featuretest.NewMLP(4, 8, 3, 1), data, nil); !errors.Is(err, dlfd.ErrParameter) {
		t.Errorf("unknown kind: %v", err)
	}
}
