package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// poolWant visits the elements under every window.
func poolWant(g *Window, visit func(out, in int)) {
	naiveConv(&Conv{Window: *g, Out: 1, Groups: 1}, 1, func(iy, _, ix int) { visit(iy, ix) })
}

func TestMaxPool(t *testing.T) { eachKernel(t, testMaxPool) }

func testMaxPool(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	for range 200 {
		g := randomWindow(r)
		g.Channels = 1
		n := g.OutHeight() * g.OutWidth()
		x := floats(r, g.Height*g.Width)
		if r.IntN(4) == 0 {
			x[r.IntN(len(x))] = float32(math.NaN())
		}
		want := make([]float64, n)
		for i := range want {
			want[i] = math.Inf(-1)
		}
		poolWant(&g, func(out, in int) { want[out] = max(want[out], float64(x[in])) })
		got, arg := make([]float32, n), make([]int32, n)
		p := NewMaxPool(g)
		scratch, whole := guarded[float32](p.Scratch(), 1)
		p.Forward(got, arg, x, scratch)
		checkGuards(t, "MaxPool scratch", whole, 1, len(scratch))
		dy, dx := floats(r, n), make([]float32, len(x))
		MaxPoolGrad(dx, dy, arg)
		back := make([]float32, len(x))
		for i, v := range want {
			if !near(float64(got[i]), v, 0) {
				t.Fatalf("%+v: output %d is %v, want %v", g, i, got[i], v)
			}
			if arg[i] < 0 != math.IsInf(v, -1) || arg[i] >= 0 && !near(float64(x[arg[i]]), v, 0) {
				t.Fatalf("%+v: output %d came from %d", g, i, arg[i])
			}
			if arg[i] >= 0 {
				back[arg[i]] += dy[i]
			}
		}
		for i := range back {
			if dx[i] != back[i] {
				t.Fatalf("%+v: gradient %d is %v, want %v", g, i, dx[i], back[i])
			}
		}
	}
}

func TestDepthwise(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(35, 36))
		for i := range 200 {
			g := randomWindow(r)
			g.Channels = 1
			checkDepthwise(t, r, NewDepthwise(g), i%2 == 0)
		}
		checkDepthwise(t, r, NewDepthwise(Window{1, 28, 28, 5, 5, 1, 1, 1, 1, 2, 2, 2, 2}), false)
	})
}

func checkDepthwise(t *testing.T, r *rand.Rand, d *Depthwise, add bool) {
	t.Helper()
	c := &Conv{Window: d.Window, Out: 1, Groups: 1}
	x, w, dy := floats(r, d.Height*d.Width), floats(r, d.KernelH*d.KernelW), floats(r, d.OutHeight()*d.OutWidth())
	y, dx, dw := floats(r, len(dy)), floats(r, len(x)), floats(r, len(w))
	wantY, wantX, wantW := make([]float64, len(y)), make([]float64, len(x)), make([]float64, len(w))
	for i := range dx {
		if add {
			wantX[i] = float64(dx[i])
		}
	}
	for i := range dw {
		wantW[i] = float64(dw[i])
	}
	naiveConv(c, 1, func(iy, iw, ix int) {
		wantY[iy] += float64(w[iw]) * float64(x[ix])
		wantX[ix] += float64(w[iw]) * float64(dy[iy])
		wantW[iw] += float64(x[ix]) * float64(dy[iy])
	})
	scratch, whole := guarded[float32](d.Scratch(), 5)
	d.Forward(y, x, w, scratch)
	d.BackwardInput(dx, dy, w, add, scratch)
	d.BackwardWeight(dw, dy, x, scratch)
	checkGuards(t, "depthwise scratch", whole, 5, len(scratch))
	for _, pair := range []struct {
		name string
		got  []float32
		want []float64
	}{{"y", y, wantY}, {"dx", dx, wantX}, {"dw", dw, wantW}} {
		for i, v := range pair.want {
			if !near(float64(pair.got[i]), v, 2e-5) {
				t.Fatalf("%+v: %s[%d] = %v, want %v", d.Window, pair.name, i, pair.got[i], v)
			}
		}
	}
}

func BenchmarkPlane(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	pool := Window{1, 64, 64, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1}
	conv := Window{1, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}
	max3 := NewMaxPool(pool)
	d, d2 := NewDepthwise(conv), NewDepthwise(pool)
	x, y, w, arg := floats(r, 64*64), floats(r, 64*64), floats(r, 9), make([]int32, 64*64)
	scratch := make([]float32, max(d.Scratch(), d2.Scratch(), max3.Scratch()))
	for _, k := range []struct {
		name string
		run  func()
	}{
		{"MaxPool", func() { max3.Forward(y, arg, x, scratch) }}, {"MaxPoolGrad", func() { MaxPoolGrad(x, y, arg[:32*32]) }},
		{"Depthwise", func() { d.Forward(y, x, w, scratch) }}, {"DepthwiseInput", func() { d.BackwardInput(x, y, w, false, scratch) }},
		{"DepthwiseWeight", func() { d.BackwardWeight(w, y, x, scratch) }}, {"DepthwiseStride2", func() { d2.Forward(y, x, w, scratch) }},
	} {
		b.Run(k.name, func(b *testing.B) {
			for b.Loop() {
				k.run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/4096, "ns/input")
		})
	}
}
