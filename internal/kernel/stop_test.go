package kernel

import (
	"fmt"
	"testing"
	"time"
)

// Every product returns at once when it has been stopped before.
func TestStop(t *testing.T) {
	done := make(chan struct{})
	close(done)
	eachKernel(t, func(t *testing.T) {
		for name, run := range stoppable() {
			whole, stopped := fastest(func() { run(nil) }), fastest(func() { run(done) })
			if stopped > whole/4 {
				t.Errorf("%s: %v, and %v when stopped", name, whole, stopped)
			}
		}
	})
}

func fastest(f func()) time.Duration {
	best := time.Hour
	for range 3 {
		start := time.Now()
		f()
		best = min(best, time.Since(start))
	}
	return best
}

// stoppable returns products that go each their own way.
func stoppable() map[string]func(Stop) {
	runs := map[string]func(Stop){}
	for _, c := range []struct {
		tA, tB  bool
		m, n, k int
	}{{false, false, 400, 400, 400}, {false, false, 1, 3000, 3000}, {false, true, 2, 3000, 3000}, {false, false, 3000, 2, 3000}, {true, false, 3000, 2, 3000}} {
		a, b, out := make([]float32, c.m*c.k), make([]float32, c.k*c.n), make([]float32, c.m*c.n)
		lda, ldb := c.k, c.n
		if c.tA {
			lda = c.m
		}
		if c.tB {
			ldb = c.k
		}
		scratch := make([]float32, SgemmScratch(c.m, c.n, c.k))
		runs[fmt.Sprintf("product %+v", c)] = func(s Stop) {
			Sgemm(c.tA, c.tB, c.m, c.n, c.k, 1, a, lda, b, ldb, 0, out, c.n, scratch, s)
		}
	}
	for _, side := range []int{3, 5} { // by Winograd's method, and not
		const channels, size, samples = 32, 48, 4
		c := NewConv(Window{Channels: channels, Height: size, Width: size, KernelH: side, KernelW: side, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Top: side / 2, Bottom: side / 2, Left: side / 2, Right: side / 2}, channels, 1)
		x, y, w := make([]float32, samples*channels*size*size), make([]float32, samples*channels*size*size), make([]float32, channels*channels*side*side)
		fwd, in, scratch := make([]float32, c.PackedForward()), make([]float32, c.PackedInput()), make([]float32, c.Scratch(samples))
		runs[fmt.Sprintf("convolution %d", side)] = func(s Stop) { c.Forward(y, x, fwd, nil, NoLimits, false, samples, scratch, s) }
		runs[fmt.Sprintf("its input's gradient %d", side)] = func(s Stop) { c.BackwardInput(x, y, in, false, samples, scratch, s) }
		runs[fmt.Sprintf("its weight's gradient %d", side)] = func(s Stop) { c.BackwardWeight(w, y, x, samples, scratch, s) }
	}
	return runs
}
