package feature

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// Tap is a named activation.
type Tap struct {
	Name  string
	Shape []int // of one sample, without the batch axis
}

// ParamKind says what a parameter does.
type ParamKind int

// The kinds of parameters.
const (
	// Weight multiplies: a matrix, the kernels of a convolution, an embedding,
	// the scale of a norm. It is the zero value.
	Weight ParamKind = iota
	// Bias is added.
	Bias
	// Statistic is a running mean or variance of batch norm. Mode.Track moves
	// it; it has no gradient and is never Trainable.
	Statistic
)

// String returns "weight", "bias" or "statistic".
func (k ParamKind) String() string {
	switch k {
	case Weight:
		return "weight"
	case Bias:
		return "bias"
	case Statistic:
		return "statistic"
	}
	return fmt.Sprintf("ParamKind(%d)", int(k))
}

// Param describes a parameter.
type Param struct {
	Name  string
	Shape []int
	Kind  ParamKind
	// Trainable is false for what an optimizer must not touch: statistics, and
	// weights and biases of frozen layers. They are saved and restored all the
	// same.
	Trainable bool
}

// Spec describes a model. It does not change during a model's life; callers
// must not modify it.
type Spec struct {
	Input    []int  // shape of one input, without the batch axis
	Logits   string // the tap with the classifier's outputs, one number a class
	Heads    Heads  // how the logits divide into several classifiers; nil: one softmax over all
	Features string // the tap that feeds the last linear layer; the logits where there is no other
	Taps     []Tap  // every tap, in the order of computation
	Params   []Param
	Batch    int // the only batch size that the model accepts; 0: any
}

// Tap returns the tap with the given name, or an error wrapping ErrNoTap.
func (s Spec) Tap(name string) (Tap, error) {
	i := slices.IndexFunc(s.Taps, func(t Tap) bool { return t.Name == name })
	if i < 0 {
		return Tap{}, fmt.Errorf("feature: %w: %q", ErrNoTap, name)
	}
	return s.Taps[i], nil
}

// Outputs returns the size of the logits of one sample.
func (s Spec) Outputs() int {
	t, err := s.Tap(s.Logits)
	if err != nil {
		return 0
	}
	return Size(t.Shape)
}

// Classes returns the number of classes: Outputs, or where the model has Heads the
// number of combinations of their classes, which is that of a [MultiLabeled] dataset,
// and 0 for heads that Check refuses.
func (s Spec) Classes() int {
	if len(s.Heads) == 0 {
		return s.Outputs()
	}
	n, err := Combinations(s.Heads.targets())
	if err != nil {
		return 0
	}
	return n
}

// UniformLoss returns the cross-entropy of a model that gives all classes one
// probability: log Classes, or where the model has Heads the mean over them.
func (s Spec) UniformLoss() float64 {
	if len(s.Heads) == 0 {
		return math.Log(float64(s.Outputs()))
	}
	var sum float64
	for _, h := range s.Heads {
		sum += math.Log(float64(h.Classes()))
	}
	return sum / float64(len(s.Heads))
}

// Model is a classifier that can be run.
type Model interface {
	Spec() Spec

	// Forward computes the named taps of the inputs x in evaluation mode. out
	// has one tensor a tap with len(Data) = rows of x × size of the tap, which
	// Forward overwrites. It does not modify or keep x.
	//
	// Laws: a row's result does not depend on the other rows, but for rounding;
	// equal arguments give equal bits. Errors: what [CheckForward] returns for
	// the Spec, which wraps ErrShape, ErrNotFinite or ErrNoTap; and ctx's error.
	Forward(ctx context.Context, x Tensor, taps []string, out []Tensor) error
}

// LossFunc sees the tapped values and adds the derivative of a loss in each of
// them into cot, which has the same shapes and is zero when it is called. It
// must not modify or keep val. An error ends the computation.
type LossFunc func(val, cot []Tensor) error

// Differentiable is a Model with gradients.
type Differentiable interface {
	Model

	// Grad runs x forward, calls loss exactly once with the values of taps,
	// and adds ∂L/∂x into dx and ∂L/∂(parameter i) into dp[i].
	//
	// A nil dx, a nil dp or a nil entry of dp is a gradient that is not wanted;
	// it is not computed. len(dx) is len(x.Data), len(dp) the number of
	// parameters and len(dp[i]) the size of parameter i. Layers behave as in
	// evaluation; see [ModeGrader] for training.
	//
	// Law: for every direction, the directional derivative of the loss equals
	// the inner product with the gradient. Errors: what [CheckGrad] returns for
	// the Spec and the zero Mode, which wraps ErrShape, ErrNotFinite, ErrNoTap or
	// ErrParam; loss's own; and ctx's error. After an error dx and dp hold nothing
	// of use.
	Grad(ctx context.Context, x Tensor, taps []string, loss LossFunc, dx []float32, dp [][]float32) error
}

// Trainable is a Differentiable whose parameters can be read and written. The
// index counts Spec().Params.
//
// Laws: SetParam then GetParam gives the same bits, and restoring all
// parameters restores the model. SetParam copies src. Neither may run at the
// same time as another method. Errors: what [CheckParam] returns for the
// Spec, which wraps ErrParam or ErrShape.
type Trainable interface {
	Differentiable
	GetParam(i int, dst []float32) error
	SetParam(i int, src []float32) error
}

