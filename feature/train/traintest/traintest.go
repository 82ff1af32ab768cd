// Package traintest checks that an optimizer keeps the laws of train.Optimizer:
//
//	func TestMine(t *testing.T) { traintest.Run(t, Mine{Rate: .01}) }
package traintest

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/train"
)

var laws = []struct {
	name  string
	check func(train.Optimizer) error
}{
	{"fresh state", fresh}, {"runs apart", apart}, {"scale 0", scaleZero}, {"scale", badScale},
	{"nil gradients", nilGradients}, {"steps by parameter", lateParameter},
	{"arguments", arguments}, {"wrong lengths", wrongLengths}, {"descends", descends},
	{"goes on from its bytes", resumes},
}

// Run checks o, whose settings must be in range, on a small model; one subtest a
// law. A panic of o fails the law that was being checked.
func Run(t *testing.T, o train.Optimizer) {
	t.Helper()
	for _, l := range laws {
		t.Run(l.name, func(t *testing.T) {
			if err := guard(l.check, o); err != nil {
				t.Error(err)
			}
		})
	}
}

// Check returns an error that lists every law which o breaks.
func Check(o train.Optimizer) error {
	var errs []error
	for _, l := range laws {
		if err := guard(l.check, o); err != nil {
			errs = append(errs, fmt.Errorf("traintest: %s: %w", l.name, err))
		}
	}
	return errors.Join(errs...)
}

func guard(check func(train.Optimizer) error, o train.Optimizer) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return check(o)
}

// run is an optimizer's state and the model that it steps. Its loss is the
// quadratic ½‖w − 1‖² over all parameters, whose gradient is w − 1.
type run struct {
	m     *featuretest.MLP
	state train.OptimizerState
}

func start(o train.Optimizer) (*run, error) {
	m := featuretest.NewMLP(3, 4, 2, 1)
	state, err := o.Start(m.Spec())
	if err == nil && state == nil {
		err = errors.New("neither a state nor an error came from Start")
	}
	return &run{m, state}, err
}

func (r *run) gradients() [][]float32 {
	dp := feature.NewGradients(r.m.Spec())
	for i, g := range dp {
		for k := range g {
			g[k] = r.m.P[i][k] - 1
		}
	}
	return dp
}

func (r *run) steps(n int) error {
	for range n {
		if err := r.state.Step(r.m, r.gradients(), 1); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) weights() []float32 { return slices.Concat(r.m.P[:]...) }

func (r *run) loss() (sum float64) {
	for _, w := range r.weights() {
		sum += (float64(w) - 1) * (float64(w) - 1) / 2
	}
	return sum
}

// sameWeights returns an error unless a and b are equal to the bit.
func sameWeights(what string, a, b []float32) error {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return fmt.Errorf("%s: weight %d is %v and %v", what, i, a[i], b[i])
		}
	}
	return nil
}

// fresh checks that each Start begins anew, whatever the settings served before.
func fresh(o train.Optimizer) error {
	var weights [2][]float32
	for i := range weights {
		r, err := start(o)
		if err != nil {
			return err
		}
		if err := r.steps(4); err != nil {
			return err
		}
		weights[i] = r.weights()
	}
	return sameWeights("two runs of the same settings", weights[0], weights[1])
}

// apart checks that two runs that step in turn do not know of one another.
func apart(o train.Optimizer) error {
	alone, err := start(o)
	if err != nil {
		return err
	}
	if err := alone.steps(4); err != nil {
		return err
	}
	a, errA := start(o)
	b, errB := start(o)
	if err := errors.Join(errA, errB); err != nil {
		return err
	}
	for range 4 {
		if err := errors.Join(a.steps(1), b.steps(2)); err != nil {
			return err
		}
	}
	return sameWeights("a run alone, and beside another", alone.weights(), a.weights())
}

func scaleZero(o train.Optimizer) error {
	r, err := start(o)
	if err != nil {
		return err
	}
	before := r.weights()
	for range 3 {
		if err := r.state.Step(r.m, r.gradients(), 0); err != nil {
			return err
		}
	}
	return sameWeights("before and after steps with scale 0", before, r.weights())
}

// badScale checks that a scale must be finite and not negative.
func badScale(o train.Optimizer) error {
	r, err := start(o)
	if err != nil {
		return err
	}
	before := r.weights()
	for _, scale := range []float64{-1, math.NaN(), math.Inf(1)} {
		if err := r.state.Step(r.m, r.gradients(), scale); !errors.Is(err, train.ErrParameter) {
			return fmt.Errorf("scale %v: error is %v, want %v", scale, err, train.ErrParameter)
		}
	}
	return sameWeights("before and after refused steps", before, r.weights())
}

