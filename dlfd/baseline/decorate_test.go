package baseline_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/nn"
)

// hardAscent drives forget accuracy from 1 to 0.
var hardAscent = baseline.NegGradPlus{Descent: baseline.Descent{Epochs: 6, Rate: .1}, Limit: baseline.Limit{Harm: dlfd.Off}, Beta: 2}

// Rewind gives the weights that a run ended by a budget at that step has, and no
// other checkpoint is closer.
func TestRewindFindsTheClosest(t *testing.T) {
	const every = 3
	// errors of all checkpoints, by runs that end there
	firstHalf, _, err := feature.Halves(task().Forget)
	if err != nil {
		t.Fatal(err)
	}
	weights, forget := map[int]feature.Weights{}, map[int]float64{}
	var reference float64
	full := trained(t)
	steps := run(t, hardAscent, full).Ledger.Steps
	for n := every; n <= steps; n += every {
		m := trained(t)
		u := stopAt{hardAscent, n}
		run(t, u, m)
		accuracy, _ := scores(t, m, firstHalf)
		forget[n] = 1 - accuracy
		if weights[n], err = feature.Snapshot(m); err != nil {
			t.Fatal(err)
		}
		accuracy, _ = scores(t, m, task().Holdout) // classes are equally many in both
		reference = 1 - accuracy
	}
	best := steps
	for n := steps; n > 0; n -= every {
		if math.Abs(forget[n]-reference) < math.Abs(forget[best]-reference) {
			best = n
		}
	}
	m := trained(t)
	res := run(t, baseline.Rewind{Of: hardAscent, Every: every}, m)
	if best == steps && runtime.GOARCH != "amd64" {
		t.Skip("elsewhere products round otherwise, and the ascent ends at its best step: there is nothing to rewind")
	}
	if best == steps || best == every || res.Ledger.Steps != steps {
		t.Fatalf("best is step %d of %d: errors %v, reference %v", best, res.Ledger.Steps, forget, reference)
	}
	if res.Best != best {
		t.Errorf("step %d was chosen, error %v; step %d has %v, reference %v", res.Best, forget[res.Best], best, forget[best], reference)
	}
	for i := range m.P {
		if !slices.Equal(m.P[i], weights[res.Best][i]) || !slices.Equal(res.Last[i], full.P[i]) {
			t.Errorf("parameter %d is not that of step %d, or the last one not that of the end", i, res.Best)
		}
	}
	if res.Method != "NegGrad++R" || len(res.Notes) != 1 {
		t.Errorf("method %q, notes %q", res.Method, res.Notes)
	}
}

// stopAt ends a method after n steps.
type stopAt struct {
	dlfd.Unlearner
	n int
}

func (u stopAt) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	o := *opt
	o.Watch = func(_ context.Context, s *dlfd.Session, done bool) error {
		if !done && s.Result.Ledger.Steps == u.n {
			s.End("enough")
		}
		return nil
	}
	return u.Unlearner.Unlearn(ctx, m, data, &o)
}

