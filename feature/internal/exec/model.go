// Package exec runs an operator graph as a model of package feature. Packages nn
// and onnx build graphs, each in its own way, and embed a [Model] that does the
// rest: checks, taps, passes, access to parameters, and batch norm for a while.
package exec

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/graph"
)

// Config describes a model to New.
type Config struct {
	// Package is the name that errors start with.
	Package string
	Graph   *graph.Graph
	// Spec is the model's. New sets the Kind of every parameter by what the graph
	// does with it, and Trainable of statistics to false.
	Spec feature.Spec
	// Taps are the values of the graph by position in Spec.Taps.
	Taps []graph.Value
	// MaxBytes bounds the memory of one pass. If it is zero,
	// graph.DefaultMaxBytes is used.
	MaxBytes int64
	// Exposed are the graph's parameters by position in Spec.Params; the others
	// are constants. If it is nil, all of them are exposed, in order.
	Exposed []int
}

// Model is a graph with weights. It implements feature.Trainable, ModeGrader,
// ParamUpdater and Sharer. Its exported methods become those of the types that
// embed it; what these types need beside is in functions of this package.
//
// Work memory is kept for reuse: after the first call with given taps, mode,
// batch size and wanted gradients, a call allocates next to nothing. A call that
// would take too much gives an error wrapping feature.ErrLimit.
type Model struct {
	pkg     string
	spec    feature.Spec
	g       *graph.Graph
	cache   *graph.Cache
	taps    []graph.Value // by position in spec.Taps
	exposed []int         // parameter of the graph by position in spec.Params
	alone   []string      // batch norms that cannot train on one sample
	weights [][]float32   // of the graph
	owner   *graph.Owner
	version uint64    // of the weights
	calls   sync.Pool // of *call
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
	_ feature.Sharer       = (*Model)(nil)
	_ feature.NormInserter = (*Model)(nil)
)

// New returns a model without weights, which SetWeights gives it. It takes over
// the graph.
func New(c Config) *Model {
	m := &Model{pkg: c.Package, spec: c.Spec, g: c.Graph, cache: graph.NewCache(c.Graph), taps: c.Taps, exposed: c.Exposed, owner: new(graph.Owner)}
	if m.exposed == nil {
		for i := range m.g.Params() {
			m.exposed = append(m.exposed, i)
		}
	}
	m.cache.MaxBytes = cmp.Or(c.MaxBytes, graph.DefaultMaxBytes)
	m.classify()
	m.keepFrozen()
	m.alone = cannotTrainAlone(m.g)
	return m
}

// SetWeights gives m its weights: one slice for each parameter of the graph, which
// m keeps. It is meant for the building of a model.
func SetWeights(m *Model, w [][]float32) {
	m.weights = w
	m.version++
}

// Weights returns the present weights, one slice for each parameter of the graph.
// The caller must not change them, except while the model is built.
func Weights(m *Model) [][]float32 { return m.weights }

// Copy returns a model with copies of the weights. It shares what does not
// change, and idle work memory.
func Copy(m *Model) *Model {
	c := &Model{pkg: m.pkg, spec: m.spec, g: m.g, cache: m.cache, taps: m.taps, exposed: m.exposed, alone: m.alone, owner: new(graph.Owner)}
	for _, w := range m.weights {
		c.weights = append(c.weights, slices.Clone(w))
	}
	return c
}

// Spec implements feature.Model.
func (m *Model) Spec() feature.Spec { return m.spec }

// ConcurrentUse implements feature.Sharer.
func (m *Model) ConcurrentUse() {}

// Forward implements feature.Model.
func (m *Model) Forward(ctx context.Context, x feature.Tensor, taps []string, out []feature.Tensor) error {
	if err := feature.CheckForward(m.spec, x, taps, out); err != nil {
		return m.wrap(err)
	}
	c := m.call()
	defer m.calls.Put(c)
	m.bindTaps(c, taps)
	c.out = c.out[:0]
	for _, t := range out {
		c.out = append(c.out, t.Data)
	}
	return m.forward(ctx, x, c)
}

// forward computes the bound taps.
func (m *Model) forward(ctx context.Context, x feature.Tensor, c *call) error {
	run, err := m.run(graph.Request{Batch: x.Rows(), Taps: c.taps})
	if err != nil {
		return m.wrap(err)
	}
	defer m.cache.Put(run)
	if err := run.Forward(ctx, graph.Inputs{X: x.Data, Params: m.weights, Out: c.out, Stamp: m.stamp()}); err != nil {
		return m.wrap(err)
	}
	return nil
}

