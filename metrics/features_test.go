package metrics

import (
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
)

func features(n, dim int, data ...float32) Features {
	return Features{N: n, Dim: dim, Data: data, Classes: 2, Labels: make([]int, n)}
}

func randomFeatures(r *rand.Rand, n, dim int) Features {
	f := features(n, dim, make([]float32, n*dim)...)
	for i := range f.Data {
		f.Data[i] = float32(r.NormFloat64() + 1)
	}
	for i := range f.Labels {
		f.Labels[i] = r.IntN(2)
	}
	return f
}

// Classes at (0,0) (2,0) and (10,0) (10,4): means (1,0) and (10,2), overall
// (5.5,1); between 4·(4.5² + 1), within 2 + 8.
func TestScatterRatioByHand(t *testing.T) {
	f := features(4, 2, 0, 0, 2, 0, 10, 0, 10, 4)
	f.Labels = []int{0, 0, 1, 1}
	near(t, "ratio", must(f.ScatterRatio()), 4*(4.5*4.5+1)/10, 1e-14)
	f.Classes = 7 // classes without samples do not matter
	near(t, "ratio", must(f.ScatterRatio()), 8.5, 1e-14)
	// Turned by a right angle, scaled by 3 and shifted.
	g := features(4, 2, 5, 7, 5, 13, 5, 37, -7, 37)
	g.Labels = f.Labels
	near(t, "moved", must(g.ScatterRatio()), 8.5, 1e-13)
}

func TestRelativeScatter(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 14))
	f, test := mixed(r, 60, 3, 4, 0, 0), mixed(r, 50, 3, 4, 0, 0)
	e := must(f.RelativeScatter(test, .95))
	near(t, "value", e.Value, must(f.ScatterRatio())/must(test.ScatterRatio()), 1e-13)
	for i := range f.Data { // half as far from the class mean: a ratio of four
		f.Data[i] = float32(5*f.Labels[i/4]) + (f.Data[i]-float32(5*f.Labels[i/4]))/2
	}
	if e = must(f.RelativeScatter(test, .95)); !e.Interval.Contains(4) || e.Interval.Lo < 2.5 {
		t.Errorf("half the scatter: %+v", e)
	}
	for _, d := range [][]float32{f.Data, test.Data} {
		for i := range d {
			d[i] *= 0x1p100
		}
	}
	if got := must(f.RelativeScatter(test, .95)); got != e {
		t.Errorf("scaled: %+v, want %+v", got, e)
	}
	_, few := f.at(identity(39)).RelativeScatter(test, .95)
	_, level := f.RelativeScatter(test, 0)
	_, shape := f.RelativeScatter(features(2, 1, 1, 2), .95)
	_, classes := f.at(identity(60)).RelativeScatter(test, .95)
	for i, c := range []struct{ got, want error }{{few, ErrOneClass}, {level, ErrRange}, {shape, ErrShape}, {classes, ErrOneClass}} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("case %d: got %v, want %v", i, c.got, c.want)
		}
	}
	if _, err := randomFeatures(r, 30, 4).RelativeScatter(test, .95); !errors.Is(err, ErrTooFew) {
		t.Errorf("30 samples: %v", err)
	}
}

func TestCoverageOfRelativeScatter(t *testing.T) {
	draws, lo, hi := 100, .86, 1.0
	if *fullCoverage {
		draws, lo, hi = 2000, .92, .98
	}
	for _, c := range []struct{ n, classes, dim int }{{40, 3, 4}, {100, 5, 20}, {4, 20, 8}} {
		rate := covered(draws, 1, func(k int) []bool {
			r := rand.New(rand.NewPCG(uint64(k), 84))
			f, test := mixed(r, c.n, c.classes, c.dim, 0, 0), mixed(r, c.n, c.classes, c.dim, 0, 0)
			return []bool{must(f.RelativeScatter(test, .95)).Interval.Contains(1)}
		})
		t.Logf("%3d samples of %2d classes, %2d dimensions: %.3f", c.n, c.classes, c.dim, rate[0])
		if rate[0] < lo || rate[0] > hi {
			t.Errorf("coverage %.3f", rate[0])
		}
	}
}

