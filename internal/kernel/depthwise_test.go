package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestDepthwise(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(35, 36))
		for i := range 300 {
			g := randomWindow(r)
			g.Channels = 1 + r.IntN(3)
			checkDepthwise(t, r, NewDepthwise(g, 1+i%5/4), 1+r.IntN(6), i%2 == 0)
		}
		for _, g := range []Window{
			{2, 28, 28, 5, 5, 1, 1, 1, 1, 2, 2, 2, 2}, {2, 16, 16, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1}, {3, 7, 7, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1},
			{3, 40, 41, 3, 3, 2, 2, 1, 1, 0, 0, 1, 1}, {1, 1, 1, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, {1, 9, 9, 3, 3, 1, 1, 4, 4, 4, 4, 4, 4},
			{1, 3, 5000, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, {2, 4, 70, 7, 7, 1, 1, 1, 1, 3, 3, 3, 3},
		} {
			checkDepthwise(t, r, NewDepthwise(g, 1), 5, false)
		}
	})
}

// depthData is a depthwise convolution with its operands, between guards.
type depthData struct {
	*Depthwise
	samples          int
	x, w, dy, bias   []float32
	y, dx, dw        []float32
	wholes           [][]float32
	scratch, margins []float32
}

func newDepthData(r *rand.Rand, d *Depthwise, samples int) *depthData {
	in, out, inSample, outSample := d.sizes()
	_, _ = in, out
	c := &depthData{Depthwise: d, samples: samples, bias: floats(r, d.Channels*d.Multiplier)}
	take := func(n int) []float32 {
		s, whole := guarded[float32](n, 19)
		fillNormal(r, s)
		c.wholes = append(c.wholes, whole)
		return s
	}
	c.x, c.dx = take(samples*inSample), take(samples*inSample)
	c.dy, c.y = take(samples*outSample), take(samples*outSample)
	c.w, c.dw = take(len(c.bias)*d.KernelH*d.KernelW), take(len(c.bias)*d.KernelH*d.KernelW)
	c.scratch, c.margins = guarded[float32](d.Scratch(), 5)
	return c
}

// visit calls f for every product of a result, a weight and an input.
func (c *depthData) visit(f func(y, w, x int)) {
	in, out, _, _ := c.sizes()
	one := &Conv{Window: c.Window, Out: 1, Groups: 1}
	one.Channels = 1
	planes := c.Channels * c.Multiplier
	for i := range c.samples * planes {
		naiveConv(one, 1, func(iy, iw, ix int) {
			f(i*out+iy, i%planes*c.KernelH*c.KernelW+iw, i/c.Multiplier*in+ix)
		})
	}
}

func checkDepthwise(t *testing.T, r *rand.Rand, d *Depthwise, samples int, add bool) {
	t.Helper()
	c := newDepthData(r, d, samples)
	_, out, _, _ := d.sizes()
	l := []Limits{NoLimits, Rectified, {-.5, .75}}[r.IntN(3)]
	y, dx, dw := expect(make([]float32, len(c.y))), expect(make([]float32, len(c.x))), expect(c.dw)
	if add {
		dx = expect(c.dx)
	}
	for i := range c.y {
		y.add(i, float64(c.bias[i/out%len(c.bias)]))
	}
	c.visit(func(iy, iw, ix int) {
		y.add(iy, float64(c.w[iw])*float64(c.x[ix]))
		dx.add(ix, float64(c.w[iw])*float64(c.dy[iy]))
		dw.add(iw, float64(c.dy[iy])*float64(c.x[ix]))
	})
	for i, v := range y.want {
		y.want[i] = min(float64(l.High), max(float64(l.Low), v))
	}
	d.Forward(c.y, c.x, c.w, c.bias, l, samples, c.scratch, nil)
	d.BackwardInput(c.dx, c.dy, c.w, add, samples, c.scratch, nil)
	d.BackwardWeight(c.dw, c.dy, c.x, samples, c.scratch, nil)
	for _, p := range []struct {
		what string
		got  []float32
		expected
	}{{"y", c.y, y}, {"dx", c.dx, dx}, {"dw", c.dw, dw}} {
		for i, v := range p.got {
			if !(math.Abs(float64(v)-p.want[i]) <= 1e-5*(p.size[i]+1e-3)) {
				t.Fatalf("%+v, multiplier %d, %d samples, limits %v: %s[%d] is %v, want %v", d.Window, d.Multiplier, samples, l, p.what, i, v, p.want[i])
			}
		}
	}
	checkGuards(t, "depthwise scratch", c.margins, 5, len(c.scratch))
	for i, s := range [][]float32{c.x, c.dx, c.dy, c.y, c.w, c.dw} {
		checkGuards(t, "depthwise operand", c.wholes[i], 19, len(s))
	}
}

// An element has the same bits however many samples a call takes, and NaN stays
// where it is read.
func TestDepthwiseBySample(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(37, 38))
		for range 60 {
			g := randomWindow(r)
			g.Channels = 1 + r.IntN(3)
			d := NewDepthwise(g, 1)
			_, _, inSample, outSample := d.sizes()
			c := newDepthData(r, d, 7)
			c.x[r.IntN(len(c.x))], c.dy[r.IntN(len(c.dy))] = float32(math.NaN()), float32(math.NaN())
			d.Forward(c.y, c.x, c.w, c.bias, Limits{-1, 1}, 7, c.scratch, nil)
			d.BackwardInput(c.dx, c.dy, c.w, false, 7, c.scratch, nil)
			y, dx := make([]float32, len(c.y)), make([]float32, len(c.dx))
			for s := range 7 {
				d.Forward(y[s*outSample:], c.x[s*inSample:], c.w, c.bias, Limits{-1, 1}, 1, c.scratch, nil)
				d.BackwardInput(dx[s*inSample:], c.dy[s*outSample:], c.w, false, 1, c.scratch, nil)
			}
			sameOrNaN(t, "y", y, c.y)
			sameOrNaN(t, "dx", dx, c.dx)
		}
	})
}

func sameOrNaN(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i, v := range want {
		if math.Float32bits(got[i]) != math.Float32bits(v) && (v == v || got[i] == got[i]) {
			t.Fatalf("%s[%d] is %v, want %v", what, i, got[i], v)
		}
	}
}
