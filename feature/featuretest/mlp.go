package featuretest

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// MLP is the reference model of tests: x → tanh(W₁x + b₁) → W₂h + b₂ in plain
// loops, with gradients written out by hand. Its taps are "hidden", before the
// last linear layer, and "logits". It shares no code with feature/nn, so that a
// method tested on both is tested against two engines. It counts its work and
// fails on demand. It is not safe for concurrent use.
type MLP struct {
	In, Hidden, Out int
	P               [4][]float32 // W₁ (hidden×in), b₁, W₂ (out×hidden), b₂
	Shape           []int        // of an input, with In numbers; nil: one axis
	Heads           feature.Heads

	// FailAfter, where positive, makes the Grad call of that number (the first is
	// 1) and all later ones return ErrBroken. NaNAfter makes them give gradients
	// with NaN.
	FailAfter, NaNAfter int

	Calls        int   // of Grad
	Ran, RanBack int64 // samples run forward, and backward
}

// ErrBroken is what a failing MLP returns.
var ErrBroken = errors.New("featuretest: the model is broken on purpose")

// NewMLP returns a network with normal weights of variance 1/(inputs of the
// layer) and with biases of standard deviation 1/√(outputs). Equal arguments
// give equal bits.
func NewMLP(in, hidden, out int, seed uint64) *MLP {
	m := &MLP{In: in, Hidden: hidden, Out: out}
	r := rng.Stream(seed, "testkit weights") // the name fixes the bits
	for i, p := range m.Spec().Params {
		m.P[i] = make([]float32, feature.Size(p.Shape))
		for j := range m.P[i] {
			m.P[i][j] = float32(r.NormFloat64() / math.Sqrt(float64(p.Shape[len(p.Shape)-1])))
		}
	}
	return m
}

// Spec implements feature.Model.
func (m *MLP) Spec() feature.Spec {
	return feature.Spec{
		Input: m.inputShape(), Logits: "logits", Heads: m.Heads, Features: "hidden",
		Taps: []feature.Tap{{Name: "hidden", Shape: []int{m.Hidden}}, {Name: "logits", Shape: []int{m.Out}}},
		Params: []feature.Param{
			{Name: "w1", Shape: []int{m.Hidden, m.In}, Trainable: true},
			{Name: "b1", Shape: []int{m.Hidden}, Kind: feature.Bias, Trainable: true},
			{Name: "w2", Shape: []int{m.Out, m.Hidden}, Trainable: true},
			{Name: "b2", Shape: []int{m.Out}, Kind: feature.Bias, Trainable: true},
		},
	}
}

func (m *MLP) inputShape() []int {
	if m.Shape != nil {
		return m.Shape
	}
	return []int{m.In}
}

// Forward implements feature.Model.
func (m *MLP) Forward(ctx context.Context, x feature.Tensor, taps []string, out []feature.Tensor) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := feature.CheckForward(m.Spec(), x, taps, out); err != nil {
		return err
	}
	m.Ran += int64(x.Rows())
	h, z := m.run(x)
	for i, name := range taps {
		copy(out[i].Data, pick(name, h, z).Data)
	}
	return nil
}

// pick returns the tensor that belongs to the tap.
func pick(tap string, hidden, logits feature.Tensor) feature.Tensor {
	if tap == "hidden" {
		return hidden
	}
	return logits
}

func (m *MLP) run(x feature.Tensor) (h, z feature.Tensor) {
	h, z = feature.NewTensor(x.Rows(), m.Hidden), feature.NewTensor(x.Rows(), m.Out)
	for i := range x.Rows() {
		affine(h.Row(i), m.P[0], m.P[1], x.Row(i))
		for j, v := range h.Row(i) {
			h.Row(i)[j] = float32(math.Tanh(float64(v)))
		}
		affine(z.Row(i), m.P[2], m.P[3], h.Row(i))
	}
	return h, z
}

// affine computes dst = w·x + b with float64 sums.
func affine(dst, w, b, x []float32) {
	for o := range dst {
		sum := float64(b[o])
		for k, v := range x {
			sum += float64(w[o*len(x)+k]) * float64(v)
		}
		dst[o] = float32(sum)
	}
}

// Grad implements feature.Differentiable.
func (m *MLP) Grad(ctx context.Context, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
	m.Calls++
	if m.FailAfter > 0 && m.Calls >= m.FailAfter {
		return ErrBroken
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := feature.CheckGrad(m.Spec(), feature.Mode{}, x, taps, dx, dp); err != nil {
		return err
	}
	m.Ran += int64(x.Rows())
	if dx != nil || dp != nil {
		m.RanBack += int64(x.Rows())
	}
	h, z := m.run(x)
	dh, dz := feature.NewTensor(h.Shape...), feature.NewTensor(z.Shape...)
	var val, cot []feature.Tensor
	for _, name := range taps {
		val, cot = append(val, pick(name, h, z)), append(cot, pick(name, dh, dz))
	}
	if err := loss(val, cot); err != nil {
		return err
	}
	if m.NaNAfter > 0 && m.Calls >= m.NaNAfter {
		dz.Data[0] = float32(math.NaN())
	}
	m.backward(x, h, dh, dz, dx, dp)
	return nil
}

// backward adds the gradients, given the derivatives dh and dz in the taps. It
// overwrites dh with the derivatives before the tanh.
func (m *MLP) backward(x, h, dh, dz feature.Tensor, dx []float32, dp [][]float32) {
	if dp == nil {
		dp = make([][]float32, len(m.P))
	}
	for i := range x.Rows() {
		affineVJP(dz.Row(i), m.P[2], h.Row(i), dh.Row(i), dp[2], dp[3])
		for j, v := range h.Row(i) {
			dh.Row(i)[j] *= 1 - v*v
		}
		var row []float32
		if dx != nil {
			row = dx[i*m.In : (i+1)*m.In]
		}
		affineVJP(dh.Row(i), m.P[0], x.Row(i), row, dp[0], dp[1])
	}
}

// affineVJP adds the gradients of dst = w·x + b, where dy is the derivative in
// dst, into those of dx, dw and db that are not nil.
func affineVJP(dy, w, x, dx, dw, db []float32) {
	for o, g := range dy {
		for k, v := range x {
			if dx != nil {
				dx[k] += g * w[o*len(x)+k]
			}
			if dw != nil {
				dw[o*len(x)+k] += g * v
			}
		}
		if db != nil {
			db[o] += g
		}
	}
}

// GetParam implements feature.Trainable.
func (m *MLP) GetParam(i int, dst []float32) error { return m.copyParam(i, dst, false) }

// SetParam implements feature.Trainable.
func (m *MLP) SetParam(i int, src []float32) error { return m.copyParam(i, src, true) }

func (m *MLP) copyParam(i int, v []float32, set bool) error {
	if err := feature.CheckParam(m.Spec(), i, len(v)); err != nil {
		return err
	}
	if set {
		copy(m.P[i], v)
	} else {
		copy(v, m.P[i])
	}
	return nil
}

// Clone implements feature.Cloner. The copy has counted nothing and does not fail.
func (m *MLP) Clone() (feature.Trainable, error) {
	c := &MLP{In: m.In, Hidden: m.Hidden, Out: m.Out, Shape: m.Shape, Heads: m.Heads}
	for i := range m.P {
		c.P[i] = slices.Clone(m.P[i])
	}
	return c, nil
}
