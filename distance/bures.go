package distance

import (
	"fmt"
	"math"

	lapack "gonum.org/v1/gonum/lapack"
	impl "gonum.org/v1/gonum/lapack/gonum"

	"github.com/dlfd-go/unlearn/internal/finite"
	"github.com/dlfd-go/unlearn/internal/kernel"
)

// Bures is the squared Wasserstein distance W₂² between the normal
// distributions with the means and covariances of the samples (Fréchet
// distance),
//
//	|m₁−m₂|² + tr S₁ + tr S₂ − 2 tr(S₁^½ S₂ S₁^½)^½,
//
// which is at most the EMD with cost |x−y|². The last trace is the nuclear norm
// of ABᵀ, where AᵀA = S₁ and BᵀB = S₂, so that no square root of a covariance
// is taken, and fewer points than dimensions are no special case.
//
// The gradient exists where ABᵀ has the greatest rank that the sizes allow;
// elsewhere it is one choice of several.
//
// References: Gelbrich, On a formula for the L2 Wasserstein metric between
// measures (1990); Heusel et al., GANs trained by a two time-scale update rule
// (2017).
type Bures struct {
	// DDof is 0 for covariances that divide by the sum of the weights, and 1
	// for the unbiased ones (n−1, or 1−Σw² in general). With 1 it is the Fréchet
	// Inception distance, which is not rooted, of any features.
	DDof int

	// Ridge is added to the diagonals of the covariances.
	Ridge float64
}

// Properties implements Propertied.
func (d Bures) Properties() Properties {
	p := Properties{
		Symmetric: true, Nonnegative: true, Definite: true, Root: 2, Translation: true, Rotation: true,
		Homogeneous: d.Ridge == 0, Degree: 2, Weighted: d.DDof == 0, Tol: 1e-6,
	}
	if d.DDof > 0 {
		p.MinN = 2
	}
	return p
}

// moments are mean, covariance factor and what leads back to the points.
type moments struct {
	w      []float64 // weights
	alpha  []float64 // row i of the factor is alpha[i]·(xᵢ − mean)
	factor []float64 // rows × dim; rows beyond len(w) are the ridge
	rows   int
	dim    int
	mean   []float64
}

func newMoments(ws *Workspace, w, rows []float64, dim, ddof int, ridge float64) (moments, error) {
	n := len(w)
	m := moments{w: w, rows: n, dim: dim, alpha: ws.Floats(n), mean: ws.Floats(dim)}
	if ridge > 0 {
		m.rows += dim
	}
	scale := 1.0
	if ddof == 1 {
		if scale = 1 / (1 - sumSquares(w)); !finite.Is(scale) || n < 2 {
			return m, fmt.Errorf("%w: covariances with DDof 1 need two points with weight on either side", ErrShape)
		}
	}
	clear(m.mean)
	for i, v := range w {
		kernel.Axpy(v, rows[i*dim:(i+1)*dim], m.mean)
	}
	m.factor = ws.Floats(m.rows * dim)
	clear(m.factor)
	for i, v := range w {
		m.alpha[i] = math.Sqrt(scale * v)
		row := m.factor[i*dim : (i+1)*dim]
		kernel.Axpy(m.alpha[i], rows[i*dim:(i+1)*dim], row)
		kernel.Axpy(-m.alpha[i], m.mean, row)
	}
	for k := range m.rows - n {
		m.factor[(n+k)*dim+k] = math.Sqrt(ridge)
	}
	return m, nil
}

// pull adds to g, unless it is nil, the gradient in the points, from those in
// the mean and in the factor. It spoils dfactor.
func (m *moments) pull(ws *Workspace, g, dmean, dfactor []float64) {
	if g == nil {
		return
	}
	ws = ws.Enter()
	defer ws.Leave()
	total := ws.Floats(m.dim)
	copy(total, dmean)
	for i, s := range m.alpha {
		row := dfactor[i*m.dim : (i+1)*m.dim]
		kernel.Axpy(-s, row, total)
		kernel.Axpy(s, row, g[i*m.dim:(i+1)*m.dim])
	}
	for i, w := range m.w {
		kernel.Axpy(w, total, g[i*m.dim:(i+1)*m.dim])
	}
}