// nilGradients checks that parameters without a gradient stay.
func nilGradients(o train.Optimizer) error {
	r, err := start(o)
	if err != nil {
		return err
	}
	for skip := range r.m.P {
		dp, before := r.gradients(), slices.Clone(r.m.P[skip])
		dp[skip] = nil
		if err := r.state.Step(r.m, dp, 1); err != nil {
			return err
		}
		if err := sameWeights(fmt.Sprintf("parameter %d, without a gradient", skip), before, r.m.P[skip]); err != nil {
			return err
		}
	}
	before := r.weights()
	if err := r.state.Step(r.m, make([][]float32, len(r.m.P)), 1); err != nil {
		return err
	}
	return sameWeights("a step without gradients", before, r.weights())
}

// lateParameter checks that the first step of a parameter does not depend on how
// many steps the others have made.
func lateParameter(o train.Optimizer) error {
	early, err := start(o)
	if err != nil {
		return err
	}
	late, err := start(o)
	if err != nil {
		return err
	}
	for range 5 {
		dp := late.gradients()
		dp[0] = nil
		if err := late.state.Step(late.m, dp, 1); err != nil {
			return err
		}
	}
	if err := errors.Join(early.steps(3), late.steps(3)); err != nil {
		return err
	}
	return sameWeights("parameter 0 stepped from the start, and five steps late", early.m.P[0], late.m.P[0])
}

// arguments checks that gradients are neither changed nor kept.
func arguments(o train.Optimizer) error {
	a, errA := start(o)
	b, errB := start(o)
	if err := errors.Join(errA, errB); err != nil {
		return err
	}
	reused := feature.NewGradients(a.m.Spec())
	for range 4 {
		dp := a.gradients()
		for i := range dp {
			copy(reused[i], dp[i])
		}
		if err := a.state.Step(a.m, reused, 1); err != nil {
			return err
		}
		for i := range dp {
			if err := sameWeights("a gradient before and after a step", dp[i], reused[i]); err != nil {
				return err
			}
			clear(reused[i])
		}
	}
	if err := b.steps(4); err != nil {
		return err
	}
	return sameWeights("gradients in one buffer, and in fresh ones", a.weights(), b.weights())
}

func wrongLengths(o train.Optimizer) error {
	r, err := start(o)
	if err != nil {
		return err
	}
	dp, before := r.gradients(), r.weights()
	short, long := slices.Clone(dp), slices.Clone(dp)
	short[0], long[0] = dp[0][1:], append(slices.Clone(dp[0]), 0)
	for what, bad := range map[string][][]float32{
		"no gradients": nil, "one gradient too few": dp[:len(dp)-1], "one gradient too many": append(slices.Clone(dp), nil),
		"a gradient too short": short, "a gradient too long": long, "an empty gradient": {{}, nil, nil, nil},
	} {
		if err := r.state.Step(r.m, bad, 1); !errors.Is(err, feature.ErrShape) {
			return fmt.Errorf("%s: error is %v, want %v", what, err, feature.ErrShape)
		}
	}
	return sameWeights("before and after refused steps", before, r.weights())
}

// descends checks that a hundred steps down a quadratic lead down.
func descends(o train.Optimizer) error {
	r, err := start(o)
	if err != nil {
		return err
	}
	before := r.loss()
	if err := r.steps(100); err != nil {
		return err
	}
	if after := r.loss(); !(after < before) {
		return fmt.Errorf("½‖w − 1‖² is %v after 100 steps and was %v", after, before)
	}
	return nil
}

// resumes checks that a state which writes itself goes on to the same bits where another
// reads what it wrote.
func resumes(o train.Optimizer) error {
	alone, err := start(o)
	if err != nil {
		return err
	}
	from, ok := alone.state.(encoding.BinaryMarshaler)
	if !ok {
		return nil
	}
	if err := alone.steps(3); err != nil {
		return err
	}
	bytes, err := from.MarshalBinary()
	if err != nil {
		return err
	}
	other, err := start(o)
	if err != nil {
		return err
	}
	to, ok := other.state.(encoding.BinaryUnmarshaler)
	if !ok {
		return fmt.Errorf("the state, a %T, is an encoding.BinaryMarshaler and no BinaryUnmarshaler", other.state)
	}
	if err := to.UnmarshalBinary(bytes); err != nil {
		return err
	}
	for i, p := range alone.m.P {
		copy(other.m.P[i], p)
	}
	if err := errors.Join(alone.steps(3), other.steps(3)); err != nil {
		return err
	}
	return sameWeights("a run alone, and one that went on from its bytes", alone.weights(), other.weights())
}
