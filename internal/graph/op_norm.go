package graph

import (
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// Standardize subtracts from every row (the last axis) its mean and divides by
// √(variance + Epsilon), with the biased variance: the core of layer, instance
// and group normalization.
type Standardize struct {
	elementwise
	Epsilon float64
}

// Infer implements Op.
func (op Standardize) Infer(in []Arg) ([]int, error) {
	if !(op.Epsilon > 0) {
		return nil, fmt.Errorf("epsilon %v", op.Epsilon)
	}
	out, err := op.elementwise.Infer(in)
	if err == nil && len(out) == 0 {
		return nil, fmt.Errorf("samples have no axis")
	}
	return out, err
}

// Reads implements Op.
func (Standardize) Reads([]bool, bool) ([]bool, bool) { return []bool{true}, false }

func (op Standardize) stats(x []float32) (mean, inv float64) {
	n := float64(len(x))
	mean = kernel.Sum32(x) / n
	dev := 0.0
	for _, v := range x {
		dev += (float64(v) - mean) * (float64(v) - mean)
	}
	return mean, 1 / math.Sqrt(dev/n+op.Epsilon)
}

// Forward implements Op.
func (op Standardize) Forward(c *Call) {
	n := c.OutShape[len(c.OutShape)-1]
	for lo := 0; lo < len(c.Out); lo += n {
		mean, inv := op.stats(c.In[0][lo : lo+n])
		kernel.Normalize(c.Out[lo:lo+n], c.In[0][lo:lo+n], float32(mean), float32(inv), 0)
	}
}

// VJP implements Op: dx = inv·(dy − mean(dy) − x̂·mean(dy·x̂)).
func (op Standardize) VJP(c *Call) {
	n := c.OutShape[len(c.OutShape)-1]
	for lo := 0; lo < len(c.DOut); lo += n {
		x, dy := c.In[0][lo:lo+n], c.DOut[lo:lo+n]
		mean, inv := op.stats(x)
		s, d := kernel.Sum32(dy), 0.0
		for i, v := range x {
			d += float64(dy[i]) * (float64(v) - mean)
		}
		normVJP(c.Fresh[0], c.DIn[0][lo:lo+n], dy, x, float32(mean), float32(inv),
			float32(-inv*inv*inv*d/float64(n)), float32(-inv*s/float64(n)))
	}
}

// LogSoftmax is the logarithm of softmax along the last axis.
type LogSoftmax struct{ fromOutput }

// Forward implements Op.
func (LogSoftmax) Forward(c *Call) {
	n := lastAxis(c.OutShape)
	for lo := 0; lo < len(c.Out); lo += n {
		x := c.In[0][lo : lo+n]
		top := math.Inf(-1)
		for _, v := range x {
			top = max(top, float64(v))
		}
		total := 0.0
		for _, v := range x {
			total += math.Exp(float64(v) - top)
		}
		lse := top + math.Log(total)
		for i, v := range x {
			c.Out[lo+i] = float32(float64(v) - lse)
		}
	}
}

// VJP implements Op: dx = dy − exp(y)·Σ dy.
func (LogSoftmax) VJP(c *Call) {
	n := lastAxis(c.OutShape)
	for lo := 0; lo < len(c.Out); lo += n {
		dy := c.DOut[lo : lo+n]
		total := kernel.Sum32(dy)
		for i := range dy {
			d := float32(float64(dy[i]) - math.Exp(float64(c.Out[lo+i]))*total)
			if !c.Fresh[0] {
				d += c.DIn[0][lo+i]
			}
			c.DIn[0][lo+i] = d
		}
	}
}

func lastAxis(shape []int) int {
	if len(shape) == 0 {
		return 1
	}
	return shape[len(shape)-1]
}
