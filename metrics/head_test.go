package metrics

import (
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
)

// Classes 5 apart with deviation 1: the best head errs in Φ(−2.5·√dim) at each
// of the borders, next to never.
func TestFitHeadSeparates(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 1))
	train, test := mixed(r, 60, 2, 3, 0, 0), mixed(r, 200, 2, 3, 0, 0)
	train.Classes, test.Classes = 4, 4 // two classes have no samples
	h := must(FitHead(train))
	if a := must(h.Accuracy(test)); a < .99 {
		t.Errorf("accuracy %v", a)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	runtime.GOMAXPROCS(1)
	one := must(FitHead(train))
	for i, w := range one.Weights {
		if w != h.Weights[i] {
			t.Fatalf("weight %d is %v at one thread, %v at more", i, w, h.Weights[i])
		}
	}
	for _, d := range [][]float32{train.Data, test.Data} {
		for i := range d {
			d[i] *= 1e30
		}
	}
	if a := must(must(FitHead(train)).Accuracy(test)); a < .99 {
		t.Errorf("scaled features: accuracy %v", a)
	}
}

// The fit of class 0 is the regression of fitLogistic on standardized features.
func TestFitHeadIsTheRegression(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 2))
	f := randomFeatures(r, 40, 2)
	h := must(FitHead(f))
	x := f.table().x
	standardize(x, 2)
	y := make([]bool, f.N)
	for i, c := range f.Labels {
		y[i] = c == 0
	}
	fit := must(fitLogistic(x, 2, y, .5))
	for i := range f.N {
		own := h.Bias[0] + h.row(0)[0]*float64(f.row(i)[0]) + h.row(0)[1]*float64(f.row(i)[1])
		near(t, "output", own, fit.logOdds(x[2*i:2*i+2]), 1e-5)
	}
}

func TestRelearnByHand(t *testing.T) {
	// Class 2 is shut off; its features point along the third axis.
	h := Head{3, 3, []float64{3, 0, 0, 0, 5, 0, 1, 1, 0}, []float64{.5, 1.5, -100}}
	shots := Features{N: 2, Dim: 3, Data: []float32{0, 0, 2, 0, 0, 8}, Classes: 3, Labels: []int{2, 2}}
	query := Features{N: 2, Dim: 3, Data: []float32{0, 0, 7, 1, 0, 0}, Classes: 3, Labels: []int{2, 0}}
	near(t, "before", must(h.Accuracy(query)), .5, 0)
	next := must(h.Relearn(shots))
	near(t, "after", must(next.Accuracy(query)), 1, 0)
	near(t, "length", next.row(2)[2], 4, 1e-15)
	near(t, "bias", next.Bias[2], 1, 1e-15)
	if h.Bias[2] != -100 || h.row(2)[0] != 1 {
		t.Error("the head was modified")
	}
}

func TestBadHead(t *testing.T) {
	good := Features{N: 2, Dim: 1, Data: []float32{1, 2}, Classes: 2, Labels: []int{0, 1}}
	h := Head{2, 1, []float64{1, 2}, []float64{0, 0}}
	accuracy := func(h Head, f Features) error { _, err := h.Accuracy(f); return err }
	relearn := func(h Head, f Features) error { _, err := h.Relearn(f); return err }
	fit := func(f Features) error { _, err := FitHead(f); return err }
	zero := good.at([]int{0})
	zero.Data[0] = 0
	for i, c := range []struct{ got, want error }{
		{accuracy(h, Features{}), ErrEmpty},
		{accuracy(Head{2, 1, []float64{1}, []float64{0, 0}}, good), ErrShape},
		{accuracy(Head{2, 1, []float64{1, math.NaN()}, []float64{0, 0}}, good), ErrNotFinite},
		{relearn(Head{}, good), ErrShape},
		{relearn(h, good), ErrDegenerate},
		{relearn(h, zero), ErrDegenerate},
		{fit(Features{}), ErrEmpty},
		{fit(good.at([]int{0, 0})), ErrOneClass},
		{fit(good), nil},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("case %d: got %v, want %v", i, c.got, c.want)
		}
	}
}

// Four samples with probabilities .9, .9, .59 and .55 (logits of their odds), of
// which the second is wrong: two bins of five, 2·.9 against 1 and .59 + .55 against 2.
func TestCalibrationError(t *testing.T) {
	logit := func(p float64) float32 { return float32(math.Log(p / (1 - p))) }
	o := Outputs{N: 4, Classes: 2, Logits: []float32{logit(.9), 0, logit(.9), 0, logit(.59), 0, logit(.55), 0}, Labels: []int{0, 1, 0, 0}}
	near(t, "five bins", must(o.CalibrationError(5)), (.8+.86)/4, 1e-7)
	near(t, "one bin", must(o.CalibrationError(1)), math.Abs(.9+.9+.59+.55-3)/4, 1e-7)
	flat := Outputs{N: 2, Classes: 2, Logits: make([]float32, 4), Labels: []int{0, 1}}
	near(t, "constant", must(flat.CalibrationError(10)), 0, 0)
	sure := Outputs{N: 2, Classes: 2, Logits: []float32{1e38, -1e38, 1e38, -1e38}, Labels: []int{0, 1}}
	near(t, "sure", must(sure.CalibrationError(10)), .5, 0)
	_, none := o.CalibrationError(0)
	_, empty := Outputs{}.CalibrationError(3)
	for i, c := range []struct{ got, want error }{{none, ErrRange}, {empty, ErrEmpty}} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("case %d: got %v, want %v", i, c.got, c.want)
		}
	}
}
