package synth

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/feature"
)

// ErrParameter is wrapped by errors about a field of a Synthesizer.
var ErrParameter = errors.New("invalid parameter")

// Step says how a gradient becomes a step of length StepSize.
type Step int

// The kinds of step. All but Sign are taken per sample.
const (
	Sign Step = iota // StepSize · sign(g), each number on its own
	L2               // StepSize · g/‖g‖₂
	LInf             // StepSize · g/‖g‖∞: the largest change of a pixel is StepSize
)

// Ball is the norm of the ball around the original that bounds a perturbation.
type Ball int

// The kinds of ball.
const (
	BallLInf Ball = iota // no pixel changes by more than Epsilon
	BallL2               // the Euclidean norm of a sample's change is at most Epsilon
)

// Synthesizer perturbs samples. Its defaults are 15 sign steps of 1/255 in
// an L∞ ball of 8/255. With neither Distance nor Loss there is nothing to climb,
// and samples are only put into the box. A Synthesizer is read-only
// configuration and safe for concurrent use.
type Synthesizer struct {
	// Distance is what grows. If it is nil, there is no distance term.
	Distance distance.Distance
	// Tap names the activation that Distance compares. If it is empty, the
	// model's Spec().Features is used.
	Tap string
	// Weight is the factor w of the distance. Negative pulls the samples
	// towards the reference. If it is zero, 1 is used.
	Weight float64
	// Loss is the factor λ of the cross-entropy, which is subtracted. If it is
	// zero, there is no such term; negative raises the loss.
	Loss float64

	// Steps is the number K of steps. If it is zero, 15 is used.
	Steps int
	// Step is the kind of step. The default is Sign.
	Step Step
	// StepSize is the length α of a step in pixel units. If it is zero, 1/255
	// is used.
	StepSize float64
	// Ball and Epsilon bound the total change, in pixel units. If Epsilon is
	// zero, 8/255 is used; if it is infinite, there is no bound.
	Ball    Ball
	Epsilon float64

	// Box bounds the result. The default keeps every pixel in [0, 1].
	Box Box
	// Pixels is the normalisation of the inputs. The zero value means that they
	// are plain pixels.
	Pixels feature.Pixels

	// Mode is how the model's layers act while gradients are taken. The
	// default is evaluation.
	Mode feature.Mode
	// Detached compares the features of the unperturbed samples, as the
	// released code of DLFD does. The distance is then a constant: it is
	// reported and has no effect on the result. For comparison only.
	Detached bool
}

// Box says where the result must lie.
type Box int

// The kinds of box.
const (
	// PixelBox keeps each channel in the image of [0, 1] under the
	// normalisation. Inputs that are not channels×height×width are no images and
	// have no box.
	PixelBox Box = iota
	// UnitBox keeps every number in [0, 1] whatever the normalisation, as the
	// released code of DLFD clamps.
	UnitBox
	// NoBox lets the result lie anywhere.
	NoBox
)

// Trace tells what a synthesis did.
type Trace struct {
	// DistanceBefore and DistanceAfter are D before the first step and after
	// the last; zero without a Distance.
	DistanceBefore, DistanceAfter float64
	// LossBefore and LossAfter are the mean cross-entropies before the first
	// step and after the last.
	LossBefore, LossAfter float64
	// Steps is the number of steps taken: one forward and backward pass each.
	Steps int
	// NotConverged counts the evaluations of D that returned
	// distance.ErrNotConverged; their values and gradients were used.
	NotConverged int
}

