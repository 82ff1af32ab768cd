package onnx

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/graph"
)

// Model is a model read from a file. Forward, Grad and GradMode may run on several
// goroutines at once while no parameter is written and no Mode tracks.
//
// Taps are named after tensors; nodes' names stand for their first outputs.
// Work memory is kept for reuse: after the first call with given taps, mode,
// batch size and wanted gradients, a call allocates next to nothing.
type Model struct {
	spec      feature.Spec
	g         *graph.Graph
	cache     *graph.Cache
	taps      []graph.Value // by position in spec.Taps
	norms     []string      // batch norms that cannot train on one sample
	notes     []string
	operators []Operator
	data      []byte // the file
	folder    string

	weights []*weight   // of the graph, with what the file has
	data32  [][]float32 // of the graph, current
	exposed []int       // graph parameter by position in spec.Params
	calls   sync.Pool   // of *call
}

// call holds the slices that one call hands down.
type call struct {
	taps []graph.Value
	want []bool
	dp   [][]float32
	out  [][]float32
}

// views are the tensors over a run's memory that a loss sees.
type views struct{ val, cot []feature.Tensor }

var (
	_ feature.Trainable    = (*Model)(nil)
	_ feature.ModeGrader   = (*Model)(nil)
	_ feature.ParamUpdater = (*Model)(nil)
	_ feature.Cloner       = (*Model)(nil)
	_ feature.Sharer       = (*Model)(nil)
)

// Spec implements feature.Model.
func (m *Model) Spec() feature.Spec { return m.spec }

// ConcurrentUse implements feature.Sharer.
func (m *Model) ConcurrentUse() {}

// Notes returns what a user should know about how the file was read, such as
// parameters that have several names, one sentence each.
func (m *Model) Notes() []string { return slices.Clone(m.notes) }

// Forward implements feature.Model.
func (m *Model) Forward(ctx context.Context, x feature.Tensor, taps []string, out []feature.Tensor) error {
	if err := m.checkInput(x); err != nil {
		return err
	}
	c := m.call()
	defer m.calls.Put(c)
	if err := m.bindTaps(c, taps); err != nil {
		return err
	}
	if len(out) != len(taps) {
		return fmt.Errorf("onnx: %w: %d outputs for %d taps", feature.ErrShape, len(out), len(taps))
	}
	c.out = c.out[:0]
	for i, v := range c.taps {
		if want := x.Rows() * m.g.Size(v); len(out[i].Data) != want {
			return fmt.Errorf("onnx: %w: output for tap %q has %d elements, want %d", feature.ErrShape, taps[i], len(out[i].Data), want)
		}
		c.out = append(c.out, out[i].Data)
	}
	run, err := m.cache.Get(graph.Request{Batch: x.Rows(), Taps: c.taps})
	if err != nil {
		return fmt.Errorf("onnx: %w", err)
	}
	defer m.cache.Put(run)
	if err := run.Forward(ctx, graph.Inputs{X: x.Data, Params: m.data32, Out: c.out}); err != nil {
		return fmt.Errorf("onnx: %w", err)
	}
	return nil
}

// Grad implements feature.Differentiable.
func (m *Model) Grad(ctx context.Context, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
	return m.GradMode(ctx, feature.Mode{}, x, taps, loss, dx, dp)
}

// GradMode implements feature.ModeGrader. With Mode.Train, a batch norm over
// samples without spatial extent needs two samples at least, else the error
// wraps feature.ErrShape. Running statistics move only if all went well.
func (m *Model) GradMode(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
	if err := m.checkGrad(mode, x, dx, dp); err != nil {
		return err
	}
	c := m.call()
	defer m.calls.Put(c)
	if err := m.bindTaps(c, taps); err != nil {
		return err
	}
	m.bindGradients(c, dp)
	run, err := m.cache.Get(graph.Request{Batch: x.Rows(), Taps: c.taps, Train: mode.Train, Grad: true, Input: dx != nil, Params: c.want})
	if err != nil {
		return fmt.Errorf("onnx: %w", err)
	}
	defer m.cache.Put(run)
	err = run.Forward(ctx, graph.Inputs{X: x.Data, Params: m.data32, Seed: mode.Seed, DX: dx, DP: c.dp})
	if err != nil {
		return fmt.Errorf("onnx: %w", err)
	}
	v := m.views(run, c.taps, x.Rows())
	if err := loss(v.val, v.cot); err != nil {
		return err
	}
	if err := run.Backward(); err != nil {
		return fmt.Errorf("onnx: %w", err)
	}
	if mode.Track {
		run.Commit()
	}
	return nil
}

// bindGradients spreads the gradients of parameters over those of the graph,
// which has hidden constants between them.
func (m *Model) bindGradients(c *call, dp [][]float32) {
	c.want, c.dp = c.want[:0], c.dp[:0]
	if len(dp) == 0 {
		return
	}
	c.want, c.dp = slices.Grow(c.want, len(m.data32))[:len(m.data32)], slices.Grow(c.dp, len(m.data32))[:len(m.data32)]
	clear(c.want)
	clear(c.dp)
	for i, at := range m.exposed {
		c.want[at], c.dp[at] = dp[i] != nil, dp[i]
	}
}

