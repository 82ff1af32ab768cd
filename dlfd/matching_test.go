package dlfd

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/metrics"
)

func TestDefaults(t *testing.T) {
	// A model of the given number of layers with weights, and of norms.
	spec := func(layers, norms int) (s feature.Spec) {
		for range layers {
			s.Params = append(s.Params, feature.Param{Shape: []int{2, 2}, Trainable: true}, feature.Param{Shape: []int{2}, Kind: feature.Bias, Trainable: true})
		}
		for range norms {
			s.Params = append(s.Params, feature.Param{Shape: []int{2}, Kind: feature.Statistic})
		}
		return s
	}
	shallow, deep, normed := spec(3, 0), spec(4, 0), spec(9, 2)
	for _, c := range []struct {
		name string
		d    Align
		spec feature.Spec
		in   bool       // its norms are inserted ones
		want [4]float64 // Shrink, Perturb, Match, Rate
	}{
		{"with batch norm", Align{}, normed, false, [4]float64{.35, .8, .1, .025}},
		{"given batch norm", Align{}, spec(4, 6), true, [4]float64{.35, .8, .1, .025}},
		{"given some", Align{}, spec(4, 4), true, [4]float64{.6, .8, .1, .025}},
		{"with some of its own", Align{}, spec(4, 4), false, [4]float64{.35, .8, .1, .025}},
		{"shallow", Align{}, shallow, false, [4]float64{.3, 1.6, .1, .09}},
		{"deep", Align{}, deep, false, [4]float64{.6, .8, .1, .03}},
		{"deep, shrunk", Align{Shrink: .9}, deep, false, [4]float64{.9, .8, .1, .03}},
		{"not shrunk", Align{Shrink: 1}, normed, false, [4]float64{1, Off, .3, .025}},
		{"deep, not shrunk", Align{Shrink: 1}, deep, false, [4]float64{1, Off, .3, .025}},
		{"all set", Align{Shrink: 1, Perturb: .1, Match: Off, Rate: .5}, normed, false, [4]float64{1, .1, Off, .5}},
	} {
		d, err := c.d.resolve(c.spec, c.in, 40)
		if err != nil {
			t.Fatal(err)
		}
		if got := [4]float64{d.Shrink, d.Perturb, d.Match, d.Rate}; got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if d.Epochs != 2 || d.Schedule(0) != 1 || math.Abs(d.Schedule(.5)-.5) > 1e-12 {
			t.Errorf("defaults are %+v", d)
		}
	}
	for _, c := range []struct {
		spec   feature.Spec
		per    int // steps an epoch
		epochs int
		rate   float64
	}{
		{normed, 7, 5, .025}, {shallow, 7, 10, .09}, {shallow, 1, 70, .09}, // 30 and 70 steps at least
		{normed, 5000, 2, .01}, {shallow, 5000, 2, .012}, // 1/√10000 and 1.2 times that
	} {
		if d, _ := (Align{}).resolve(c.spec, false, c.per); d.Epochs != c.epochs || math.Abs(d.Rate-c.rate) > 1e-12 {
			t.Errorf("%d steps an epoch: %d epochs at a rate of %v, want %d and %v", c.per, d.Epochs, d.Rate, c.epochs, c.rate)
		}
	}
	for _, c := range []struct {
		spec            feature.Spec
		epochs          int
		shrink, perturb float64
	}{ // by factors of (epochs/2)^.6, of six passes at most
		{normed, 1, .35, .8}, {normed, 4, .35 / 1.5157, .8}, {normed, 6, .35 / 1.9332, .8}, {normed, 50, .35 / 1.9332, .8},
		{deep, 4, .6 / 1.5157, .8 * 1.5157}, {shallow, 1, .3, 1.6}, {shallow, 8, .3 / 1.9332, 1.6 * 1.9332},
	} {
		d, err := Align{Epochs: c.epochs}.resolve(c.spec, false, 40)
		if err != nil || math.Abs(d.Shrink-c.shrink) > 6e-4 || math.Abs(d.Perturb-c.perturb) > 6e-4 {
			t.Errorf("%d passes: Shrink %v, Perturb %v, %v; want %v, %v", c.epochs, d.Shrink, d.Perturb, err, c.shrink, c.perturb)
		}
	}
	s, err := Steering{}.resolve()
	if err != nil || s != (Steering{Every: 4, Sample: 256, Threshold: .15, Cap: .09}) {
		t.Errorf("defaults are %+v, %v", s, err)
	}
}

func oddsOf(forget, holdout []float64) *classOdds {
	c := new(classOdds)
	for _, v := range forget {
		c.change(0, v, 1)
	}
	for _, v := range holdout {
		c.change(1, v, 1)
	}
	return c
}

