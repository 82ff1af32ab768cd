package metrics

import (
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
)

// mixed draws n samples a class, of which the share is unseen: these lie apart
// from the seen ones by shift in every dimension, and classes lie 5 apart.
func mixed(r *rand.Rand, n, classes, dim int, shift, share float64) Features {
	f := Features{N: n * classes, Dim: dim, Classes: classes}
	for c := range classes {
		for range n {
			f.Labels = append(f.Labels, c)
			apart := float64(5 * c)
			if r.Float64() < share {
				apart += shift
			}
			for range dim {
				f.Data = append(f.Data, float32(r.NormFloat64()+apart))
			}
		}
	}
	return f
}

func TestSMIFindsTheShare(t *testing.T) {
	r := rand.New(rand.NewPCG(10, 1))
	for _, share := range []float64{0, .3, 1} {
		f, s, u := mixed(r, 200, 3, 4, 1, share), mixed(r, 200, 3, 4, 1, 0), mixed(r, 200, 3, 4, 1, 1)
		e := must(SMI(f, s, u, .95))
		near(t, "share", e.Value, share, .12)
		if !e.Interval.Contains(e.Value) || width(e.Interval) > .4 {
			t.Errorf("share %v: %+v", share, e)
		}
	}
}

// The definition with kernels summed in full, one class, two of each.
func TestSMIByHand(t *testing.T) {
	f, s, u := features(2, 1, 1, 2), features(2, 1, 0, 1), features(2, 1, 3, 5)
	// Pairs (0,3) (1,5) (0,5) (1,3): distances 3 4 5 2, the upper median of 2 3 4 5 is 4.
	k := func(x, y float64) float64 { return math.Exp(-(x - y) * (x - y) / 32) }
	a := func(x float64) float64 { return k(x, 3) - k(x, 0) } // the halves: first and second samples
	b := func(x float64) float64 { return k(x, 5) - k(x, 1) }
	mf, ms, mu := (a(1)+b(1)+a(2)+b(2))/4, (b(0)+a(1))/2, (b(3)+a(5))/2
	near(t, "share", must(SMI(f, s, u, .95)).Value, (ms-mf)/(ms-mu), 1e-12)
}

func TestCoverageOfSMI(t *testing.T) {
	draws, lo, hi := 60, .83, 1.0
	if *fullCoverage {
		draws, lo, hi = 2000, .92, .98
	}
	for _, c := range []struct {
		n, classes, forget int
		shift, share       float64
	}{{60, 2, 60, 1, 1}, {60, 2, 60, 1, 0}, {60, 2, 60, 1, .5}, {30, 5, 30, .7, 1}, {8, 10, 8, 1, 1}, {2, 30, 2, 1.5, 1}, {8, 30, 1, 1, 1}} {
		rate := covered(draws, 1, func(k int) []bool {
			r := rand.New(rand.NewPCG(uint64(k), 81))
			f, s, u := mixed(r, c.forget, c.classes, 3, c.shift, c.share), mixed(r, c.n, c.classes, 3, c.shift, 0), mixed(r, c.n, c.classes, 3, c.shift, 1)
			return []bool{must(SMI(f, s, u, .95)).Interval.Contains(c.share)}
		})
		t.Logf("%2d forget and %2d other samples of %2d classes, shift %.1f, share %.1f: %.3f", c.forget, c.n, c.classes, c.shift, c.share, rate[0])
		if rate[0] < lo || rate[0] > hi {
			t.Errorf("coverage %.3f", rate[0])
		}
	}
}

func TestSMIWithoutADifferenceSaysNothing(t *testing.T) {
	wide := covered(100, 1, func(k int) []bool {
		r := rand.New(rand.NewPCG(uint64(k), 82))
		e := must(SMI(mixed(r, 30, 2, 3, 0, 0), mixed(r, 30, 2, 3, 0, 0), mixed(r, 30, 2, 3, 0, 0), .95))
		return []bool{width(e.Interval) > 1}
	})
	if wide[0] < .9 {
		t.Errorf("the interval is wide in %.2f of draws", wide[0])
	}
}

func TestSMIAtAnyScaleAndGOMAXPROCS(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	draw := func(scale float32) (f, s, u Features) {
		r := rand.New(rand.NewPCG(10, 2))
		f, s, u = mixed(r, 40, 2, 3, 1, .5), mixed(r, 50, 2, 3, 1, 0), mixed(r, 30, 2, 3, 1, 1)
		for _, d := range [][]float32{f.Data, s.Data, u.Data} {
			for i := range d {
				d[i] *= scale
			}
		}
		return f, s, u
	}
	f, s, u := draw(1)
	runtime.GOMAXPROCS(1)
	want := must(SMI(f, s, u, .95))
	runtime.GOMAXPROCS(4)
	if got := must(SMI(f, s, u, .95)); got != want {
		t.Errorf("GOMAXPROCS 4: %+v, at 1 %+v", got, want)
	}
	for _, scale := range []float32{0x1p-60, 0x1p60, 0x1p120} {
		f, s, u := draw(scale)
		if got := must(SMI(f, s, u, .95)); got != want {
			t.Errorf("scale %v: %+v, want %+v", scale, got, want)
		}
	}
}

func TestBadSMI(t *testing.T) {
	r := rand.New(rand.NewPCG(10, 3))
	good := mixed(r, 4, 2, 3, 1, .5)
	few := func(n int) Features {
		f := good
		f.N, f.Data, f.Labels = n, f.Data[:3*n], f.Labels[:n]
		return f
	}
	flat := few(4)
	flat.Data = make([]float32, 12)
	smi := func(f, s, u Features, level float64) error { _, err := SMI(f, s, u, level); return err }
	for i, c := range []struct{ got, want error }{
		{smi(good, good, good, 1), ErrRange},
		{smi(Features{}, good, good, .9), ErrEmpty},
		{smi(good, mixed(r, 4, 2, 2, 1, 0), good, .9), ErrShape},
		{smi(good, good, mixed(r, 4, 3, 3, 1, 0), .9), ErrShape},
		{smi(few(1), good, good, .9), ErrTooFew},
		{smi(good, few(1), good, .9), ErrTooFew},
		{smi(few(2), flat, flat, .9), ErrDegenerate},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("case %d: got %v, want %v", i, c.got, c.want)
		}
	}
}
