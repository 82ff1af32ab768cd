package graph

import (
	"fmt"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// binary has what Add and Mul share: two inputs that broadcast by numpy's
// rule, one sample at a time. A parameter may have the same number of axes as a
// sample, fewer, or one more, of length 1, in the place of the batch.
type binary struct{}

func (binary) InPlace() {}

func (binary) Infer(in []Arg) ([]int, error) {
	if len(in) != 2 || in[0].Param && in[1].Param {
		return nil, fmt.Errorf("want two inputs, one with a batch axis at least")
	}
	a, b := sampleShape(in[0], len(in[1].Shape)), sampleShape(in[1], len(in[0].Shape))
	rank := max(len(a), len(b))
	out := make([]int, rank)
	for i := range out {
		p, q := axis(a, rank, i), axis(b, rank, i)
		if p != q && p != 1 && q != 1 {
			return nil, fmt.Errorf("shapes %v and %v do not broadcast", in[0].Shape, in[1].Shape)
		}
		out[i] = max(p, q)
	}
	for i := range in {
		if !in[i].Param && len(in[i].Shape) != rank {
			return nil, fmt.Errorf("shapes %v and %v would broadcast over the batch", in[0].Shape, in[1].Shape)
		}
	}
	return out, nil
}

// Prepare implements Preparer.
func (b binary) Prepare(in []Arg) any {
	out, err := b.Infer(in)
	if err != nil {
		panic(err)
	}
	return newRuns(in, out)
}

// sampleShape drops a parameter's axis of length 1 in the batch's place.
func sampleShape(a Arg, rank int) []int {
	if a.Param && len(a.Shape) == rank+1 && a.Shape[0] == 1 {
		return a.Shape[1:]
	}
	return a.Shape
}

// axis returns the length of axis i of shape, aligned right among rank axes.
func axis(shape []int, rank, i int) int {
	if i -= rank - len(shape); i < 0 {
		return 1
	}
	return shape[i]
}

// plain tells whether nothing is broadcast.
func plain(c *Call) bool {
	n := size(c.OutShape)
	return !c.Param[0] && !c.Param[1] && size(c.Shape[0]) == n && size(c.Shape[1]) == n
}

// maxRank bounds the axes of a sample in a broadcast.
const maxRank = 8

// walk is an odometer over the elements of one sample of the output that
// follows the position in two inputs.
type walk struct {
	rank   int
	dim    [maxRank]int
	stride [2][maxRank]int
	batch  [2]int // step from sample to sample
}

func newWalk(c *Call) walk {
	w := walk{rank: len(c.OutShape)}
	copy(w.dim[:], c.OutShape)
	for k := range 2 {
		shape := c.Shape[k]
		step := 1
		for i := w.rank - 1; i >= 0; i-- {
			d := 1
			if at := len(shape) - (w.rank - i); at >= 0 {
				d = shape[at]
			}
			if d > 1 {
				w.stride[k][i] = step
			}
			step *= d
		}
		if !c.Param[k] {
			w.batch[k] = step
		}
	}
	return w
}

// each calls f with the position in the output and in both inputs.
func (w *walk) each(n int, f func(o, a, b int)) {
	o := 0
	for s := range n {
		var at [maxRank]int
		a, b := s*w.batch[0], s*w.batch[1]
		for {
			f(o, a, b)
			o++
			i := w.rank - 1
			for ; i >= 0; i-- {
				at[i]++
				a += w.stride[0][i]
				b += w.stride[1][i]
				if at[i] < w.dim[i] {
					break
				}
				a -= at[i] * w.stride[0][i]
				b -= at[i] * w.stride[1][i]
				at[i] = 0
			}
			if i < 0 {
				break
			}
		}
	}
}

// Add is a + b.
type Add struct{ binary }

// Reads implements Op.
func (Add) Reads([]bool, bool) ([]bool, bool) { return none(2), false }

var addKernel = pairKernel{both: kernel.Add32, first: func(dst []float32, a float32, b []float32) { kernel.ScaleShift(dst, b, 1, a) },
	second: func(dst, a []float32, b float32) { kernel.ScaleShift(dst, a, 1, b) }}

// Forward implements Op.
func (Add) Forward(c *Call) {
	if plain(c) {
		kernel.Add32(c.Out, c.In[0], c.In[1])
		return
	}
	c.Prepared.(*runs).forward(c, addKernel)
}

// VJP implements Op.
func (Add) VJP(c *Call) {
	for k := 1; k >= 0; k-- { // input 0 may be in the place of DOut
		switch {
		case c.DIn[k] == nil:
		case plain(c):
			accumulate(c.Fresh[k], c.DIn[k], c.DOut)
		default:
			c.Prepared.(*runs).addSum(c, k, 1)
		}
	}
}

// addBroadcast adds f of every position into input k's gradient, in float64
// where runs of one element are many.
func addBroadcast(c *Call, k int, f func(o, a, b int) float32) {
	w := newWalk(c)
	dx := c.DIn[k]
	if c.Fresh[k] && len(dx) == len(c.Out) {
		w.each(c.N, func(o, a, b int) { dx[o] = f(o, a, b) })
		return
	}
	c.Clear(k)
	last, run := -1, 0.0
	flush := func() {
		if last >= 0 {
			dx[last] += float32(run)
		}
	}
	w.each(c.N, func(o, a, b int) {
		at := a
		if k == 1 {
			at = b
		}
		if at != last {
			flush()
			last, run = at, 0
		}
		run += float64(f(o, a, b))
	})
	flush()
}

// Mul is a·b, element by element.
type Mul struct{ binary }

// Reads implements Op.
func (Mul) Reads(want []bool, _ bool) ([]bool, bool) { return []bool{want[1], want[0]}, false }

var mulKernel = pairKernel{both: kernel.Mul32, first: kernel.Scale32, second: func(dst, a []float32, b float32) { kernel.Scale32(dst, b, a) }}

// Forward implements Op.
func (Mul) Forward(c *Call) {
	a, b, y := c.In[0], c.In[1], c.Out
	if plain(c) {
		kernel.Mul32(y, a, b)
		return
	}
	if n := channelwise(c); n > 0 {
		kernel.ScaleRows(y, a, b, n)
		return
	}
	c.Prepared.(*runs).forward(c, mulKernel)
}

// VJP implements Op.
func (Mul) VJP(c *Call) {
	if n := channelwise(c); n > 0 {
		mulChannels(c, n)
		return
	}
	for k := 1; k >= 0; k-- { // input 0 may be in the place of DOut
		switch {
		case c.DIn[k] == nil:
		case plain(c):
			addProduct(c.Fresh[k], c.DIn[k], c.DOut, c.In[1-k])
		default:
			c.Prepared.(*runs).addProducts(c, k)
		}
	}
}

// channelwise returns the elements that share one number of the second input,
// where that has one for each channel of each sample, and 0 otherwise. This is
// what squeeze-and-excitation multiplies by.
func channelwise(c *Call) int {
	a, b := c.Shape[0], c.Shape[1]
	if c.Param[0] || c.Param[1] || len(a) == 0 || size(a) != size(c.OutShape) || size(b) != a[0] || b[0] != a[0] {
		return 0
	}
	return size(a) / a[0]
}

// mulChannels is Mul's VJP where n elements share one number of input 1.
func mulChannels(c *Call, n int) {
	var dots [64]float32
	for lo := 0; lo < len(c.In[1]) && c.DIn[1] != nil; lo += len(dots) { // first: input 0 may be in the place of DOut
		db := c.DIn[1][lo:min(lo+len(dots), len(c.In[1]))]
		sums := dots[:len(db)]
		kernel.DotRows(sums, c.DOut[lo*n:], c.In[0][lo*n:], n)
		accumulate(c.Fresh[1], db, sums)
	}
	switch {
	case c.DIn[0] == nil:
	case c.Fresh[0]:
		kernel.ScaleRows(c.DIn[0], c.DOut, c.In[1], n)
	default:
		for i, s := range c.In[1] {
			kernel.Axpy32(s, plane(c.DOut, i, n), plane(c.DIn[0], i, n))
		}
	}
}
