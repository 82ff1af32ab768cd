package distance

import (
	"math"
)

// CityBlock is the cost Σ|xₖ−yₖ|; where coordinates coincide, its gradient is
// taken as zero. It takes O(N·M·Dim) without matrix products.
type CityBlock struct{}

// Matrix implements Cost.
func (CityBlock) Matrix(_ *Workspace, dst []float64, x, y Sample) {
	for i := range x.N {
		xi := x.Row(i)
		for j := range y.N {
			dst[i*y.N+j] = absDiff(xi, y.Row(j))
		}
	}
}

func absDiff(x, y []float64) float64 {
	var s float64
	for i, v := range x {
		s += math.Abs(v - y[i])
	}
	return s
}

// VJP implements Cost.
func (CityBlock) VJP(_ *Workspace, gx, gy, g, _ []float64, x, y Sample) {
	d := x.Dim
	for i := range x.N {
		xi := x.Row(i)
		for j := range y.N {
			w := g[i*y.N+j]
			if w == 0 {
				continue
			}
			yj := y.Row(j)
			if gx != nil {
				addSigns(gx[i*d:i*d+d], w, xi, yj)
			}
			if gy != nil {
				addSigns(gy[j*d:j*d+d], w, yj, xi)
			}
		}
	}
}

// addSigns adds w·sign(x−y) to dst.
func addSigns(dst []float64, w float64, x, y []float64) {
	for k, v := range x {
		switch {
		case v > y[k]:
			dst[k] += w
		case v < y[k]:
			dst[k] -= w
		}
	}
}

// innerProduct is the "cost" ⟨x, y⟩.
type innerProduct struct{}

func (innerProduct) Matrix(ws *Workspace, dst []float64, x, y Sample) {
	ws = ws.Enter()
	defer ws.Leave()
	gemm(ws, false, true, x.N, y.N, x.Dim, 1, tight(ws, x), tight(ws, y), 0, dst)
}

func (innerProduct) VJP(ws *Workspace, gx, gy, g, _ []float64, x, y Sample) {
	ws = ws.Enter()
	defer ws.Leave()
	if gx != nil {
		gemm(ws, false, false, x.N, x.Dim, y.N, 1, g, tight(ws, y), 1, gx)
	}
	if gy != nil {
		gemm(ws, true, false, y.N, x.Dim, x.N, 1, g, tight(ws, x), 1, gy)
	}
}

// tight returns the rows of x without gaps, in x or in memory of ws.
func tight(ws *Workspace, x Sample) []float64 {
	if x.stride() == x.Dim {
		return x.X[:x.N*x.Dim]
	}
	out := ws.Floats(x.N * x.Dim)
	for i := range x.N {
		copy(out[i*x.Dim:], x.Row(i))
	}
	return out
}

// cost returns the number of two points that f names, as a Cost.
func (f Form) cost() Cost {
	switch f {
	case Inner:
		return innerProduct{}
	case L1Dist:
		return CityBlock{}
	}
	return SqEuclidean{}
}

// of returns that number for one pair of points.
func (f Form) of(x, y []float64) float64 {
	switch f {
	case Inner:
		var s float64
		for i, v := range x {
			s += v * y[i]
		}
		return s
	case L1Dist:
		return absDiff(x, y)
	}
	return sqDiff(x, y)
}

// pull adds w times its gradient in x to gx and in y to gy.
func (f Form) pull(gx, gy []float64, w float64, x, y []float64) {
	switch f {
	case Inner:
		for k, v := range x {
			gx[k] += w * y[k]
			gy[k] += w * v
		}
	case L1Dist:
		addSigns(gx, w, x, y)
		addSigns(gy, w, y, x)
	default:
		for k, v := range x {
			d := 2 * w * (v - y[k])
			gx[k] += d
			gy[k] -= d
		}
	}
}
