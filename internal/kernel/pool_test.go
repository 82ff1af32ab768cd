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

func BenchmarkPlane(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	pool := Window{1, 64, 64, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1}
	conv := Window{1, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}
	max3 := NewMaxPool(pool)
	conv.Channels, pool.Channels = 4, 4
	d, d2 := NewDepthwise(conv, 1), NewDepthwise(pool, 1)
	x, y, w, arg := floats(r, 4*64*64), floats(r, 4*64*64), floats(r, 4*9), make([]int32, 64*64)
	scratch := make([]float32, max(d.Scratch(), d2.Scratch(), max3.Scratch()))
	for _, k := range []struct {
		name string
		run  func()
	}{
		{"MaxPool", func() { max3.Forward(y, arg, x, scratch) }}, {"MaxPoolGrad", func() { MaxPoolGrad(x[:64*64], y, arg[:32*32]) }},
		{"Depthwise", func() { d.Forward(y, x, w, nil, NoLimits, 1, scratch, nil) }}, {"DepthwiseInput", func() { d.BackwardInput(x, y, w, false, 1, scratch, nil) }},
		{"DepthwiseWeight", func() { d.BackwardWeight(w, y, x, 1, scratch, nil) }}, {"DepthwiseStride2", func() { d2.Forward(y, x, w, nil, NoLimits, 1, scratch, nil) }},
	} {
		b.Run(k.name, func(b *testing.B) {
			for b.Loop() {
				k.run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/4096, "ns/input")
		})
	}
}
