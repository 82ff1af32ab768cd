package synth

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/finite"
)

// ErrParameter is wrapped by errors about a setting out of range; it is that of
// package feature.
var ErrParameter = feature.ErrParameter

// Off, as the value of Epsilon, leaves out the bound.
const Off = -1

// Step says how a gradient becomes a step of length StepSize.
type Step int

// The kinds of step. All but SignStep are taken per sample.
const (
	SignStep Step = iota // StepSize · sign(g), each number on its own
	L2Step               // StepSize · g/‖g‖₂
	LInfStep             // StepSize · g/‖g‖∞: the largest change of a pixel is StepSize
)

// Ball is the norm of the ball around the original that bounds a perturbation.
type Ball int

// The kinds of ball.
const (
	BallLInf Ball = iota // no pixel changes by more than Epsilon
	BallL2               // the Euclidean norm of a sample's change is at most Epsilon
)

// Synthesizer perturbs samples. Its defaults are 15 sign steps of 1/255 in
// an L∞ ball of 8/255. A Synthesizer is read-only configuration and safe for
// concurrent use.
type Synthesizer struct {
	// Distance is what grows. If it is nil, there is no distance term.
	Distance distance.Distance
	// Tap names the activation that Distance compares. If it is empty, the
	// model's Spec().Features is used.
	Tap string

	// Steps is the number K of steps. If it is zero, 15 is used.
	Steps int
	// Step is the kind of step. The default is SignStep.
	Step Step
	// StepSize is the length α of a step in pixel units. If it is zero, 1/255
	// is used.
	StepSize float64
	// Ball and Epsilon bound the total change, in pixel units. If Epsilon is
	// zero, 8/255 is used; Off leaves out the bound.
	Ball    Ball
	Epsilon float64
	// Box bounds the result. The default keeps every pixel in [0, 1].
	Box Box
}

// Batch is what one synthesis works on.
type Batch struct {
	// X has the samples and Labels the class of each.
	X      feature.Tensor
	Labels []int
	// Reference has the features that Distance compares with. It may have another
	// number of rows than X, and is not read without a Distance.
	Reference distance.Sample
	// Weight is the factor w of the distance. Negative pulls the samples towards
	// the reference. If it is zero, 1 is used.
	Weight float64
	// Lambda is the factor λ of the cross-entropy, which is subtracted. If it is
	// zero, there is no such term; negative raises the loss. With neither a
	// Distance nor a Lambda there is nothing to climb, and samples are only put
	// into the box.
	Lambda float64
	// Pixels is the normalization of X. The zero value means plain pixels.
	Pixels feature.Pixels
	// Mode is how the model's layers act while gradients are taken.
	Mode feature.Mode
}

// MarshalJSON writes the Distance as distance.Source does, for records of settings.
func (s Synthesizer) MarshalJSON() ([]byte, error) {
	type fields Synthesizer
	return json.Marshal(struct {
		fields
		Distance string
	}{fields(s), distance.Source(s.Distance)})
}

// Box says where the result must lie.
type Box int

