package distance

import (
	"fmt"

	"github.com/dlfd-go/unlearn/internal/finite"
)

// Witness writes into dst the witness function of the samples at the points z,
//
//	f(z) = E k(X, z) − E k(Y, z):
//
// positive where x has more mass than y, negative where y has more, and the
// function of norm ‖f‖ in the space of the kernel whose means over x and y differ
// most. Σ aᵢf(xᵢ) − Σ bⱼf(yⱼ) is the biased MMD², so that aᵢf(xᵢ) is the share of
// row i in it. The estimator plays no part.
//
// dst has z.N elements; weights of z are ignored. It takes O(z.N·(N+M)·Dim).
// Errors are those of Eval. Reference: Gretton et al. 2012, §2.3.
func (d MMD) Witness(ws *Workspace, dst []float64, z, x, y Sample) error {
	if err := z.check("z"); err != nil {
		return err
	}
	if len(dst) != z.N || z.Dim != x.Dim {
		return fmt.Errorf("%w: dst has %d elements, z is %d×%d, x is %d×%d", ErrShape, len(dst), z.N, z.Dim, x.N, x.Dim)
	}
	ws = ws.Enter()
	defer ws.Leave()
	a, b, err := begin(ws, nil, nil, x, y)
	if err != nil {
		return err
	}
	q := pairs{kernel: d.kernel()}
	if q.bandwidth, err = kernelBandwidth(ws, q.kernel, x, y); err != nil {
		return err
	}
	ones := ws.Floats(z.N)
	fill(ones, 1)
	clear(dst)
	q.rect(ws, 1, nil, nil, dst, nil, ones, a, z, x)
	q.rect(ws, -1, nil, nil, dst, nil, ones, b, z, y)
	if i := finite.First(dst); i >= 0 {
		return fmt.Errorf("%w: the witness function at row %d of z is %v", ErrNotFinite, i, dst[i])
	}
	return nil
}
