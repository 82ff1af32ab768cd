package baseline

import (
	"context"
	"math"

	"github.com/dlfd-go/unlearn/internal/kernel"
	"github.com/dlfd-go/unlearn/internal/par"
)

const (
	fitGrain  = 256  // rows of a chunk, whose features stay in the cache
	fitChunks = 64   // at most, each with a gradient of its own
	cgMost    = 2000 // iterations for one system
)

// softmaxFit is the fit of a softmax layer without hidden ones, in float64:
//
//	L(W) = 1/n Σ −log softmax(W·xᵢ)[yᵢ] + l2/2 ‖W‖²
//
// L is strongly convex with modulus l2, so that its optimum W* is unique, and
// ‖W − W*‖ ≤ ‖∇L(W)‖ / l2 at any W.
type softmaxFit struct {
	x             []float64 // n×d
	labels        []int
	n, d, classes int
	l2            float64
	grain         int
	p             []float64   // n×classes probabilities, of the last call of gradient
	z             []float64   // n×classes
	part          [][]float64 // a sum over each chunk, classes×d
	loss          []float64   // of each chunk
	scratch       [][]float64 // of each worker
}

func newSoftmaxFit(x []float64, labels []int, classes int, l2 float64) *softmaxFit {
	n := len(labels)
	f := &softmaxFit{x: x, labels: labels, n: n, d: len(x) / n, classes: classes, l2: l2}
	f.grain = max(fitGrain, (n+fitChunks-1)/fitChunks)
	f.p, f.z = make([]float64, n*classes), make([]float64, n*classes)
	chunks := par.Chunks(n, f.grain)
	f.part, f.loss = make([][]float64, chunks), make([]float64, chunks)
	for i := range f.part {
		f.part[i] = make([]float64, classes*f.d)
	}
	f.scratch = make([][]float64, par.Workers(chunks))
	for i := range f.scratch {
		f.scratch[i] = make([]float64, max(kernel.DgemmScratch(f.grain, classes, f.d), kernel.DgemmScratch(classes, f.d, f.grain)))
	}
	return f
}

// gradient returns L(w) and writes ∇L(w).
func (f *softmaxFit) gradient(w, grad []float64) float64 {
	f.pass(w, grad, func(i int) float64 {
		z, p := f.z[i*f.classes:(i+1)*f.classes], f.p[i*f.classes:(i+1)*f.classes]
		lse := kernel.LogSumExp(z)
		loss := lse - z[f.labels[i]]
		for c, v := range z {
			p[c] = math.Exp(v - lse)
			z[c] = p[c] / float64(f.n)
		}
		z[f.labels[i]] -= 1 / float64(f.n)
		return loss
	})
	sum := 0.
	for _, l := range f.loss {
		sum += l
	}
	return sum/float64(f.n) + f.l2/2*kernel.Dot(w, w)
}

// hessian writes ∇²L·v at the point of the last call of gradient.
func (f *softmaxFit) hessian(v, out []float64) {
	f.pass(v, out, func(i int) float64 {
		u, p := f.z[i*f.classes:(i+1)*f.classes], f.p[i*f.classes:(i+1)*f.classes]
		mean := kernel.Dot(p, u)
		for c := range u {
			u[c] = p[c] * (u[c] - mean) / float64(f.n)
		}
		return 0
	})
}

// pass writes Σ rᵢ·xᵢᵀ + l2·w, where row turns row i of z, which is W·xᵢ, into
// rᵢ.
func (f *softmaxFit) pass(w, out []float64, row func(i int) float64) {
	k, d := f.classes, f.d
	par.Each(len(f.part), func(worker, chunk int) {
		lo := chunk * f.grain
		hi := min(lo+f.grain, f.n)
		x, z := f.x[lo*d:hi*d], f.z[lo*k:hi*k]
		kernel.Dgemm(false, true, hi-lo, k, d, 1, x, d, w, d, 0, z, k, f.scratch[worker])
		f.loss[chunk] = 0
		for i := lo; i < hi; i++ {
			f.loss[chunk] += row(i)
		}
		kernel.Dgemm(true, false, k, d, hi-lo, 1, z, k, x, d, 0, f.part[chunk], d, f.scratch[worker])
	})
	kernel.Scale(out, f.l2, w)
	for _, p := range f.part {
		kernel.Add(out, out, p)
	}
}

// newton returns a solution s of ∇²L·s = −g by conjugate gradients, to a residual of
// at most tol·‖g‖, or what cgMost iterations reach: callers look at the gradient after
// the step.
func (f *softmaxFit) newton(ctx context.Context, g []float64, tol float64) ([]float64, error) {
	s, r, p, hp := make([]float64, len(g)), make([]float64, len(g)), make([]float64, len(g)), make([]float64, len(g))
	kernel.Scale(r, -1, g)
	copy(p, r)
	rr := kernel.Dot(r, r)
	stop := float64(tol*tol) * rr
	for n := 0; n < cgMost && rr > stop; n++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		f.hessian(p, hp)
		a := rr / kernel.Dot(p, hp)
		kernel.Axpy(a, p, s)
		kernel.Axpy(-a, hp, r)
		old := rr
		rr = kernel.Dot(r, r)
		for i := range p {
			p[i] = r[i] + float64(rr/old*p[i])
		}
	}
	return s, nil
}

func norm2(v []float64) float64 { return math.Sqrt(kernel.Dot(v, v)) }
