package featuretest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
)

// checkSpec checks the description of a model.
func checkSpec(m feature.Model) error {
	spec := m.Spec()
	if !reflect.DeepEqual(spec, m.Spec()) {
		return errors.New("two calls of Spec differ")
	}
	if feature.Size(spec.Input) < 1 || spec.Batch < 0 {
		return fmt.Errorf("input of shape %v in batches of %d", spec.Input, spec.Batch)
	}
	if err := checkTaps(spec); err != nil {
		return err
	}
	if err := spec.Heads.Check(spec.Outputs()); err != nil {
		return err
	}
	params := map[string]bool{}
	for _, p := range spec.Params {
		switch {
		case params[p.Name] || feature.Size(p.Shape) < 1:
			return fmt.Errorf("parameter %q of shape %v is empty or listed twice", p.Name, p.Shape)
		case p.Kind < feature.Weight || p.Kind > feature.Statistic:
			return fmt.Errorf("parameter %q is of unknown kind %v", p.Name, p.Kind)
		case p.Kind == feature.Statistic && p.Trainable:
			return fmt.Errorf("parameter %q is a statistic and trainable", p.Name)
		}
		params[p.Name] = true
	}
	return checkAs(m)
}

func checkTaps(spec feature.Spec) error {
	seen := map[string]bool{}
	for _, t := range spec.Taps {
		if seen[t.Name] || feature.Size(t.Shape) < 1 {
			return fmt.Errorf("tap %q of shape %v is empty or listed twice", t.Name, t.Shape)
		}
		seen[t.Name] = true
	}
	for _, name := range []string{spec.Logits, spec.Features} {
		if !seen[name] {
			return fmt.Errorf("spec names tap %q and does not list it", name)
		}
	}
	return nil
}

// values checks that Forward is a function of its arguments and leaves the
// input alone, and that a tap does not depend on which others are asked for.
func (s *suite) values() error {
	before := s.x.Clone()
	first, err := s.forward(s.x)
	if err != nil {
		return err
	}
	if err := sameBits("input after Forward", before.Data, s.x.Data); err != nil {
		return err
	}
	again, err := s.forward(s.x)
	if err != nil {
		return err
	}
	for i, name := range s.taps {
		if err := sameBits(fmt.Sprintf("tap %q, two equal calls", name), first[i].Data, again[i].Data); err != nil {
			return err
		}
		alone := feature.NewTensor(first[i].Shape...)
		if err := s.m.Forward(s.ctx, s.x, []string{name}, []feature.Tensor{alone}); err != nil {
			return fmt.Errorf("tap %q alone: %w", name, err)
		}
		if err := near(fmt.Sprintf("tap %q, with others and alone", name), first[i].Data, alone.Data); err != nil {
			return err
		}
	}
	return nil
}

// rows checks that a row's result does not depend on the others.
func (s *suite) rows() error {
	if s.m.Spec().Batch != 0 {
		return nil
	}
	all, err := s.forward(s.x)
	if err != nil {
		return err
	}
	for i := range s.x.Rows() {
		one, err := s.forward(s.x.Slice(i, i+1))
		if err != nil {
			return err
		}
		for k, name := range s.taps {
			if err := near(fmt.Sprintf("tap %q, row %d in a batch and alone", name, i), all[k].Row(i), one[k].Data); err != nil {
				return err
			}
		}
	}
	return nil
}

// arguments checks that a model keeps none of its arguments: a caller may use the
// buffers again, with other numbers in them.
func (s *suite) arguments() error {
	x, y := s.x.Clone(), s.x.Clone()
	for i := range y.Data {
		y.Data[i] = s.opt.Input(s.src)
	}
	old, err := s.result(x)
	if err != nil {
		return err
	}
	saved := make([][]float32, len(old))
	for i, v := range old {
		saved[i] = slices.Clone(v)
	}
	copy(x.Data, y.Data)
	again, err := s.result(x)
	if err != nil {
		return err
	}
	fresh, err := s.result(y)
	if err != nil {
		return err
	}
	for i := range fresh {
		if err := errors.Join(sameBits("result for an input in a buffer used before, and in a fresh one", again[i], fresh[i]),
			sameBits("result of a call, before and after the next one", saved[i], old[i])); err != nil {
			return err
		}
	}
	return nil
}

