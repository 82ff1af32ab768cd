package dlfdtest_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/train"
)

// confusion is the interclass-confusion test: the labels of some samples of the
// classes 0 and 1 were exchanged when a model was trained, and it has to forget
// these samples.
//
// Reference: Goel et al., "Towards Adversarial Evaluations for Inexact Machine
// Unlearning", arXiv 2201.06640, section 4.
type confusion struct {
	data      dlfd.Data
	test      *featuretest.Blobs
	original  *nn.Network
	retrained confused
}

// confused is what a model makes of the two classes.
type confused struct {
	mixed    float64 // share of their test samples that are taken for the other class
	kept     float64 // share of the forget set that is still given its wrong label
	accuracy float64 // on the test samples of all classes
}

const (
	dim, perClass  = 16, 200
	fourClasses    = 4
	wrongOfEachTen = 4
)

func newConfusion(t *testing.T) *confusion {
	t.Helper()
	set := func(n int, seed uint64) *featuretest.Blobs {
		return featuretest.NewBlobs(n, dim, fourClasses, 1.9, 7, seed)
	}
	all := set(fourClasses*perClass, 1)
	wrong := func(i int) bool { return all.Labels[i] < 2 && i/fourClasses%10 < wrongOfEachTen }
	forgotten := make([]bool, all.Len())
	for i := range forgotten {
		forgotten[i] = wrong(i)
	}
	for i, w := range forgotten {
		if w {
			all.Labels[i] = 1 - all.Labels[i]
		}
	}
	c := &confusion{test: set(2000, 2)}
	var err error
	if c.data.Forget, c.data.Retain, err = feature.Partition(all, func(i int) bool { return forgotten[i] }); err != nil {
		t.Fatal(err)
	}
	c.data.Holdout = set(400, 3)
	c.original = c.train(t, all, 1)
	for seed := range uint64(3) {
		s := c.score(t, c.train(t, c.data.Retain, 10+seed))
		c.retrained.mixed += s.mixed / 3
		c.retrained.kept += s.kept / 3
		c.retrained.accuracy += s.accuracy / 3
	}
	return c
}

func (c *confusion) train(t *testing.T, d feature.Dataset, seed uint64) *nn.Network {
	t.Helper()
	m, err := nn.MLP(nn.MLPConfig{Input: []int{dim}, Classes: fourClasses, Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := train.Fit(context.Background(), m, d, &train.Options{Epochs: 40, Seed: seed, Schedule: train.Cosine}); err != nil {
		t.Fatal(err)
	}
	return m
}

func (c *confusion) score(t *testing.T, m feature.Model) (s confused) {
	t.Helper()
	said := func(d feature.Dataset) (guess, labels []int) {
		out, labels, err := feature.Predict(context.Background(), m, d, []string{m.Spec().Logits}, 64)
		if err != nil {
			t.Fatal(err)
		}
		for i := range labels {
			best := 0
			for k, v := range out[0].Row(i) {
				if v > out[0].Row(i)[best] {
					best = k
				}
			}
			guess = append(guess, best)
		}
		return guess, labels
	}
	guess, labels := said(c.test)
	two := 0.
	for i, y := range labels {
		if y == guess[i] {
			s.accuracy += 1 / float64(len(labels))
		}
		if y < 2 {
			two++
			if guess[i] == 1-y {
				s.mixed++
			}
		}
	}
	s.mixed /= two
	guess, labels = said(c.data.Forget)
	for i, y := range labels {
		if y == guess[i] {
			s.kept += 1 / float64(len(labels))
		}
	}
	return s
}

// passes reports whether a model mixes the two classes up no more than retrained
// ones do, by three standard errors of the difference, and can still tell all four.
func (c *confusion) passes(s confused) bool {
	two, all := float64(c.test.Len())/2, float64(c.test.Len())
	bound := func(p, n float64) float64 { return 3 * math.Sqrt(2*p*(1-p)/n) }
	return s.mixed <= c.retrained.mixed+bound(c.retrained.mixed, two) && s.accuracy >= c.retrained.accuracy-bound(c.retrained.accuracy, all)
}

// The original fails, a retrained model passes, and every method gets its score:
//
//	go test -run InterclassConfusion -v ./dlfd/dlfdtest
func TestInterclassConfusion(t *testing.T) {
	c := newConfusion(t)
	row := func(name string, s confused, note string) {
		verdict := "fails"
		if c.passes(s) {
			verdict = "passes"
		}
		t.Logf("%-16s mixes up %.3f  keeps %.3f wrong labels  test accuracy %.3f  %s %s", name, s.mixed, s.kept, s.accuracy, verdict, note)
	}
	original := c.score(t, c.original)
	row("original", original, "")
	row("retrained", c.retrained, "(mean of three)")
	if c.passes(original) || original.mixed < 2*c.retrained.mixed {
		t.Errorf("the original passes: it mixes up %.3f, retrained models %.3f", original.mixed, c.retrained.mixed)
	}
	if s := c.score(t, c.train(t, c.data.Retain, 99)); !c.passes(s) {
		t.Errorf("a retrained model fails: it mixes up %.3f, others %.3f", s.mixed, c.retrained.mixed)
	}
	for _, name := range baseline.Names() {
		if testing.Short() && name != "align" && name != "finetune" {
			continue
		}
		u, err := baseline.ByName(name)
		if err != nil {
			t.Fatal(err)
		}
		m, err := c.original.Clone()
		if err != nil {
			t.Fatal(err)
		}
		res, err := u.Unlearn(context.Background(), m, c.data, &dlfd.Options{Seed: 1})
		if errors.Is(err, dlfd.ErrDiverged) {
			t.Logf("%-16s %v", name, err)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		row(name, c.score(t, m), "("+string(res.Stop)+")")
	}
}
