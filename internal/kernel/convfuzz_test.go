package kernel

import (
	"flag"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
)

// The long form is run by hand: go test -run ConvFuzz -long .
var long = flag.Bool("long", false, "600 random convolutions instead of 60")

// fuzzWindow returns a geometry with outputs: kernels of even and odd sizes,
// strides, dilations and padding up to beyond the kernel.
func fuzzWindow(r *rand.Rand) Window {
	for {
		kernel := func() int { return []int{1, 2, 3, 3, 3, 4, 5, 7}[r.IntN(8)] }
		step := func() int { return []int{1, 1, 1, 2, 2, 3}[r.IntN(6)] }
		g := Window{Channels: 1 + r.IntN(40), Height: 1 + r.IntN(24), Width: 1 + r.IntN(36), KernelH: kernel(), KernelW: kernel(),
			StrideH: step(), StrideW: step(), DilationH: 1, DilationW: 1}
		switch r.IntN(3) {
		case 0: // the common case
			g.KernelW, g.StrideW = g.KernelH, g.StrideH
			g.Top, g.Left, g.Bottom, g.Right = g.KernelH/2, g.KernelH/2, (g.KernelH-1)/2, (g.KernelH-1)/2
		case 1:
			g.DilationH, g.DilationW = 1+r.IntN(3), 1+r.IntN(3)
			fallthrough
		default:
			pad := func() int { return r.IntN(g.KernelH + 2) }
			g.Top, g.Left, g.Bottom, g.Right = pad(), pad(), pad(), pad()
		}
		if g.OutHeight() > 0 && g.OutWidth() > 0 {
			return g
		}
	}
}

// fuzzConv returns a convolution of fewer products than limit.
func fuzzConv(r *rand.Rand, limit int) *convData {
	for {
		c := NewConv(fuzzWindow(r), 1+r.IntN(40), 1+r.IntN(3))
		samples := 1 + r.IntN(5)
		if samples*c.Out*c.Taps()*c.OutHeight()*c.OutWidth() < limit {
			return newConvData(r, c, samples)
		}
	}
}

// group returns the elements of the first group alone.
func group(s []float32, mine func(int) bool) (out []float32) {
	for i, v := range s {
		if mine(i) {
			out = append(out, v)
		}
	}
	return out
}

// checkAdjoint compares ⟨y, w∗x⟩ with ⟨dx, x⟩ and ⟨dw, w⟩, all of them sums of
// the same products, which it takes in float64.
func (d *convData) checkAdjoint(t *testing.T) {
	t.Helper()
	c := d.c
	y, dx, dw := make([]float32, d.out), make([]float32, d.in), make([]float32, len(d.w))
	d.forward(y, nil, NoLimits, false)
	d.backwardInput(dx, false)
	c.BackwardWeight(dw, d.dy, d.x, d.samples, d.scratch, nil)
	mineY := touched(c.Out*c.OutHeight()*c.OutWidth(), c.Groups)
	mineX := touched(c.Channels*c.Height*c.Width, c.Groups)
	dy, size := group(d.dy, mineY), 0.0
	for i, v := range group(y, mineY) {
		size += math.Abs(float64(v) * float64(dy[i]))
	}
	a, b, e := Dot32(group(y, mineY), dy), Dot32(group(dx, mineX), group(d.x, mineX)), Dot32(dw, d.w)
	if tol := 1e-5 * (1 + size); math.Abs(a-b) > tol || math.Abs(a-e) > tol {
		t.Fatalf("%+v out=%d samples=%d: ⟨y,wx⟩ = %v, ⟨dx,x⟩ = %v, ⟨dw,w⟩ = %v", c.Window, c.Out, d.samples, a, b, e)
	}
}

// checkSplit runs every sample on a goroutine of its own and wants the same bits.
func (d *convData) checkSplit(t *testing.T, r *rand.Rand) {
	t.Helper()
	c, add := d.c, r.IntN(2) == 0
	fwd, in := make([]float32, c.PackedForward()), make([]float32, c.PackedInput())
	c.PackForward(fwd, d.w)
	c.PackInput(in, d.w)
	y, dx := floats(r, d.out), floats(r, d.in)
	apart, back := append([]float32(nil), y...), append([]float32(nil), dx...)
	c.Forward(y, d.x, fwd, nil, NoLimits, add, d.samples, d.scratch, nil)
	c.BackwardInput(dx, d.dy, in, add, d.samples, d.scratch, nil)
	var group sync.WaitGroup
	for s := range d.samples {
		group.Go(func() {
			scratch := make([]float32, c.Scratch(1))
			atX, atY := s*d.in/d.samples, s*d.out/d.samples
			c.Forward(apart[atY:], d.x[atX:], fwd, nil, NoLimits, add, 1, scratch, nil)
			c.BackwardInput(back[atX:], d.dy[atY:], in, add, 1, scratch, nil)
		})
	}
	group.Wait()
	sameBits(t, "Forward", c, apart, y)
	sameBits(t, "BackwardInput", c, back, dx)
}

func sameBits(t *testing.T, what string, c *Conv, got, want []float32) {
	t.Helper()
	for i, v := range want {
		if got[i] != v {
			t.Fatalf("%s of %+v out=%d: element %d is %v alone, %v among others", what, c.Window, c.Out, i, got[i], v)
		}
	}
}

func TestConvFuzz(t *testing.T) {
	cases, limit := 60, 600_000
	if *long {
		cases, limit = 600, 3_000_000
	}
	eachKernel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(41, 42))
		for range cases {
			d := fuzzConv(r, limit)
			d.checkAll(t, r)
			d.checkAdjoint(t)
			d.checkSplit(t, r)
		}
	})
}
