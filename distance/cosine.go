package distance

import (
	"math"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// Cosine is the cost 1 − cos∠(x, y), in [0, 2]: half the squared Euclidean
// distance of the directions. A zero vector has no direction: its cost is 1
// against everything, its gradient 0, and Stats.ZeroVectors counts it. So does
// a row whose length is under 1e-300.
type Cosine struct{}

// tiny is the length under which a row counts as zero: 1/length would overflow.
const tiny = 1e-300

// directions returns the rows of x divided by their lengths (zero rows stay
// zero) and the reciprocal lengths (0 for zero rows), and counts zero rows.
func directions(ws *Workspace, x Sample) (unit, inv []float64, zeros int) {
	unit, inv = ws.Floats(x.N*x.Dim), ws.Floats(x.N)
	for i := range x.N {
		out := unit[i*x.Dim : (i+1)*x.Dim]
		if inv[i] = reciprocalLength(out, x.Row(i)); inv[i] == 0 {
			clear(out)
			zeros++
		}
	}
	return unit, inv, zeros
}

// reciprocalLength writes the direction of row into out and returns 1/|row|,
// or 0 if there is no direction.
func reciprocalLength(out, row []float64) float64 {
	if s := kernel.Dot(row, row); s > 1e-280 && s < 1e280 {
		r := 1 / math.Sqrt(s)
		kernel.Scale(out, r, row)
		return r
	}
	top := largestAbs(row)
	if top < tiny {
		return 0
	}
	// Divided by the largest coordinate first, no square overflows.
	for j, v := range row {
		out[j] = v / top
	}
	r := 1 / math.Sqrt(kernel.Dot(out, out))
	kernel.Scale(out, r, out)
	return r / top
}

// nearCos is the cost under which 1 − cos is computed from the difference of
// the directions: above it, 1 − cos loses at most 6 of 16 digits.
const nearCos = 1e-6

// Matrix implements Cost in O(N·M·Dim), by one matrix product.
func (Cosine) Matrix(ws *Workspace, dst []float64, x, y Sample) {
	ws = ws.Enter()
	defer ws.Leave()
	n, m, d := x.N, y.N, x.Dim
	ux, ix, zeros := directions(ws, x)
	uy, iy := ux, ix
	if !x.same(y) {
		var more int
		uy, iy, more = directions(ws, y)
		zeros += more
	}
	ws.Stats.ZeroVectors += zeros
	gemm(ws, false, true, n, m, d, -1, ux, uy, 0, dst)
	for i := range n {
		row := dst[i*m : i*m+m]
		for j, s := range row {
			if s++; s < nearCos && ix[i] > 0 && iy[j] > 0 {
				s = sqDiff(ux[i*d:i*d+d], uy[j*d:j*d+d]) / 2
			}
			if s > 2 {
				s = 2
			}
			row[j] = s
		}
	}
}

// VJP implements Cost: ∂xᵢ = −(Σⱼ gᵢⱼ(ŷⱼ − cosᵢⱼ x̂ᵢ))/|xᵢ|, which is
// perpendicular to xᵢ.
func (Cosine) VJP(ws *Workspace, gx, gy, g, c []float64, x, y Sample) {
	ws = ws.Enter()
	defer ws.Leave()
	n, m, d := x.N, y.N, x.Dim
	ux, ix, _ := directions(ws, x)
	uy, iy, _ := directions(ws, y)
	if gx != nil {
		t := ws.Floats(n * d)
		gemm(ws, false, false, n, d, m, 1, g, uy, 0, t)
		dots := ws.Floats(n)
		for i := range n {
			dots[i] = dotCos(g[i*m:i*m+m], c[i*m:i*m+m])
		}
		project(gx, t, ux, ix, dots, d)
	}
	if gy != nil {
		t := ws.Floats(m * d)
		gemm(ws, true, false, m, d, n, 1, g, ux, 0, t)
		dots := ws.Floats(m)
		clear(dots)
		for i := range n {
			gi, ci := g[i*m:i*m+m], c[i*m:i*m+m]
			for j, v := range gi {
				dots[j] += v * (1 - ci[j])
			}
		}
		project(gy, t, uy, iy, dots, d)
	}
}

// dotCos returns Σ gⱼ(1−cⱼ).
func dotCos(g, c []float64) float64 {
	var s float64
	for j, v := range g {
		s += v * (1 - c[j])
	}
	return s
}

// project adds −inv·(t − dots·unit) to dst, row by row.
func project(dst, t, unit, inv, dots []float64, d int) {
	for i, r := range inv {
		row := dst[i*d : i*d+d]
		kernel.Axpy(-r, t[i*d:i*d+d], row)
		kernel.Axpy(r*dots[i], unit[i*d:i*d+d], row)
	}
}