// Where a method works on a model with inserted norms, checkpoints are those of the
// model itself.
func TestRewindThroughInsertedNorms(t *testing.T) {
	b := nn.NewBuilder(1, 3, 6, 6)
	x := b.Input()
	for _, name := range []string{"a", "b", "c"} {
		x = b.ReLU(b.Conv(name, x, nn.Conv{Out: 4, Kernel: 3, Pad: 1, Bias: true}))
	}
	m, err := b.Build(b.Linear("out", b.Flatten(x), 3))
	if err != nil {
		t.Fatal(err)
	}
	images := func(n int, seed uint64) feature.Dataset {
		d := featuretest.NewBlobs(n, 3*6*6, 3, 1, 7, seed)
		d.X.Shape = []int{n, 3, 6, 6}
		return d
	}
	data := dlfd.Data{Retain: images(48, 1), Forget: images(18, 2), Holdout: images(18, 3)}
	logits := []string{m.Spec().Logits}
	predict := func(m feature.Model) []float32 {
		out, _, err := feature.Predict(context.Background(), m, data.Holdout, logits, 18)
		if err != nil {
			t.Fatal(err)
		}
		return out[0].Data
	}
	checked := 0
	opt := &dlfd.Options{BatchSize: 8, Watch: func(_ context.Context, s *dlfd.Session, done bool) error {
		if done || s.Result.Ledger.Steps%20 != 0 {
			return nil
		}
		if len(s.Model.Spec().Params) == len(m.Spec().Params) {
			t.Error("no norms are inserted")
		}
		want := predict(s.Model)
		w, err := s.Checkpoint()
		if err != nil {
			return err
		}
		copied, err := m.Clone()
		if err == nil {
			err = w.Restore(copied)
		}
		if err != nil {
			return err
		}
		for i, v := range predict(copied) {
			if math.Abs(float64(v-want[i])) > 1e-4*max(1, math.Abs(float64(want[i]))) { // folding rounds
				t.Fatalf("step %d: output %d is %v, that of the checkpoint %v", s.Result.Ledger.Steps, i, want[i], v)
			}
		}
		checked++
		return nil
	}}
	res, err := baseline.Rewind{Of: dlfd.Align{Always: true}, Every: 10}.Unlearn(context.Background(), m, data, opt)
	if err != nil {
		t.Fatal(err)
	}
	if checked == 0 || res.Best < 1 {
		t.Errorf("%d checkpoints looked at, best %d", checked, res.Best)
	}
}

// oneEpoch is fine-tuning that takes as many steps as an epoch has.
var oneEpoch = baseline.FineTune{Descent: baseline.Descent{Epochs: 1, Rate: .005}}

func TestEarlyStop(t *testing.T) {
	m := trained(t)
	res := run(t, baseline.EarlyStop{Of: hardAscent, AUC: .6, Every: 2}, m)
	last := res.Scores[len(res.Scores)-1]
	if res.Stop != dlfd.ScoreMet || last.AUC > .6 || last.Step != res.Ledger.Steps || res.Ledger.Steps >= 90 {
		t.Errorf("stop %q after %d steps, last score %+v", res.Stop, res.Ledger.Steps, last)
	}
	for _, s := range res.Scores[:len(res.Scores)-1] {
		if s.AUC <= .6 || s.Step%2 != 0 {
			t.Errorf("went on after score %+v", s)
		}
	}
	if res := run(t, baseline.EarlyStop{Of: oneEpoch}, trained(t)); res.Stop != dlfd.Completed || len(res.Scores) != 15 {
		t.Errorf("fine-tuning: %q with %d scores in 15 steps", res.Stop, len(res.Scores))
	}
	data := task()
	data.Holdout = nil
	if _, err := (baseline.EarlyStop{Of: hardAscent}).Unlearn(context.Background(), m, data, nil); !errors.Is(err, dlfd.ErrEmpty) {
		t.Errorf("without held-out samples: %v", err)
	}
}

func TestBudget(t *testing.T) {
	limit := func(own, passes int64) int {
		res, err := baseline.Budget{Of: baseline.FineTune{}, Passes: passes}.Unlearn(context.Background(), trained(t), task(), &dlfd.Options{BatchSize: 10, Budget: dlfd.Budget{Passes: own}})
		if err != nil {
			t.Fatal(err)
		}
		if res.Stop != dlfd.BudgetSpent || res.Method != "FineTune within a budget" {
			t.Errorf("%+v", res)
		}
		return res.Ledger.Steps
	}
	if a, b, c := limit(0, 60), limit(100, 60), limit(60, 100); a != 3 || b != 3 || c != 3 { // a step of 10 samples is 20 passes
		t.Errorf("%d, %d and %d steps, want 3", a, b, c)
	}
	b := baseline.Budget{Of: baseline.FineTune{}, Time: time.Second}
	if _, err := b.Unlearn(context.Background(), trained(t), task(), nil); !errors.Is(err, dlfd.ErrParameter) {
		t.Errorf("a time without a clock: %v", err)
	}
}

