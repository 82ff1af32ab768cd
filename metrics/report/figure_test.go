package report

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/metrics"
)

// Ticks are few, rise, hold the data, stand apart, and differ in their labels, at any
// range.
func TestLinearTicks(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	cases := [][2]float64{{0, 0}, {1, 1}, {-1, -1}, {0, 1}, {0, 5e-324}, {1e300, 1e300}, {-1e308, 1e308}, {1e9, 1e9 + 1e-6}, {.9911, .9914}, {0, 1e20}, {-3e-9, 4e-9}, {99999, 100001}, {123456, 123457}}
	for range 500 {
		center, width := rnd.NormFloat64()*math.Pow(10, 40*rnd.Float64()-20), math.Pow(10, 40*rnd.Float64()-20)
		cases = append(cases, [2]float64{center, center + width})
	}
	for _, c := range cases {
		var b bounds
		b.add(c[0], c[1])
		a := b.linear(5)
		if n := len(a.ticks); n < 2 || n > 9 {
			t.Errorf("%v: %d ticks", c, n)
		}
		if a.lo > b.lo+1e-9*(a.hi-a.lo) || a.hi < b.hi-1e-9*(a.hi-a.lo) {
			t.Errorf("%v: axis from %v to %v", c, a.lo, a.hi)
		}
		for i, k := range a.ticks {
			v, err := strconv.ParseFloat(k.text, 64)
			if err != nil || math.Abs(v-k.at) > .3*(a.hi-a.lo)/float64(len(a.ticks)) || len(k.text) > 12 {
				t.Errorf("%v: tick at %v is called %q", c, k.at, k.text)
			}
			if i > 0 && (k.at <= a.ticks[i-1].at || k.text == a.ticks[i-1].text) {
				t.Errorf("%v: tick %q after %q", c, k.text, a.ticks[i-1].text)
			}
			if p := a.pos(k.at); !(p >= 0 && p <= 1) {
				t.Errorf("%v: tick %v at %v", c, k.at, p)
			}
		}
	}
	if got := (bounds{0, 1, true}).linear(5).ticks; got[1].text != "0.2" || len(got) != 6 {
		t.Errorf("ticks of [0, 1]: %v", got)
	}
}

func TestLogarithmicTicks(t *testing.T) {
	for _, c := range [][2]float64{{1e-3, 1}, {1e-8, 1e20}, {.5, 3}, {1, 1}, {1e-300, 1e300}, {2.1, 4.3}} {
		a := bounds{c[0], c[1], true}.logarithmic(6)
		if len(a.ticks) < 1 || len(a.ticks) > 8 {
			t.Errorf("%v: ticks %v", c, a.ticks)
		}
		for i, k := range a.ticks {
			if v, err := strconv.ParseFloat(k.text, 64); err != nil || math.Abs(v/k.at-1) > 1e-9 || i > 0 && k.at <= a.ticks[i-1].at {
				t.Errorf("%v: tick at %v is called %q", c, k.at, k.text)
			}
		}
		if p := a.pos(math.Sqrt(a.lo) * math.Sqrt(a.hi)); math.Abs(p-.5) > 1e-12 {
			t.Errorf("%v: the geometric mean stands at %v", c, p)
		}
	}
}

// Numbers of extreme size give a page that is whole.
func TestExtremeNumbers(t *testing.T) {
	for _, f := range []float64{0, 1e-300, 1e20, 1e308, -1e308} {
		r := sample(6, 4, 1)
		for i := range r.Table.Rows {
			r.Table.Rows[i].Gap.Mean, r.Table.Rows[i].Figures[1].Mean = f, f
		}
		for i := range r.Losses {
			r.Losses[i].Forget[0] = f
		}
		r.Trace[0].Lines[0].Y[5], r.Resurgence[0].Lines[0].Y[1], r.Depth[0].Lines[0].Values[0].Mean = f, f, f
		r.Fronts[0].Points[0].Gap.Mean, r.Fronts[0].Points[0].Share.Mean, r.Maps.Maps[0].Points[0].X, r.Persons.Samples[0].Score.Mean = f, f, f, f
		checkPage(t, pageOf(t, r))
	}
}

