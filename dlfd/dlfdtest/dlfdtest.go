// Package dlfdtest checks that an unlearning method keeps the laws of
// dlfd.Unlearner: weights restored on every error and after every panic of user
// code, equal bits for equal arguments and through wrappers, honest counting, and
// clear errors for bad requests.
//
//	func TestMine(t *testing.T) { dlfdtest.Run(t, Mine{}) }
package dlfdtest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
)

const (
	inputs  = 5
	hidden  = 12
	classes = 3
)

// Model returns a fresh model of the architecture that Run uses: 5 inputs, 12
// hidden units, 3 classes.
func Model(seed uint64) (feature.Trainable, error) {
	return featuretest.NewMLP(inputs, hidden, classes, seed), nil
}

// Run checks u on a small model and small data, one subtest a law.
func Run(t *testing.T, u dlfd.Unlearner) {
	t.Helper()
	RunExcept(t, u)
}

// SeedLaw is the law that two seeds give different weights.
const SeedLaw = "depends on the seed"

// RunExcept is Run without the laws of the given names. A method that draws nothing
// at random is tested without SeedLaw.
func RunExcept(t *testing.T, u dlfd.Unlearner, without ...string) {
	t.Helper()
	if u == nil {
		t.Fatal("the Unlearner is nil")
	}
	left := 0
	for _, law := range []struct {
		name  string
		check func(dlfd.Unlearner) error
	}{
		{"changes the weights", changes},
		{"repeats bit by bit", repeats},
		{SeedLaw, seeded},
		{"counts its work", counts},
		{"reports progress", reports},
		{"takes one-sample batches", oneSample},
		{"takes sets of unequal size", unequal},
		{"restores when cancelled", cancelled},
		{"restores when the model fails", broken},
		{"restores when gradients are not finite", diverged},
		{"refuses NaN", notFinite},
		{"refuses empty sets", empty},
		{"names the empty forget set", emptyForget},
		{"reads no more than it needs", frugal},
		{"takes nil options", nilOptions},
		{"restores when the observer panics", panickyObserver},
		{"restores when the model panics", panickyModel},
		{"restores when a dataset panics", panickyData},
		{"works through a wrapper of the model", wrappedModel},
		{"works on subsets of whole sets", wrappedData},
		{"refuses shared identities", overlap},
		{"refuses shared samples", sharedSample},
		{"refuses batch sizes out of range", batchSize},
		{"refuses wrong shapes", wrongShape},
		{"goes on from a checkpoint, or refuses one", resumes},
	} {
		if slices.Contains(without, law.name) {
			left++
			continue
		}
		t.Run(law.name, func(t *testing.T) {
			if err := caught(func() error { return law.check(u) }); err != nil {
				t.Error(err)
			}
		})
	}
	if left != len(without) {
		t.Errorf("%d of the laws %q are no laws", len(without)-left, without)
	}
}

// caught returns what check returns, and a panic as an error that says where.
func caught(check func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return check()
}

// request is a model and what to unlearn from it.
type request struct {
	model *featuretest.MLP
	data  dlfd.Data
	opt   dlfd.Options
}

func blobs(n int, seed uint64) *featuretest.Blobs {
	return featuretest.NewBlobs(n, inputs, classes, .6, 7, seed)
}

func newRequest() *request {
	return &request{
		model: featuretest.NewMLP(inputs, hidden, classes, 1),
		data:  dlfd.Data{Retain: blobs(45, 1), Forget: blobs(18, 2), Holdout: blobs(21, 3)},
		opt:   dlfd.Options{Seed: 4, BatchSize: 8},
	}
}

func (r *request) run(ctx context.Context, u dlfd.Unlearner) (*dlfd.Result, error) {
	res, err := u.Unlearn(ctx, r.model, r.data, &r.opt)
	if res == nil && err == nil {
		err = errors.New("neither a result nor an error came from Unlearn")
	}
	return res, err
}