// Mode says how layers with two behaviors act. The zero Mode is evaluation.
type Mode struct {
	// Train makes batch norm use the statistics of the batch and dropout drop.
	Train bool
	// Track moves the running statistics of batch norm towards those of the
	// batch. It needs Train.
	Track bool
	// Seed fixes the dropout masks.
	Seed uint64
}

// ModeGrader is implemented by models with layers that act differently in
// training. GradMode is Grad in the given mode.
//
// Laws: the zero Mode is Grad, to the bit; equal arguments give equal bits. No
// parameter changes but a Statistic under Mode.Track, by the same bits whether
// gradients are wanted or not; statistics of frozen layers stay. Errors: what
// [CheckGrad] returns for the Spec and the mode, and those of Grad. A model may
// refuse a batch of one sample in training with ErrShape.
type ModeGrader interface {
	GradMode(ctx context.Context, mode Mode, x Tensor, taps []string, loss LossFunc, dx []float32, dp [][]float32) error
}

// Grad calls GradMode if m is a ModeGrader, and m.Grad otherwise: a model
// without such layers is the same in every mode.
func Grad(ctx context.Context, m Differentiable, mode Mode, x Tensor, taps []string, loss LossFunc, dx []float32, dp [][]float32) error {
	if g, ok := As[ModeGrader](m); ok {
		return g.GradMode(ctx, mode, x, taps, loss, dx, dp)
	}
	return m.Grad(ctx, x, taps, loss, dx, dp)
}

// ForwardMode is a forward pass in the given mode: it computes the named taps of
// the inputs x and, with Mode.Track, moves the running statistics. out is as for
// Forward; it is nil, with no taps, where only the statistics are wanted. In
// evaluation mode it is m.Forward.
func ForwardMode(ctx context.Context, m Differentiable, mode Mode, x Tensor, taps []string, out []Tensor) error {
	if len(out) != len(taps) {
		return fmt.Errorf("feature: %w: %d outputs for %d taps", ErrShape, len(out), len(taps))
	}
	if !mode.Train {
		return m.Forward(ctx, x, taps, out)
	}
	if len(taps) == 0 {
		taps = []string{m.Spec().Logits}
	}
	return Grad(ctx, m, mode, x, taps, func(val, _ []Tensor) error {
		for i := range out {
			if len(out[i].Data) != len(val[i].Data) {
				return fmt.Errorf("feature: %w: output for tap %q has %d elements, want %d", ErrShape, taps[i], len(out[i].Data), len(val[i].Data))
			}
			copy(out[i].Data, val[i].Data)
		}
		return nil
	}, nil, nil)
}

// ParamUpdater is implemented by models whose parameters can be changed in
// place. UpdateParam calls f once with parameter i; f may modify w and must not
// keep it. Optimizers use it to save two copies a step.
type ParamUpdater interface {
	UpdateParam(i int, f func(w []float32)) error
}

// UpdateParam changes parameter i of m through f, in place where m is a
// ParamUpdater, and otherwise through buf, which must be as long as the
// parameter.
func UpdateParam(m Trainable, i int, buf []float32, f func(w []float32)) error {
	if u, ok := As[ParamUpdater](m); ok {
		return u.UpdateParam(i, f)
	}
	if err := m.GetParam(i, buf); err != nil {
		return err
	}
	f(buf)
	return m.SetParam(i, buf)
}

// Cloner is implemented by models that can be copied. The copy shares no
// state with the original that either may change.
type Cloner interface {
	Clone() (Trainable, error)
}

// Saver is implemented by models that can be written to a file, in the format of
// their package. A file under that name is replaced at once or not at all.
type Saver interface {
	Save(path string) error
}

// Sharer is implemented by models whose Forward and Grad may run on several
// goroutines at once while no parameter is written and no Mode tracks.
type Sharer interface {
	ConcurrentUse()
}

// Weights is a copy of all parameters of a model, in the order of Spec().Params.
type Weights [][]float32

// Snapshot copies the parameters of m.
func Snapshot(m Trainable) (Weights, error) {
	params := m.Spec().Params
	w := make(Weights, len(params))
	for i, p := range params {
		w[i] = make([]float32, Size(p.Shape))
		if err := m.GetParam(i, w[i]); err != nil {
			return nil, fmt.Errorf("feature: snapshot of parameter %q: %w", p.Name, err)
		}
	}
	return w, nil
}

// Restore writes the parameters of a snapshot back into m.
func (w Weights) Restore(m Trainable) error {
	params := m.Spec().Params
	if len(params) != len(w) {
		return fmt.Errorf("feature: %w: snapshot has %d parameters, model has %d", ErrShape, len(w), len(params))
	}
	for i, p := range params {
		if err := m.SetParam(i, w[i]); err != nil {
			return fmt.Errorf("feature: restore of parameter %q: %w", p.Name, err)
		}
	}
	return nil
}

// NewGradients returns zeroed gradient buffers for the trainable parameters of
// a model, and nil for the others.
func NewGradients(s Spec) [][]float32 {
	g := make([][]float32, len(s.Params))
	for i, p := range s.Params {
		if p.Trainable {
			g[i] = make([]float32, Size(p.Shape))
		}
	}
	return g
}
