package graph

import (
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// BatchNorm normalizes every channel (axis 0 of a sample) and applies a scale
// and a shift: (x − mean)/√(var + Epsilon)·scale + shift. Inputs: x, and the
// parameters scale, shift, running mean, running variance.
//
// In evaluation it uses the running statistics. In training it uses the mean
// and the biased variance of the batch, and Commit moves the running mean and
// the running variance, the latter by the unbiased estimate, by the share
// Momentum (Ioffe and Szegedy, arXiv 1502.03167, algorithms 1 and 2; the
// meaning of Momentum is PyTorch's, one minus ONNX's).
type BatchNorm struct {
	Epsilon  float64
	Momentum float64
}

// Infer implements Op.
func (op BatchNorm) Infer(in []Arg) ([]int, error) {
	if err := arity(in, 5, 5); err != nil {
		return nil, err
	}
	if len(in[0].Shape) == 0 {
		return nil, fmt.Errorf("samples have no axis")
	}
	if !(op.Epsilon > 0) || !(op.Momentum >= 0 && op.Momentum <= 1) {
		return nil, fmt.Errorf("epsilon %v, momentum %v", op.Epsilon, op.Momentum)
	}
	for i := 1; i < 5; i++ {
		if err := wantParam(in, i, in[0].Shape[0]); err != nil {
			return nil, err
		}
	}
	return in[0].Shape, nil
}

// InPlace implements InPlacer.
func (BatchNorm) InPlace() {}

// Reads implements Op. In training the gradient depends on x through the
// statistics; in evaluation only those of the parameters do.
func (BatchNorm) Reads(want []bool, train bool) ([]bool, bool) {
	return []bool{train || want[1] || want[4], true, false, !train, !train}, false
}

// planes calls f for every channel of every sample with its place in x.
func planes(c *Call, f func(ch, lo, hi int)) {
	channels := c.OutShape[0]
	n := size(c.OutShape) / channels
	for i := range c.N * channels {
		f(i%channels, i*n, (i+1)*n)
	}
}

// norm returns how channel ch is normalized: (x − mean)·scale + shift.
func (op BatchNorm) norm(c *Call, ch int) (mean, scale, shift float64) {
	mean, inv := op.stats(c, ch)
	return mean, float64(c.In[1][ch]) * inv, float64(c.In[2][ch])
}

// stats returns the mean and 1/√(variance + Epsilon) of a channel.
func (op BatchNorm) stats(c *Call, ch int) (mean, inv float64) {
	if c.Train {
		channels := c.OutShape[0]
		return c.State[ch], c.State[channels+ch]
	}
	return float64(c.In[3][ch]), 1 / math.Sqrt(float64(c.In[4][ch])+op.Epsilon)
}

// Prepare implements Preparer: the length of the table.
func (BatchNorm) Prepare(in []Arg) any {
	channels := in[0].Shape[0]
	return kernel.NormTable(channels, size(in[0].Shape)/channels)
}

// PackLen implements Packer.
func (BatchNorm) PackLen(prepared any, _ []bool) int { return prepared.(int) }

// Pack implements Packer: what norm returns in evaluation.
func (op BatchNorm) Pack(c *Call, _ []bool) {
	if !c.Train {
		op.table(c, c.Packed)
	}
}

// Scratch implements Scratcher: what norm returns in training.
func (BatchNorm) Scratch(prepared any, _ []Arg, _ []int, _ int) int { return prepared.(int) }

func (op BatchNorm) table(c *Call, table []float32) {
	n := size(c.OutShape) / c.OutShape[0]
	for ch := range c.OutShape[0] {
		mean, scale, shift := op.norm(c, ch)
		kernel.PutNorm(table, ch, n, float32(mean), float32(scale), float32(shift))
	}
}

// Forward implements Op.
func (op BatchNorm) Forward(c *Call) { op.forward(c, kernel.NoLimits) }

func (op BatchNorm) forward(c *Call, l kernel.Limits) {
	table := c.Packed
	if c.Train {
		table = c.Scratch[:c.Prepared.(int)]
		op.table(c, table)
	}
	sample := size(c.OutShape)
	for i := range c.N {
		lo, hi := i*sample, (i+1)*sample
		kernel.NormalizeRows(c.Out[lo:hi], c.In[0][lo:hi], table, sample/c.OutShape[0], l)
	}
}

// VJP implements Op.
func (op BatchNorm) VJP(c *Call) {
	if c.Train {
		op.trainVJP(c)
		return
	}
	planes(c, func(ch, lo, hi int) {
		mean, inv := op.stats(c, ch)
		op.evalParams(c, ch, lo, hi, mean, inv)
		if c.DIn[0] != nil {
			addScaled(c.Fresh[0], c.DIn[0][lo:hi], c.DOut[lo:hi], float32(float64(c.In[1][ch])*inv))
		}
	})
}

// evalParams adds the gradients of the parameters for one plane.
func (op BatchNorm) evalParams(c *Call, ch, lo, hi int, mean, inv float64) {
	if c.DIn[1] == nil && c.DIn[2] == nil && c.DIn[3] == nil && c.DIn[4] == nil {
		return
	}
	dy := c.DOut[lo:hi]
	s, d := 0.0, 0.0
	if c.DIn[1] == nil && c.DIn[4] == nil {
		s = kernel.Sum32(dy)
	} else {
		s, d = kernel.NormalizeSums(dy, c.In[0][lo:hi])
		d -= mean * s
	}
	scale := float64(c.In[1][ch])
	for i, g := range [4]float64{d * inv, s, -s * scale * inv, -d * scale * inv * inv * inv / 2} {
		if c.DIn[1+i] != nil {
			c.DIn[1+i][ch] += float32(g)
		}
	}
}

// Sizes implements BatchOp. A part is, by channel, Σ x and Σ x², or in
// back-propagation Σ dy and Σ dy(x − mean). The state is, by channel, the mean,
// 1/√(var + Epsilon), the unbiased variance, and two coefficients for VJP.
func (op BatchNorm) Sizes(in []Arg, train bool) (part, state int) {
	if !train {
		return 0, 0
	}
	channels := in[0].Shape[0]
	return 2 * channels, 5 * channels
}

// Reduce implements BatchOp.
func (op BatchNorm) Reduce(c *Call, part []float64) {
	channels := c.OutShape[0]
	planes(c, func(ch, lo, hi int) {
		s, squares := kernel.Moments(c.In[0][lo:hi])
		part[ch] += s
		part[channels+ch] += squares
	})
}

// Combine implements BatchOp. Squares of float32 are exact in float64, so that
// the difference of the moments has a relative error of about
// count·2⁻⁵³·(1 + mean²/variance).
func (op BatchNorm) Combine(c *Call, parts []float64) {
	channels := c.OutShape[0]
	count := float64(c.N * size(c.OutShape) / channels)
	for ch := range channels {
		s, squares := total(parts, channels, ch)
		mean := s / count
		dev := max(squares-mean*s, 0)
		c.State[ch] = mean
		c.State[channels+ch] = 1 / math.Sqrt(dev/count+op.Epsilon)
		c.State[2*channels+ch] = dev / max(count-1, 1)
	}
}

// total adds up the two sums of a channel over all parts, in order.
func total(parts []float64, channels, ch int) (a, b float64) {
	for ; len(parts) > 0; parts = parts[2*channels:] {
		a += parts[ch]
		b += parts[channels+ch]
	}
	return a, b
}

// ReduceVJP implements BatchOp.
func (op BatchNorm) ReduceVJP(c *Call, part []float64) {
	channels := c.OutShape[0]
	planes(c, func(ch, lo, hi int) {
		s, d := kernel.NormalizeSums(c.DOut[lo:hi], c.In[0][lo:hi])
		part[ch] += s
		part[channels+ch] += d - c.State[ch]*s
	})
}

// CombineVJP implements BatchOp.
func (op BatchNorm) CombineVJP(c *Call, parts []float64) {
	channels := c.OutShape[0]
	count := float64(c.N * size(c.OutShape) / channels)
	for ch := range channels {
		s, d := total(parts, channels, ch)
		inv := c.State[channels+ch]
		if c.DIn[1] != nil {
			c.DIn[1][ch] += float32(d * inv)
		}
		if c.DIn[2] != nil {
			c.DIn[2][ch] += float32(s)
		}
		c.State[3*channels+ch] = s / count
		c.State[4*channels+ch] = d * inv * inv / count
	}
}

// trainVJP adds scale·inv·(dy − mean(dy) − x̂·mean(dy·x̂)).
func (op BatchNorm) trainVJP(c *Call) {
	dx := c.DIn[0]
	if dx == nil {
		return
	}
	planes(c, func(ch, lo, hi int) {
		mean, a, b, shift := op.slopes(c, ch)
		normVJP(c.Fresh[0], dx[lo:hi], c.DOut[lo:hi], c.In[0][lo:hi], mean, a, b, shift)
	})
}

// slopes returns the numbers that make a gradient a·dy + b·(x − mean) + shift.
func (op BatchNorm) slopes(c *Call, ch int) (mean, a, b, shift float32) {
	channels := c.OutShape[0]
	scale := float64(c.In[1][ch]) * c.State[channels+ch]
	return float32(c.State[ch]), float32(scale), float32(-scale * c.State[4*channels+ch]), float32(-scale * c.State[3*channels+ch])
}

// Commit implements BatchOp.
func (op BatchNorm) Commit(c *Call, params [][]float32) {
	channels := c.OutShape[0]
	for ch := range channels {
		move(&params[3][ch], c.State[ch], op.Momentum)
		move(&params[4][ch], c.State[2*channels+ch], op.Momentum)
	}
}

func move(v *float32, to, share float64) { *v = float32((1-share)*float64(*v) + share*to) }
