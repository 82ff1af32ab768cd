package nn

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/graph"
)

// Network is a trainable network. Forward, Grad and GradMode may run on several
// goroutines at once while no parameter is written and no Mode tracks.
//
// Work memory is kept for reuse: after the first call with given taps, mode,
// batch size and wanted gradients, a call allocates next to nothing.
type Network struct {
	arch    architecture
	spec    feature.Spec
	g       *graph.Graph
	cache   *graph.Cache
	taps    []graph.Value // by position in spec.Taps
	norms   []string      // batch norms that cannot train on one sample
	weights [][]float32
	owner   *graph.Owner
	version uint64    // of the weights, from 1 on
	calls   sync.Pool // of *call
}

// architecture is what a file keeps beside the weights.
type architecture struct {
	Input  []int   `json:"input"`
	Layers []layer `json:"layers"`
	Taps   []tap   `json:"taps"`
	Logits Value   `json:"logits"`
}

// call holds the slices that one call hands down.
type call struct {
	taps []graph.Value
	want []bool
	out  [][]float32
}

// views are the tensors over a run's memory that a loss sees.
type views struct{ val, cot []feature.Tensor }

var (
	_ feature.Trainable    = (*Network)(nil)
	_ feature.ModeGrader   = (*Network)(nil)
	_ feature.ParamUpdater = (*Network)(nil)
	_ feature.Cloner       = (*Network)(nil)
	_ feature.Sharer       = (*Network)(nil)
)

// Spec implements feature.Model.
func (n *Network) Spec() feature.Spec { return n.spec }

// ConcurrentUse implements feature.Sharer.
func (n *Network) ConcurrentUse() {}

// Forward implements feature.Model.
func (n *Network) Forward(ctx context.Context, x feature.Tensor, taps []string, out []feature.Tensor) error {
	if err := n.checkInput(x); err != nil {
		return err
	}
	c := n.call()
	defer n.calls.Put(c)
	if err := n.bindTaps(c, taps); err != nil {
		return err
	}
	if len(out) != len(taps) {
		return fmt.Errorf("nn: %w: %d outputs for %d taps", feature.ErrShape, len(out), len(taps))
	}
	c.out = c.out[:0]
	for i, v := range c.taps {
		if want := x.Rows() * n.g.Size(v); len(out[i].Data) != want {
			return fmt.Errorf("nn: %w: output for tap %q has %d elements, want %d", feature.ErrShape, taps[i], len(out[i].Data), want)
		}
		c.out = append(c.out, out[i].Data)
	}
	run, err := n.cache.Get(graph.Request{Batch: x.Rows(), Taps: c.taps})
	if err != nil {
		return fmt.Errorf("nn: %w", err)
	}
	defer n.cache.Put(run)
	if err := run.Forward(ctx, graph.Inputs{X: x.Data, Params: n.weights, Out: c.out, Stamp: n.stamp()}); err != nil {
		return fmt.Errorf("nn: %w", err)
	}
	return nil
}

// Grad implements feature.Differentiable.
func (n *Network) Grad(ctx context.Context, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
	return n.GradMode(ctx, feature.Mode{}, x, taps, loss, dx, dp)
}

// GradMode implements feature.ModeGrader. With Mode.Train, a batch norm over
// samples without spatial extent needs two samples at least, else the error
// wraps feature.ErrShape. Running statistics move only if all went well.
func (n *Network) GradMode(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
	if err := n.checkGrad(mode, x, dx, dp); err != nil {
		return err
	}
	c := n.call()
	defer n.calls.Put(c)
	if err := n.bindTaps(c, taps); err != nil {
		return err
	}
	c.want = c.want[:0]
	for _, g := range dp {
		c.want = append(c.want, g != nil)
	}
	run, err := n.cache.Get(graph.Request{Batch: x.Rows(), Taps: c.taps, Train: mode.Train, Grad: true, Input: dx != nil, Params: c.want})
	if err != nil {
		return fmt.Errorf("nn: %w", err)
	}
	defer n.cache.Put(run)
	err = run.Forward(ctx, graph.Inputs{X: x.Data, Params: n.weights, Seed: mode.Seed, DX: dx, DP: dp, Stamp: n.stamp()})
	if err != nil {
		return fmt.Errorf("nn: %w", err)
	}
	v := n.views(run, c.taps, x.Rows())
	if err := loss(v.val, v.cot); err != nil {
		return err
	}
	if err := run.Backward(); err != nil {
		return fmt.Errorf("nn: %w", err)
	}
	if mode.Track {
		run.Commit()
		n.version++
	}
	return nil
}

