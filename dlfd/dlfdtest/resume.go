package dlfdtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/dlfd-go/unlearn/dlfd"
)

// resumes checks that a method which says so goes on from a checkpoint to the same bits
// and the same result, wherever it was stopped, and that any other refuses one.
func resumes(u dlfd.Unlearner) error {
	dir, err := os.MkdirTemp("", "dlfdtest")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "checkpoint")
	if !dlfd.NeedsOf(u).Resumes {
		r := newRequest()
		r.opt.Checkpoint.Path = path
		return r.mustFail(context.Background(), u, dlfd.ErrParameter)
	}
	alone := newRequest()
	res, err := alone.run(context.Background(), u)
	if err != nil {
		return err
	}
	steps := res.Ledger.Steps
	for part := 1; part <= 3; part++ {
		after := part * steps / 4
		if after < 1 || after >= steps-1 {
			continue
		}
		if err := stopAndGoOn(u, alone, res, path, after); err != nil {
			return fmt.Errorf("written after step %d of %d, and stopped after the next: %w", after, steps, err)
		}
	}
	return nil
}

// stopAndGoOn stops a run one step after the checkpoint was written, and runs it once
// more.
func stopAndGoOn(u dlfd.Unlearner, alone *request, want *dlfd.Result, path string, after int) error {
	r := newRequest()
	r.opt.Checkpoint.Path, r.opt.Checkpoint.Every = path, after
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r.opt.Observer = func(e dlfd.Event) {
		if e.Point != nil && e.Step > after {
			cancel()
		}
	}
	if err := r.mustFail(ctx, u, context.Canceled); err != nil {
		return err
	}
	again := newRequest()
	again.opt.Checkpoint = r.opt.Checkpoint
	first := -1
	again.opt.Observer = func(e dlfd.Event) {
		if e.Point != nil && first < 0 {
			first = e.Step
		}
	}
	res, err := again.run(context.Background(), u)
	if err != nil {
		return err
	}
	if first <= 1 {
		return fmt.Errorf("the first step of the second run is number %d: it did not go on", first)
	}
	if !slices.Equal(alone.weights(), again.weights()) {
		return errors.New("the weights are not those of a run that was left alone")
	}
	if err := sameResult(want, res); err != nil {
		return err
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("%s is left after success", left[0].Name())
	}
	return err
}

// sameResult returns an error that names the first field in which two results differ.
// Settings, which may hold functions, are not compared.
func sameResult(a, b *dlfd.Result) error {
	x, y := reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem()
	for i := range x.NumField() {
		name := x.Type().Field(i).Name
		if name != "Settings" && !reflect.DeepEqual(x.Field(i).Interface(), y.Field(i).Interface()) {
			return fmt.Errorf("the %s of the result is another than that of a run that was left alone", name)
		}
	}
	return nil
}
