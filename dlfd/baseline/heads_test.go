package baseline_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/train"
)

// headed returns a model with a softmax of three and two sigmoids that knows its data,
// and data with three labels a sample.
func headed(t *testing.T) (*featuretest.MLP, dlfd.Data) {
	t.Helper()
	blobs := func(n int, seed uint64) *featuretest.Blobs {
		b := featuretest.NewBlobs(n, 8, 12, .3, 7, seed)
		b.Multi = []feature.Target{{Name: "a", Classes: 3}, {Name: "b", Classes: 2}, {Name: "c", Classes: 2}}
		return b
	}
	m := featuretest.NewMLP(8, 24, 5, 1)
	m.Heads = append(feature.Heads{{Name: "a", Width: 3}}, feature.Sigmoids(2, "b", "c")...)
	data := dlfd.Data{Retain: blobs(72, 1), Forget: blobs(24, 2), Holdout: blobs(24, 3)}
	all, err := feature.Concat(data.Retain, data.Forget)
	if err != nil {
		t.Fatal(err)
	}
	loss, err := train.Fit(t.Context(), m, all, &train.Options{Epochs: 30})
	if err != nil || loss[29] > .5*loss[0] {
		t.Fatalf("losses %v, %v", loss, err)
	}
	return m, data
}

// Methods that say they can work on several heads do so; the others refuse them, and
// say which heads there are.
func TestMethodsOnSeveralHeads(t *testing.T) {
	m, data := headed(t)
	can := []string{"align", "badteacher", "cfk", "dlfd", "euk", "finetune", "l1sparse", "msg", "neggrad", "neggrad+", "randomlabel",
		"retrain", "salun", "scrub", "scrub+r", "shortretrain", "shrinkperturb", "ssd", "surgery"}
	for _, name := range baseline.Names() {
		text := name
		if name == "shortretrain" {
			text += ":epochs=20" // in three, little is learned here, and that is an error
		}
		u, err := baseline.ByName(text)
		if err != nil {
			t.Fatal(err)
		}
		cloned, _ := m.Clone()
		c := cloned.(*featuretest.MLP)
		res, err := u.Unlearn(t.Context(), c, data, &dlfd.Options{Seed: 1, BatchSize: 16})
		if !slices.Contains(can, name) {
			if !errors.Is(err, feature.ErrHeads) {
				t.Errorf("%s: %v, want ErrHeads", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if same := slices.Equal(slices.Concat(m.P[:]...), slices.Concat(c.P[:]...)); same && res.Stop == dlfd.Completed {
			t.Errorf("%s: completed, and no weight has changed", name)
		}
	}
	single := data
	single.Retain = featuretest.NewBlobs(20, 8, 3, 1, 7, 1)
	if _, err := (baseline.FineTune{}).Unlearn(t.Context(), m, single, nil); !errors.Is(err, feature.ErrHeads) {
		t.Errorf("one label for three heads: %v", err)
	}
	if _, err := (baseline.FineTune{}).Unlearn(t.Context(), featuretest.NewMLP(8, 4, 12, 1), data, nil); !errors.Is(err, feature.ErrHeads) {
		t.Errorf("three labels for one softmax: %v", err)
	}
}

// A model whose one head is a softmax over all logits is unlearned as one without
// heads, to the bit.
func TestOneHeadIsNoHead(t *testing.T) {
	d := data()
	d.Holdout = featuretest.NewBlobs(20, 4, 3, 1, 7, 3)
	for _, name := range []string{"align:always", "badteacher", "dlfd", "finetune", "msg", "neggrad+", "retrain:epochs=3", "salun", "scrub", "shortretrain", "shrinkperturb", "ssd", "surgery"} {
		u, err := baseline.ByName(name)
		if err != nil {
			t.Fatal(err)
		}
		var got [2][]float32
		for i := range got {
			m := featuretest.NewMLP(4, 6, 3, 1)
			if i == 1 {
				m.Heads = feature.Heads{{Width: 3}}
			}
			if _, err := u.Unlearn(t.Context(), m, d, &dlfd.Options{Seed: 1, BatchSize: 8}); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got[i] = slices.Concat(m.P[:]...)
		}
		if !slices.Equal(got[0], got[1]) {
			t.Errorf("%s: the weights differ", name)
		}
	}
}
