package featuretest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/nn"
)

// raced is set under the race detector, which finds some faults before the laws do.
var raced bool

type (
	specFunc    = func(feature.Spec) feature.Spec
	forwardFunc = func(ctx context.Context, x feature.Tensor, taps []string, out []feature.Tensor) error
)

// panicky are networks that panic in one method, by a law that finds it.
func panicky() map[string]*mutant {
	return map[string]*mutant{
		"spec: panics":   {spec: func(feature.Spec) feature.Spec { panic("spec") }},
		"values: panics": {forward: func(context.Context, feature.Tensor, []string, []feature.Tensor) error { panic("forward") }},
		"loss: panics": {grad: func(context.Context, feature.Mode, feature.Tensor, []string, feature.LossFunc, []float32, [][]float32) error {
			panic("grad")
		}},
		"values: get panics": {get: func(int, []float32) error { panic("get") }},
		"values: set panics": {set: func(int, []float32) error { panic("set") }},
		"clone: panics":      {clone: func() (feature.Trainable, error) { panic("clone") }},
		"clone: nil":         {clone: func() (feature.Trainable, error) { return nil, nil }},
	}
}

// badSpecs describe a network wrongly.
func badSpecs() map[string]specFunc {
	calls := 0
	param := func(change func(p *feature.Param)) specFunc {
		return func(s feature.Spec) feature.Spec {
			s.Params = slices.Clone(s.Params)
			for i := range s.Params {
				change(&s.Params[i])
			}
			return s
		}
	}
	return map[string]specFunc{
		"spec: changes":             func(s feature.Spec) feature.Spec { calls++; s.Batch = calls; return s },
		"spec: trainable statistic": param(func(p *feature.Param) { p.Trainable = true }),
		"spec: unknown kind":        param(func(p *feature.Param) { p.Kind = 7 }),
		"spec: no input":            func(s feature.Spec) feature.Spec { s.Input = []int{0}; return s },
		"spec: lists a tap twice":   func(s feature.Spec) feature.Spec { s.Taps = append(slices.Clone(s.Taps), s.Taps[0]); return s },
		"spec: no logits":           func(s feature.Spec) feature.Spec { s.Logits = ""; return s },
		// A statistic that is called a frozen weight must not move.
		"modes: statistic called weight": param(func(p *feature.Param) {
			if p.Kind == feature.Statistic {
				p.Kind = feature.Weight
			}
		}),
	}
}

// retaining are networks that keep an argument, or share what they must not.
func retaining(n *nn.Network) map[string]forwardFunc {
	var seen *float32
	var kept []feature.Tensor
	var old []float32
	var inside atomic.Int32
	return map[string]forwardFunc{
		"arguments: caches by buffer": func(ctx context.Context, x feature.Tensor, taps []string, out []feature.Tensor) error {
			if len(x.Data) > 0 && seen == &x.Data[0] && feature.CheckForward(n.Spec(), x, taps, out) == nil && len(taps) == len(kept) {
				for i := range out {
					copy(out[i].Data, kept[i].Data)
				}
				return ctx.Err()
			}
			err := n.Forward(ctx, x, taps, out)
			if err == nil {
				seen, kept = &x.Data[0], make([]feature.Tensor, len(out))
				for i, t := range out {
					kept[i] = t.Clone()
				}
			}
			return err
		},
		"arguments: writes to an old output": func(ctx context.Context, x feature.Tensor, taps []string, out []feature.Tensor) error {
			clear(old)
			err := n.Forward(ctx, x, taps, out)
			if err == nil {
				old = out[0].Data
			}
			return err
		},
		"forward errors: ignores missing data": func(ctx context.Context, x feature.Tensor, taps []string, out []feature.Tensor) error {
			if len(out) > 0 && out[0].Data == nil {
				return nil
			}
			return n.Forward(ctx, x, taps, out)
		},
		"concurrent use: panics": func(ctx context.Context, x feature.Tensor, taps []string, out []feature.Tensor) error {
			if inside.Add(1) > 1 {
				panic("two at once")
			}
			time.Sleep(50 * time.Microsecond)
			defer inside.Add(-1)
			return n.Forward(ctx, x, taps, out)
		},
	}
}