func TestROC(t *testing.T) {
	rnd := rand.New(rand.NewPCG(2, 1))
	for range 200 {
		member, non := make([]float64, 1+rnd.IntN(30)), make([]float64, 1+rnd.IntN(30))
		for _, s := range [][]float64{member, non} {
			for i := range s {
				s[i] = float64(rnd.IntN(12)) // many ties
			}
		}
		c, err := NewROC("m", Method, member, non)
		if err != nil {
			t.Fatal(err)
		}
		area := 0.0 // trapezoids: a tie counts one half
		for i := 1; i < len(c.FPR); i++ {
			area += (c.FPR[i] - c.FPR[i-1]) * (c.TPR[i] + c.TPR[i-1]) / 2
		}
		pairs := 0.0
		for _, x := range member {
			for _, y := range non {
				if x > y {
					pairs++
				} else if x == y {
					pairs += .5
				}
			}
		}
		pairs /= float64(len(member) * len(non))
		if math.Abs(area-pairs) > 1e-12 || math.Abs(c.AUC.Mean-pairs) > 1e-12 {
			t.Errorf("area %v, AUC %v, pairs %v", area, c.AUC.Mean, pairs)
		}
		n := len(c.FPR) - 1
		if c.FPR[0] != 0 || c.TPR[0] != 0 || c.FPR[n] != 1 || c.TPR[n] != 1 || !c.AUC.Interval.Contains(c.AUC.Mean) {
			t.Errorf("curve %+v", c)
		}
	}
	if _, err := NewROC("m", Method, nil, []float64{1}); !errors.Is(err, metrics.ErrEmpty) {
		t.Errorf("error %v", err)
	}
	if _, err := NewROC("m", Method, []float64{math.NaN()}, []float64{1}); !errors.Is(err, metrics.ErrNotFinite) {
		t.Errorf("error %v", err)
	}
}

func TestHistogram(t *testing.T) {
	x := bounds{0, 28, true}.linear(4)
	share := histogram(x, []float64{0, x.hi, x.hi / 2, x.hi / 2})
	total := 0.0
	for _, v := range share {
		total += v
	}
	if share[0] != .25 || share[bins-1] != .25 || share[bins/2] != .5 || math.Abs(total-1) > 1e-12 {
		t.Errorf("shares %v", share)
	}
	if m := median([]float64{3, 1, 2}); m != 2 {
		t.Errorf("median %v", m)
	}
	if m := median([]float64{1e308, 1.5e308}); math.Abs(m/1.25e308-1) > 1e-12 {
		t.Errorf("median %v", m)
	}
}

// A thinned line keeps its ends, its extremes and its order.
func TestThinned(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 1))
	for _, n := range []int{0, 1, 2, 239, 240, 241, 1000, 50_000} {
		y := make([]float64, n)
		for i := range y {
			y[i] = rnd.NormFloat64()
		}
		keep := thinned(y)
		if len(keep) > maxVertices+2 || !slices.IsSorted(keep) || len(slices.Compact(slices.Clone(keep))) != len(keep) {
			t.Errorf("%d points: %d kept", n, len(keep))
		}
		if n > 0 && (keep[0] != 0 || keep[len(keep)-1] != n-1 || slices.Max(pick(y, keep)) != slices.Max(y) || slices.Min(pick(y, keep)) != slices.Min(y)) {
			t.Errorf("%d points: an end or an extreme is lost", n)
		}
	}
}

// Labels of the trade-off figure cover no other label and no point, and lie in the frame.
func TestLabelsDoNotOverlap(t *testing.T) {
	for n := 1; n <= 40; n += 3 {
		tab := sample(n, 2, uint64(n)).Table
		spots := tab.spots()
		for _, w := range []float64{narrow, wide} {
			p := tab.scatterPanel(spots, w, 400)
			var x, y []float64
			var texts []string
			for _, s := range spots {
				x, y, texts = append(x, p.px(s.x.Mean)), append(y, p.py(s.y.Mean)), append(texts, s.row.Name)
			}
			places, _ := p.labels(spots, x, y).all(x, y, texts)
			placed := 0
			for i, a := range places {
				if a == (box{}) {
					continue
				}
				placed++
				if a.x0 < p.left || a.x1 > w || a.y0 < 0 || a.y1 > 400 {
					t.Errorf("label %q at %v is outside", texts[i], a)
				}
				for j := range x {
					if j != i && (a.meets(places[j]) || a.distance(x[j], y[j]) < a.distance(x[i], y[i])) {
						t.Errorf("label %q covers %q or is nearer to it", texts[i], texts[j])
					}
				}
			}
			if placed == 0 {
				t.Errorf("%d methods: no label", n)
			}
		}
	}
}

// Methods of one page differ in color, marker or dash.
func TestStylesDiffer(t *testing.T) {
	s := (&Report{}).styles(0)
	seen := map[style]string{}
	if a, b, c := s.get("a", Floor), s.get("b", Floor), s.get("c", Floor); a.marker == b.marker || b.marker == c.marker || a.marker == c.marker {
		t.Error("three floors do not differ in their markers")
	}
	for i := range 56 {
		look := s.get(method(i+1), Method)
		if other, ok := seen[look]; ok {
			t.Errorf("%s looks like %s", method(i+1), other)
		}
		seen[look] = method(i + 1)
		if s.get(method(i+1), Method) != look {
			t.Error("a method changed its look")
		}
	}
}