func TestTargetsHaveTheRanks(t *testing.T) {
	c := oddsOf([]float64{101, 102, 102, 102, 105}, []float64{10, 20, 30, 40, 50, 60, 70, 80, 90, 100})
	// Of five the ranks are .1, .5 (three equal ones share it) and .9.
	for v, want := range map[float64]float64{101: 20, 102: 60, 105: 100} {
		if got, ok := c.target(v); !ok || got != want {
			t.Errorf("the target of %v is %v, want %v", v, got, want)
		}
	}
	if _, ok := oddsOf([]float64{1}, nil).target(1); ok {
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
		if got := oddsOf(c.from, c.to).higher(); got != c.want {
			t.Errorf("higher of %v over %v is %v", c.from, c.to, got)
		}
	}
}

// Over many visits, ranks, quantiles and counts of pairs are those of lists that
// are sorted anew each time.
func TestOddsAgainstSorting(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	c := new(classOdds)
	var lists [2][]float64
	for i := range 6000 {
		side, v := r.IntN(2), math.Round(100*r.NormFloat64()) // with many ties
		c.change(side, v, 1)
		lists[side] = append(lists[side], v)
		if i > 3000 { // lists grow to 1500 each, then shrink and grow
			side = r.IntN(2)
			k := r.IntN(len(lists[side]))
			c.change(side, lists[side][k], -1)
			lists[side] = slices.Delete(lists[side], k, k+1)
		}
		if i%97 == 0 {
			compareOdds(t, c, lists)
		}
	}
	for side := range lists { // and down to nothing
		for _, v := range lists[side] {
			c.change(side, v, -1)
		}
	}
	if c.below != 0 || c.side[0].n != 0 || len(c.side[1].chunks) != 0 {
		t.Errorf("what is left: %+v", c)
	}
}

func compareOdds(t *testing.T, c *classOdds, lists [2][]float64) {
	t.Helper()
	below := 0
	for side, list := range lists {
		sorted := slices.Sorted(slices.Values(list))
		for i := 0; i < len(sorted); i += 13 {
			if got := c.side[side].at(i); got != sorted[i] {
				t.Fatalf("position %d of %d holds %v, want %v", i, len(sorted), got, sorted[i])
			}
		}
	}
	for _, h := range lists[1] {
		for _, f := range lists[0] {
			if f < h {
				below += 2
			} else if f == h {
				below++
			}
		}
	}
	if below != c.below {
		t.Fatalf("%d half pairs below, want %d", c.below, below)
	}
}

// Distributions far apart act; where forget samples are already lower, nothing does.
func TestNothingIsPushedBelowTheHoldout(t *testing.T) {
	b := feature.Batch{Labels: []int{0, 0, 0}, Index: []int{0, 1, 2}}
	for _, c := range []struct {
		holdout float64
		want    bool
	}{{-9, true}, {9, false}} {
		m := &matching{weight: 1, odds: []oddsByClass{newOdds(&labelled{make([]int, 3)}, &labelled{})}}
		for range 10 {
			m.odds[0].class(0).change(1, c.holdout, 1)
		}
		m.odds[0].class(0).change(1, -20, 1) // a single low quantile pulls no one alone
		got, err := m.excess(someLogits(3, 2), feature.NewTensor(3, 2), b)
		if err != nil || (got > 0) != c.want {
			t.Errorf("holdout at %v: excess %v, %v", c.holdout, got, err)
		}
	}
}