// cka is the definition by pairs: HSIC of centered kernels, O(n²).
func cka(a, b Features) float64 {
	k, l := centeredKernel(a), centeredKernel(b)
	var kl, kk, ll float64
	for i := range k {
		kl += k[i] * l[i]
		kk += k[i] * k[i]
		ll += l[i] * l[i]
	}
	return kl / math.Sqrt(kk*ll)
}

func centeredKernel(f Features) []float64 {
	n := f.N
	k, row, all := make([]float64, n*n), make([]float64, n), 0.0
	for i := range n {
		for j := range n {
			for d := range f.Dim {
				k[i*n+j] += float64(f.row(i)[d]) * float64(f.row(j)[d])
			}
			row[i] += k[i*n+j] / float64(n)
		}
		all += row[i] / float64(n)
	}
	for i := range k {
		k[i] += all - row[i/n] - row[i%n]
	}
	return k
}

func TestLinearCKA(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for _, s := range [][3]int{{20, 3, 5}, {20, 5, 3}, {6, 10, 4}, {6, 4, 10}, {2, 1, 1}} {
		a, b := randomFeatures(r, s[0], s[1]), randomFeatures(r, s[0], s[2])
		v := must(a.CKA(b))
		near(t, "definition", v, cka(a, b), 1e-13)
		near(t, "symmetric", must(b.CKA(a)), v, 1e-14)
		near(t, "itself", must(a.CKA(a)), 1, 1e-14)
	}
	x := features(4, 1, 1, -1, 1, -1)
	near(t, "orthogonal", must(x.CKA(features(4, 1, 1, 1, -1, -1))), 0, 0)
	near(t, "scaled and shifted", must(x.CKA(features(4, 1, 3e30, 1e30, 3e30, 1e30))), 1, 1e-14)
	// Half of the variance of (x, y) is x: 1/√2.
	near(t, "half", must(x.CKA(features(4, 2, 1, 1, -1, 1, 1, -1, -1, -1))), math.Sqrt(.5), 1e-15)
}

func TestCKASameBitsAtAnyGOMAXPROCS(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	r := rand.New(rand.NewPCG(4, 5))
	for _, dim := range []int{150, 400} { // both sides of n
		a, b := randomFeatures(r, 300, dim), randomFeatures(r, 300, 140)
		runtime.GOMAXPROCS(1)
		one := must(a.CKA(b))
		runtime.GOMAXPROCS(4)
		if four := must(a.CKA(b)); four != one {
			t.Errorf("dimension %d: %v at 1, %v at 4", dim, one, four)
		}
	}
}

func TestProbeSeesWhatOutputsHide(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	const d = 16
	m, n := randomFeatures(r, 150, d), randomFeatures(r, 200, d)
	if s := must(MembershipProbe(m, n, 1, nil)); !s.AUCInterval.Contains(.5) {
		t.Errorf("features without a trace of membership: %+v", s)
	}
	for i := range m.N {
		for j := range d {
			m.row(i)[j] += .5 // d′ = .5·√16 = 2: AUC Φ(√2) = .921, balanced accuracy Φ(1) = .841
		}
	}
	res := must(MembershipProbe(m, n, 1, nil))
	near(t, "AUC", res.AUC, .921, .04)
	near(t, "balanced accuracy", res.BalancedAccuracy, .841, .05)
}

func TestProbeWithMoreFeaturesThanSamples(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 7))
	m, n := randomFeatures(r, 20, 60), randomFeatures(r, 20, 60)
	for i := range m.N {
		for j := range 10 {
			m.row(i)[j] += 3
		}
		m.row(i)[59], n.row(i)[59] = .1, .1 // a constant feature
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var first Strength
	for _, procs := range []int{1, 4} {
		runtime.GOMAXPROCS(procs)
		s := must(MembershipProbe(m, n, 1, nil))
		if first.AUC == 0 {
			first = s
		}
		if s != first || s.AUC < .9 {
			t.Errorf("GOMAXPROCS %d: %+v, first %+v", procs, s, first)
		}
	}
}

