// Package featuretest checks that models and datasets keep the laws of package
// feature, and has a model and a dataset small enough to reason about.
//
// One call tests a model, one a dataset, one a wrapper of a model:
//
//	func TestModel(t *testing.T)   { featuretest.Run(t, newModel(), nil) }
//	func TestData(t *testing.T)    { featuretest.RunDataset(t, newData()) }
//	func TestWrapper(t *testing.T) { featuretest.RunWrapper(t, wrap(m), m, nil) }
//
// Laws of optional interfaces (feature.Differentiable, Trainable, ModeGrader,
// ParamUpdater, Cloner, Sharer; Identified, Labeled, ClassNamed, MultiLabeled, Normalized) are
// checked where [feature.As] finds them. Gradients are compared with differences
// of a loss over several taps at once. The parameters of a model are restored at
// the end of every check.
//
// [MLP] and [Blobs] serve tests of what works on any model and any dataset.
package featuretest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// Options adapts the checks to a model. The nil Options means all defaults.
type Options struct {
	// Rows is the batch size used. If it is zero, the model's fixed batch size
	// is used, or 5 if it has none.
	Rows int
	// Taps are checked together. If it is nil, the logits, the features and
	// the first and the middle tap are used.
	Taps []string
	// Tolerance bounds the error of a directional derivative as a share of its
	// typical size. If it is zero, .02 is used: differences over a network of
	// rectifiers in float32 are good to about 1e-3, and a wrong term is of
	// order 1.
	Tolerance float64
	// Seed of the inputs and directions.
	Seed uint64
	// Input draws an input value. If it is nil, the standard normal
	// distribution is used.
	Input func(src *rand.Rand) float32
}

// Run checks every law in a subtest of its own. opt may be nil. A panic of the
// model fails the law that was being checked; only a panic on a goroutine that the
// model itself starts ends the test program.
func Run(t *testing.T, m feature.Model, opt *Options) {
	t.Helper()
	runLaws(t, modelLaws(m, opt))
}

// Check returns an error that lists every law which m breaks. opt may be nil.
func Check(m feature.Model, opt *Options) error { return checkLaws(modelLaws(m, opt)) }

// modelLaws lists the checks that apply to a model.
func modelLaws(m feature.Model, opt *Options) []law {
	laws := []law{{"spec", func() error { return checkSpec(m) }}}
	add := func(name string, check func(*suite) error) {
		laws = append(laws, law{name, func() error { return run(m, opt, check) }})
	}
	add("values", (*suite).values)
	add("rows", (*suite).rows)
	add("arguments", (*suite).arguments)
	add("forward errors", (*suite).forwardErrors)
	if offers[feature.Differentiable](m) {
		add("loss", (*suite).loss)
		add("input gradient", (*suite).inputGradient)
		add("gradient errors", (*suite).gradErrors)
	}
	if offers[feature.Trainable](m) {
		add("parameters", (*suite).parameters)
		add("parameter gradients", (*suite).paramGradients)
		add("gradients add up", (*suite).additive)
	}
	if offers[feature.ModeGrader](m) {
		add("modes", (*suite).modes)
		add("training gradients", (*suite).trainGradients)
	}
	if offers[feature.Cloner](m) {
		add("clone", (*suite).clone)
	}
	if offers[feature.Sharer](m) {
		add("concurrent use", (*suite).concurrent)
	}
	return laws
}

// run checks one law and restores the parameters.
func run(m feature.Model, opt *Options, check func(*suite) error) (err error) {
	s, err := newSuite(m, opt)
	if err != nil {
		return err
	}
	if s.tr != nil {
		before, snapErr := feature.Snapshot(s.tr)
		if snapErr != nil {
			return snapErr
		}
		defer func() {
			err = errors.Join(err, guard(func() error { return before.Restore(s.tr) }))
		}()
	}
	return guard(func() error { return check(s) })
}

// suite is what the checks share: the model, an input and a loss.
type suite struct {
	m    feature.Model
	d    feature.Differentiable // what m offers by feature.As, nil where it does not
	tr   feature.Trainable
	opt  Options
	ctx  context.Context
	src  *rand.Rand
	x    feature.Tensor
	taps []string
	out  []feature.Tensor // of the shapes of the taps
	// The loss is Σ w·v + ½ Σ u·v² over all tapped values v.
	w, u [][]float64
}

func newSuite(m feature.Model, opt *Options) (*suite, error) {
	s := &suite{m: m, ctx: context.Background()}
	if opt != nil {
		s.opt = *opt
	}
	s.d, _ = feature.As[feature.Differentiable](m)
	s.tr, _ = feature.As[feature.Trainable](m)
	spec := m.Spec()
	if s.opt.Rows == 0 {
		s.opt.Rows = 5
		if spec.Batch > 0 {
			s.opt.Rows = spec.Batch
		}
	}
	if s.opt.Tolerance == 0 {
		s.opt.Tolerance = .02
	}
	if s.opt.Input == nil {
		s.opt.Input = func(src *rand.Rand) float32 { return float32(src.NormFloat64()) }
	}
	s.src = rng.Stream(s.opt.Seed, "featuretest")
	s.x = feature.NewTensor(append([]int{s.opt.Rows}, spec.Input...)...)
	for i := range s.x.Data {
		s.x.Data[i] = s.opt.Input(s.src)
	}
	if s.taps = s.opt.Taps; s.taps == nil {
		s.taps = defaultTaps(spec)
	}
	return s, s.makeLoss(spec)
}