// With equal distributions every sample is matched to itself: where the distributions
// agree, nothing is pushed.
func TestEqualDistributionsHaveNoExcess(t *testing.T) {
	b := feature.Batch{Labels: []int{0, 1, 0, 1, 0}, Index: []int{0, 1, 2, 3, 4}}
	five := &labelled{make([]int, 5)}
	m := &matching{weight: 1, odds: []oddsByClass{newOdds(five, five)}}
	logits := someLogits(5, 2)
	if _, err := m.odds[0].visit(1, logits, b); err != nil {
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
	m := &matching{weight: 2, odds: []oddsByClass{newOdds(&labelled{make([]int, 9)}, &labelled{})}}
	m.odds[0].class(0).change(1, 1, 1)
	m.odds[0].class(1).change(1, .5, 1)
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

// A class of one forget sample has 1/(1+few) of the weight, one of two 2/(2+few).
func TestAHandfulWeighsLess(t *testing.T) {
	m := &matching{weight: 3, few: 20, odds: []oddsByClass{newOdds(&labelled{make([]int, 3)}, &labelled{})}}
	for class := range 2 {
		m.odds[0].class(class).change(1, -5, 1)
	}
	logits := feature.Tensor{Shape: []int{3, 2}, Data: []float32{3, 0, 0, 3, 0, 2}}
	cot := feature.NewTensor(3, 2)
	if _, err := m.excess(logits, cot, feature.Batch{Labels: []int{0, 1, 1}, Index: []int{0, 1, 2}}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{1. / 21, 2. / 22, 2. / 22} { // weight/3 times these
		if got := math.Abs(float64(cot.Row(i)[0])); math.Abs(got-want) > 1e-7 {
			t.Errorf("sample %d: derivative %v, want %v", i, got, want)
		}
	}
}

func TestExcessGradient(t *testing.T) {
	holdout := [][]float64{{-1, -2}, {-3, -1.4, .2}}
	batch := feature.Batch{Labels: []int{0, 1, 1, 0, 1}, Index: []int{0, 1, 2, 3, 4}}
	logits := someLogits(5, 3)
	at := func(cot feature.Tensor) float64 {
		m := &matching{weight: 1.5, odds: []oddsByClass{newOdds(&labelled{make([]int, 5)}, &labelled{})}}
		for class, odds := range holdout {
			for _, v := range odds {
				m.odds[0].class(class).change(1, v, 1)
			}
		}
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

// Over several heads the excess is the mean of the excesses of each head alone, and so
// is its derivative: of a sigmoid those of the logits (0, z).
func TestExcessOfHeads(t *testing.T) {
	heads := feature.Heads{{Width: 3}, {Kind: feature.SigmoidHead, Width: 1}}
	batch := feature.Batch{Labels: []int{0, 3, 5, 2, 4}, Index: []int{0, 1, 2, 3, 4}} // 2·(of three) + (of two)
	logits := someLogits(5, 4)
	odds := func(classes int) oddsByClass {
		o := newOdds(&labelled{make([]int, 5)}, &labelled{})
		for c := range classes {
			o.class(c).change(1, -2.5, 1)
			o.class(c).change(1, .1, 1)
		}
		return o
	}
	m := &matching{weight: 1.5, heads: heads, odds: []oddsByClass{odds(3), odds(2)}}
	cot := feature.NewTensor(5, 4)
	got, err := m.excess(logits, cot, batch)
	if err != nil {
		t.Fatal(err)
	}
	var want float64
	wantCot := feature.NewTensor(5, 4)
	for k, labels := range [][]int{{0, 1, 2, 1, 2}, {0, 1, 1, 0, 0}} {
		z := feature.NewTensor(5, 3-k)
		for i := range 5 {
			if k == 0 {
				copy(z.Row(i), logits.Row(i)[:3])
			} else {
				z.Row(i)[1] = logits.Row(i)[3]
			}
		}
		one := &matching{weight: .75, odds: []oddsByClass{odds(3 - k)}}
		g := feature.NewTensor(z.Shape...)
		v, err := one.excess(z, g, feature.Batch{Labels: labels, Index: batch.Index})
		if err != nil {
			t.Fatal(err)
		}
		want += v / 2
		for i := range 5 {
			if k == 0 {
				copy(wantCot.Row(i), g.Row(i))
			} else {
				wantCot.Row(i)[3] = g.Row(i)[1]
			}
		}
	}
	if math.Abs(got-want) > 1e-15 || want == 0 || !slices.Equal(cot.Data, wantCot.Data) {
		t.Errorf("excess %v, want %v; cotangent\n%v, want\n%v", got, want, cot.Data, wantCot.Data)
	}
}

// A lead in accuracy that stays is not forgotten, whatever the loss says; one that falls
// is.
func TestALeadThatStaysIsNotForgotten(t *testing.T) {
	score := func(auc, lead float64) Score {
		return Score{
			AUC: auc, Interval: metrics.Interval{Lo: auc - .05, Hi: auc + .05},
			Lead: metrics.Estimate{Value: lead, Interval: metrics.Interval{Lo: lead - .05, Hi: lead + .05}},
		}
	}
	for _, c := range []struct {
		before, after Score
		want          bool
	}{
		{score(.6, .2), score(.5, .2), true},
		{score(.6, .2), score(.5, .09), false},
		{score(.6, .2), score(.5, .04), false},
		{score(.6, .2), score(.57, .0), true},
		{Score{Heads: []Score{score(.6, .2), score(.5, 0)}}, Score{Heads: []Score{score(.5, 0), score(.5, 0)}}, false},
		{Score{Heads: []Score{score(.6, .2), score(.6, .2)}}, Score{Heads: []Score{score(.5, 0), score(.5, .2)}}, true},
	} {
		if got := c.after.notForgotten(c.before); got != c.want {
			t.Errorf("before %+v, after %+v: not forgotten %v", c.before, c.after, got)
		}
	}
}
