package distance

import (
	"fmt"

	"github.com/dlfd-go/unlearn/internal/finite"
	"github.com/dlfd-go/unlearn/internal/kernel"
)

// Pooler is a Distance that can be evaluated for many divisions of the same
// points faster than one by one. Pool takes checked samples without weights and
// returns the function from a division to the distance between its two sides:
// inX tells for each row of x, then of y, whether it is on the side of x. value
// may be called by several goroutines at the same time, agrees with Eval up to
// rounding, which is relative to scale, and is nil where there is nothing to
// gain, or no memory.
type Pooler interface {
	Distance
	Pool(ws *Workspace, x, y Sample) (value func(inX []bool) (float64, error), scale float64, err error)
}

// poolEntries is the size of a matrix of kernel values at most.
const poolEntries = 1 << 26

// Pool implements Pooler by one matrix of kernel values, of all pairs of the
// points of both samples, up to 8192 of them: 16 bytes a pair, of which 8 are kept. A bandwidth that depends on the
// samples is that for x and y.
func (d MMD) Pool(ws *Workspace, x, y Sample) (func(inX []bool) (float64, error), float64, error) {
	n := x.N + y.N
	if d.LinearTime || n > poolEntries/n {
		return nil, 0, nil
	}
	ws = ws.Enter()
	defer ws.Leave()
	k := d.kernel()
	b, err := kernelBandwidth(ws, k, x, y)
	if err != nil {
		return nil, 0, err
	}
	x, y = d.center(ws, x, y)
	z := Sample{N: n, Dim: x.Dim, X: ws.Floats(n * x.Dim)}
	for i := range n {
		if i < x.N {
			copy(z.Row(i), x.Row(i))
		} else {
			copy(z.Row(i), y.Row(i-x.N))
		}
	}
	g := poolMatrix{n: n, unbiased: d.Unbiased, k: make([]float64, n*n), sums: make([]float64, n)}
	s := ws.Floats(n * n)
	k.Argument().Matrix(ws, s, z, z)
	k.Map(g.k, nil, s, b)
	if g.scale = largestAbs(g.k); !finite.All(g.k) {
		return nil, 0, fmt.Errorf("%w: a kernel value is %v", ErrNotFinite, g.k[finite.First(g.k)])
	}
	for i := range n {
		g.sums[i] = kernel.Sum(g.k[i*n : (i+1)*n])
		g.total += g.sums[i]
		g.trace += g.k[i*n+i]
	}
	return g.mmd, g.scale, nil
}

// poolMatrix holds a symmetric matrix of kernel values and its sums.
type poolMatrix struct {
	n            int
	k, sums      []float64
	total, trace float64
	scale        float64 // of the values, the largest absolute one
	unbiased     bool
}

// mmd returns MMD² of a division from the sum within its smaller side: with s the
// indicator of that side and K the matrix, the other sums are sᵀK1 and 1ᵀK1 less
// what is known.
func (g *poolMatrix) mmd(inX []bool) (float64, error) {
	in := make([]int, 0, g.n)
	count := 0
	for _, side := range inX {
		if side {
			count++
		}
	}
	// Of sides of one size it is that of row 0, so that both orders of the sides
	// give the same bits.
	small := 2*count < g.n || 2*count == g.n && inX[0]
	for i, side := range inX {
		if side == small {
			in = append(in, i)
		}
	}
	var within, diagonal, toAll float64
	for a, i := range in {
		row := g.k[i*g.n : (i+1)*g.n]
		within += gather(row, in[:a])
		diagonal += row[i]
		toAll += g.sums[i]
	}
	n, m := float64(len(in)), float64(g.n-len(in))
	within = 2*within + diagonal
	cross := toAll - within
	other := g.total - toAll - cross
	if g.unbiased {
		return (within-diagonal)/n/(n-1) + (other-(g.trace-diagonal))/m/(m-1) - 2*cross/n/m, g.enough(len(in), 2)
	}
	value := within/n/n + other/m/m - 2*cross/n/m
	if value < 0 && value > -1e-12*g.scale {
		value = 0 // rounding: the terms cancel
	}
	return value, g.enough(len(in), 1)
}

// gather returns the sum of the elements of row at those places, by four sums that
// do not wait for one another.
func gather(row []float64, at []int) float64 {
	var s0, s1, s2, s3 float64
	for ; len(at) >= 4; at = at[4:] {
		s0 += row[at[0]]
		s1 += row[at[1]]
		s2 += row[at[2]]
		s3 += row[at[3]]
	}
	for _, j := range at {
		s0 += row[j]
	}
	return (s0 + s1) + (s2 + s3)
}

// enough returns an error if a side has fewer points than least.
func (g *poolMatrix) enough(small, least int) error {
	if small < least || g.n-small < least {
		return fmt.Errorf("%w: a division has %d and %d points, MMD needs %d", ErrShape, small, g.n-small, least)
	}
	return nil
}