// Grad implements feature.Differentiable.
func (m *Model) Grad(ctx context.Context, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
	return m.GradMode(ctx, feature.Mode{}, x, taps, loss, dx, dp)
}

// GradMode implements feature.ModeGrader. With Mode.Train, a batch norm over
// samples without spatial extent needs two samples at least, else the error
// wraps feature.ErrShape. Running statistics move only if all went well, and
// where the scale or the shift of their norm is trainable.
func (m *Model) GradMode(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
	if err := m.checkGrad(mode, x, taps, dx, dp); err != nil {
		return m.wrap(err)
	}
	c := m.call()
	defer m.calls.Put(c)
	m.bindTaps(c, taps)
	m.bindGradients(c, dp)
	run, err := m.run(graph.Request{Batch: x.Rows(), Taps: c.taps, Train: mode.Train, Grad: true, Input: dx != nil, Params: c.want})
	if err != nil {
		return m.wrap(err)
	}
	defer m.cache.Put(run)
	if err := run.Forward(ctx, graph.Inputs{X: x.Data, Params: m.weights, Seed: mode.Seed, DX: dx, DP: c.dp, Stamp: m.stamp()}); err != nil {
		return m.wrap(err)
	}
	v := m.views(run, c.taps, x.Rows())
	if err := loss(v.val, v.cot); err != nil {
		return err
	}
	if err := run.Backward(); err != nil {
		return m.wrap(err)
	}
	if mode.Track {
		run.Commit()
		m.version++
	}
	return nil
}

// run returns a run for a request, or an error wrapping feature.ErrLimit if it
// took too much memory.
func (m *Model) run(req graph.Request) (*graph.Run, error) {
	run, err := m.cache.Get(req)
	if errors.Is(err, graph.ErrMemory) {
		err = fmt.Errorf("%w: %w", feature.ErrLimit, err)
	}
	return run, err
}

// stamp names the present contents of the weights.
func (m *Model) stamp() graph.Stamp { return graph.Stamp{Owner: m.owner, Version: m.version} }

func (m *Model) call() *call {
	if c, ok := m.calls.Get().(*call); ok {
		return c
	}
	return &call{}
}

// bindTaps finds the values of taps, which have been checked.
func (m *Model) bindTaps(c *call, names []string) {
	c.taps = c.taps[:0]
	for _, name := range names {
		i := slices.IndexFunc(m.spec.Taps, func(t feature.Tap) bool { return t.Name == name })
		c.taps = append(c.taps, m.taps[i])
	}
}

// bindGradients spreads the gradients of parameters over those of the graph,
// which may have constants between them.
func (m *Model) bindGradients(c *call, dp [][]float32) {
	c.want, c.dp = c.want[:0], c.dp[:0]
	if len(dp) == 0 {
		return
	}
	n := len(m.weights)
	c.want, c.dp = slices.Grow(c.want, n)[:n], slices.Grow(c.dp, n)[:n]
	clear(c.want)
	clear(c.dp)
	for i, at := range m.exposed {
		c.want[at], c.dp[at] = dp[i] != nil, dp[i]
	}
}

// views returns the tensors of a run, whose memory is another one each time.
func (m *Model) views(run *graph.Run, taps []graph.Value, rows int) *views {
	v, ok := run.User.(*views)
	if !ok {
		v = &views{}
		for _, t := range taps {
			shape := append([]int{rows}, m.spec.Taps[slices.Index(m.taps, t)].Shape...)
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

// GetParam implements feature.Trainable.
func (m *Model) GetParam(i int, dst []float32) error {
	if err := m.checkParam(i, len(dst)); err != nil {
		return err
	}
	copy(dst, m.param(i))
	return nil
}

// SetParam implements feature.Trainable.
func (m *Model) SetParam(i int, src []float32) error {
	if err := m.checkParam(i, len(src)); err != nil {
		return err
	}
	copy(m.param(i), src)
	m.version++
	return nil
}

// UpdateParam implements feature.ParamUpdater.
func (m *Model) UpdateParam(i int, f func(w []float32)) error {
	if err := m.checkIndex(i); err != nil {
		return err
	}
	m.version++
	f(m.param(i))
	return nil
}

// param returns the weights of a parameter.
func (m *Model) param(i int) []float32 { return m.weights[m.exposed[i]] }