func TestSequential(t *testing.T) {
	const parts = 3
	m := trained(t)
	var sizes [][2]int // of the sets of each request
	u := spy{oneEpoch, &sizes}
	var events []dlfd.Event
	res, err := baseline.Sequential{Of: u, Parts: parts}.Unlearn(context.Background(), m, task(), &dlfd.Options{Seed: 5, BatchSize: 8, Observer: func(e dlfd.Event) { events = append(events, e) }})
	if err != nil {
		t.Fatal(err)
	}
	if want := [][2]int{{120 + 16, 8}, {120 + 8, 8}, {120, 8}}; !slices.Equal(sizes, want) {
		t.Errorf("requests of %v samples, want %v", sizes, want)
	}
	if res.Ledger.Steps != 17+16+15 || len(res.Trace) != 48 || res.Best != 48 || res.Ledger.Backward != 136+128+120 || len(res.Notes) != parts {
		t.Errorf("ledger %+v, %d points, best %d, notes %q", res.Ledger, len(res.Trace), res.Best, res.Notes)
	}
	for i, p := range res.Trace {
		if p.Step != i || events[i].Step != i+1 || events[i].Point.Step != i {
			t.Errorf("point %d has step %d; its event %d", i, p.Step, events[i].Step)
		}
	}
	// One request is the method itself.
	one, plain := trained(t), trained(t)
	run(t, baseline.Sequential{Of: hardAscent, Parts: 1}, one)
	run(t, hardAscent, plain)
	if !slices.Equal(one.P[0], plain.P[0]) {
		t.Error("one request gives other weights than the method")
	}
	// The second request fails.
	m = trained(t)
	old := slices.Clone(m.P[0])
	fails := 0
	if _, err := (baseline.Sequential{Of: failing{&fails}}).Unlearn(context.Background(), m, task(), nil); err == nil || fails != 2 || !slices.Equal(m.P[0], old) {
		t.Errorf("error %v after %d requests; the weights are the old ones: %v", err, fails, slices.Equal(m.P[0], old))
	}
	if _, err := (baseline.Sequential{Of: u, Parts: 25}).Unlearn(context.Background(), m, task(), nil); !errors.Is(err, dlfd.ErrEmpty) {
		t.Errorf("25 parts of 24 samples: %v", err)
	}
	// What the first request leaves of a budget is for the second.
	res, err = baseline.Sequential{Of: baseline.FineTune{}}.Unlearn(context.Background(), m, task(), &dlfd.Options{BatchSize: 12, Budget: dlfd.Budget{Passes: 2 * (132 + 60)}})
	if err != nil || res.Ledger.Backward != 132+60 || res.Stop != dlfd.BudgetSpent {
		t.Errorf("%v, %+v", err, res)
	}
}

type spy struct {
	dlfd.Unlearner
	sizes *[][2]int
}

func (u spy) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	*u.sizes = append(*u.sizes, [2]int{data.Retain.Len(), data.Forget.Len()})
	return u.Unlearner.Unlearn(ctx, m, data, opt)
}

// failing changes weights in its first request, and fails in the second.
type failing struct{ calls *int }

func (f failing) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	if *f.calls++; *f.calls == 2 {
		return nil, errors.New("no more")
	}
	return baseline.FineTune{}.Unlearn(ctx, m, data, opt)
}

func TestDecoratorsWithoutAMethod(t *testing.T) {
	for _, u := range []dlfd.Unlearner{baseline.Rewind{}, baseline.EarlyStop{}, baseline.Budget{}, baseline.Sequential{}, baseline.Rewind{Of: hardAscent, Every: -1}, baseline.EarlyStop{Of: hardAscent, AUC: .4}, baseline.Budget{Of: hardAscent, Passes: -1}, baseline.Sequential{Of: hardAscent, Parts: -1}} {
		if _, err := u.Unlearn(context.Background(), trained(t), task(), nil); !errors.Is(err, dlfd.ErrParameter) {
			t.Errorf("%+v: %v", u, err)
		}
	}
}

// Settings are written into result files.
func TestSettingsMarshal(t *testing.T) {
	for _, name := range baseline.Names() {
		if name == "dlfd" {
			continue // its synthesizer has a distance, tested there
		}
		u, err := baseline.ByName(name)
		if err != nil {
			t.Fatal(err)
		}
		res, err := u.Unlearn(context.Background(), trained(t), task(), &dlfd.Options{BatchSize: 16})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		text, err := json.Marshal(res.Settings)
		if err != nil || len(text) < 3 || text[0] != '{' {
			t.Errorf("%s: settings %s, %v", name, text, err)
		}
	}
}
