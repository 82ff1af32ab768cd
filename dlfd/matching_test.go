package dlfd

import (
	"math"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
)

func TestDefaults(t *testing.T) {
	d, err := DLFD{}.resolve(17)
	if err != nil {
		t.Fatal(err)
	}
	if d.Shrink != .4 || d.Perturb != .4 || d.Match != .5 || d.Epochs != 3 || d.Rate != .03 || d.Schedule(.5) != .5000000000000001 && d.Schedule(.5) != .5 {
		t.Errorf("defaults are %+v", d)
	}
	s, err := Steering{}.resolve()
	if err != nil || s != (Steering{Every: 4, Sample: 256, Threshold: .15, Cap: .09}) {
		t.Errorf("defaults are %+v, %v", s, err)
	}
}

func TestTargetsAreQuantilesOfTheClass(t *testing.T) {
	m := &matching{byClass: map[int][]float64{0: {1, 2, 3, 4}, 1: {10}}, all: []float64{1, 2, 3, 4, 10}}
	labels := []int{0, 1, 0, 1, 2}
	got := m.targets([]float64{.5, .1, .2, .3, .7}, labels)
	// Of two samples the ranks are the quartiles ¼ and ¾; a class that the
	// holdout lacks takes the median of all.
	if want := []float64{4, 10, 2, 10, 3}; !slices.Equal(got, want) {
		t.Errorf("targets are %v, want %v", got, want)
	}
}

// Two samples with known losses: only the one below its target counts.
func TestShortfallInClosedForm(t *testing.T) {
	m := &matching{weight: 2, byClass: map[int][]float64{0: {1}, 1: {.5}}, all: []float64{.5, 1}}
	logits := feature.Tensor{Shape: []int{2, 2}, Data: []float32{0, 0, 3, 0}}
	cot := feature.NewTensor(2, 2)
	got, err := m.shortfall(logits, cot, []int{0, 1})
	if err != nil {
		t.Fatal(err)
	}
	if want := (1 - math.Ln2) / 2; math.Abs(got-want) > 1e-12 {
		t.Errorf("shortfall is %v, want %v", got, want)
	}
	// −weight/2 times the derivative of the first loss, (½−1, ½).
	want := []float32{.5, -.5, 0, 0}
	for i, v := range cot.Data {
		if math.Abs(float64(v-want[i])) > 1e-6 {
			t.Fatalf("cotangent is %v, want %v", cot.Data, want)
		}
	}
}

func TestShortfallGradient(t *testing.T) {
	m := &matching{weight: 1.5, byClass: map[int][]float64{0: {.9, 2}, 1: {1.2, 1.4, 3}}, all: []float64{1}}
	labels := []int{0, 1, 1, 0, 1}
	logits := feature.NewTensor(5, 3)
	for i := range logits.Data {
		logits.Data[i] = float32(math.Sin(float64(3*i + 1)))
	}
	cot := feature.NewTensor(5, 3)
	if _, err := m.shortfall(logits, cot, labels); err != nil {
		t.Fatal(err)
	}
	at := func() float64 {
		v, err := m.shortfall(logits, feature.NewTensor(5, 3), labels)
		if err != nil {
			t.Fatal(err)
		}
		return m.weight * v
	}
	const h = 1.0 / 1024 // exact in float32 beside numbers near 1
	for i := range logits.Data {
		logits.Data[i] += h
		up := at()
		logits.Data[i] -= 2 * h
		down := at()
		logits.Data[i] += h
		// The cotangent adds to raise the loss, so it descends on weight × shortfall.
		if got, want := (up-down)/(2*h), float64(cot.Data[i]); math.Abs(got-want) > 1e-5 {
			t.Errorf("logit %d: difference quotient %v, cotangent %v", i, got, want)
		}
	}
}

func TestHalvesAreStratified(t *testing.T) {
	d := &labelled{labels: []int{0, 0, 0, 1, 1, 2, 0, 1}}
	a, b, err := Halves(d)
	if err != nil {
		t.Fatal(err)
	}
	count := func(d feature.Dataset) (n [3]int) {
		all, err := feature.ReadAll(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range all.Labels {
			n[l]++
		}
		return n
	}
	if got := count(a); got != [3]int{2, 2, 1} {
		t.Errorf("first half has %v", got)
	}
	if got := count(b); got != [3]int{2, 1, 0} {
		t.Errorf("second half has %v", got)
	}
}

type labelled struct{ labels []int }

func (d *labelled) Len() int     { return len(d.labels) }
func (d *labelled) Shape() []int { return []int{1} }
func (d *labelled) Classes() int { return 3 }
func (d *labelled) Read(index []int, x []float32, labels []int) error {
	for i, k := range index {
		x[i], labels[i] = float32(k), d.labels[k]
	}
	return nil
}