// stamp names the present contents of the weights.
func (n *Network) stamp() graph.Stamp { return graph.Stamp{Owner: n.owner, Version: n.version} }

// views returns the tensors of a run.
func (n *Network) views(run *graph.Run, taps []graph.Value, rows int) *views {
	v, ok := run.User.(*views)
	if !ok {
		v = &views{}
		for _, t := range taps {
			shape := append([]int{rows}, n.g.Shape(t)...)
			v.val = append(v.val, feature.Tensor{Shape: shape})
			v.cot = append(v.cot, feature.Tensor{Shape: slices.Clone(shape)})
		}
		run.User = v
	}
	for i := range taps {
		v.val[i].Data, v.cot[i].Data = run.Value(i), run.Cotangent(i)
	}
	return v
}

func (n *Network) call() *call {
	if c, ok := n.calls.Get().(*call); ok {
		return c
	}
	return &call{}
}

func (n *Network) bindTaps(c *call, names []string) error {
	c.taps = c.taps[:0]
	for _, name := range names {
		i := slices.IndexFunc(n.spec.Taps, func(t feature.Tap) bool { return t.Name == name })
		if i < 0 {
			return fmt.Errorf("nn: %w: %q", feature.ErrNoTap, name)
		}
		c.taps = append(c.taps, n.taps[i])
	}
	return nil
}

func (n *Network) checkInput(x feature.Tensor) error {
	if err := x.Check(n.spec.Input); err != nil {
		return fmt.Errorf("nn: input: %w", err)
	}
	if err := x.CheckFinite(); err != nil {
		return fmt.Errorf("nn: input: %w", err)
	}
	return nil
}

func (n *Network) checkGrad(mode feature.Mode, x feature.Tensor, dx []float32, dp [][]float32) error {
	if err := n.checkInput(x); err != nil {
		return err
	}
	if dx != nil && len(dx) != len(x.Data) {
		return fmt.Errorf("nn: %w: input gradient has %d elements, input has %d", feature.ErrShape, len(dx), len(x.Data))
	}
	if dp != nil && len(dp) != len(n.weights) {
		return fmt.Errorf("nn: %w: %d parameter gradients for %d parameters", feature.ErrShape, len(dp), len(n.weights))
	}
	for i, g := range dp {
		if g != nil && len(g) != len(n.weights[i]) {
			return fmt.Errorf("nn: %w: gradient of %q has %d elements, want %d", feature.ErrShape, n.spec.Params[i].Name, len(g), len(n.weights[i]))
		}
	}
	if mode.Track && !mode.Train {
		return fmt.Errorf("nn: mode tracks running statistics without training")
	}
	if mode.Train && x.Rows() == 1 && len(n.norms) > 0 {
		return fmt.Errorf("nn: %w: batch norm %q cannot train on one sample", feature.ErrShape, n.norms[0])
	}
	return nil
}

// GetParam implements feature.Trainable.
func (n *Network) GetParam(i int, dst []float32) error {
	if err := n.checkParam(i, len(dst)); err != nil {
		return err
	}
	copy(dst, n.weights[i])
	return nil
}

// SetParam implements feature.Trainable.
func (n *Network) SetParam(i int, src []float32) error {
	if err := n.checkParam(i, len(src)); err != nil {
		return err
	}
	copy(n.weights[i], src)
	n.version++
	return nil
}

// UpdateParam implements feature.ParamUpdater.
func (n *Network) UpdateParam(i int, f func(w []float32)) error {
	if i < 0 || i >= len(n.weights) {
		return fmt.Errorf("nn: %w: %d of %d", feature.ErrParam, i, len(n.weights))
	}
	n.version++
	f(n.weights[i])
	return nil
}

func (n *Network) checkParam(i, length int) error {
	if i < 0 || i >= len(n.weights) {
		return fmt.Errorf("nn: %w: %d of %d", feature.ErrParam, i, len(n.weights))
	}
	if length != len(n.weights[i]) {
		return fmt.Errorf("nn: %w: parameter %q has %d elements, the slice %d", feature.ErrShape, n.spec.Params[i].Name, len(n.weights[i]), length)
	}
	return nil
}

// Clone implements feature.Cloner. The copy shares the immutable architecture
// and idle work memory.
func (n *Network) Clone() (feature.Trainable, error) {
	c := &Network{arch: n.arch, spec: n.spec, g: n.g, cache: n.cache, taps: n.taps, norms: n.norms, owner: new(graph.Owner)}
	for _, w := range n.weights {
		c.weights = append(c.weights, slices.Clone(w))
	}
	return c, nil
}