// Synthesize writes the perturbed samples into dst, which has the shape of x
// and may share its memory, and returns what happened. labels has one class a
// row. ref holds the features to compare with, and is not read without a
// Distance. Rows of x and ref may differ in number.
//
// It costs K forward and backward passes and one forward pass, and one more
// where it is Detached. Errors:
// ErrParameter, those of the model, those of the distance but for
// distance.ErrNotConverged, which is counted. After an error dst holds nothing
// of use.
func (s *Synthesizer) Synthesize(ctx context.Context, m feature.Differentiable, dst, x feature.Tensor, labels []int, ref distance.Sample) (Trace, error) {
	spec := m.Spec()
	r, err := s.resolve(spec)
	if err != nil {
		return Trace{}, err
	}
	if err := x.Check(spec.Input); err != nil {
		return Trace{}, fmt.Errorf("synth: %w", err)
	}
	if len(dst.Data) != len(x.Data) || len(labels) != x.Rows() {
		return Trace{}, fmt.Errorf("synth: %w: %d rows, %d labels, %d of %d numbers to write",
			feature.ErrShape, x.Rows(), len(labels), len(dst.Data), len(x.Data))
	}
	return r.run(ctx, m, dst, x.Clone(), labels, ref)
}

// resolve returns a run of s with its defaults filled in.
func (s *Synthesizer) resolve(spec feature.Spec) (*run, error) {
	r := &run{Synthesizer: *s, logits: spec.Logits, ws: new(distance.Workspace)}
	if r.Tap == "" {
		r.Tap = spec.Features
	}
	r.Detached = r.Detached && r.Distance != nil
	r.Weight = orElse(r.Weight, 1)
	r.StepSize = orElse(r.StepSize, 1.0/255)
	r.Epsilon = orElse(r.Epsilon, 8.0/255)
	if r.Steps == 0 {
		r.Steps = 15
	}
	if r.Steps < 0 || !(r.StepSize > 0) || math.IsInf(r.StepSize, 0) || !(r.Epsilon > 0) {
		return nil, fmt.Errorf("synth: %w: Steps %d, StepSize %v, Epsilon %v must be positive", ErrParameter, r.Steps, r.StepSize, r.Epsilon)
	}
	if r.Weight-r.Weight != 0 || r.Loss-r.Loss != 0 {
		return nil, fmt.Errorf("synth: %w: Weight %v, Loss %v must be finite", ErrParameter, r.Weight, r.Loss)
	}
	if r.Step < Sign || r.Step > LInf || r.Ball < BallLInf || r.Ball > BallL2 || r.Box < PixelBox || r.Box > NoBox {
		return nil, fmt.Errorf("synth: %w: Step %d, Ball %d, Box %d", ErrParameter, r.Step, r.Ball, r.Box)
	}
	if r.Box == PixelBox && len(spec.Input) < 3 {
		r.Box = NoBox
	}
	if _, err := spec.Tap(r.Tap); err != nil {
		return nil, fmt.Errorf("synth: %w", err)
	}
	if err := r.Pixels.Check(channels(spec.Input)); err != nil {
		return nil, fmt.Errorf("synth: %w", err)
	}
	return r, nil
}

func orElse(v, otherwise float64) float64 {
	if v == 0 {
		return otherwise
	}
	return v
}

// channels returns the length of the first axis of an image, and 1 for inputs
// that are plain vectors.
func channels(input []int) int {
	if len(input) < 2 {
		return 1
	}
	return input[0]
}

// run is a Synthesizer with its defaults resolved and its memory.
type run struct {
	Synthesizer
	logits string
	ws     *distance.Workspace
	feat   []float64 // features of the batch
	grad   []float64 // gradient of D in feat
	clean  value     // of the unperturbed batch, where Detached
	frozen bool      // the distance takes no more settings from the data
}

func (r *run) run(ctx context.Context, m feature.Differentiable, dst, clean feature.Tensor, labels []int, ref distance.Sample) (Trace, error) {
	var t Trace
	dx := make([]float32, len(clean.Data))
	cur := feature.Tensor{Shape: clean.Shape, Data: dst.Data}
	copy(cur.Data, clean.Data)
	geo := geometry(r, clean.Shape)
	if r.Detached {
		if err := r.detach(ctx, m, clean, labels, ref); err != nil {
			return Trace{}, fmt.Errorf("synth: clean batch: %w", err)
		}
	}
	for k := range r.Steps {
		clear(dx)
		v, err := r.objective(ctx, m, cur, labels, ref, dx)
		if err != nil {
			return Trace{}, fmt.Errorf("synth: step %d: %w", k, err)
		}
		if k == 0 {
			t.DistanceBefore, t.LossBefore = v.distance, v.loss
		}
		t.count(v)
		for i := range cur.Rows() {
			geo.step(cur.Row(i), clean.Row(i), dx[i*clean.RowLen():(i+1)*clean.RowLen()])
		}
		t.Steps++
	}
	v, err := r.objective(ctx, m, cur, labels, ref, nil)
	if err != nil {
		return Trace{}, fmt.Errorf("synth: result: %w", err)
	}
	t.DistanceAfter, t.LossAfter = v.distance, v.loss
	t.count(v)
	return t, nil
}

