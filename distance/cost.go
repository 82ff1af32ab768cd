package distance

import (
	"math"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// Cost is a function c of two points, evaluated for all pairs at once.
// Implementations must not modify or keep the samples, which are checked, and
// ignore their weights.
type Cost interface {
	// Matrix writes c(xᵢ, yⱼ) into dst[i*y.N+j].
	Matrix(ws *Workspace, dst []float64, x, y Sample)
	// VJP adds Σⱼ g[i*y.N+j] ∂c/∂xᵢ to row i of gx and Σᵢ g[i*y.N+j] ∂c/∂yⱼ to
	// row j of gy, where these are not nil; their rows are tight. c holds what
	// Matrix wrote for the same samples.
	VJP(ws *Workspace, gx, gy, g, c []float64, x, y Sample)
}

// SqEuclidean is the cost |x−y|².
type SqEuclidean struct{}

// Euclidean is the cost |x−y|; where the points coincide, its gradient is
// taken as zero, which is a subgradient.
type Euclidean struct{}

// near is the share of |x|²+|y|² under which |x−y|² is computed coordinate by
// coordinate: above it, the product form loses at most 7 of 16 digits.
const near = 1e-7

// centered returns the rows of x and y less a common center, which the Euclidean
// costs do not see, so that a common offset costs no digits. It is their mean,
// or a median where a few far points draw the mean away from the others.
func centered(ws *Workspace, x, y Sample) (xc, yc []float64) {
	d := x.Dim
	mean := ws.Floats(d)
	xc, yc = ws.Floats(x.N*d), ws.Floats(y.N*d)
	// The first row comes off first, since a sum of large offsets rounds.
	base := x.Row(0)
	clear(mean)
	subtract(xc, x, base)
	subtract(yc, y, base)
	addRows(mean, xc)
	addRows(mean, yc)
	scale := -1 / float64(x.N+y.N)
	for _, z := range [2][]float64{xc, yc} {
		for i := 0; i < len(z); i += d {
			kernel.Axpy(scale, mean, z[i:i+d])
		}
	}
	if c := median(ws, x, y, xc, yc); c != nil {
		subtract(xc, x, c)
		subtract(yc, y, c)
	}
	return xc, yc
}

// Medians are taken over medianRows rows at equal spacing. The mean is away
// from the others if half of these are drawn out to drawn times their distance
// from the median: it then costs them two digits or more.
const (
	medianRows = 17
	drawn      = 64
)

// median returns the median of each coordinate if the mean, which has come off
// xc and yc, is away from most points, and nil otherwise.
func median(ws *Workspace, x, y Sample, xc, yc []float64) []float64 {
	d, total := x.Dim, x.N+y.N
	n := min(total, medianRows)
	center, column := ws.Floats(d), ws.Floats(n)
	fromMean, fromMedian := ws.Floats(n), ws.Floats(n)
	clear(fromMedian)
	row := func(k int) (raw, less []float64) {
		i := k * total / n
		if i < x.N {
			return x.Row(i), xc[i*d : i*d+d]
		}
		i -= x.N
		return y.Row(i), yc[i*d : i*d+d]
	}
	for j := range d {
		for k := range column {
			raw, _ := row(k)
			column[k] = raw[j]
		}
		center[j] = quickselect(column, n/2)
	}
	for k := range fromMean {
		raw, less := row(k)
		fromMean[k] = largestAbs(less)
		for j, v := range raw {
			fromMedian[k] = max(fromMedian[k], math.Abs(v-center[j]))
		}
	}
	if quickselect(fromMean, n/2) > drawn*quickselect(fromMedian, n/2) {
		return center
	}
	return nil
}

func subtract(dst []float64, x Sample, base []float64) {
	for i := range x.N {
		row := x.Row(i)
		out := dst[i*x.Dim : (i+1)*x.Dim]
		for j, v := range row {
			out[j] = v - base[j]
		}
	}
}

func addRows(dst, rows []float64) {
	for i := 0; i < len(rows); i += len(dst) {
		kernel.Axpy(1, rows[i:i+len(dst)], dst)
	}
}

// Matrix implements Cost in O(N·M·Dim), by one matrix product.
func (SqEuclidean) Matrix(ws *Workspace, dst []float64, x, y Sample) {
	ws = ws.Enter()
	defer ws.Leave()
	n, m, d := x.N, y.N, x.Dim
	xc, yc := centered(ws, x, y)
	ny := ws.Floats(m)
	for j := range ny {
		ny[j] = kernel.Dot(yc[j*d:j*d+d], yc[j*d:j*d+d])
	}
	gemm(ws, false, true, n, m, d, -2, xc, yc, 0, dst)
	for i := range n {
		xi := xc[i*d : i*d+d]
		nx := kernel.Dot(xi, xi)
		row := dst[i*m : i*m+m]
		for j, s := range row {
			t := nx + ny[j]
			if s += t; s < near*t {
				s = sqDiff(x.Row(i), y.Row(j))
			}
			row[j] = s
		}
	}
}

func sqDiff(x, y []float64) float64 {
	var s float64
	for i, v := range x {
		v -= y[i]
		s += v * v
	}
	return s
}

// VJP implements Cost: ∂x = 2(diag(G1)X − GY), and so for y.
func (SqEuclidean) VJP(ws *Workspace, gx, gy, g, _ []float64, x, y Sample) {
	ws = ws.Enter()
	defer ws.Leave()
	xc, yc := centered(ws, x, y)
	pull(ws, 2, gx, gy, g, xc, yc, x.N, y.N, x.Dim)
}

// pull adds s(diag(G1)X − GY) to gx and s(diag(Gᵀ1)Y − GᵀX) to gy.
func pull(ws *Workspace, s float64, gx, gy, g, x, y []float64, n, m, d int) {
	if gx != nil {
		gemm(ws, false, false, n, d, m, -s, g, y, 1, gx)
		for i := range n {
			kernel.Axpy(s*sum(g[i*m:i*m+m]), x[i*d:i*d+d], gx[i*d:i*d+d])
		}
	}
	if gy != nil {
		gemm(ws, true, false, m, d, n, -s, g, x, 1, gy)
		ws = ws.Enter()
		defer ws.Leave()
		col := ws.Floats(m)
		clear(col)
		addRows(col, g)
		for j := range m {
			kernel.Axpy(s*col[j], y[j*d:j*d+d], gy[j*d:j*d+d])
		}
	}
}

// Matrix implements Cost in O(N·M·Dim), by one matrix product.
func (Euclidean) Matrix(ws *Workspace, dst []float64, x, y Sample) {
	SqEuclidean{}.Matrix(ws, dst, x, y)
	for i, v := range dst[:x.N*y.N] {
		dst[i] = math.Sqrt(v)
	}
}

// VJP implements Cost: that of SqEuclidean with weights G/2C.
func (Euclidean) VJP(ws *Workspace, gx, gy, g, c []float64, x, y Sample) {
	ws = ws.Enter()
	defer ws.Leave()
	w := ws.Floats(x.N * y.N)
	for i := range w {
		w[i] = 0
		if c[i] > 0 {
			w[i] = g[i] / c[i]
		}
	}
	xc, yc := centered(ws, x, y)
	pull(ws, 1, gx, gy, w, xc, yc, x.N, y.N, x.Dim)
}

// gemm is kernel.Dgemm on tight matrices with scratch from ws.
func gemm(ws *Workspace, tA, tB bool, m, n, k int, alpha float64, a, b []float64, beta float64, c []float64) {
	ws = ws.Enter()
	defer ws.Leave()
	lda, ldb := k, n
	if tA {
		lda = m
	}
	if tB {
		ldb = k
	}
	kernel.Dgemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, n, ws.Floats(kernel.DgemmScratch(m, n, k)))
}
