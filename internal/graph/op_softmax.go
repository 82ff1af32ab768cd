package graph

import (
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// Softmax is exp(x) divided by its sum along an axis of a sample: 0 is the
// first one after the batch, negative ones count from the end.
type Softmax struct {
	fromOutput
	Axis int
}

// Infer implements Op.
func (op Softmax) Infer(in []Arg) ([]int, error) {
	if err := arity(in, 1, 1); err != nil {
		return nil, err
	}
	if r := len(in[0].Shape); op.Axis < -r || op.Axis >= r {
		return nil, fmt.Errorf("axis %d of samples of shape %v", op.Axis, in[0].Shape)
	}
	return in[0].Shape, nil
}

// each calls f for every line along the axis: length elements from first, step
// apart.
func (op Softmax) each(c *Call, f func(first, length, step int)) {
	ax := op.Axis
	if ax < 0 {
		ax += len(c.OutShape)
	}
	length, step := c.OutShape[ax], size(c.OutShape[ax+1:])
	for o := range c.N * size(c.OutShape[:ax]) {
		for i := range step {
			if c.Stop.Now() {
				return
			}
			f(o*length*step+i, length, step)
		}
	}
}

// Forward implements Op.
func (op Softmax) Forward(c *Call) {
	op.each(c, func(first, length, step int) {
		if step == 1 {
			kernel.Softmax(c.Out[first:first+length], c.In[0][first:first+length])
			return
		}
		op.across(c.Out[first:], c.In[0][first:], length, step)
	})
}

// across computes a line whose elements are step apart.
func (Softmax) across(y, x []float32, length, step int) {
	top := math.Inf(-1)
	for k := range length {
		top = max(top, float64(x[k*step]))
	}
	total := 0.0
	for k := range length {
		total += math.Exp(float64(x[k*step]) - top)
	}
	for k := range length {
		y[k*step] = float32(math.Exp(float64(x[k*step])-top) / total)
	}
}

// VJP implements Op: dx = y·(dy − Σ y·dy).
func (op Softmax) VJP(c *Call) {
	y, dy, dx := c.Out, c.DOut, c.DIn[0]
	op.each(c, func(first, length, step int) {
		if last := first + length; step == 1 && c.Fresh[0] {
			kernel.SoftmaxGrad(dx[first:last], dy[first:last], y[first:last])
			return
		}
		dot := 0.0
		for k := range length {
			dot += float64(y[first+k*step]) * float64(dy[first+k*step])
		}
		for k := range length {
			i := first + k*step
			d := float32(float64(y[i]) * (float64(dy[i]) - dot))
			if !c.Fresh[0] {
				d += dx[i]
			}
			dx[i] = d
		}
	})
}