// weights returns all parameters in one slice.
func (r *request) weights() []float32 {
	var all []float32
	for _, p := range r.model.P {
		all = append(all, p...)
	}
	return all
}

// mustFail runs a request that must end in an error wrapping want and leave the
// weights as they were.
func (r *request) mustFail(ctx context.Context, u dlfd.Unlearner, want error) error {
	before := r.weights()
	res, err := r.run(ctx, u)
	if !errors.Is(err, want) {
		return fmt.Errorf("error is %v, want one that wraps %q", err, want)
	}
	if res != nil {
		return fmt.Errorf("a result came with error %v", err)
	}
	if !slices.Equal(before, r.weights()) {
		return fmt.Errorf("after error %v the weights are not the old ones", err)
	}
	return nil
}

func changes(u dlfd.Unlearner) error {
	r := newRequest()
	before := r.weights()
	if _, err := r.run(context.Background(), u); err != nil {
		return err
	}
	if slices.Equal(before, r.weights()) {
		return errors.New("the weights are the old ones")
	}
	return nil
}

func repeats(u dlfd.Unlearner) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var first []float32
	for _, procs := range []int{1, 2, 4} {
		runtime.GOMAXPROCS(procs)
		r := newRequest()
		if _, err := r.run(context.Background(), u); err != nil {
			return err
		}
		if first == nil {
			first = r.weights()
		} else if !slices.Equal(first, r.weights()) {
			return fmt.Errorf("at GOMAXPROCS %d the weights differ from those at 1", procs)
		}
	}
	return nil
}

func seeded(u dlfd.Unlearner) error {
	a, b := newRequest(), newRequest()
	b.opt.Seed = 6
	for _, r := range []*request{a, b} {
		if _, err := r.run(context.Background(), u); err != nil {
			return err
		}
	}
	if slices.Equal(a.weights(), b.weights()) {
		return errors.New("two seeds give the same weights")
	}
	return nil
}

func counts(u dlfd.Unlearner) error {
	r := newRequest()
	res, err := r.run(context.Background(), u)
	if err != nil {
		return err
	}
	l := res.Ledger
	if l.Forward <= 0 || l.Backward > l.Forward {
		return fmt.Errorf("ledger %+v", l)
	}
	if l.Wall != 0 {
		return fmt.Errorf("wall time %v without a clock", l.Wall)
	}
	if len(res.Trace) != l.Steps {
		return fmt.Errorf("trace has %d points for %d steps", len(res.Trace), l.Steps)
	}
	if r.model.Ran != l.Forward || r.model.RanBack != l.Backward {
		return fmt.Errorf("ledger %+v, but %d samples ran forward and %d backward", l, r.model.Ran, r.model.RanBack)
	}
	return nil
}

func reports(u dlfd.Unlearner) error {
	r := newRequest()
	var wrong error
	steps := 0
	r.opt.Observer = func(e dlfd.Event) {
		if e.Point == nil {
			return
		}
		steps++
		if e.Step != steps || e.Step > e.Steps {
			wrong = fmt.Errorf("event %d says step %d of %d", steps, e.Step, e.Steps)
		}
	}
	res, err := r.run(context.Background(), u)
	if err != nil {
		return err
	}
	if wrong == nil && steps != res.Ledger.Steps {
		wrong = fmt.Errorf("%d events for %d steps", steps, res.Ledger.Steps)
	}
	return wrong
}

func oneSample(u dlfd.Unlearner) error {
	r := newRequest()
	r.opt.BatchSize = 1
	_, err := r.run(context.Background(), u)
	return err
}

func unequal(u dlfd.Unlearner) error {
	for _, n := range [][2]int{{45, 13}, {13, 45}, {17, 17}} {
		r := newRequest()
		r.data.Retain, r.data.Forget = blobs(n[0], 1), blobs(n[1], 2)
		if _, err := r.run(context.Background(), u); err != nil {
			return fmt.Errorf("retain %d, forget %d: %w", n[0], n[1], err)
		}
	}
	return nil
}

