package metrics

import (
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
)

// The trace of the definition, with the centering matrix written out.
func TestHSICByDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 1))
	f := randomFeatures(r, 10, 2)
	k := gram(f, 1.5)
	a, b := []int{7, 1, 4, 0}, []int{2, 9, 3, 5}
	const m = 4
	h := func(i, j int) float64 {
		if i == j {
			return 1 - 1.0/m
		}
		return -1.0 / m
	}
	var want float64
	for i := range m {
		for j := range m {
			for p := range m {
				for q := range m {
					want += k[a[i]*10+a[j]] * h(j, p) * k[b[p]*10+b[q]] * h(q, i) / (m * m)
				}
			}
		}
	}
	near(t, "HSIC", hsic(k, 10, a, b), want, 1e-15)
}

// Over all shuffles HSIC has the mean E[tr KH · tr LH]/(m²(m − 1)), which for
// large sets is (1 − k̄)²/(m − 1), k̄ the mean kernel of two samples.
func TestDependenceIsSpread(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 2))
	const n = 400
	f := randomFeatures(r, n, 3)
	k := gram(f, 2)
	var sum float64
	for i := range n {
		for j := range i {
			sum += 2 * k[i*n+j] / (n * (n - 1))
		}
	}
	want := (1 - sum) * (1 - sum) * (n/2 - 1) / (n / 2) / (n / 2)
	near(t, "mean HSIC", halvesHSIC(k, n, 1)/want, 1, .03)
}

func TestSDE(t *testing.T) {
	draw := func(seed uint64, n int, spread float32) Features {
		f := mixed(rand.New(rand.NewPCG(seed, 11)), n, 2, 3, 0, 0)
		for i := range f.Data {
			f.Data[i] *= spread
		}
		return f
	}
	seen, unseen := draw(1, 120, 1.3), draw(2, 110, 1)
	in := must(SDE(draw(3, 100, 1.3), seen, unseen, 1))
	if in.P > .01 || in.Samples != 200 || !(in.Forget > in.Unseen && in.Seen > in.Unseen) {
		t.Errorf("as seen: %+v", in)
	}
	out := must(SDE(draw(3, 100, 1), seen, unseen, 1))
	if out.P < .05 {
		t.Errorf("as unseen: %+v", out)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, procs := range []int{1, 4} {
		runtime.GOMAXPROCS(procs)
		if d := must(SDE(draw(3, 100, 1), seen, unseen, 1)); d != out {
			t.Errorf("GOMAXPROCS %d: %+v, want %+v", procs, d, out)
		}
	}
}

// The p-value keeps its level where forget and unseen samples do not differ.
func TestLevelOfSDE(t *testing.T) {
	rate := covered(200, 1, func(k int) []bool {
		r := rand.New(rand.NewPCG(uint64(k), 83))
		draw := func() Features { return mixed(r, 8, 3, 2, 0, 0) }
		return []bool{must(SDE(draw(), draw(), draw(), uint64(k))).P <= .05}
	})
	t.Logf("p ≤ .05 in %.3f of draws", rate[0])
	near(t, "rate", rate[0], .05, .046) // three standard deviations
}

func TestBadSDE(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 3))
	good := mixed(r, 4, 2, 3, 1, .5)
	few, flat := good.at([]int{0, 1, 2}), good.at([]int{0, 0, 0, 0})
	sde := func(f, s, u Features) error { _, err := SDE(f, s, u, 1); return err }
	for i, c := range []struct{ got, want error }{
		{sde(Features{}, good, good), ErrEmpty},
		{sde(good, good, mixed(r, 4, 2, 2, 1, 0)), ErrShape},
		{sde(few, good, good), ErrTooFew},
		{sde(flat, flat, flat), ErrDegenerate},
		{sde(good, good, good), nil},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("case %d: got %v, want %v", i, c.got, c.want)
		}
	}
	huge := good.at(identity(8))
	for i := range huge.Data {
		huge.Data[i] *= 1e37
	}
	if d := must(SDE(huge, huge, huge, 1)); math.IsNaN(d.Forget) || !(d.P > 0) {
		t.Errorf("large outputs: %+v", d)
	}
}
