package distance

import "math"

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