// views returns the tensors of a run; its memory is another one each time.
func (m *Model) views(run *graph.Run, taps []graph.Value, rows int) *views {
	v, ok := run.User.(*views)
	if !ok {
		v = &views{}
		for _, t := range taps {
			shape := append([]int{rows}, m.shape(t)...)
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

// shape returns the shape of one sample of a tap.
func (m *Model) shape(v graph.Value) []int { return m.spec.Taps[slices.Index(m.taps, v)].Shape }

func (m *Model) call() *call {
	if c, ok := m.calls.Get().(*call); ok {
		return c
	}
	return &call{}
}

func (m *Model) bindTaps(c *call, names []string) error {
	c.taps = c.taps[:0]
	for _, name := range names {
		i := slices.IndexFunc(m.spec.Taps, func(t feature.Tap) bool { return t.Name == name })
		if i < 0 {
			return fmt.Errorf("onnx: %w: %q", feature.ErrNoTap, name)
		}
		c.taps = append(c.taps, m.taps[i])
	}
	return nil
}

func (m *Model) checkInput(x feature.Tensor) error {
	if err := x.Check(m.spec.Input); err != nil {
		return fmt.Errorf("onnx: input: %w", err)
	}
	if err := x.CheckFinite(); err != nil {
		return fmt.Errorf("onnx: input: %w", err)
	}
	return nil
}

func (m *Model) checkGrad(mode feature.Mode, x feature.Tensor, dx []float32, dp [][]float32) error {
	if err := m.checkInput(x); err != nil {
		return err
	}
	if dx != nil && len(dx) != len(x.Data) {
		return fmt.Errorf("onnx: %w: input gradient has %d elements, input has %d", feature.ErrShape, len(dx), len(x.Data))
	}
	if dp != nil && len(dp) != len(m.exposed) {
		return fmt.Errorf("onnx: %w: %d parameter gradients for %d parameters", feature.ErrShape, len(dp), len(m.exposed))
	}
	for i, g := range dp {
		if want := len(m.data32[m.exposed[i]]); g != nil && len(g) != want {
			return fmt.Errorf("onnx: %w: gradient of %q has %d elements, want %d", feature.ErrShape, m.spec.Params[i].Name, len(g), want)
		}
	}
	if mode.Track && !mode.Train {
		return fmt.Errorf("onnx: mode tracks running statistics without training")
	}
	if mode.Train && x.Rows() == 1 && len(m.norms) > 0 {
		return fmt.Errorf("onnx: %w: %s cannot train on one sample", feature.ErrShape, m.norms[0])
	}
	return nil
}

// GetParam implements feature.Trainable.
func (m *Model) GetParam(i int, dst []float32) error {
	if err := m.checkParam(i, len(dst)); err != nil {
		return err
	}
	copy(dst, m.data32[m.exposed[i]])
	return nil
}

// SetParam implements feature.Trainable.
func (m *Model) SetParam(i int, src []float32) error {
	if err := m.checkParam(i, len(src)); err != nil {
		return err
	}
	copy(m.data32[m.exposed[i]], src)
	return nil
}

// UpdateParam implements feature.ParamUpdater.
func (m *Model) UpdateParam(i int, f func(w []float32)) error {
	if i < 0 || i >= len(m.exposed) {
		return fmt.Errorf("onnx: %w: %d of %d", feature.ErrParam, i, len(m.exposed))
	}
	f(m.data32[m.exposed[i]])
	return nil
}

func (m *Model) checkParam(i, length int) error {
	if i < 0 || i >= len(m.exposed) {
		return fmt.Errorf("onnx: %w: %d of %d", feature.ErrParam, i, len(m.exposed))
	}
	if want := len(m.data32[m.exposed[i]]); length != want {
		return fmt.Errorf("onnx: %w: parameter %q has %d elements, the slice %d", feature.ErrShape, m.spec.Params[i].Name, want, length)
	}
	return nil
}

// Clone implements feature.Cloner. The copy shares what does not change: the
// graph, the file's bytes and idle work memory.
func (m *Model) Clone() (feature.Trainable, error) {
	c := &Model{spec: m.spec, g: m.g, cache: m.cache, taps: m.taps, norms: m.norms, notes: m.notes, operators: m.operators, data: m.data, folder: m.folder,
		weights: m.weights, exposed: m.exposed}
	for _, w := range m.data32 {
		c.data32 = append(c.data32, slices.Clone(w))
	}
	return c, nil
}

// Operator is an operator of a file and how often it takes part in the model.
type Operator struct {
	Name  string
	Count int
}

// Operators lists the operators that the logits depend on, by name.
func (m *Model) Operators() []Operator { return slices.Clone(m.operators) }

// countOperators counts the operators of needed nodes.
func (f *file) countOperators(needed []bool) []Operator {
	var list []Operator
	for i, n := range f.graph.nodes {
		if !needed[i] {
			continue
		}
		at, found := slices.BinarySearchFunc(list, n.op, func(o Operator, name string) int { return strings.Compare(o.Name, name) })
		if !found {
			list = slices.Insert(list, at, Operator{Name: n.op})
		}
		list[at].Count++
	}
	return list
}
