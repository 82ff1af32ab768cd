// Package testkit has a model and data small enough to reason about, for the
// tests of this module.
package testkit

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// MLP is a network x → tanh(W₁x + b₁) → W₂h + b₂ with gradients written out by
// hand in float64 loops. Its taps are "hidden" and "logits". It shares no code
// with feature/nn, so that a method tested on both is tested against two
// engines.
type MLP struct {
	In, Hidden, Out int
	P               [4][]float32 // W₁ (hidden×in), b₁, W₂ (out×hidden), b₂

	// FailAfter, where positive, makes Grad fail on that call and all later ones.
	FailAfter int
	Calls     int
}

// ErrBroken is what a failing MLP returns.
var ErrBroken = fmt.Errorf("testkit: the model is broken on purpose")

// NewMLP returns a network with seeded random weights.
func NewMLP(in, hidden, out int, seed uint64) *MLP {
	m := &MLP{In: in, Hidden: hidden, Out: out}
	r := rng.Stream(seed, "testkit weights")
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
		Input: []int{m.In}, Logits: "logits", Features: "hidden",
		Taps: []feature.Tap{{Name: "hidden", Shape: []int{m.Hidden}}, {Name: "logits", Shape: []int{m.Out}}},
		Params: []feature.Param{
			{Name: "w1", Shape: []int{m.Hidden, m.In}, Trainable: true}, {Name: "b1", Shape: []int{m.Hidden}, Trainable: true},
			{Name: "w2", Shape: []int{m.Out, m.Hidden}, Trainable: true}, {Name: "b2", Shape: []int{m.Out}, Trainable: true},
		},
	}
}

// Forward implements feature.Model.
func (m *MLP) Forward(ctx context.Context, x feature.Tensor, taps []string, out []feature.Tensor) error {
	if err := m.check(ctx, x); err != nil {
		return err
	}
	if len(out) != len(taps) {
		return fmt.Errorf("testkit: %w: %d outputs for %d taps", feature.ErrShape, len(out), len(taps))
	}
	h, z := m.run(x)
	for i, name := range taps {
		src, err := pick(name, h, z)
		if err != nil {
			return err
		}
		if len(out[i].Data) != len(src.Data) {
			return fmt.Errorf("testkit: %w: output %d", feature.ErrShape, i)
		}
		copy(out[i].Data, src.Data)
	}
	return nil
}

func (m *MLP) check(ctx context.Context, x feature.Tensor) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := x.Check([]int{m.In}); err != nil {
		return err
	}
	return x.CheckFinite()
}

func pick(name string, h, z feature.Tensor) (feature.Tensor, error) {
	switch name {
	case "hidden":
		return h, nil
	case "logits":
		return z, nil
	}
	return feature.Tensor{}, fmt.Errorf("testkit: %w: %q", feature.ErrNoTap, name)
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
	if err := m.check(ctx, x); err != nil {
		return err
	}
	if err := m.checkGrads(x, dx, dp); err != nil {
		return err
	}
	h, z := m.run(x)
	dh, dz := feature.NewTensor(h.Shape...), feature.NewTensor(z.Shape...)
	var val, cot []feature.Tensor
	for _, name := range taps {
		v, err := pick(name, h, z)
		if err != nil {
			return err
		}
		d, _ := pick(name, dh, dz)
		val, cot = append(val, v), append(cot, d)
	}
	if err := loss(val, cot); err != nil {
		return err
	}
	if dp == nil {
		dp = make([][]float32, 4)
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
	return nil
}

func (m *MLP) checkGrads(x feature.Tensor, dx []float32, dp [][]float32) error {
	if dx != nil && len(dx) != len(x.Data) || dp != nil && len(dp) != len(m.P) {
		return fmt.Errorf("testkit: %w: %d input and %d parameter gradients", feature.ErrShape, len(dx), len(dp))
	}
	for i, g := range dp {
		if g != nil && len(g) != len(m.P[i]) {
			return fmt.Errorf("testkit: %w: gradient %d has %d numbers", feature.ErrShape, i, len(g))
		}
	}
	return nil
}

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
	if i < 0 || i >= len(m.P) {
		return fmt.Errorf("testkit: %w: %d of %d", feature.ErrParam, i, len(m.P))
	}
	if len(v) != len(m.P[i]) {
		return fmt.Errorf("testkit: %w: parameter %d has %d numbers, got %d", feature.ErrShape, i, len(m.P[i]), len(v))
	}
	if set {
		copy(m.P[i], v)
	} else {
		copy(v, m.P[i])
	}
	return nil
}

// Clone implements feature.Cloner.
func (m *MLP) Clone() (feature.Trainable, error) {
	c := &MLP{In: m.In, Hidden: m.Hidden, Out: m.Out}
	for i := range m.P {
		c.P[i] = slices.Clone(m.P[i])
	}
	return c, nil
}

// Blobs is a dataset of Gaussian clouds, one a class, that any small network
// can learn.
type Blobs struct {
	X        feature.Tensor
	Labels   []int
	Persons  []string
	NClasses int
	Scale    feature.Pixels
}

// NewBlobs returns n samples of dim coordinates around classes seeded centres,
// labelled in turn. Spread is the standard deviation of a cloud; the centres
// are those of centreSeed.
func NewBlobs(n, dim, classes int, spread float64, centreSeed, seed uint64) *Blobs {
	centre := rng.Stream(centreSeed, "testkit centres")
	c := make([]float64, classes*dim)
	for i := range c {
		c[i] = centre.NormFloat64()
	}
	r := rng.Stream(seed, "testkit samples")
	b := &Blobs{X: feature.NewTensor(n, dim), NClasses: classes}
	for i := range n {
		label := i % classes
		b.Labels = append(b.Labels, label)
		b.Persons = append(b.Persons, fmt.Sprintf("%d-%d", seed, i))
		for k, row := 0, b.X.Row(i); k < dim; k++ {
			row[k] = float32(c[label*dim+k] + spread*r.NormFloat64())
		}
	}
	return b
}

// Len implements feature.Dataset.
func (b *Blobs) Len() int { return len(b.Labels) }

// Shape implements feature.Dataset.
func (b *Blobs) Shape() []int { return b.X.Shape[1:] }

// Classes implements feature.Dataset.
func (b *Blobs) Classes() int { return b.NClasses }

// Identity implements feature.Identified.
func (b *Blobs) Identity(i int) string { return b.Persons[i] }

// Pixels implements feature.Normalized.
func (b *Blobs) Pixels() feature.Pixels { return b.Scale }

// Read implements feature.Dataset.
func (b *Blobs) Read(index []int, x []float32, labels []int) error {
	if err := feature.CheckRead(b, index, x, labels); err != nil {
		return err
	}
	n := b.X.RowLen()
	for i, k := range index {
		copy(x[i*n:(i+1)*n], b.X.Row(k))
		labels[i] = b.Labels[k]
	}
	return nil
}
