package dlfd_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/dataset"
	"github.com/dlfd-go/unlearn/feature/featuretest"
)

// crowd has samples of persons, each sample a number of its own.
func crowd(t *testing.T, prefix string, persons, each int) *featuretest.Blobs {
	t.Helper()
	b := featuretest.NewBlobs(persons*each, 4, 3, 1, 7, uint64(len(prefix)*1000+persons))
	for i := range b.Persons {
		b.Persons[i] = fmt.Sprint(prefix, i/each)
	}
	return b
}

// content returns the samples of a dataset as texts.
func content(t *testing.T, d feature.Dataset) []string {
	t.Helper()
	var all []string
	for b, err := range feature.Batches(d, 10, nil) {
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.Labels {
			all = append(all, fmt.Sprint(b.X.Row(i)))
		}
	}
	return all
}

// What steers never reports: no sample and no person is on both sides.
func TestRequestKeepsSidesApart(t *testing.T) {
	train, unseen := crowd(t, "trained ", 12, 5), crowd(t, "new ", 6, 4)
	for i := range 8 { // two persons of the forget set have unseen samples too
		unseen.Persons[i] = fmt.Sprint("trained ", i/4)
	}
	r, err := dlfd.NewRequest(train, func(i int) bool { return i < 20 }, unseen)
	if err != nil {
		t.Fatal(err)
	}
	first, _, err := feature.Halves(r.Data.Forget)
	if err != nil {
		t.Fatal(err)
	}
	for _, steer := range []feature.Dataset{first, r.Data.Holdout} {
		for _, report := range []feature.Dataset{r.AuditData.Forget, r.AuditData.Test, r.AuditData.Member, r.AuditData.NonMember} {
			if p := feature.SharedIdentities(steer, report); p != nil {
				t.Errorf("%q steer and are reported on", p)
			}
			for _, s := range content(t, steer) {
				if slices.Contains(content(t, report), s) {
					t.Fatalf("sample %s steers and is reported on", s)
				}
			}
		}
	}
	if r.Data.Retain.Len() != 40 || r.Data.Forget.Len() != 20 || r.Data.Holdout.Len()+r.AuditData.Test.Len() != 24 {
		t.Errorf("sizes %d, %d, %d, %d", r.Data.Retain.Len(), r.Data.Forget.Len(), r.Data.Holdout.Len(), r.AuditData.Test.Len())
	}
	m := featuretest.NewMLP(4, 8, 3, 1)
	if _, err := dlfd.Recommended().Unlearn(context.Background(), m, r.Data, nil); err != nil {
		t.Error(err)
	}
	if _, err := dlfd.Audit(context.Background(), m, r.AuditData, &dlfd.AuditOptions{Seed: 1}); err != nil {
		t.Error(err)
	}
}

