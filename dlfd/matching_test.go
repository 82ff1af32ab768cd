package dlfd

import (
	"math"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
)

func TestDefaults(t *testing.T) {
	plain := feature.Spec{Params: []feature.Param{{Name: "w", Trainable: true}}}
	normed := feature.Spec{Params: []feature.Param{{Name: "w", Trainable: true}, {Name: "running_mean"}}}
	for _, c := range []struct {
		name string
		d    DLFD
		spec feature.Spec
		want [3]float64 // Shrink, Perturb, Match
	}{
		{"with batch norm", DLFD{}, normed, [3]float64{.4, .8, .1}},
		{"without", DLFD{}, plain, [3]float64{1, Off, .3}},
		{"without, shrunk", DLFD{Shrink: .9}, plain, [3]float64{.9, .8, .1}},
		{"not shrunk", DLFD{Shrink: 1}, normed, [3]float64{1, Off, .3}},
		{"all set", DLFD{Shrink: 1, Perturb: .1, Match: Off}, normed, [3]float64{1, .1, Off}},
	} {
		d, err := c.d.resolve(c.spec, 17)
		if err != nil {
			t.Fatal(err)
		}
		if got := [3]float64{d.Shrink, d.Perturb, d.Match}; got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if d.Epochs != 3 || d.Rate != .03 || d.Schedule(0) != 1 || math.Abs(d.Schedule(.5)-.5) > 1e-12 {
			t.Errorf("defaults are %+v", d)
		}
	}
	if d, _ := (DLFD{}).resolve(plain, 7); d.Epochs != 8 {
		t.Errorf("%d epochs of 7 steps, want 8, which make 50 steps", d.Epochs)
	}
	s, err := Steering{}.resolve()
	if err != nil || s != (Steering{Every: 4, Sample: 256, Threshold: .15, Cap: .09}) {
		t.Errorf("defaults are %+v, %v", s, err)
	}
}

func TestMatchedRanks(t *testing.T) {
	from, to := []float64{1, 2, 2, 2, 5}, []float64{10, 20, 30, 40, 50, 60, 70, 80, 90, 100}
	// Of five the ranks are .1, .5 (three equal ones share it) and .9.
	for v, want := range map[float64]float64{1: 20, 2: 60, 5: 100} {
		if got, ok := matched(v, from, to); !ok || got != want {
			t.Errorf("%v is matched to %v, want %v", v, got, want)
		}
	}
	if _, ok := matched(1, from, nil); ok {
		t.Error("something was matched to nothing")
	}
}

func TestHigher(t *testing.T) {
	for _, c := range []struct {
		from, to []float64
		want     bool
	}{
		{[]float64{4, 5}, []float64{1, 2, 3}, true},
		{[]float64{1, 2, 3}, []float64{4, 5}, false},
		{[]float64{1, 2, 3}, []float64{1, 2, 3}, false},
		{[]float64{1, 1, 1}, []float64{1, 1}, false},
		{[]float64{1, 2}, []float64{1, 1, 2}, true}, // 3½ of 6 pairs
		{[]float64{1, 4}, []float64{2, 3}, false},   // 2 of 4 pairs
		{[]float64{1, 4, 5}, []float64{2, 3}, true}, // 4 of 6
		{[]float64{0, 1, 4}, []float64{2, 3}, false},
		{[]float64{1}, nil, false},
	} {
		if got := higher(c.from, c.to); got != c.want {
			t.Errorf("higher(%v, %v) is %v", c.from, c.to, got)
		}
	}
}

// Pools far apart pull; where forget samples are already lower, nothing does.
func TestNothingIsLoweredBelowTheHoldout(t *testing.T) {
	b := feature.Batch{Labels: []int{0, 0, 0}, Index: []int{0, 1, 2}}
	for _, c := range []struct {
		holdout float64
		want    bool
	}{{-9, true}, {9, false}} {
		m := newMatching(1, nil)
		for i := range 10 {
			m.holdout[i] = visit{0, c.holdout}
		}
		m.holdout[10] = visit{0, -20} // a single low quantile pulls no one alone
		got, err := m.excess(someLogits(3, 2), feature.NewTensor(3, 2), b)
		if err != nil || (got > 0) != c.want {
			t.Errorf("holdout at %v: excess %v, %v", c.holdout, got, err)
		}
	}
}

// With equal pools every sample is matched to itself: where the distributions
// agree, nothing is lowered.
func TestEqualDistributionsHaveNoExcess(t *testing.T) {
	b := feature.Batch{Labels: []int{0, 1, 0, 1, 0}, Index: []int{0, 1, 2, 3, 4}}
	m := newMatching(1, nil)
	logits := someLogits(5, 2)
	if _, err := m.holdout.add(logits, b); err != nil {
		t.Fatal(err)
	}
	cot := feature.NewTensor(5, 2)
	got, err := m.excess(logits, cot, b)
	if err != nil || got != 0 || slices.ContainsFunc(cot.Data, func(v float32) bool { return v != 0 }) {
		t.Errorf("excess is %v, %v, cotangent %v", got, err, cot.Data)
	}
}

func someLogits(n, classes int) feature.Tensor {
	logits := feature.NewTensor(n, classes)
	for i := range logits.Data {
		logits.Data[i] = float32(math.Sin(float64(3*i + 1)))
	}
	return logits
}

// Two samples with known log-odds, 3 and 0: only the one above its target
// counts.
func TestExcessInClosedForm(t *testing.T) {
	m := newMatching(2, nil)
	m.holdout = pool{0: {0, 1}, 1: {1, .5}}
	logits := feature.Tensor{Shape: []int{2, 2}, Data: []float32{3, 0, 0, 0}}
	cot := feature.NewTensor(2, 2)
	got, err := m.excess(logits, cot, feature.Batch{Labels: []int{0, 1}, Index: []int{7, 8}})
	if err != nil {
		t.Fatal(err)
	}
	if want := (3. - 1) / 2; math.Abs(got-want) > 1e-6 {
		t.Errorf("excess is %v, want %v", got, want)
	}
	// weight/2 times the derivative of z₀ − z₁.
	if want := []float32{1, -1, 0, 0}; !slices.Equal(cot.Data, want) {
		t.Errorf("cotangent is %v, want %v", cot.Data, want)
	}
}

func TestExcessGradient(t *testing.T) {
	holdout := pool{0: {0, -1}, 1: {0, -2}, 2: {1, -3}, 3: {1, -1.4}, 4: {1, .2}}
	batch := feature.Batch{Labels: []int{0, 1, 1, 0, 1}, Index: []int{0, 1, 2, 3, 4}}
	logits := someLogits(5, 3)
	at := func(cot feature.Tensor) float64 {
		m := newMatching(1.5, nil)
		m.holdout = holdout
		v, err := m.excess(logits, cot, batch)
		if err != nil {
			t.Fatal(err)
		}
		return m.weight * v
	}
	cot := feature.NewTensor(5, 3)
	if at(cot) == 0 {
		t.Fatal("there is no excess; the test shows nothing")
	}
	const h = 1.0 / 1024 // exact in float32 beside numbers near 1
	for i := range logits.Data {
		logits.Data[i] += h
		up := at(feature.NewTensor(5, 3))
		logits.Data[i] -= 2 * h
		down := at(feature.NewTensor(5, 3))
		logits.Data[i] += h
		// The targets do not move with the log-odds as long as no ranks swap.
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