// want returns an error unless err wraps target.
func want(what string, err, target error) error {
	if !errors.Is(err, target) {
		return fmt.Errorf("%s: error is %v, want %v", what, err, target)
	}
	return nil
}

// badInputs are inputs that a model must refuse, with the error.
func (s *suite) badInputs() []badInput {
	bad := []badInput{
		{"input with one axis too many", feature.Tensor{Shape: append(s.x.Clone().Shape, 1), Data: s.x.Data}, feature.ErrShape},
		{"input of no rows", feature.Tensor{Shape: append([]int{0}, s.x.Shape[1:]...)}, feature.ErrShape},
		{"input with too little data", feature.Tensor{Shape: s.x.Shape, Data: s.x.Data[:len(s.x.Data)-1]}, feature.ErrShape},
		{"input without axes", feature.Tensor{}, feature.ErrShape},
	}
	if spec := s.m.Spec(); spec.Batch != 0 {
		bad = append(bad, badInput{"batch of another size", feature.NewTensor(append([]int{spec.Batch + 1}, spec.Input...)...), feature.ErrShape})
	}
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		x := s.x.Clone()
		x.Data[len(x.Data)-1] = float32(v)
		bad = append(bad, badInput{fmt.Sprintf("input with %v", v), x, feature.ErrNotFinite})
	}
	return bad
}

type badInput struct {
	what string
	x    feature.Tensor
	err  error
}

func (s *suite) forwardErrors() error {
	for _, b := range s.badInputs() {
		if err := want(b.what, s.m.Forward(s.ctx, b.x, s.taps, s.out), b.err); err != nil {
			return err
		}
	}
	err := s.m.Forward(s.ctx, s.x, []string{"no such tap"}, s.out[:1])
	if err := want("unknown tap", err, feature.ErrNoTap); err != nil {
		return err
	}
	err = s.m.Forward(s.ctx, s.x, s.taps, s.out[:len(s.out)-1])
	if err := want("one output too few", err, feature.ErrShape); err != nil {
		return err
	}
	short := append([]feature.Tensor(nil), s.out...)
	short[0].Data = short[0].Data[1:]
	if err := want("output too short", s.m.Forward(s.ctx, s.x, s.taps, short), feature.ErrShape); err != nil {
		return err
	}
	short[0].Data = nil
	if err := want("output without data", s.m.Forward(s.ctx, s.x, s.taps, short), feature.ErrShape); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	return want("cancelled context", s.m.Forward(ctx, s.x, s.taps, s.out), context.Canceled)
}

// concurrent checks that calls on several goroutines give what one call gives.
func (s *suite) concurrent() error {
	reference, err := s.result(s.x)
	if err != nil {
		return err
	}
	return onGoroutines(func() error {
		var err error
		for range 3 {
			err = errors.Join(err, s.repeat(reference))
		}
		return err
	})
}

// result returns the values of the taps and the gradients, if any.
func (s *suite) result(x feature.Tensor) ([][]float32, error) {
	out, err := s.forward(x)
	if err != nil {
		return nil, err
	}
	var res [][]float32
	for _, t := range out {
		res = append(res, t.Data)
	}
	if s.d != nil {
		dx, dp := make([]float32, len(x.Data)), feature.NewGradients(s.m.Spec())
		err = s.d.Grad(s.ctx, x, s.taps, s.lossFunc, dx, dp)
		res = append(append(res, dx), dp...)
	}
	return res, err
}

func (s *suite) repeat(reference [][]float32) error {
	res, err := s.result(s.x)
	for i := range res {
		if err == nil {
			err = sameBits("result on several goroutines", reference[i], res[i])
		}
	}
	return err
}
