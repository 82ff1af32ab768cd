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

// RunNorms checks that m keeps the laws of feature.NormInserter, each in a subtest
// of its own, and that the model with norms keeps those that Run checks. Of opt,
// which may be nil, Input draws the samples that statistics are taken of. The
// parameters of m are restored at the end. A panic of m fails the law that was
// being checked.
func RunNorms(t *testing.T, m feature.Trainable, opt *Options) {
	t.Helper()
	runLaws(t, insertedLaws(m, opt))
}

// CheckNorms returns an error that lists every law of feature.NormInserter which
// m breaks, and every law of models which the one with norms breaks. opt may be
// nil.
func CheckNorms(m feature.Trainable, opt *Options) error { return checkLaws(insertedLaws(m, opt)) }

func insertedLaws(m feature.Trainable, opt *Options) []law {
	var laws []law
	for _, l := range normLaws {
		laws = append(laws, law{l.name, func() error { return checkNorms(m, opt, l.check) }})
	}
	return append(laws, law{"laws of models", func() error {
		s, err := newNormSuite(m, opt)
		if err != nil {
			return err
		}
		return Check(s.normed, opt)
	}})
}

var normLaws = []struct {
	name  string
	check func(s *normSuite) error
}{
	{"outputs stay", (*normSuite).unchanged}, {"spec", (*normSuite).spec}, {"model stays", (*normSuite).separate},
	{"unchanged fold", (*normSuite).nothing}, {"fold", (*normSuite).fold}, {"infinite fold", (*normSuite).infinite},
	{"statistics move", (*normSuite).statistics}, {"cancellation", (*normSuite).cancelled},
}

// normSuite is a model, its twin with norms, and samples.
type normSuite struct {
	m      feature.Trainable
	normed feature.Normed
	data   samples
	src    *rand.Rand
	weight feature.Weights // of m, at the start
}

func newNormSuite(m feature.Trainable, opt *Options) (*normSuite, error) {
	o := Options{Input: func(src *rand.Rand) float32 { return float32(src.NormFloat64()) }}
	if opt != nil {
		o.Seed = opt.Seed
		if opt.Input != nil {
			o.Input = opt.Input
		}
	}
	s := &normSuite{m: m, src: rng.Stream(o.Seed, "featuretest norms")}
	inserter, ok := feature.As[feature.NormInserter](m)
	if !ok {
		return nil, fmt.Errorf("%T is no feature.NormInserter", m)
	}
	spec := m.Spec()
	rows := 24
	if spec.Batch > 0 {
		rows = 2 * spec.Batch
	}
	s.data = samples{feature.NewTensor(append([]int{rows}, spec.Input...)...), spec.Classes()}
	for i := range s.data.x.Data {
		s.data.x.Data[i] = o.Input(s.src)
	}
	var err error
	if s.weight, err = feature.Snapshot(m); err != nil {
		return nil, err
	}
	s.normed, err = inserter.InsertNorms(context.Background(), s.data)
	return s, err
}

// checkNorms checks one law and restores the parameters.
func checkNorms(m feature.Trainable, opt *Options, check func(s *normSuite) error) error {
	s, err := newNormSuite(m, opt)
	if err != nil {
		return err
	}
	return errors.Join(guard(func() error { return check(s) }), s.weight.Restore(m))
}

// samples is a dataset of some inputs.
type samples struct {
	x       feature.Tensor
	classes int
}

func (d samples) Len() int     { return d.x.Rows() }
func (d samples) Shape() []int { return d.x.Shape[1:] }
func (d samples) Classes() int { return d.classes }

func (d samples) Read(index []int, x []float32, labels []int) error {
	if err := feature.CheckRead(d, index, x, labels); err != nil {
		return err
	}
	for i, k := range index {
		copy(x[i*d.x.RowLen():], d.x.Row(k))
		labels[i] = k % d.classes
	}
	return nil
}

// logits returns the logits of the samples, a batch at a time.
func (s *normSuite) logits(m feature.Model) ([]float32, error) {
	rows := s.data.Len()
	if b := m.Spec().Batch; b > 0 {
		rows = b
	}
	var all []float32
	for lo := 0; lo+rows <= s.data.Len(); lo += rows {
		out := feature.NewTensor(rows, m.Spec().Outputs())
		if err := m.Forward(context.Background(), s.data.x.Slice(lo, lo+rows), []string{m.Spec().Logits}, []feature.Tensor{out}); err != nil {
			return nil, err
		}
		all = append(all, out.Data...)
	}
	return all, nil
}

// normRounding is how much a logit may move by an inserted norm, or by its
// folding, as a share of the largest.
const normRounding = 1e-5

// alike compares the logits of the model and of its twin.
func (s *normSuite) alike(what string) error {
	a, err := s.logits(s.m)
	if err != nil {
		return err
	}
	b, err := s.logits(s.normed)
	if err != nil {
		return err
	}
	var top float64
	for _, v := range a {
		top = max(top, math.Abs(float64(v)))
	}
	for i, v := range a {
		if d := math.Abs(float64(v) - float64(b[i])); !(d <= normRounding*top) {
			return fmt.Errorf("%s: logit %d is %v, with norms %v; the largest is %v", what, i, v, b[i], top)
		}
	}
	return nil
}

// unchanged checks that inserted norms do nothing.
func (s *normSuite) unchanged() error { return s.alike("inserted norms") }