func (t *Trace) count(v value) {
	if v.notConverged {
		t.NotConverged++
	}
}

// value is the objective w·distance − λ·loss by its terms.
type value struct {
	distance     float64
	loss         float64 // mean cross-entropy
	notConverged bool    // the distance said so
}

// detach measures the distance once, at the unperturbed batch.
func (r *run) detach(ctx context.Context, m feature.Differentiable, clean feature.Tensor, labels []int, ref distance.Sample) error {
	r.Detached = false
	v, err := r.objective(ctx, m, clean, labels, ref, nil)
	r.Detached, r.clean = true, v
	return err
}

// objective returns the terms at x and adds the derivative of the objective
// into dx, unless dx is nil.
func (r *run) objective(ctx context.Context, m feature.Differentiable, x feature.Tensor, labels []int, ref distance.Sample, dx []float32) (value, error) {
	var v value
	err := feature.Grad(ctx, m, r.Mode, x, []string{r.Tap, r.logits}, func(val, cot []feature.Tensor) error {
		if r.Detached {
			v = r.clean
		} else if r.Distance != nil {
			if err := r.distance(&v, val[0], cot[0], ref, dx != nil); err != nil {
				return err
			}
		}
		var err error
		v.loss, err = feature.CrossEntropy(val[1], feature.Tensor{}, labels, 1)
		if err == nil && r.Loss != 0 && dx != nil {
			_, err = feature.CrossEntropy(val[1], cot[1], labels, -r.Loss)
		}
		return err
	}, dx, nil)
	return v, err
}

// distance sets v.distance and, if gradient is wanted, adds Weight times its
// derivative in the features into cot.
func (r *run) distance(v *value, feat, cot feature.Tensor, ref distance.Sample, gradient bool) error {
	if len(r.feat) != len(feat.Data) {
		r.feat, r.grad = make([]float64, len(feat.Data)), make([]float64, len(feat.Data))
	}
	for i, f := range feat.Data {
		r.feat[i] = float64(f)
	}
	grad := r.grad
	if !gradient {
		grad = nil
	}
	sample := distance.Sample{N: feat.Rows(), Dim: feat.RowLen(), X: r.feat}
	if err := r.freeze(sample, ref); err != nil {
		return err
	}
	d, err := r.Distance.Eval(r.ws, grad, nil, sample, ref)
	if errors.Is(err, distance.ErrNotConverged) {
		v.notConverged, err = true, nil
	}
	if err != nil {
		return err
	}
	if err := finite(d, grad); err != nil {
		return err
	}
	v.distance = d
	for i, g := range grad {
		cot.Data[i] += float32(r.Weight * g)
	}
	return nil
}

// finite returns an error for a distance or a gradient that is not: steps along
// it would hide it.
func finite(d float64, grad []float64) error {
	if d-d != 0 {
		return fmt.Errorf("%w: the distance is %v", feature.ErrNotFinite, d)
	}
	for i, g := range grad {
		if g-g != 0 {
			return fmt.Errorf("%w: element %d of the distance's gradient is %v", feature.ErrNotFinite, i, g)
		}
	}
	return nil
}

// freeze fixes, at the first evaluation, the settings that the distance takes
// from the data, so that all steps climb the same hill.
func (r *run) freeze(x, y distance.Sample) error {
	f, ok := r.Distance.(distance.Freezer)
	if !ok || r.frozen {
		return nil
	}
	d, err := f.Freeze(r.ws, x, y)
	if err != nil {
		return err
	}
	r.Distance, r.frozen = d, true
	return nil
}