func TestRequestErrors(t *testing.T) {
	train, unseen := crowd(t, "a", 10, 2), crowd(t, "bb", 5, 2)
	some := func(i int) bool { return i < 4 }
	for name, c := range map[string]struct {
		train  feature.Dataset
		forget func(int) bool
		unseen feature.Dataset
		want   error
	}{
		"no training set": {nil, some, unseen, dlfd.ErrParameter},
		"no function":     {train, nil, unseen, dlfd.ErrParameter},
		"no unseen":       {train, some, nil, dlfd.ErrParameter},
		"nothing":         {train, func(int) bool { return false }, unseen, dlfd.ErrEmpty},
		"everything":      {train, func(int) bool { return true }, unseen, dlfd.ErrEmpty},
		"one unseen":      {train, some, crowd(t, "c", 1, 1), dlfd.ErrEmpty},
		"one person":      {train, some, crowd(t, "d", 1, 9), dlfd.ErrEmpty},
	} {
		if _, err := dlfd.NewRequest(c.train, c.forget, c.unseen); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	_, err := dlfd.NewRequest(train, some, crowd(t, "d", 1, 9))
	if want := "of 9 unseen samples of 1 persons, 9 may steer and 0 may be reported on"; !strings.Contains(fmt.Sprint(err), want) {
		t.Errorf("error %v does not say %q", err, want)
	}
}

// One sample can be forgotten; the audit says what it cannot judge.
func TestRequestForOneSample(t *testing.T) {
	r, err := dlfd.NewRequest(crowd(t, "a", 30, 1), func(i int) bool { return i == 7 }, crowd(t, "bb", 30, 1))
	if err != nil {
		t.Fatal(err)
	}
	m := featuretest.NewMLP(4, 8, 3, 1)
	res, err := dlfd.Recommended().Unlearn(context.Background(), m, r.Data, nil)
	if err != nil || res.Stop != dlfd.Completed {
		t.Fatal(res, err)
	}
	a, err := dlfd.Audit(context.Background(), m, r.AuditData, &dlfd.AuditOptions{Seed: 1})
	if err != nil || len(a.NotJudged) < 3 || !strings.Contains(a.NotJudged[1], "0 members") {
		t.Fatalf("%v, %+v", err, a)
	}
	r.AuditData.Member = r.Data.Forget // too few, but not none
	a, err = dlfd.Audit(context.Background(), m, r.AuditData, &dlfd.AuditOptions{Seed: 1})
	if err != nil || len(a.NotJudged) < 2 || a.LossAttack.AUC != 0 {
		t.Fatalf("%v, %+v", err, a)
	}
}

// The same sample in two sets is an error, whether or not anybody is named.
func TestEqualSamplesAreRefused(t *testing.T) {
	set := func(seed uint64) *featuretest.Blobs {
		b := featuretest.NewBlobs(21, 4, 3, 1, 7, seed)
		b.Persons = make([]string, 21)
		return b
	}
	for _, c := range []struct{ a, b string }{{"retain", "forget"}, {"retain", "holdout"}, {"holdout", "forget"}} {
		sets := map[string]*featuretest.Blobs{"retain": set(1), "forget": set(2), "holdout": set(3)}
		copy(sets[c.a].X.Row(11), sets[c.b].X.Row(5))
		m := featuretest.NewMLP(4, 8, 3, 1)
		data := dlfd.Data{Retain: sets["retain"], Forget: sets["forget"], Holdout: sets["holdout"]}
		_, err := dlfd.Align{}.Unlearn(context.Background(), m, data, nil)
		want := fmt.Sprintf("sample 11 of %s is sample 5 of %s", c.a, c.b)
		if !errors.Is(err, dlfd.ErrOverlap) || !strings.Contains(err.Error(), want) || m.Calls != 0 {
			t.Errorf("error %v, want one that says %q", err, want)
		}
		var told []dlfd.Shared
		res, err := dlfd.Align{}.Unlearn(context.Background(), m, data, &dlfd.Options{AllowOverlap: true, Observer: func(e dlfd.Event) { told = append(told, e.Shared...) }})
		shared := []dlfd.Shared{{Sets: [2]string{c.a, c.b}, Index: [2]int{11, 5}}}
		if err != nil || !slices.Equal(res.Shared, shared) || !slices.Equal(told, shared) {
			t.Errorf("%v, %+v; the observer was told of %v", err, res, told)
		}
	}
}

func named(t *testing.T, seed uint64, n int, classes ...string) *dataset.Set {
	t.Helper()
	b := featuretest.NewBlobs(n, 4, len(classes), 1, 7, seed)
	d, err := dataset.Memory(dataset.Samples{X: b.X, Labels: b.Labels, Classes: classes})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Sets that call a class by one number and by different names are not mixed.
func TestClassNamesMustAgree(t *testing.T) {
	abc, dogs := named(t, 1, 30, "cat", "dog", "eel"), named(t, 2, 12, "dog")
	m := featuretest.NewMLP(4, 8, 3, 1)
	for i, data := range []dlfd.Data{
		{Retain: abc, Forget: dogs, Holdout: named(t, 3, 12, "cat", "dog", "eel")},
		{Retain: abc, Forget: named(t, 3, 12, "cat", "dog", "eel"), Holdout: dogs},
	} {
		if _, err := (dlfd.Align{}).Unlearn(context.Background(), m, data, nil); !errors.Is(err, feature.ErrClasses) || m.Calls != 0 {
			t.Errorf("request %d: %v", i, err)
		}
	}
	if _, err := dlfd.Audit(context.Background(), m, dlfd.AuditData{Retain: abc, Forget: abc, Test: dogs, Member: abc, NonMember: abc}, &dlfd.AuditOptions{Seed: 1}); !errors.Is(err, feature.ErrClasses) {
		t.Errorf("audit: %v", err)
	}
	if _, err := dlfd.NewRequest(abc, func(i int) bool { return i < 9 }, dogs); !errors.Is(err, feature.ErrClasses) {
		t.Errorf("request: %v", err)
	}
}

func TestOneClassIsRefused(t *testing.T) {
	one := named(t, 1, 30, "cat")
	m := featuretest.NewMLP(4, 8, 3, 1)
	_, err := dlfd.Align{}.Unlearn(context.Background(), m, dlfd.Data{Retain: one, Forget: named(t, 2, 9, "cat"), Holdout: named(t, 3, 9, "cat")}, nil)
	if !errors.Is(err, dlfd.ErrParameter) || m.Calls != 0 {
		t.Errorf("error %v after %d passes", err, m.Calls)
	}
}

// A subset of a whole set gives the bits of the set.
func TestSubsetOfItself(t *testing.T) {
	plain := imageData()
	var whole dlfd.Data
	for _, c := range []struct {
		to   *feature.Dataset
		from feature.Dataset
	}{{&whole.Retain, plain.Retain}, {&whole.Forget, plain.Forget}, {&whole.Holdout, plain.Holdout}} {
		index := make([]int, c.from.Len())
		for i := range index {
			index[i] = i
		}
		var err error
		if *c.to, err = feature.Subset(c.from, index); err != nil {
			t.Fatal(err)
		}
	}
	for _, u := range []dlfd.Unlearner{dlfd.Align{}, dlfd.DLFD{Steering: dlfd.Steering{Threshold: 1e-9}}} {
		a, b := conv(t), conv(t)
		unlearn(t, u, a, plain)
		unlearn(t, u, b, whole)
		if !slices.Equal(weights(t, a), weights(t, b)) {
			t.Errorf("%s: the weights differ", dlfd.NameOf(u))
		}
	}
}

// A result goes into a record with the settings as they were resolved.
func TestResultHasTheSettings(t *testing.T) {
	for want, u := range map[string]dlfd.Unlearner{
		`"Shrink":0.181,"Perturb":0.8,"NoNorms":false,"Match":0.1,"Epochs":6,"Revisit":0.7,"Rate":0.5`: dlfd.Align{Rate: .5},
		`"Shrink":0.35,"Perturb":0.8,"NoNorms":false,"Match":0.1,"Epochs":2,"Revisit":0.7,"Rate":0.5`:  dlfd.Align{Rate: .5, Epochs: 2, Always: true},
		`"Distance":"distance.Sinkhorn{`: dlfd.DLFD{},
	} {
		res, err := u.Unlearn(context.Background(), conv(t), imageData(), &dlfd.Options{BatchSize: 8})
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(res)
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %.300s, %v; want %s", dlfd.NameOf(u), text, err, want)
		}
	}
}