// The kinds of box.
const (
	// PixelBox keeps each channel in the image of [0, 1] under the
	// normalization. Inputs that are not channels×height×width are no images and
	// have no box.
	PixelBox Box = iota
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

// Synthesize writes the perturbed samples into dst, which has the shape of b.X
// and may share its memory, and returns what happened.
//
// It costs K forward and backward passes and one forward pass. Errors:
// ErrParameter, those of the model, those of the distance but for
// distance.ErrNotConverged, which is counted. After an error dst holds nothing
// of use.
func (s *Synthesizer) Synthesize(ctx context.Context, m feature.Differentiable, dst feature.Tensor, b Batch) (Trace, error) {
	spec := m.Spec()
	r, err := s.resolve(spec, b)
	if err == nil {
		err = b.X.Check(spec.Input)
	}
	if err != nil {
		return Trace{}, fmt.Errorf("synth: %w", err)
	}
	if len(dst.Data) != len(b.X.Data) || len(b.Labels) != b.X.Rows() {
		return Trace{}, fmt.Errorf("synth: %w: %d rows, %d labels, %d of %d numbers to write",
			feature.ErrShape, b.X.Rows(), len(b.Labels), len(dst.Data), len(b.X.Data))
	}
	r.X = b.X.Clone()
	return r.run(ctx, m, dst)
}

// Check returns an error unless s can work on a model with this Spec: wrapping
// ErrParameter for a setting out of range, or feature.ErrNoTap. Settings of the
// Distance are checked when it is evaluated.
func (s *Synthesizer) Check(spec feature.Spec) error {
	_, err := s.resolve(spec, Batch{})
	if err != nil {
		err = fmt.Errorf("synth: %w", err)
	}
	return err
}

// resolve returns a run of s with its defaults filled in.
func (s *Synthesizer) resolve(spec feature.Spec, b Batch) (*run, error) {
	r := &run{Synthesizer: *s, Batch: b, logits: spec.Logits, heads: spec.Heads, ws: new(distance.Workspace)}
	r.Tap = cmp.Or(r.Tap, spec.Features)
	r.Weight = cmp.Or(r.Weight, 1)
	r.StepSize = cmp.Or(r.StepSize, 1.0/255)
	r.Epsilon = cmp.Or(r.Epsilon, 8.0/255)
	r.Steps = cmp.Or(r.Steps, 15)
	if err := r.check(); err != nil {
		return nil, err
	}
	if r.Epsilon == Off {
		r.Epsilon = math.Inf(1)
	}
	if r.Box == PixelBox && len(spec.Input) < 3 {
		r.Box = NoBox
	}
	if _, err := spec.Tap(r.Tap); err != nil {
		return nil, err
	}
	if err := r.Pixels.Check(channels(spec.Input)); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *run) check() error {
	if r.Steps < 0 || !(r.StepSize > 0) || math.IsInf(r.StepSize, 0) || !(r.Epsilon > 0 || r.Epsilon == Off) || math.IsInf(r.Epsilon, 0) {
		return fmt.Errorf("%w: Steps %d, StepSize %v, Epsilon %v must be positive and finite (Epsilon may be Off, %d)", ErrParameter, r.Steps, r.StepSize, r.Epsilon, Off)
	}
	if !finite.Is(r.Weight) || !finite.Is(r.Lambda) {
		return fmt.Errorf("%w: Weight %v, Lambda %v must be finite", ErrParameter, r.Weight, r.Lambda)
	}
	if r.Step < SignStep || r.Step > LInfStep || r.Ball < BallLInf || r.Ball > BallL2 || r.Box < PixelBox || r.Box > NoBox {
		return fmt.Errorf("%w: Step %d, Ball %d, Box %d", ErrParameter, r.Step, r.Ball, r.Box)
	}
	return nil
}

// channels returns the length of the first axis of an image, and 1 for inputs
// that are plain vectors.
func channels(input []int) int {
	if len(input) < 2 {
		return 1
	}
	return input[0]
}

// run is a Synthesizer with its defaults resolved, its batch and its memory.
type run struct {
	Synthesizer
	Batch
	logits string
	heads  feature.Heads
	ws     *distance.Workspace
	feat   []float64 // features of the batch
	grad   []float64 // gradient of D in feat
	frozen bool      // the distance takes no more settings from the data
}

func (r *run) run(ctx context.Context, m feature.Differentiable, dst feature.Tensor) (Trace, error) {
	var t Trace
	dx := make([]float32, len(r.X.Data))
	cur := feature.Tensor{Shape: r.X.Shape, Data: dst.Data}
	copy(cur.Data, r.X.Data)
	geo := geometry(r)
	for k := range r.Steps {
		clear(dx)
		v, err := r.objective(ctx, m, cur, dx)
		if err != nil {
			return Trace{}, fmt.Errorf("synth: step %d: %w", k, err)
		}
		if k == 0 {
			t.DistanceBefore, t.LossBefore = v.distance, v.loss
		}
		t.count(v)
		for i := range cur.Rows() {
			geo.step(cur.Row(i), r.X.Row(i), dx[i*r.X.RowLen():(i+1)*r.X.RowLen()])
		}
		t.Steps++
	}
	v, err := r.objective(ctx, m, cur, nil)
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

// objective returns the terms at x and adds the derivative of the objective
// into dx, unless dx is nil.
func (r *run) objective(ctx context.Context, m feature.Differentiable, x feature.Tensor, dx []float32) (value, error) {
	var v value
	err := feature.Grad(ctx, m, r.Mode, x, []string{r.Tap, r.logits}, func(val, cot []feature.Tensor) error {
		if r.Distance != nil {
			if err := r.distance(&v, val[0], cot[0], dx != nil); err != nil {
				return err
			}
		}
		var err error
		v.loss, err = r.heads.CrossEntropy(val[1], feature.Tensor{}, r.Labels, 1)
		if err == nil && r.Lambda != 0 && dx != nil {
			_, err = r.heads.CrossEntropy(val[1], cot[1], r.Labels, -r.Lambda)
		}
		return err
	}, dx, nil)
	return v, err
}

// distance sets v.distance and, if gradient is wanted, adds Weight times its
// derivative in the features into cot.
func (r *run) distance(v *value, feat, cot feature.Tensor, gradient bool) error {
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
	if err := r.freeze(sample, r.Reference); err != nil {
		return err
	}
	d, err := r.Distance.Eval(r.ws, grad, nil, sample, r.Reference)
	if errors.Is(err, distance.ErrNotConverged) {
		v.notConverged, err = true, nil
	}
	if err != nil {
		return err
	}
	if err := checkFinite(d, grad); err != nil {
		return err
	}
	v.distance = d
	for i, g := range grad {
		cot.Data[i] += float32(r.Weight * g)
	}
	return nil
}

// checkFinite returns an error for a distance or a gradient that is not finite:
// steps along it would hide it.
func checkFinite(d float64, grad []float64) error {
	if !finite.Is(d) {
		return fmt.Errorf("%w: the distance is %v", feature.ErrNotFinite, d)
	}
	if i := finite.First(grad); i >= 0 {
		return fmt.Errorf("%w: element %d of the distance's gradient is %v", feature.ErrNotFinite, i, grad[i])
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