func defaultTaps(spec feature.Spec) []string {
	taps := []string{spec.Logits}
	for _, name := range []string{spec.Features, tapAt(spec, 0), tapAt(spec, len(spec.Taps)/2)} {
		if name != "" && !slices.Contains(taps, name) {
			taps = append(taps, name)
		}
	}
	return taps
}

func tapAt(spec feature.Spec, i int) string {
	if i >= len(spec.Taps) {
		return ""
	}
	return spec.Taps[i].Name
}

// makeLoss draws weights so that every tap has about the same part in the loss.
func (s *suite) makeLoss(spec feature.Spec) error {
	for _, name := range s.taps {
		tap, err := spec.Tap(name)
		if err != nil {
			return err
		}
		t := feature.NewTensor(append([]int{s.opt.Rows}, tap.Shape...)...)
		w, u := make([]float64, len(t.Data)), make([]float64, len(t.Data))
		scale := 1 / math.Sqrt(float64(max(len(t.Data), 1)))
		for i := range w {
			w[i], u[i] = scale*s.src.NormFloat64(), .3*scale*s.src.NormFloat64()
		}
		s.out, s.w, s.u = append(s.out, t), append(s.w, w), append(s.u, u)
	}
	return nil
}

// fits returns an error unless the values have the shapes of the taps.
func (s *suite) fits(val []feature.Tensor) error {
	if len(val) != len(s.out) {
		return fmt.Errorf("the loss sees %d tensors for %d taps", len(val), len(s.out))
	}
	for i, t := range s.out {
		if !slices.Equal(val[i].Shape, t.Shape) || len(val[i].Data) != len(t.Data) {
			return fmt.Errorf("the loss sees a tensor of shape %v with %d elements for tap %q, want shape %v", val[i].Shape, len(val[i].Data), s.taps[i], t.Shape)
		}
	}
	return nil
}

// value returns the loss and the sum of its terms' sizes.
func (s *suite) value(val []feature.Tensor) (sum, size float64) {
	for k, t := range val {
		for i, v := range t.Data {
			v := float64(v)
			term := s.w[k][i]*v + s.u[k][i]*v*v/2
			sum += term
			size += math.Abs(term)
		}
	}
	return sum, size
}

// lossFunc is the loss as models take it.
func (s *suite) lossFunc(val, cot []feature.Tensor) error {
	if err := errors.Join(s.fits(val), s.fits(cot)); err != nil {
		return err
	}
	for k, t := range val {
		for i, v := range t.Data {
			cot[k].Data[i] += float32(s.w[k][i] + s.u[k][i]*float64(v))
		}
	}
	return nil
}

// forward returns fresh tensors with the values of the taps.
func (s *suite) forward(x feature.Tensor) ([]feature.Tensor, error) {
	out := make([]feature.Tensor, len(s.out))
	for i, t := range s.out {
		out[i] = feature.NewTensor(append([]int{x.Rows()}, t.Shape[1:]...)...)
		for k := range out[i].Data {
			out[i].Data[k] = float32(math.NaN()) // is to be overwritten
		}
	}
	return out, s.m.Forward(s.ctx, x, s.taps, out)
}

// at returns the loss in evaluation mode and the size of its terms.
func (s *suite) at(x feature.Tensor) (sum, size float64, err error) {
	out, err := s.forward(x)
	if err != nil {
		return 0, 0, err
	}
	sum, size = s.value(out)
	return sum, size, nil
}

// sameBits returns an error unless a and b have the same bits.
func sameBits(what string, a, b []float32) error {
	if len(a) != len(b) {
		return fmt.Errorf("%s: %d and %d elements", what, len(a), len(b))
	}
	for i, v := range a {
		if math.Float32bits(v) != math.Float32bits(b[i]) {
			return fmt.Errorf("%s: element %d is %v and %v", what, i, v, b[i])
		}
	}
	return nil
}

// rounding is how much values may differ that are the same up to the order of
// float32 sums, as a share of the largest one.
const rounding = 1e-4

// near returns an error unless a and b agree up to rounding.
func near(what string, a, b []float32) error {
	if len(a) != len(b) {
		return fmt.Errorf("%s: %d and %d elements", what, len(a), len(b))
	}
	top := 1e-6
	for i, v := range a {
		top = max(top, math.Abs(float64(v)), math.Abs(float64(b[i])))
	}
	for i, v := range a {
		if d := math.Abs(float64(v) - float64(b[i])); !(d <= rounding*top) {
			return fmt.Errorf("%s: element %d is %v and %v", what, i, v, b[i])
		}
	}
	return nil
}