// Eval implements Distance. With n and m points it takes O(nm·Dim) and a
// singular value decomposition of the order min(n, Dim)×min(m, Dim).
func (d Bures) Eval(ws *Workspace, gx, gy []float64, x, y Sample) (float64, error) {
	ws = ws.Enter()
	defer ws.Leave()
	a, b, err := begin(ws, gx, gy, x, y)
	if err != nil {
		return 0, err
	}
	if d.DDof < 0 || d.DDof > 1 || !(d.Ridge >= 0) || !finite.Is(d.Ridge) {
		return 0, fmt.Errorf("%w: Bures.DDof %d, Ridge %v", ErrParameter, d.DDof, d.Ridge)
	}
	xc, yc := centered(ws, x, y)
	mx, err := newMoments(ws, a, xc, x.Dim, d.DDof, d.Ridge)
	if err != nil {
		return 0, err
	}
	my, err := newMoments(ws, b, yc, x.Dim, d.DDof, d.Ridge)
	if err != nil {
		return 0, err
	}
	dmean := ws.Floats(x.Dim)
	copy(dmean, mx.mean)
	kernel.Axpy(-1, my.mean, dmean)
	value := kernel.Dot(dmean, dmean) + kernel.Dot(mx.factor, mx.factor) + kernel.Dot(my.factor, my.factor)
	if !finite.Is(value) {
		return 0, fmt.Errorf("%w: a sum of squares is %v", ErrNotFinite, value)
	}
	da, db := ws.Floats(len(mx.factor)), ws.Floats(len(my.factor))
	nuclear, ok := nuclearNorm(ws, da, db, mx.factor, my.factor, mx.rows, my.rows, x.Dim)
	if !ok {
		return 0, fmt.Errorf("%w: the singular values were not found", ErrNotConverged)
	}
	towards(da, mx.factor)
	towards(db, my.factor)
	kernel.Scale(dmean, 2, dmean)
	mx.pull(ws, gx, dmean, da)
	kernel.Scale(dmean, -1, dmean)
	my.pull(ws, gy, dmean, db)
	return max(0, value-2*nuclear), nil
}

// towards turns d‖ABᵀ‖ into d(|A|² − 2‖ABᵀ‖).
func towards(da, a []float64) {
	kernel.Scale(da, -2, da)
	kernel.Axpy(2, a, da)
}

// nuclearNorm returns ‖ABᵀ‖_* of the factors A, n×d, and B, m×d, and writes its
// gradients UVᵀB and VUᵀA, where ABᵀ = U diag(s) Vᵀ.
func nuclearNorm(ws *Workspace, da, db, a, b []float64, n, m, d int) (float64, bool) {
	ws = ws.Enter()
	defer ws.Leave()
	// With more rows than columns, A = Q·R and ‖ABᵀ‖ = ‖R Bᵀ‖.
	qa, ra, p := reduce(ws, a, n, d)
	qb, rb, q := reduce(ws, b, m, d)
	k := ws.Floats(p * q)
	gemm(ws, false, true, p, q, d, 1, ra, rb, 0, k)
	r := min(p, q)
	s, u, vt := ws.Floats(r), ws.Floats(p*r), ws.Floats(r*q)
	if !svd(ws, s, u, vt, k, p, q) {
		return 0, false
	}
	kept := 0
	for kept < r && s[kept] > 1e-10*s[0] {
		kept++
	}
	// W = UVᵀ over the singular values that are not zero.
	for i := range p {
		clear(u[i*r+kept : (i+1)*r])
	}
	gemm(ws, false, false, p, q, r, 1, u, vt, 0, k)
	back(ws, da, qa, k, rb, false, n, p, q, d)
	back(ws, db, qb, k, ra, true, m, q, p, d)
	return kernel.Sum(s[:kept]), true
}

// back writes Q·op(W)·R, where Q is n×p, or the identity if it is nil, op(W) is
// p×q and R is q×d.
func back(ws *Workspace, dst, q, w, r []float64, trans bool, n, p, k, d int) {
	if q == nil {
		gemm(ws, trans, false, p, d, k, 1, w, r, 0, dst)
		return
	}
	ws = ws.Enter()
	defer ws.Leave()
	t := ws.Floats(p * d)
	gemm(ws, trans, false, p, d, k, 1, w, r, 0, t)
	gemm(ws, false, false, n, d, p, 1, q, t, 0, dst)
}

// reduce returns the thin QR decomposition of the n×d matrix a if it has more
// rows than columns, and a itself, with a nil q, if not.
func reduce(ws *Workspace, a []float64, n, d int) (q, r []float64, rows int) {
	if n <= d {
		return nil, a, n
	}
	q, r = ws.Floats(n*d), ws.Floats(d*d)
	copy(q, a)
	tau := ws.Floats(d)
	work := ws.Floats(64 * d)
	impl.Implementation{}.Dgeqrf(n, d, q, d, tau, work, len(work))
	for i := range d {
		clear(r[i*d : i*d+i])
		copy(r[i*d+i:(i+1)*d], q[i*d+i:(i+1)*d])
	}
	impl.Implementation{}.Dorgqr(n, d, d, q, d, tau, work, len(work))
	return q, r, d
}

// svd writes the thin decomposition of the p×q matrix k, which it spoils.
func svd(ws *Workspace, s, u, vt, k []float64, p, q int) bool {
	r := min(p, q)
	need := ws.Floats(1)
	l := impl.Implementation{}
	l.Dgesvd(lapack.SVDStore, lapack.SVDStore, p, q, k, q, s, u, r, vt, q, need, -1)
	work := ws.Floats(int(need[0]))
	return l.Dgesvd(lapack.SVDStore, lapack.SVDStore, p, q, k, q, s, u, r, vt, q, work, len(work))
}
