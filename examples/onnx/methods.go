package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/dlfd/released"
	"github.com/dlfd-go/unlearn/feature/onnx"
)

// method is a way of forgetting that -method names.
type method struct {
	name    string
	holdout bool // it reads the holdout
	shrinks bool // -shrink and -always are for it
	tunes   bool // -epochs and -rate are for it
	make    func(f *flags) dlfd.Unlearner
}

// methods are all of them, the default first.
func methods() []method {
	descent := func(f *flags) baseline.Descent { return baseline.Descent{Epochs: f.epochs, Rate: f.rate} }
	return []method{
		{"recommended", true, false, false, func(*flags) dlfd.Unlearner { return dlfd.Recommended() }},
		{"align", true, true, true, func(f *flags) dlfd.Unlearner {
			return dlfd.Align{Epochs: f.epochs, Rate: f.rate, Shrink: f.shrink, Always: f.always}
		}},
		{"dlfd", true, false, true, func(f *flags) dlfd.Unlearner { return dlfd.DLFD{Epochs: f.epochs, Rate: f.rate} }},
		{"released", true, false, true, func(f *flags) dlfd.Unlearner { return released.Method{Epochs: f.epochs, Rate: f.rate} }},
		{"finetune", false, false, true, func(f *flags) dlfd.Unlearner { return baseline.FineTune{Descent: descent(f)} }},
		{"neggrad+", false, false, true, func(f *flags) dlfd.Unlearner { return baseline.NegGradPlus{Descent: descent(f)} }},
	}
}

func methodNames() string {
	var all []string
	for _, m := range methods() {
		all = append(all, m.name)
	}
	return strings.Join(all[:len(all)-1], ", ") + " or " + all[len(all)-1]
}

// chosen is the method that the flags name.
func (f *flags) chosen() (method, error) {
	for _, m := range methods() {
		if m.name == f.method {
			return m, nil
		}
	}
	return method{}, fmt.Errorf("-method %q is not %s", f.method, methodNames())
}

// refuses returns an error if a flag is set that the method does not have.
func (m method) refuses(f *flags) error {
	switch {
	case (f.shrink != 0 || f.always) && !m.shrinks:
		return fmt.Errorf("-shrink and -always are for -method align, not for %s", m.name)
	case (f.epochs != 0 || f.rate != 0) && !m.tunes:
		return fmt.Errorf("-epochs and -rate are for a method by name, such as -method align, not for %s", m.name)
	}
	return nil
}

// forget runs the method.
func forget(ctx context.Context, m *onnx.Model, d *data, f *flags, stderr io.Writer) (*dlfd.Result, error) {
	chosen, err := f.chosen()
	if err != nil {
		return nil, err
	}
	bar := newBar(stderr)
	defer bar.end()
	request := dlfd.Data{Retain: d.retain.set, Forget: d.forget.set, Holdout: d.steer}
	if !chosen.holdout {
		request.Holdout = nil
	}
	return chosen.make(f).Unlearn(ctx, m, request, &dlfd.Options{
		Seed: f.seed, Observer: bar.event, AllowOverlap: f.overlap, Now: time.Now, Budget: dlfd.Budget{Time: f.limit},
	})
}

// errNotForgotten is wrapped by the error of a run that ended, and whose model
// has not forgotten.
var errNotForgotten = errors.New("not forgotten")

// inWords says why a run ended, and whether it may have forgotten.
func inWords(stop dlfd.Stop) (text string, forgot bool) {
	switch stop {
	case dlfd.Completed:
		return "all steps were taken", true
	case dlfd.NotForgotten:
		return "all steps were taken, and the model still treats the forget images otherwise than unseen ones", false
	case dlfd.TaskHarmed:
		return "the method harmed the task and was ended; the model has the last weights that did not", false
	case dlfd.ScoreMet:
		return "the forget images could not be told from unseen ones any more", true
	case dlfd.NothingToForget:
		return "the model treats the forget images as it treats unseen ones already; -method align -always goes on all the same", false
	case dlfd.NothingDone:
		return "the method took no step that changed the model", false
	case dlfd.BudgetSpent:
		return "the time limit was reached before the last step", false
	case dlfd.CapNotMet:
		return "all steps were taken, and at none did the method's own score count as forgotten", false
	}
	return string(stop), false
}
