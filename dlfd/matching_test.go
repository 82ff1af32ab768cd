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
	if d.Shrink != .4 || d.Perturb != .8 || d.Match != .3 || d.Epochs != 3 || d.Rate != .03 || d.Schedule(.5) != .5000000000000001 && d.Schedule(.5) != .5 {
		t.Errorf("defaults are %+v", d)
	}
	s, err := Steering{}.resolve()
	if err != nil || s != (Steering{Every: 4, Sample: 256, Threshold: .15, Cap: .09}) {
		t.Errorf("defaults are %+v, %v", s, err)
	}
}

func TestMatchedRanks(t *testing.T) {
	from, to := []float64{1, 2, 2, 2, 5}, []float64{10, 20, 30, 40, 50, 60, 70, 80, 90, 100}
	// Of five losses the ranks are .1, .5 (three equal ones share it) and .9.
	for loss, want := range map[float64]float64{1: 20, 2: 60, 5: 100} {
		if got, ok := matched(loss, from, to); !ok || got != want {
			t.Errorf("loss %v is matched to %v, want %v", loss, got, want)
		}
	}
	if _, ok := matched(1, from, nil); ok {
		t.Error("a loss was matched to nothing")
	}
}

func TestLower(t *testing.T) {
	for _, c := range []struct {
		from, to []float64
		want     bool
	}{
		{[]float64{1, 2, 3}, []float64{4, 5}, true},
		{[]float64{4, 5}, []float64{1, 2, 3}, false},
		{[]float64{1, 2, 3}, []float64{1, 2, 3}, false},
		{[]float64{1, 1, 1}, []float64{1, 1}, false},
		{[]float64{1, 1, 2}, []float64{1, 2}, true},  // 3½ of 6 pairs
		{[]float64{1, 4}, []float64{2, 3}, false},    // 2 of 4 pairs
		{[]float64{0, 1, 4}, []float64{2, 3}, true},  // 4 of 6
		{[]float64{1, 4, 5}, []float64{2, 3}, false}, // 2 of 6
		{[]float64{1}, nil, false},
	} {
		if got := lower(c.from, c.to); got != c.want {
			t.Errorf("lower(%v, %v) is %v", c.from, c.to, got)
		}
	}
}

// Pools far apart pull; where forget losses are already higher, nothing does.
func TestNothingIsRaisedAboveTheHoldout(t *testing.T) {
	b := feature.Batch{Labels: []int{0, 0, 0}, Index: []int{0, 1, 2}}
	for _, c := range []struct {
		holdout float64
		want    bool
	}{{9, true}, {1e-3, false}} {
		m := newMatching(1, nil)
		for i := range 10 {
			m.holdout[i] = visit{0, c.holdout}
		}
		m.holdout[10] = visit{0, 20} // a single high quantile pulls no one alone
		got, err := m.shortfall(someLogits(3, 2), feature.NewTensor(3, 2), b)
		if err != nil || (got > 0) != c.want {
			t.Errorf("holdout losses %v: shortfall %v, %v", c.holdout, got, err)
		}
	}
}

// With equal pools every loss is matched to itself: where the distributions
// agree, nothing is raised.
func TestEqualDistributionsHaveNoShortfall(t *testing.T) {
	b := feature.Batch{Labels: []int{0, 1, 0, 1, 0}, Index: []int{0, 1, 2, 3, 4}}
	m := newMatching(1, nil)
	logits := someLogits(5, 2)
	if _, err := m.holdout.add(logits, b); err != nil {
		t.Fatal(err)
	}
	cot := feature.NewTensor(5, 2)
	got, err := m.shortfall(logits, cot, b)
	if err != nil || got != 0 || slices.ContainsFunc(cot.Data, func(v float32) bool { return v != 0 }) {
		t.Errorf("shortfall is %v, %v, cotangent %v", got, err, cot.Data)
	}
}

func someLogits(n, classes int) feature.Tensor {
	logits := feature.NewTensor(n, classes)
	for i := range logits.Data {
		logits.Data[i] = float32(math.Sin(float64(3*i + 1)))
	}
	return logits
}

// Two samples with known losses: only the one below its target counts.
func TestShortfallInClosedForm(t *testing.T) {
	m := newMatching(2, nil)
	m.holdout = pool{0: {0, 1}, 1: {1, .05}}
	logits := feature.Tensor{Shape: []int{2, 2}, Data: []float32{0, 0, 3, 0}}
	cot := feature.NewTensor(2, 2)
	got, err := m.shortfall(logits, cot, feature.Batch{Labels: []int{0, 1}, Index: []int{7, 8}})
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
	holdout := pool{0: {0, .9}, 1: {0, 2}, 2: {1, 1.2}, 3: {1, 1.4}, 4: {1, 3}}
	batch := feature.Batch{Labels: []int{0, 1, 1, 0, 1}, Index: []int{0, 1, 2, 3, 4}}
	logits := someLogits(5, 3)
	at := func(cot feature.Tensor) float64 {
		m := newMatching(1.5, nil)
		m.holdout = holdout
		v, err := m.shortfall(logits, cot, batch)
		if err != nil {
			t.Fatal(err)
		}
		return m.weight * v
	}
	cot := feature.NewTensor(5, 3)
	if at(cot) == 0 {
		t.Fatal("there is no shortfall; the test shows nothing")
	}
	const h = 1.0 / 1024 // exact in float32 beside numbers near 1
	for i := range logits.Data {
		logits.Data[i] += h
		up := at(feature.NewTensor(5, 3))
		logits.Data[i] -= 2 * h
		down := at(feature.NewTensor(5, 3))
		logits.Data[i] += h
		// The targets do not move with the losses as long as no ranks swap.
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
