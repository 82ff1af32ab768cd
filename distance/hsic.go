package distance

import (
	"fmt"

	"github.com/dlfd-go/unlearn/internal/finite"
	"github.com/dlfd-go/unlearn/internal/kernel"
)

// Dependence measures how much two paired samples tell about one another: row
// i of x belongs to row i of y. Dimensions may differ. Arguments and errors
// are as in Distance.
type Dependence interface {
	EvalPaired(ws *Workspace, gx, gy []float64, x, y Sample) (float64, error)
}

// HSIC is the Hilbert–Schmidt independence criterion tr(KHLH)/(n−1)², where K
// and L are the kernel matrices of x and y and H = I − 11ᵀ/n. Weights are
// refused. Reference: Gretton et al., Measuring statistical dependence with
// Hilbert–Schmidt norms (2005), definition 2.
type HSIC struct {
	// X and Y are the kernels. If one is nil, Gaussian{} is used; a median is
	// that of its own sample.
	X, Y Kernel
}

// EvalPaired implements Dependence in O(N²·Dim).
func (h HSIC) EvalPaired(ws *Workspace, gx, gy []float64, x, y Sample) (float64, error) {
	ws = ws.Enter()
	defer ws.Leave()
	if err := checkPaired(gx, gy, x, y); err != nil {
		return 0, err
	}
	if h.X == nil {
		h.X = Gaussian{}
	}
	if h.Y == nil {
		h.Y = Gaussian{}
	}
	n := x.N
	k, err := newGram(ws, h.X, x)
	if err != nil {
		return 0, err
	}
	l, err := newGram(ws, h.Y, y)
	if err != nil {
		return 0, err
	}
	centerGram(ws, k.k, n)
	centerGram(ws, l.k, n)
	scale := 1 / (float64(n-1) * float64(n-1))
	value := scale * kernel.Dot(k.k, l.k)
	if !finite.Is(value) {
		return 0, fmt.Errorf("%w: a sum of kernel values is %v", ErrNotFinite, value)
	}
	// tr(KHLH) has the derivative HLH in K, and a pair counts twice.
	k.pull(ws, gx, 2*scale, l.k)
	l.pull(ws, gy, 2*scale, k.k)
	return value, nil
}

func checkPaired(gx, gy []float64, x, y Sample) error {
	if err := Check(gx, nil, x, x); err != nil {
		return err
	}
	if err := Check(nil, gy, y, y); err != nil {
		return err
	}
	if x.N != y.N || x.N < 2 {
		return fmt.Errorf("%w: x is %d×%d, y is %d×%d, want as many rows, and two at least", ErrShape, x.N, x.Dim, y.N, y.Dim)
	}
	if x.W != nil || y.W != nil {
		return fmt.Errorf("%w: HSIC is uniform", ErrWeights)
	}
	return nil
}

// gram is the kernel matrix of x: s are the values of the kernel's argument, k
// those of the kernel and dk its derivatives.
type gram struct {
	kernel   Kernel
	x        Sample
	s, k, dk []float64
}

func newGram(ws *Workspace, kern Kernel, x Sample) (g gram, err error) {
	n := x.N
	g = gram{kernel: kern, x: x}
	// Half of the points on either side is the median over all pairs.
	bandwidth, err := kernelBandwidth(ws, kern, x.slice(0, n/2), x.slice(n/2, n))
	if err != nil {
		return g, err
	}
	g.s, g.k, g.dk = ws.Floats(n*n), ws.Floats(n*n), ws.Floats(n*n)
	kern.Argument().Matrix(ws, g.s, x, x)
	kern.Map(g.k, g.dk, g.s, bandwidth)
	return g, nil
}

// centerGram replaces k by HkH.
func centerGram(ws *Workspace, k []float64, n int) {
	ws = ws.Enter()
	defer ws.Leave()
	mean := ws.Floats(n)
	for i := range n {
		mean[i] = kernel.Sum(k[i*n:i*n+n]) / float64(n)
	}
	all := kernel.Sum(mean) / float64(n)
	for i := range n {
		for j := range n {
			k[i*n+j] += all - mean[i] - mean[j]
		}
	}
}

// pull overwrites dst, unless it is nil, with the gradient of s Σ w∘k. It spoils
// g.dk.
func (g *gram) pull(ws *Workspace, dst []float64, s float64, w []float64) {
	if dst == nil {
		return
	}
	clear(dst)
	kernel.Mul(g.dk, w, g.dk)
	kernel.Scale(g.dk, s, g.dk)
	g.kernel.Argument().VJP(ws, dst, nil, g.dk, g.s, g.x, g.x)
}