// On shares and gaps of a known plane, the coordinates of PCA are those in the plane,
// by whichever of the two matrices.
func TestPCA(t *testing.T) {
	for _, c := range []struct{ n, d int }{{40, 6}, {6, 40}, {25, 25}} {
		rnd := rand.New(rand.NewPCG(4, uint64(c.n)))
		// u and v are orthonormal: halves of a normalized ±1 pattern.
		u, v := make([]float64, c.d), make([]float64, c.d)
		for j := range c.d {
			if j < c.d/2 {
				u[j] = 1 / math.Sqrt(float64(c.d/2))
			} else {
				v[j] = 1 / math.Sqrt(float64(c.d-c.d/2))
			}
		}
		f := metrics.Features{N: c.n, Dim: c.d}
		want := make([][2]float64, c.n)
		var mean [2]float64
		for i := range want {
			want[i] = [2]float64{5 * rnd.NormFloat64(), rnd.NormFloat64()}
			mean[0] += want[i][0] / float64(c.n)
			mean[1] += want[i][1] / float64(c.n)
			for j := range c.d {
				f.Data = append(f.Data, float32(7+want[i][0]*u[j]+want[i][1]*v[j]))
			}
		}
		xy, share, err := PCA(f)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(share[0]+share[1]-1) > 1e-6 || share[0] < share[1] {
			t.Errorf("shares %v", share)
		}
		// Distances in the plane are kept, up to the one scale of all.
		dist := func(p [][2]float64, i, j int) float64 { return math.Hypot(p[i][0]-p[j][0], p[i][1]-p[j][1]) }
		scale := dist(want, 0, 1) / dist(xy, 0, 1)
		for i := range want {
			for j := range i {
				if d := dist(want, i, j); math.Abs(scale*dist(xy, i, j)-d) > 1e-4*(1+d) { // float32 features near 7
					t.Fatalf("%d×%d: distance %v of %d and %d, want %v", c.n, c.d, scale*dist(xy, i, j), i, j, d)
				}
			}
		}
	}
}

func TestPCAErrors(t *testing.T) {
	for _, c := range []struct {
		f    metrics.Features
		want error
	}{
		{metrics.Features{}, metrics.ErrEmpty}, {metrics.Features{N: 2, Dim: 1, Data: []float32{1}}, metrics.ErrShape},
		{metrics.Features{N: 2, Dim: 1, Data: []float32{1, float32(math.NaN())}}, metrics.ErrNotFinite}, {metrics.Features{N: 2, Dim: 1, Data: []float32{1, 1}}, metrics.ErrDegenerate},
	} {
		if _, _, err := PCA(c.f); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v", c.f, err)
		}
	}
	if xy, _, err := PCA(metrics.Features{N: 2, Dim: 1, Data: []float32{1, 3}}); err != nil || xy[0][0] != -xy[1][0] || xy[0][1] != 0 {
		t.Errorf("two points: %v, %v", xy, err)
	}
	one := metrics.Features{N: 2, Dim: 1, Data: []float32{1, 3}, Labels: []int{0, 1}}
	for _, c := range []struct {
		titles, classes []string
		f               []metrics.Features
		forget          []bool
		want            error
	}{
		{nil, nil, nil, nil, metrics.ErrEmpty}, {nil, nil, []metrics.Features{one}, nil, metrics.ErrShape},
		{[]string{"a"}, []string{"x"}, []metrics.Features{one}, []bool{true}, metrics.ErrShape}, {[]string{"a"}, []string{"x"}, []metrics.Features{one}, []bool{true, false}, metrics.ErrLabel},
	} {
		if _, err := NewMaps(c.titles, c.f, c.forget, c.classes); !errors.Is(err, c.want) || strings.Count(err.Error(), "report: ") != 1 {
			t.Errorf("%v, want %v", err, c.want)
		}
	}
}

// A map that was turned and mirrored is turned back.
func TestTurn(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 1))
	for _, mirror := range []float64{1, -1} {
		for range 20 {
			sin, cos := math.Sincos(2 * math.Pi * rnd.Float64())
			var target, moved [][2]float64
			for range 12 {
				x, y := rnd.NormFloat64(), rnd.NormFloat64()
				target = append(target, [2]float64{x, y})
				moved = append(moved, [2]float64{cos*x - sin*y, mirror * (sin*x + cos*y)})
			}
			turn(moved, target)
			for i := range target {
				if math.Hypot(moved[i][0]-target[i][0], moved[i][1]-target[i][1]) > 1e-12 {
					t.Fatalf("point %v came back as %v", target[i], moved[i])
				}
			}
		}
	}
}