// misgraded are networks whose gradients break a law of kinds or lengths.
func misgraded(n *nn.Network) map[string]gradFunc {
	right := n.GradMode
	return map[string]gradFunc{
		"loss: no tensors": func(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
			return right(ctx, mode, x, taps, func(_, _ []feature.Tensor) error { return loss(nil, nil) }, dx, dp)
		},
		"input gradient: short tensors": func(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
			return right(ctx, mode, x, taps, func(val, cot []feature.Tensor) error {
				val[0].Data = val[0].Data[:1]
				return loss(val, cot)
			}, dx, dp)
		},
		"gradient errors: gives a statistic's": func(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
			if err := right(ctx, mode, x, taps, loss, dx, dp); !errors.Is(err, feature.ErrParam) {
				return err
			}
			return nil
		},
		"gradient errors: takes any length": func(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
			own := slices.Clone(dp)
			for i, p := range n.Spec().Params {
				if i < len(own) && len(own[i]) > feature.Size(p.Shape) {
					own[i] = own[i][:feature.Size(p.Shape)]
				}
			}
			return right(ctx, mode, x, taps, loss, dx, own)
		},
		"modes: tracks in evaluation": func(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
			if mode.Track && !mode.Train {
				return nil
			}
			return right(ctx, mode, x, taps, loss, dx, dp)
		},
		"modes: tracks only with gradients": func(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
			mode.Track = mode.Track && dp != nil
			return right(ctx, mode, x, taps, loss, dx, dp)
		},
		"modes: moves a bias": func(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
			err := right(ctx, mode, x, taps, loss, dx, dp)
			if err == nil && mode.Track {
				err = n.UpdateParam(1, func(w []float32) { w[0]++ })
			}
			return err
		},
	}
}

// serial is a mutant that several goroutines enter at once.
type serial struct{ *mutant }

func (s serial) Forward(ctx context.Context, x feature.Tensor, taps []string, out []feature.Tensor) error {
	return s.forward(ctx, x, taps, out)
}

func TestRejectsMisbehavior(t *testing.T) {
	n := network(t)
	all := panicky()
	for name, f := range badSpecs() {
		all[name] = &mutant{spec: f}
	}
	for name, f := range misgraded(n) {
		all[name] = &mutant{grad: f}
	}
	for name, m := range all {
		m.Network = n
		expectLaw(t, name, featuretest.Check(m, nil))
	}
	for name, f := range retaining(n) {
		m := &mutant{Network: n, forward: f}
		switch {
		case strings.HasPrefix(name, "concurrent"):
			expectLaw(t, name, featuretest.Check(serial{m}, nil))
		case !raced:
			expectLaw(t, name, featuretest.Check(m, nil))
		}
	}
	if err := featuretest.Check(nil, nil); err == nil {
		t.Error("a nil model was accepted")
	}
	if err := featuretest.Check(network(t), &featuretest.Options{Taps: []string{"nowhere"}}); !errors.Is(err, feature.ErrNoTap) {
		t.Errorf("tap that is not there: %v", err)
	}
}

// wrapper looks like a model with nothing optional and shows the rest by As.
type wrapper struct {
	feature.Model
	as func(target any) bool
}

func (w wrapper) As(target any) bool { return w.as(target) }

// show stores m where it is asked for an interface that m has.
func show(m feature.Model) func(target any) bool {
	return func(target any) (ok bool) {
		switch t := target.(type) {
		case *feature.Differentiable:
			*t, ok = feature.As[feature.Differentiable](m)
		case *feature.Trainable:
			*t, ok = feature.As[feature.Trainable](m)
		case *feature.ModeGrader:
			*t, ok = feature.As[feature.ModeGrader](m)
		case *feature.ParamUpdater:
			*t, ok = feature.As[feature.ParamUpdater](m)
		case *feature.Cloner:
			*t, ok = feature.As[feature.Cloner](m)
		case *feature.Saver:
			*t, ok = feature.As[feature.Saver](m)
		case *feature.Sharer:
			*t, ok = feature.As[feature.Sharer](m)
		case *feature.NormInserter:
			*t, ok = feature.As[feature.NormInserter](m)
		}
		return ok
	}
}

func TestWrappers(t *testing.T) {
	n, mlp := network(t), featuretest.NewMLP(4, 6, 3, 1)
	featuretest.RunWrapper(t, wrapper{n, show(n)}, n, nil)
	other := network(t)
	if err := other.UpdateParam(0, func(w []float32) { w[0]++ }); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]feature.Model{
		"wrapper claims what it has: hides": wrapper{n, func(any) bool { return false }},
		"wrapper claims what it has: hides Cloner": wrapper{n, func(target any) bool {
			_, cloner := target.(*feature.Cloner)
			return !cloner && show(n)(target)
		}},
		"wrapper changes no bit: another model":    other,
		"wrapper claims what it has: another spec": mlp,
		"spec: says yes": wrapper{n, func(any) bool { return true }},
	} {
		expectLaw(t, name, featuretest.CheckWrapper(bad, n, nil))
	}
	claims := struct {
		*featuretest.MLP
		feature.Sharer
	}{mlp, n}
	if !raced { // nor is it one
		expectLaw(t, "wrapper claims what it has: claims Sharer", featuretest.CheckWrapper(claims, mlp, nil))
	}
}