// spec checks that the twin has the same Spec with more parameters.
func (s *normSuite) spec() error {
	a, b := s.m.Spec(), s.normed.Spec()
	if !slices.Equal(a.Input, b.Input) || a.Logits != b.Logits || a.Features != b.Features || a.Batch != b.Batch {
		return fmt.Errorf("the Spec of the model with norms is %v, of the model %v", b, a)
	}
	if !slices.EqualFunc(a.Taps, b.Taps, func(x, y feature.Tap) bool { return x.Name == y.Name && slices.Equal(x.Shape, y.Shape) }) {
		return fmt.Errorf("the taps of the model with norms are %v, of the model %v", b.Taps, a.Taps)
	}
	kinds := map[feature.ParamKind]int{}
	for _, p := range b.Params {
		if len(a.Params) > 0 && a.Params[0].Name == p.Name {
			a.Params = a.Params[1:]
			continue
		}
		kinds[p.Kind]++
		if p.Trainable == (p.Kind == feature.Statistic) || len(p.Shape) != 1 {
			return fmt.Errorf("parameter %q of a norm: %v of shape %v, Trainable %t", p.Name, p.Kind, p.Shape, p.Trainable)
		}
	}
	if len(a.Params) > 0 {
		return fmt.Errorf("the model with norms lacks parameter %q, or has it out of order", a.Params[0].Name)
	}
	if w := kinds[feature.Weight]; w == 0 || kinds[feature.Bias] != w || kinds[feature.Statistic] != 2*w {
		return fmt.Errorf("norms have %v parameters by kind, want a weight, a bias and two statistics each", kinds)
	}
	return nil
}

// disturb changes every parameter of the twin by about a third of its size, and
// variances by a factor.
func (s *normSuite) disturb() error {
	for i, p := range s.normed.Spec().Params {
		w := make([]float32, feature.Size(p.Shape))
		if err := s.normed.GetParam(i, w); err != nil {
			return err
		}
		var size float64
		for _, v := range w {
			size += float64(v) * float64(v) / float64(len(w))
		}
		for k, v := range w {
			if p.Kind == feature.Statistic {
				w[k] = v * float32(.5+s.src.Float64())
			} else {
				w[k] = v + float32(.3*math.Sqrt(size)*s.src.NormFloat64())
			}
		}
		if err := s.normed.SetParam(i, w); err != nil {
			return err
		}
	}
	return nil
}

// same checks that the parameters of the model are those of the start.
func (s *normSuite) same(what string) error {
	now, err := feature.Snapshot(s.m)
	for i := range now {
		if err == nil {
			err = sameBits(fmt.Sprintf("parameter %d, %s", i, what), s.weight[i], now[i])
		}
	}
	return err
}

// separate checks that the model stays while the twin changes.
func (s *normSuite) separate() error {
	if err := s.disturb(); err != nil {
		return err
	}
	return s.same("after the model with norms has changed")
}

// nothing checks that folding norms as they were inserted changes no bit.
func (s *normSuite) nothing() error {
	if err := s.normed.Fold(); err != nil {
		return err
	}
	return s.same("after norms that did nothing were folded")
}

// fold checks that the model computes what its changed twin does, twice.
func (s *normSuite) fold() error {
	spec := s.m.Spec()
	for range 2 {
		if err := s.disturb(); err != nil {
			return err
		}
		if err := s.normed.Fold(); err != nil {
			return err
		}
		if err := s.alike("folded norms"); err != nil {
			return err
		}
	}
	if now := s.m.Spec(); len(now.Params) != len(spec.Params) {
		return fmt.Errorf("the model has %d parameters after folding and %d before", len(now.Params), len(spec.Params))
	}
	return nil
}

// infinite checks that a fold that fails writes nothing.
func (s *normSuite) infinite() error {
	if err := s.disturb(); err != nil {
		return err
	}
	for i, p := range s.normed.Spec().Params {
		if p.Kind != feature.Statistic {
			continue
		}
		w := make([]float32, feature.Size(p.Shape))
		w[0] = float32(math.NaN())
		if err := s.normed.SetParam(i, w); err != nil {
			return err
		}
	}
	return errors.Join(want("fold of norms that are not finite", s.normed.Fold(), feature.ErrNotFinite), s.same("after a fold that failed"))
}

// statistics checks that training moves the statistics.
func (s *normSuite) statistics() error {
	before, err := feature.Snapshot(s.normed)
	if err != nil {
		return err
	}
	rows := s.data.Len()
	if b := s.normed.Spec().Batch; b > 0 {
		rows = b
	}
	mode := feature.Mode{Train: true, Track: true}
	if err := feature.ForwardMode(context.Background(), s.normed, mode, s.data.x.Slice(0, rows), nil, nil); err != nil {
		return err
	}
	after, err := feature.Snapshot(s.normed)
	if err != nil {
		return err
	}
	for i, p := range s.normed.Spec().Params {
		if p.Kind == feature.Statistic && !slices.Equal(before[i], after[i]) {
			return nil
		}
	}
	return errors.New("Mode.Track moved no statistic")
}

// cancelled checks that the context's error comes back.
func (s *normSuite) cancelled() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	inserter, _ := feature.As[feature.NormInserter](s.m)
	_, err := inserter.InsertNorms(ctx, s.data)
	return errors.Join(want("InsertNorms with a cancelled context", err, context.Canceled), s.same("after InsertNorms was cancelled"))
}
