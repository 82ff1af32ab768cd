package gomlx

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dlfd-go/unlearn/feature"
)

// ErrGraph is wrapped by errors about graphs that cannot be built, compiled or
// run, GoMLX's panics among them.
var ErrGraph = errors.New("the graph cannot be used")

// ErrGradient is wrapped by the error of New about gradients that differ from
// differences of the graph's own values.
var ErrGradient = errors.New("wrong gradient")

// Graph builds a network: it returns the logits, rows×classes, of the inputs x,
// rows×Options.Input, both float32. Inputs are laid out as in package feature:
// images are rows×channels×height×width, and GoMLX's layers want the channels
// last unless told otherwise.
//
// tap makes an activation of shape rows×… visible under a name. The one called
// "features" becomes Spec.Features; it should be what feeds the last linear
// layer. The logits are the tap "logits".
//
// A Graph is called again for every batch size, mode and set of wanted values. It
// must take its variables from scope, never from a variable of Go's, must make
// the same taps and variables each time, and may ask scope.IsTraining(x.Graph()).
// It says by panics, as usual in GoMLX, what it cannot do.
type Graph func(scope *model.Scope, x *graph.Node, tap func(name string, v *graph.Node)) *graph.Node

// Options says what a graph does not. Input is required.
type Options struct {
	// Input is the shape of one sample, such as 3, 32, 32.
	Input []int
	// Axes orders the axes of a weight with two or more: axis k of the parameter
	// is axis Axes(v)[k] of the variable. Parameters have the order of PyTorch:
	// outputs, inputs, height, width. If Axes is nil, or gives nil, that order is
	// made from GoMLX's usual one, in which inputs and outputs are the last two. A
	// convolution with its channels first has the order already: give it 0, 1, 2, 3.
	Axes func(v *model.Variable) []int
	// Kind tells whether a variable is a Weight or a Bias. If it is nil, it is a
	// Bias if its name is "biases", "bias", "offset" or "beta", and otherwise a
	// Weight. A variable that the graph changes in training is a Statistic.
	Kind func(v *model.Variable) feature.ParamKind
	// Graphs is how many compiled graphs are kept, those used last. If it is zero,
	// 32 is used. A method has one to three for each size of a batch that it makes;
	// Align needs some ten in all.
	Graphs int
	// NoCheck leaves out the comparison of the gradients with differences that New
	// makes. The comparison finds what a backend differentiates wrongly; see
	// the documentation of the package.
	NoCheck bool
	// Seed draws the inputs and the directions of that comparison.
	Seed uint64
}

// Model is a GoMLX graph with its variables. It implements feature.Trainable,
// ModeGrader, Cloner and Sharer: Forward, Grad and GradMode may run on several
// goroutines at once while no parameter is written and no Mode tracks.
//
// Its parameters are the float32 variables that the graph reads, under their
// paths, in the order in which it reads them first; the order of their axes is
// that of Options.Axes. What is written to a parameter is in the Store, and what
// is written to a variable of the Store is in the model.
type Model struct {
	build   Graph
	opt     Options // resolved
	backend compute.Backend
	store   *model.Store
	spec    feature.Spec
	vars    []variable // by position in spec.Params

	mu       sync.Mutex
	programs []*program // those used last first
	compiled int        // how many there were
}

var (
	_ feature.Trainable  = (*Model)(nil)
	_ feature.ModeGrader = (*Model)(nil)
	_ feature.Cloner     = (*Model)(nil)
	_ feature.Sharer     = (*Model)(nil)
)

// New returns the model of a graph, whose variables are those of store. Variables
// without a value are initialized as GoMLX does. The caller keeps store and
// backend.
//
// New compiles the graph in both modes and, unless Options.NoCheck is set,
// compares its gradients with differences, by some ten forward passes of four
// samples for each parameter and mode. Errors wrap ErrGraph: a panic of the
// graph, an operation without a gradient, values or variables of a type other
// than float32, random numbers or changed variables in evaluation mode; ErrGradient;
// and, about the arguments, feature.ErrParameter.
func New(backend compute.Backend, store *model.Store, build Graph, opt *Options) (*Model, error) {
	if backend == nil || store == nil || build == nil || opt == nil {
		return nil, fmt.Errorf("gomlx: %w: a backend, a store, a graph and options are required", feature.ErrParameter)
	}
	o, err := opt.resolve()
	if err != nil {
		return nil, err
	}
	m := &Model{build: build, opt: o, backend: backend, store: store}
	if err := m.describe(); err != nil {
		return nil, err
	}
	if !o.NoCheck {
		if err := m.check(); err != nil {
			return nil, errors.Join(err, m.Close())
		}
	}
	return m, nil
}

// resolve returns a checked copy of the options with the defaults in place.
func (o *Options) resolve() (Options, error) {
	r := *o
	r.Input = slices.Clone(o.Input)
	if len(r.Input) == 0 || slices.Min(r.Input) < 1 {
		return r, fmt.Errorf("gomlx: %w: Input %v is no shape", feature.ErrParameter, r.Input)
	}
	if r.Graphs == 0 {
		r.Graphs = 32
	}
	if r.Graphs < 1 {
		return r, fmt.Errorf("gomlx: %w: Graphs %d", feature.ErrParameter, r.Graphs)
	}
	if r.Axes == nil {
		r.Axes = func(*model.Variable) []int { return nil }
	}
	if r.Kind == nil {
		r.Kind = kindByName
	}
	return r, nil
}

