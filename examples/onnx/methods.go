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
	"github.com/dlfd-go/unlearn/feature/train"
)

// recommended and released are the methods that -method knows beside those of
// baseline.ByName.
const recommended, releasedName = "recommended", "released"

func methodNames() string {
	return "`method`: recommended, released, or one of baseline.ByName with settings after colons, such as scrub:rate=.001: " + strings.Join(baseline.Names(), ", ")
}

// chosen is the method that the flags name, with their settings.
func (f *flags) chosen() (dlfd.Unlearner, error) {
	name, _, _ := strings.Cut(f.method, ":")
	switch {
	case (f.shrink != 0 || f.always) && name != "align":
		return nil, fmt.Errorf("-shrink and -always are for -method align, not for %s", name)
	case (f.epochs != 0 || f.rate != 0) && name == recommended:
		return nil, fmt.Errorf("-epochs and -rate are for a method by name, such as -method align, not for %s", name)
	case f.method == recommended:
		return dlfd.Recommended(), nil
	case f.method == releasedName:
		return released.Method{Epochs: f.epochs, Rate: f.rate}, nil
	case name == "retrain":
		return nil, errors.New("-method retrain is not offered: a file does not say how its model was trained; shortretrain:epochs=N trains fresh weights")
	}
	u, err := baseline.ByName(f.method + f.settings())
	if err != nil {
		return nil, fmt.Errorf("-method: %w; the methods are recommended, released, %s", err, strings.Join(baseline.Names(), ", "))
	}
	return u, nil
}

// settings are those of the flags, as baseline.ByName reads them.
func (f *flags) settings() string {
	var b strings.Builder
	if f.epochs != 0 {
		fmt.Fprintf(&b, ":epochs=%d", f.epochs)
	}
	if f.rate != 0 {
		fmt.Fprintf(&b, ":rate=%v", f.rate)
	}
	if f.shrink != 0 {
		fmt.Fprintf(&b, ":shrink=%v", f.shrink)
	}
	if f.always {
		b.WriteString(":always")
	}
	return b.String()
}

// forget runs the method.
func forget(ctx context.Context, m *onnx.Model, d *data, f *flags, stderr io.Writer) (*dlfd.Result, error) {
	chosen, err := f.chosen()
	if err != nil {
		return nil, err
	}
	bar := newBar(stderr)
	defer bar.end()
	request := dlfd.Data{Retain: d.retain.set, Forget: d.forget.set, Holdout: d.steer, Demand: f.demand()}
	if !dlfd.NeedsOf(chosen).Holdout {
		request.Holdout = nil
	}
	return chosen.Unlearn(ctx, m, request, &dlfd.Options{
		Seed: f.seed, Observer: bar.event, AllowOverlap: f.overlap, Now: time.Now, Budget: dlfd.Budget{Time: f.limit},
		Checkpoint: train.Checkpoint{Path: f.checkpoint},
	})
}

// errNotForgotten is wrapped by the error of a run that ended, and whose model
// has not forgotten.
var errNotForgotten = errors.New("not forgotten")

// errCannotTell is wrapped by the error of a run whose audit does not show whether the
// model has forgotten.
var errCannotTell = errors.New("cannot tell whether it is forgotten")

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
