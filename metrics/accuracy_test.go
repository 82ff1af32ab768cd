package metrics

import (
	"errors"
	"math"
	"reflect"
	"testing"
)

// near fails unless got is within tol of want.
func near(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol) {
		t.Errorf("%s: got %.17g, want %.17g ± %g", what, got, want, tol)
	}
}

// must unwraps a result that may not fail.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func outputs(classes int, labels []int, logits ...float32) Outputs {
	return Outputs{N: len(labels), Classes: classes, Logits: logits, Labels: labels}
}

// Five samples of three classes; the last row ties classes 0 and 2.
var five = outputs(3, []int{0, 0, 1, 2, 2},
	3, 1, 2,
	1, 3, 2,
	0, 5, 1,
	9, 1, 2,
	4, 1, 4)

func TestAccuracies(t *testing.T) {
	near(t, "top-1", must(five.Accuracy()), 2.0/5, 0)
	near(t, "top-2", must(five.TopK(2)), 4.0/5, 0)
	near(t, "top-3", must(five.TopK(3)), 1, 0)
	near(t, "balanced", must(five.BalancedAccuracy()), (0.5+1+0)/3, 1e-16)
	want := [][]int{{1, 1, 0}, {0, 1, 0}, {2, 0, 0}}
	if got := must(five.Confusion()); !reflect.DeepEqual(got, want) {
		t.Errorf("confusion: got %v, want %v", got, want)
	}
}

func TestAbsentClassIsNotCounted(t *testing.T) {
	o := outputs(3, []int{0, 1}, 1, 0, 0, 1, 0, 0)
	near(t, "balanced", must(o.BalancedAccuracy()), 0.5, 0)
}

func TestConstantModelScoresItsFirstClasses(t *testing.T) {
	o := outputs(3, []int{0, 0, 1, 2}, make([]float32, 12)...)
	near(t, "top-1", must(o.Accuracy()), 0.5, 0)
	near(t, "top-2", must(o.TopK(2)), 0.75, 0)
}

func TestBadOutputs(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, c := range map[string]struct {
		o    Outputs
		want error
	}{
		"empty":         {Outputs{}, ErrEmpty},
		"no classes":    {Outputs{N: 1, Labels: []int{0}}, ErrEmpty},
		"short logits":  {outputs(3, []int{0}, 1, 2), ErrShape},
		"no labels":     {Outputs{N: 1, Classes: 2, Logits: []float32{1, 2}}, ErrShape},
		"NaN":           {outputs(2, []int{0}, 1, nan), ErrNotFinite},
		"infinity":      {outputs(2, []int{0}, -inf, 1), ErrNotFinite},
		"label too big": {outputs(2, []int{2}, 1, 2), ErrLabel},
		"label below 0": {outputs(2, []int{-1}, 1, 2), ErrLabel},
	} {
		for what, f := range map[string]func(Outputs) error{
			"Accuracy":          func(o Outputs) error { _, err := o.Accuracy(); return err },
			"BalancedAccuracy":  func(o Outputs) error { _, err := o.BalancedAccuracy(); return err },
			"MeanCrossEntropy":  func(o Outputs) error { _, err := o.MeanCrossEntropy(); return err },
			"Confidences":       func(o Outputs) error { _, err := o.Confidences(); return err },
			"LogitMargins":      func(o Outputs) error { _, err := o.LogitMargins(); return err },
			"ModifiedEntropies": func(o Outputs) error { _, err := o.ModifiedEntropies(); return err },
			"Attack":            func(o Outputs) error { _, err := Attack(five, o, 1, nil); return err },
		} {
			if err := f(c.o); !errors.Is(err, c.want) {
				t.Errorf("%s of %s: got %v, want %v", what, name, err, c.want)
			}
		}
	}
	for _, k := range []int{0, 4} {
		if _, err := five.TopK(k); !errors.Is(err, ErrRange) {
			t.Errorf("top-%d of 3 classes: got %v", k, err)
		}
	}
}
