package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// randomWindow returns a geometry with at least one output.
func randomWindow(r *rand.Rand) Window {
	for {
		g := Window{1 + r.IntN(9), 1 + r.IntN(14), 1 + r.IntN(20), 1 + r.IntN(4), 1 + r.IntN(4), 1 + r.IntN(3), 1 + r.IntN(3),
			1 + r.IntN(2), 1 + r.IntN(2), r.IntN(3), r.IntN(3), r.IntN(3), r.IntN(3)}
		if r.IntN(2) == 0 {
			g.StrideH, g.StrideW, g.DilationH, g.DilationW = 1, 1, 1, 1
		}
		if g.OutHeight() > 0 && g.OutWidth() > 0 {
			return g
		}
	}
}

// naiveConv calls visit with the indices of every product of a convolution of
// one group: y[iy] += w[iw]·x[ix].
func naiveConv(c *Conv, samples int, visit func(iy, iw, ix int)) {
	g, outH, outW := &c.Window, c.OutHeight(), c.OutWidth()
	for s := range samples {
		for o := range c.Out {
			for t := range g.Taps() {
				ch, ky, kx := t/(g.KernelH*g.KernelW), t/g.KernelW%g.KernelH, t%g.KernelW
				for p := range outH * outW {
					y, x := p/outW*g.StrideH+ky*g.DilationH-g.Top, p%outW*g.StrideW+kx*g.DilationW-g.Left
					if y >= 0 && y < g.Height && x >= 0 && x < g.Width {
						visit((s*c.Groups*c.Out+o)*outH*outW+p, o*g.Taps()+t, ((s*c.Groups*g.Channels+ch)*g.Height+y)*g.Width+x)
					}
				}
			}
		}
	}
}

func floats(r *rand.Rand, n int) []float32 {
	s := make([]float32, n)
	fillNormal(r, s)
	return s
}

// convData is a random convolution with its operands.
type convData struct {
	c           *Conv
	samples     int
	x, w, dy    []float32
	in, out     int // elements of all groups
	scratch     []float32
	wholeMargin []float32
}

func randomConv(r *rand.Rand) *convData {
	c := NewConv(randomWindow(r), 1+r.IntN(20), 1+r.IntN(2))
	return newConvData(r, c, 1+r.IntN(4))
}

func newConvData(r *rand.Rand, c *Conv, samples int) *convData {
	d := &convData{c: c, samples: samples}
	d.in = samples * c.Groups * c.Channels * c.Height * c.Width
	d.out = samples * c.Groups * c.Out * c.OutHeight() * c.OutWidth()
	d.x, d.w, d.dy = floats(r, d.in), floats(r, c.Out*c.Taps()), floats(r, d.out)
	d.scratch, d.wholeMargin = guarded[float32](c.Scratch(samples), 3)
	return d
}

func (d *convData) forward(y, bias []float32, l Limits, add bool) {
	packed := make([]float32, d.c.PackedForward())
	d.c.PackForward(packed, d.w)
	d.c.Forward(y, d.x, packed, bias, l, add, d.samples, d.scratch, nil)
}

func (d *convData) backwardInput(dx []float32, add bool) {
	packed := make([]float32, d.c.PackedInput())
	d.c.PackInput(packed, d.w)
	d.c.BackwardInput(dx, d.dy, packed, add, d.samples, d.scratch, nil)
}

// touched reports the elements that belong to the first group.
func touched(group, groups int) func(i int) bool {
	return func(i int) bool { return i/group%groups == 0 }
}

// expected is what a pass should compute, and the sum of absolute terms.
type expected struct{ want, size []float64 }

func expect(before []float32) expected {
	e := expected{make([]float64, len(before)), make([]float64, len(before))}
	for i, v := range before {
		e.add(i, float64(v))
	}
	return e
}

func (e *expected) add(i int, v float64) {
	e.want[i] += v
	e.size[i] += math.Abs(v)
}

func (d *convData) check(t *testing.T, what string, got []float32, e expected, mine func(int) bool) {
	t.Helper()
	for i, v := range got {
		if !mine(i) {
			if v != guard {
				t.Fatalf("%s of %+v: wrote element %d of another group", what, d.c.Window, i)
			}
			continue
		}
		if !(math.Abs(float64(v)-e.want[i]) <= 1e-5*(e.size[i]+1e-3)) {
			t.Fatalf("%s of %+v out=%d samples=%d: element %d is %v, want %v", what, d.c.Window, d.c.Out, d.samples, i, v, e.want[i])
		}
	}
	checkGuards(t, what+" scratch", d.wholeMargin, 3, len(d.scratch))
}

