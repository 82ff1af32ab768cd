// Package featuretest checks that a model keeps the laws of package feature.
//
// One call does it:
//
//	func TestModel(t *testing.T) { featuretest.Run(t, newModel(), nil) }
//
// Laws of optional interfaces (feature.Differentiable, Trainable, ModeGrader,
// ParamUpdater, Cloner, Sharer) are checked where the model implements them.
// Gradients are compared with differences of a loss over several taps at once.
// The parameters are restored at the end of every check.
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

// law is one check by name.
type law struct {
	name  string
	check func(s *suite) error
}

// laws lists the checks that apply to a model.
func laws(m feature.Model) []law {
	all := []law{
		{"spec", (*suite).spec}, {"values", (*suite).values}, {"rows", (*suite).rows},
		{"forward errors", (*suite).forwardErrors},
	}
	if _, ok := m.(feature.Differentiable); ok {
		all = append(all, law{"loss", (*suite).loss}, law{"input gradient", (*suite).inputGradient},
			law{"gradient errors", (*suite).gradErrors})
	}
	if _, ok := m.(feature.Trainable); ok {
		all = append(all, law{"parameters", (*suite).parameters}, law{"parameter gradients", (*suite).paramGradients},
			law{"gradients add up", (*suite).additive})
	}
	if _, ok := m.(feature.ModeGrader); ok {
		all = append(all, law{"modes", (*suite).modes}, law{"training gradients", (*suite).trainGradients})
	}
	if _, ok := m.(feature.Cloner); ok {
		all = append(all, law{"clone", (*suite).clone})
	}
	if _, ok := m.(feature.Sharer); ok {
		all = append(all, law{"concurrent use", (*suite).concurrent})
	}
	return all
}

// Run checks every law in a subtest of its own. opt may be nil.
func Run(t *testing.T, m feature.Model, opt *Options) {
	t.Helper()
	for _, l := range laws(m) {
		t.Run(l.name, func(t *testing.T) {
			if err := run(m, opt, l); err != nil {
				t.Error(err)
			}
		})
	}
}

// Check returns an error that lists every law which m breaks. opt may be nil.
func Check(m feature.Model, opt *Options) error {
	var errs []error
	for _, l := range laws(m) {
		if err := run(m, opt, l); err != nil {
			errs = append(errs, fmt.Errorf("featuretest: %s: %w", l.name, err))
		}
	}
	return errors.Join(errs...)
}

// run checks one law and restores the parameters.
func run(m feature.Model, opt *Options, l law) (err error) {
	s, err := newSuite(m, opt)
	if err != nil {
		return err
	}
	if tr, ok := m.(feature.Trainable); ok {
		before, err := feature.Snapshot(tr)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, before.Restore(tr)) }()
	}
	return l.check(s)
}

// suite is what the checks share: the model, an input and a loss.
type suite struct {
	m    feature.Model
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

// close returns an error unless a and b agree up to rounding.
func near(what string, a, b []float32) error {
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