func cancelled(u dlfd.Unlearner) error {
	ctx, cancel := context.WithCancel(context.Background())
	r := newRequest()
	r.opt.Observer = func(e dlfd.Event) {
		if e.Step == 2 {
			cancel()
		}
	}
	return r.mustFail(ctx, u, context.Canceled)
}

func broken(u dlfd.Unlearner) error {
	r := newRequest()
	r.model.FailAfter = 3
	return r.mustFail(context.Background(), u, featuretest.ErrBroken)
}

func notFinite(u dlfd.Unlearner) error {
	r := newRequest()
	(*r.read(u)).(*featuretest.Blobs).X.Data[77] = float32(math.NaN())
	return r.mustFail(context.Background(), u, feature.ErrNotFinite)
}

// diverged lets the gradients of the model turn to NaN in mid-run.
func diverged(u dlfd.Unlearner) error {
	r := newRequest()
	r.model.NaNAfter = 3
	before := r.weights()
	if _, err := r.run(context.Background(), u); err == nil {
		return errors.New("no error although gradients were NaN")
	}
	if !slices.Equal(before, r.weights()) {
		return errors.New("the weights are not the old ones")
	}
	return nil
}

// emptyForget holds a method that reads the forget set to refusing an empty
// one; others do not notice.
func emptyForget(u dlfd.Unlearner) error {
	r := newRequest()
	r.data.Forget = blobs(0, 2)
	before := r.weights()
	_, err := r.run(context.Background(), u)
	if err == nil {
		return nil
	}
	if !errors.Is(err, dlfd.ErrEmpty) || !strings.Contains(err.Error(), "forget") || !slices.Equal(before, r.weights()) {
		return fmt.Errorf("error is %v, want one that wraps %q and names the forget set", err, dlfd.ErrEmpty)
	}
	return nil
}

func empty(u dlfd.Unlearner) error {
	r := newRequest()
	r.data = dlfd.Data{Retain: blobs(0, 1), Forget: blobs(0, 2), Holdout: blobs(0, 3)}
	return r.mustFail(context.Background(), u, dlfd.ErrEmpty)
}

// nilOptions are the zero ones.
func nilOptions(u dlfd.Unlearner) error {
	a, b := newRequest(), newRequest()
	if _, err := u.Unlearn(context.Background(), a.model, a.data, nil); err != nil {
		return err
	}
	b.opt = dlfd.Options{}
	if _, err := b.run(context.Background(), u); err != nil {
		return err
	}
	if !slices.Equal(a.weights(), b.weights()) {
		return errors.New("the weights differ from those with zero options")
	}
	return nil
}

func overlap(u dlfd.Unlearner) error {
	r := newRequest()
	shared := r.data.Retain.(*featuretest.Blobs).Persons
	r.data.Forget.(*featuretest.Blobs).Persons[4] = shared[9]
	var told []string
	r.opt.Observer = func(e dlfd.Event) { told = append(told, e.Overlap...) }
	if err := r.mustFail(context.Background(), u, dlfd.ErrOverlap); err != nil {
		return err
	}
	if !slices.Equal(told, shared[9:10]) {
		return fmt.Errorf("the observer was told of %q, want %q", told, shared[9:10])
	}
	r.opt.AllowOverlap = true
	res, err := r.run(context.Background(), u)
	if err != nil {
		return err
	}
	if !slices.Equal(res.Overlap, shared[9:10]) {
		return fmt.Errorf("result lists %q, want %q", res.Overlap, shared[9:10])
	}
	return nil
}

func wrongShape(u dlfd.Unlearner) error {
	r := newRequest()
	bad := featuretest.NewBlobs(9, inputs+1, classes, 1, 1, 1)
	r.data = dlfd.Data{Retain: bad, Forget: bad, Holdout: bad}
	return r.mustFail(context.Background(), u, feature.ErrShape)
}