// prepared returns n elements: guards outside the group, and inside it NaN, or
// numbers if the result is to be added.
func prepared(r *rand.Rand, n int, mine func(int) bool, add bool) (s, before []float32) {
	s, before = make([]float32, n), make([]float32, n)
	for i := range s {
		switch {
		case !mine(i):
			s[i] = guard
		case add:
			s[i] = float32(r.NormFloat64())
			before[i] = s[i]
		default:
			s[i] = float32(math.NaN())
		}
	}
	return s, before
}

func (d *convData) checkAll(t *testing.T, r *rand.Rand) {
	t.Helper()
	c, add := d.c, r.IntN(2) == 0
	mineY := touched(c.Out*c.OutHeight()*c.OutWidth(), c.Groups)
	mineX := touched(c.Channels*c.Height*c.Width, c.Groups)
	all := func(int) bool { return true }
	y, beforeY := prepared(r, d.out, mineY, add)
	dx, beforeX := prepared(r, d.in, mineX, add)
	dw, beforeW := prepared(r, len(d.w), all, true)
	ey, ex, ew := expect(beforeY), expect(beforeX), expect(beforeW)
	naiveConv(c, d.samples, func(iy, iw, ix int) {
		x, w, dy := float64(d.x[ix]), float64(d.w[iw]), float64(d.dy[iy])
		ey.add(iy, w*x)
		ex.add(ix, w*dy)
		ew.add(iw, x*dy)
	})
	d.forward(y, nil, NoLimits, add)
	d.check(t, "Forward", y, ey, mineY)
	d.backwardInput(dx, add)
	d.check(t, "BackwardInput", dx, ex, mineX)
	c.BackwardWeight(dw, d.dy, d.x, d.samples, d.scratch, nil)
	d.check(t, "BackwardWeight", dw, ew, all)
}

func TestConvMatchesNaive(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(21, 22))
		for range 60 {
			randomConv(r).checkAll(t, r)
		}
	})
}

// Shapes of real networks, whose panels are runs of 16, 8 and 4, and several
// blocks of taps and of positions.
func TestConvNetworkShapes(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(23, 24))
		for _, c := range []*Conv{
			NewConv(Window{3, 32, 32, 7, 7, 2, 2, 1, 1, 3, 3, 3, 3}, 8, 1),
			NewConv(Window{45, 16, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, 7, 1),
			NewConv(Window{45, 8, 8, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, 13, 1),
			NewConv(Window{50, 4, 4, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, 6, 1),
			NewConv(Window{16, 8, 8, 1, 1, 2, 2, 1, 1, 0, 0, 0, 0}, 12, 1),
			NewConv(Window{20, 8, 8, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1}, 12, 1),
			NewConv(Window{9, 1, 1, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, 12, 1),
			NewConv(Window{9, 2, 2, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1}, 12, 1),
			NewConv(Window{2, 1, 1, 1, 1, 2, 2, 1, 1, 1, 1, 1, 1}, 3, 1), // nothing but padding
			NewConv(Window{3, 20, 20, 3, 3, 1, 1, 1, 1, 0, 0, 0, 0}, 5, 1),
		} {
			newConvData(r, c, 3).checkAll(t, r)
		}
	})
}

// The transforms, for planes of even, odd and smallest sizes, several samples
// in a block and several blocks in a sample, and any padding.
func TestWinograd(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(29, 30))
		for i, size := range [][2]int{{8, 8}, {7, 5}, {4, 4}, {2, 3}, {3, 20}, {1, 5}, {5, 12}} {
			for pad := range 3 {
				c := NewConv(Window{24 + i, size[0], size[1], 3, 3, 1, 1, 1, 1, pad, 1, 1, 2 - pad}, 24+i%3, 1+i%2)
				if c.OutHeight()*c.OutWidth() <= 4 || !c.dense() {
					continue
				}
				if c.fast == nil {
					t.Fatalf("%+v does not suit", c.Window)
				}
				newConvData(r, c, 1+pad%2).checkAll(t, r)
			}
		}
		newConvData(r, NewConv(Window{24, 33, 34, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, 24, 1), 1).checkAll(t, r) // rows in groups
		newConvData(r, NewConv(Window{400, 2, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, 24, 1), 2).checkAll(t, r)  // blocks of channels
		newConvData(r, NewConv(Window{24, 2, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, 24, 1), 200).checkAll(t, r) // groups of samples
	})
}

// TestWinogradScratchServesFewerSamples: the scratch for so many samples is enough for
// any smaller number, as the last samples of a batch are fewer.
func TestWinogradScratchServesFewerSamples(t *testing.T) {
	found := false
	for _, size := range []int{4, 6, 8, 12, 16, 20, 40} {
		w := newWinograd(16, size, size, 1, 1, 16, size, size)
		for n := 2; n < 40; n++ {
			_, count, _ := w.group(n)
			_, fewer, _ := w.group(n - 1)
			found = found || fewer > count
			if w.scratch(n) < w.scratch(n-1) {
				t.Errorf("%d×%d: %d samples have %d elements, %d have %d", size, size, n, w.scratch(n), n-1, w.scratch(n-1))
			}
		}
	}
	if !found {
		t.Error("no case in which fewer samples go together in a larger group")
	}
}

func TestConvEpilogue(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(25, 26))
		for i := range 30 {
			d := randomConv(r)
			if i%3 == 0 {
				d = newConvData(r, NewConv(Window{24, 5 + i, 6, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, 25, 1), 2)
			}
			bias := floats(r, d.c.Out)
			plain, fused := make([]float32, d.out), make([]float32, d.out)
			d.forward(plain, nil, NoLimits, false)
			l := []Limits{Rectified, {-.5, .75}, {float32(math.Inf(-1)), 1}}[i%7%3]
			d.forward(fused, bias, l, false)
			plane := d.c.OutHeight() * d.c.OutWidth()
			for i, v := range plain {
				if o := i / plane % (d.c.Out * d.c.Groups); o < d.c.Out {
					v = min(l.High, max(l.Low, v+bias[o]))
				}
				if fused[i] != v {
					t.Fatalf("%+v: element %d is %v, want %v", d.c.Window, i, fused[i], v)
				}
			}
		}
	})
}