// Spec implements feature.Model. Batches may have any size, at the price of a
// compilation for each; see Options.Graphs.
func (m *Model) Spec() feature.Spec { return m.spec }

// ConcurrentUse implements feature.Sharer.
func (m *Model) ConcurrentUse() {}

// Clone implements feature.Cloner. The copy has a Store of its own, with copies
// of all variables, and the same backend.
func (m *Model) Clone() (feature.Trainable, error) {
	c := &Model{build: m.build, opt: m.opt, backend: m.backend, spec: m.spec}
	err := try(func() (err error) {
		c.store, err = m.store.Clone()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("gomlx: %w", err)
	}
	for _, p := range m.vars {
		p.v = c.store.GetVariable(p.v.Path())
		c.vars = append(c.vars, p)
	}
	return c, nil
}

// Close frees the compiled graphs, of which some backends keep memory that the
// garbage collector does not know. The variables stay, and the model may be used
// again. It must not run at the same time as another method.
func (m *Model) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.programs
	m.programs = nil
	return try(func() error {
		for _, p := range old {
			p.exec.Finalize()
		}
		return nil
	})
}

// Forward implements feature.Model. ctx is looked at before the graph runs; an
// execution that has begun is finished. Errors beyond those of feature.Model wrap
// ErrGraph.
func (m *Model) Forward(ctx context.Context, x feature.Tensor, taps []string, out []feature.Tensor) error {
	if err := feature.CheckForward(m.spec, x, taps, out); err != nil {
		return fmt.Errorf("gomlx: %w", err)
	}
	if len(taps) == 0 {
		return ctx.Err()
	}
	c := m.newCall(feature.Mode{}, x, taps)
	defer c.close()
	return m.forward(ctx, c, out)
}

// Grad implements feature.Differentiable; see GradMode.
func (m *Model) Grad(ctx context.Context, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
	return m.GradMode(ctx, feature.Mode{}, x, taps, loss, dx, dp)
}

// GradMode implements feature.ModeGrader by two executions: one forward, whose
// values the loss sees, and one that runs forward again and then backward with
// what the loss returns. The second is left out where no gradient is wanted. ctx
// is looked at before each. In training, Mode.Seed alone fixes what the graph
// draws by its scope. With Mode.Track the variables move that the graph changes in
// training, once all went well, but for those in a scope whose weights are all
// frozen. Errors beyond those of feature.ModeGrader wrap ErrGraph.
func (m *Model) GradMode(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
	if err := feature.CheckGrad(m.spec, mode, x, taps, dx, dp); err != nil {
		return fmt.Errorf("gomlx: %w", err)
	}
	c := m.newCall(mode, x, taps)
	defer c.close()
	val, cot := m.views(x.Rows(), taps), m.views(x.Rows(), taps)
	if err := m.forward(ctx, c, val); err != nil {
		return err
	}
	if err := loss(val, cot); err != nil {
		return err
	}
	if err := m.backward(ctx, c, cot, dx, dp); err != nil {
		return err
	}
	return m.move(c)
}

// views returns zeroed tensors of the shapes of the taps.
func (m *Model) views(rows int, taps []string) []feature.Tensor {
	v := make([]feature.Tensor, len(taps))
	for i, name := range taps {
		v[i] = feature.NewTensor(append([]int{rows}, m.spec.Taps[m.tap(name)].Shape...)...)
	}
	return v
}

// tap returns the position of a tap that is known to be there.
func (m *Model) tap(name string) int {
	return slices.IndexFunc(m.spec.Taps, func(t feature.Tap) bool { return t.Name == name })
}

// GetParam implements feature.Trainable.
func (m *Model) GetParam(i int, dst []float32) error {
	if err := feature.CheckParam(m.spec, i, len(dst)); err != nil {
		return fmt.Errorf("gomlx: %w", err)
	}
	p := m.vars[i]
	return p.wrap(try(func() error {
		t, err := p.v.Value()
		if err != nil {
			return err
		}
		return tensors.ConstFlatData(t, func(flat []float32) { p.order.gather(dst, flat) })
	}))
}

// SetParam implements feature.Trainable.
func (m *Model) SetParam(i int, src []float32) error {
	if err := feature.CheckParam(m.spec, i, len(src)); err != nil {
		return fmt.Errorf("gomlx: %w", err)
	}
	p := m.vars[i]
	return p.wrap(try(func() error {
		t := tensors.FromShape(p.v.Shape())
		err := tensors.MutableFlatData(t, func(flat []float32) { p.order.scatter(flat, src) })
		if err != nil {
			return err
		}
		return p.v.SetValue(t)
	}))
}

// try calls f and returns an error or a panic of GoMLX, which reports most errors
// by panics, as an error that wraps ErrGraph.
func try(f func() error) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
			err = inGraph(err)
		case error:
			err = inGraph(p)
		default:
			err = inGraph(fmt.Errorf("panic: %v", p))
		}
	}()
	return f()
}

// inGraph returns err as an error that wraps ErrGraph.
func inGraph(err error) error {
	if err == nil || errors.Is(err, ErrGraph) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrGraph, err)
}
