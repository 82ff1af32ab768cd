package distance

import (
	"fmt"

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
	k, dk, err := gram(ws, h.X, x)
	if err != nil {
		return 0, err
	}
	l, dl, err := gram(ws, h.Y, y)
	if err != nil {
		return 0, err
	}
	centreGram(ws, k, n)
	centreGram(ws, l, n)
	scale := 1 / float64((n-1)*(n-1))
	value := scale * kernel.Dot(k, l)
	if value-value != 0 {
		return 0, fmt.Errorf("%w: a sum of kernel values is %v", ErrNotFinite, value)
	}
	// tr(KHLH) has the derivative HLH in K, and a pair counts twice.
	pullGram(ws, gx, 2*scale, h.X, l, dk, x)
	pullGram(ws, gy, 2*scale, h.Y, k, dl, y)
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

// gram returns the kernel matrix of x and its derivatives by the number that
// the kernel is a function of.
func gram(ws *Workspace, kern Kernel, x Sample) (k, dk []float64, err error) {
	n := x.N
	// Half of the points on either side is the median over all pairs.
	bandwidth, err := resolve(ws, kern, x.slice(0, n/2), x.slice(n/2, n))
	if err != nil {
		return nil, nil, err
	}
	s, k, dk := ws.Floats(n*n), ws.Floats(n*n), ws.Floats(n*n)
	kern.Form().cost().Matrix(ws, s, x, x)
	kern.Map(k, dk, s, bandwidth)
	return k, dk, nil
}

// centreGram replaces k by HkH.
func centreGram(ws *Workspace, k []float64, n int) {
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

// pullGram overwrites g, unless it is nil, with the gradient of s Σ w∘k.
func pullGram(ws *Workspace, g []float64, s float64, kern Kernel, w, dk []float64, x Sample) {
	if g == nil {
		return
	}
	clear(g)
	kernel.Mul(dk, w, dk)
	kernel.Scale(dk, s, dk)
	kern.Form().cost().VJP(ws, g, nil, dk, nil, x, x)
}