func TestConvAllocatesNothing(t *testing.T) {
	d := newConvData(rand.New(rand.NewPCG(1, 1)), NewConv(Window{8, 9, 9, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1}, 8, 1), 3)
	fwd, in := make([]float32, d.c.PackedForward()), make([]float32, d.c.PackedInput())
	got := testing.AllocsPerRun(5, func() {
		d.c.PackForward(fwd, d.w)
		d.c.PackInput(in, d.w)
		d.c.Forward(d.dy, d.x, fwd, nil, Rectified, false, d.samples, d.scratch, nil)
		d.c.BackwardInput(d.x, d.dy, in, true, d.samples, d.scratch, nil)
		d.c.BackwardWeight(d.w, d.dy, d.x, d.samples, d.scratch, nil)
	})
	if got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func BenchmarkConv(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range []struct{ in, out, size, kernel, stride, samples int }{
		{64, 64, 32, 3, 1, 4}, {128, 128, 16, 3, 1, 8}, {256, 256, 8, 3, 1, 16}, {512, 512, 4, 3, 1, 16}, {64, 128, 32, 3, 2, 4}, {64, 128, 32, 1, 2, 4},
		{3, 64, 32, 7, 2, 16}, {64, 64, 8, 3, 1, 16}, {512, 512, 1, 3, 1, 32}, {3, 64, 32, 3, 1, 4},
	} {
		pad := s.kernel / 2
		c := NewConv(Window{s.in, s.size, s.size, s.kernel, s.kernel, s.stride, s.stride, 1, 1, pad, pad, pad, pad}, s.out, 1)
		d := newConvData(r, c, s.samples)
		fwd, in, y, dx, dw := make([]float32, c.PackedForward()), make([]float32, c.PackedInput()), make([]float32, d.out), make([]float32, d.in), make([]float32, len(d.w))
		flops := 2 * float64(d.out) * float64(c.Taps())
		for _, k := range []struct {
			name  string
			flops bool // of the direct sum, whatever the method
			run   func()
		}{
			{"packForward", false, func() { c.PackForward(fwd, d.w) }},
			{"packInput", false, func() { c.PackInput(in, d.w) }},
			{"forward", true, func() { c.Forward(y, d.x, fwd, nil, NoLimits, false, s.samples, d.scratch, nil) }},
			{"input", true, func() { c.BackwardInput(dx, d.dy, in, false, s.samples, d.scratch, nil) }},
			{"weight", true, func() { c.BackwardWeight(dw, d.dy, d.x, s.samples, d.scratch, nil) }},
		} {
			b.Run(fmt.Sprintf("%d-%d-%dpx-%d/%d-%s", s.in, s.out, s.size, s.kernel, s.stride, k.name), func(b *testing.B) {
				for b.Loop() {
					k.run()
				}
				if k.flops {
					b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
				}
			})
		}
	}
}