// The two sets differ, members are no more told than that: the probe sees it,
// the difference cancels it. A trace of membership beside it is found.
func TestProbeDifferenceCancelsWhatIsNoMembership(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 8))
	const d = 8
	apart := func(by float32) Probed {
		p := Probed{randomFeatures(r, 200, d), randomFeatures(r, 200, d)}
		for i := range p.Member.Labels {
			p.Member.Labels[i], p.NonMember.Labels[i] = i%2, i%2
			p.Member.row(i)[0] += 1
			p.Member.row(i)[1] += by
		}
		return p
	}
	model, retrained := apart(0), apart(0)
	if s := must(MembershipProbe(model.Member, model.NonMember, 1, nil)); s.AUCInterval.Lo < .6 {
		t.Errorf("probe: %+v", s)
	}
	if e := must(model.Difference(retrained, 1, nil)); !e.Interval.Contains(0) || width(e.Interval) > .3 {
		t.Errorf("difference: %+v", e)
	}
	if e := must(model.Difference(model, 1, nil)); e != (Estimate{}) {
		t.Errorf("difference to itself: %+v", e)
	}
	kept := apart(2)
	if e := must(kept.Difference(retrained, 1, nil)); e.Interval.Lo < 0.05 {
		t.Errorf("members kept apart: %+v", e)
	}
	other := model
	other.Member.Labels = make([]int, 200)
	few := Probed{model.Member.at([]int{0, 1}), model.NonMember}
	for i, c := range []struct {
		q    Probed
		want error
	}{{other, ErrLabel}, {few, ErrShape}, {Probed{}, ErrEmpty}, {Probed{model.Member, randomFeatures(r, 200, 3)}, ErrShape}} {
		if _, err := model.Difference(c.q, 1, nil); !errors.Is(err, c.want) {
			t.Errorf("case %d: got %v, want %v", i, err, c.want)
		}
	}
	if _, err := model.Difference(model, 1, &AttackOptions{Level: 2}); !errors.Is(err, ErrRange) {
		t.Errorf("level 2: %v", err)
	}
}

func TestConstantFeatureIsOnlyCentred(t *testing.T) {
	var x []float64
	for i := range 10 { // the mean of ten times .1 is not .1 in floating point
		x = append(x, .1, float64(i))
	}
	standardize(x, 2)
	for i := range 10 {
		near(t, "constant", x[2*i], 0, 1e-15)
		near(t, "0 to 9", x[2*i+1], (float64(i)-4.5)/math.Sqrt(99.0/12), 1e-14)
	}
}

func TestBadFeatures(t *testing.T) {
	nan := float32(math.NaN())
	good := features(2, 1, 1, 2)
	unlabelled := Features{N: 2, Dim: 1, Data: []float32{1, 2}}
	apart := features(4, 1, 1, 1, 2, 2)
	apart.Labels = []int{0, 0, 1, 1}
	ratio := func(f Features) error { _, err := f.ScatterRatio(); return err }
	align := func(a, b Features) error { _, err := a.CKA(b); return err }
	probe := func(a, b Features) error { _, err := MembershipProbe(a, b, 1, nil); return err }
	for i, c := range []struct{ got, want error }{
		{ratio(Features{}), ErrEmpty},
		{ratio(features(2, 2, 1)), ErrShape},
		{ratio(features(1, 1, nan)), ErrNotFinite},
		{ratio(unlabelled), ErrShape},
		{ratio(good), ErrOneClass},
		{ratio(apart), ErrDegenerate},
		{align(good, features(3, 1, 1, 2, 3)), ErrShape},
		{align(good, features(2, 1, 5, 5)), ErrDegenerate},
		{align(unlabelled, unlabelled), nil},
		{probe(good, features(2, 2, 1, 2, 3, 4)), ErrShape},
		{probe(good, features(1, 1, 2)), ErrTooFew},
		{probe(good, unlabelled), ErrShape},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("case %d: got %v, want %v", i, c.got, c.want)
		}
	}
}
