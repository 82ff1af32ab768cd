package dlfd_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/train"
)

// attempt is a method and what it is run on.
type attempt struct {
	method dlfd.Unlearner
	model  func(*testing.T) feature.Trainable
}

func residual(t *testing.T) feature.Trainable { return conv(t) }

// attempts are the runs that are stopped: a network with batch norm and dropout, one
// into which norms are inserted, a term in the features, and steering of both kinds:
// with the best checkpoint kept, and with loosened weights.
func attempts() map[string]attempt {
	always := dlfd.Steering{Threshold: 1e-9, Cap: 2, Every: 3}
	return map[string]attempt{
		"Align":                      {dlfd.Align{Epochs: 6, Always: true}, residual},
		"Align with inserted norms":  {dlfd.Align{Epochs: 6, Always: true}, func(t *testing.T) feature.Trainable { return plainNet(t, false, true) }},
		"Align with a feature term":  {dlfd.Align{Epochs: 6, Always: true, Distance: distance.MMD{Kernel: distance.Energy{}}}, residual},
		"DLFD":                       {dlfd.DLFD{Epochs: 4, Steering: always}, residual},
		"DLFD with loosened weights": {dlfd.DLFD{Epochs: 4, Steering: always, Shrink: .5}, func(t *testing.T) feature.Trainable { return plainNet(t, false, true) }},
	}
}

// tried is what a run gives.
type tried struct {
	weights feature.Weights
	result  dlfd.Result
	steps   []int // numbers of the steps that an observer is told of
}

// run carries out an attempt on the first weights until a number of steps are taken,
// all for 0.
func (a attempt) run(t *testing.T, c train.Checkpoint, until int) (tried, error) {
	t.Helper()
	m := a.model(t)
	before := weights(t, m)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var got tried
	opt := &dlfd.Options{Seed: 3, BatchSize: 8, Checkpoint: c, Observer: func(e dlfd.Event) {
		if e.Point != nil {
			got.steps = append(got.steps, e.Step)
			if e.Step == until {
				cancel()
			}
		}
	}}
	res, err := a.method.Unlearn(ctx, m, imageData(), opt)
	if err != nil {
		if !reflect.DeepEqual(before, weights(t, m)) {
			t.Errorf("after %v the weights are not the old ones", err)
		}
		return got, err
	}
	got.result = *res
	got.result.Settings = nil // has functions
	got.weights, err = feature.Snapshot(m)
	return got, err
}

func TestResume(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	kills := 10
	if testing.Short() {
		kills = 2
	}
	all := attempts()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		a := all[name]
		want, err := a.run(t, train.Checkpoint{}, 0)
		if err != nil {
			t.Fatal(name, err)
		}
		steps := len(want.steps)
		for range kills {
			c := train.Checkpoint{Path: filepath.Join(t.TempDir(), "run"), Every: 1 + r.IntN(5)}
			stop := 1 + r.IntN(steps-1)
			if _, err := a.run(t, c, stop); !errors.Is(err, context.Canceled) {
				t.Fatalf("%s: stopped after %d steps with %v", name, stop, err)
			}
			got, err := a.run(t, c, 0)
			if err != nil {
				t.Fatalf("%s, stopped after %d of %d steps: %v", name, stop, steps, err)
			}
			if !reflect.DeepEqual(got.weights, want.weights) || !reflect.DeepEqual(got.result, want.result) {
				t.Errorf("%s, stopped after %d of %d steps, written every %d: other weights or another result", name, stop, steps, c.Every)
			}
			// A step whose score was cut short is not in the file.
			if first := (stop-1)/c.Every*c.Every + 1; got.steps[0] != first && got.steps[0] != stop/c.Every*c.Every+1 {
				t.Errorf("%s, stopped after %d steps, written every %d: the next one is number %d, not %d", name, stop, c.Every, got.steps[0], first)
			}
		}
	}
}

// One run is stopped again and again, and one that is kept has nothing left to do.
func TestResumeAgainAndAgain(t *testing.T) {
	a := attempts()["Align with inserted norms"]
	want, err := a.run(t, train.Checkpoint{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	c := train.Checkpoint{Path: filepath.Join(t.TempDir(), "run"), Every: 4, Keep: true}
	for stop := 3; stop < len(want.steps); stop += 5 {
		if _, err := a.run(t, c, stop); !errors.Is(err, context.Canceled) {
			t.Fatalf("stopped after %d steps with %v", stop, err)
		}
	}
	for i := range 2 {
		got, err := a.run(t, c, 0)
		if err != nil || !reflect.DeepEqual(got.weights, want.weights) || !reflect.DeepEqual(got.result, want.result) {
			t.Errorf("run %d: other weights or another result, %v", i, err)
		}
		if i == 1 && len(got.steps) > 0 {
			t.Errorf("%d steps were taken once more", len(got.steps))
		}
	}
}

// stopped returns an attempt with its checkpoint.
func stopped(t *testing.T) (attempt, train.Checkpoint) {
	t.Helper()
	a, c := attempts()["Align"], train.Checkpoint{Path: filepath.Join(t.TempDir(), "run"), Every: 4}
	if _, err := a.run(t, c, 11); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	return a, c
}

func TestForeignCheckpoints(t *testing.T) {
	a, c := stopped(t)
	for want, change := range map[string]func(m *feature.Trainable, u *dlfd.Unlearner, d *dlfd.Data, o *dlfd.Options){
		"the method: ": func(_ *feature.Trainable, u *dlfd.Unlearner, _ *dlfd.Data, _ *dlfd.Options) {
			*u = dlfd.DLFD{}
		},
		"the settings: ": func(_ *feature.Trainable, u *dlfd.Unlearner, _ *dlfd.Data, _ *dlfd.Options) {
			*u = dlfd.Align{Epochs: 6, Always: true, Rate: .05}
		},
		"the seed: ":       func(_ *feature.Trainable, _ *dlfd.Unlearner, _ *dlfd.Data, o *dlfd.Options) { o.Seed = 4 },
		"the batch size: ": func(_ *feature.Trainable, _ *dlfd.Unlearner, _ *dlfd.Data, o *dlfd.Options) { o.BatchSize = 9 },
		"the budget: ":     func(_ *feature.Trainable, _ *dlfd.Unlearner, _ *dlfd.Data, o *dlfd.Options) { o.Budget.Passes = 1e6 },
		"description (Checkpoint.Of)": func(_ *feature.Trainable, _ *dlfd.Unlearner, _ *dlfd.Data, o *dlfd.Options) {
			o.Checkpoint.Of = "another"
		},
		"the retain set: ": func(_ *feature.Trainable, _ *dlfd.Unlearner, d *dlfd.Data, _ *dlfd.Options) {
			d.Retain = newImages(40, 9)
		},
		"the forget set: ": func(_ *feature.Trainable, _ *dlfd.Unlearner, d *dlfd.Data, _ *dlfd.Options) {
			d.Forget = newImages(21, 2)
		},
		"the holdout set: ": func(_ *feature.Trainable, _ *dlfd.Unlearner, d *dlfd.Data, _ *dlfd.Options) {
			d.Holdout = newImages(19, 3)
		},
		"the model: ": func(m *feature.Trainable, _ *dlfd.Unlearner, _ *dlfd.Data, _ *dlfd.Options) {
			*m = plainNet(t, true, true)
		},
		"the starting weights: ": func(m *feature.Trainable, _ *dlfd.Unlearner, _ *dlfd.Data, _ *dlfd.Options) {
			if err := feature.Reinitialize(*m, nil, 8); err != nil {
				t.Fatal(err)
			}
		},
	} {
		m, u, data, opt := a.model(t), a.method, imageData(), &dlfd.Options{Seed: 3, BatchSize: 8, Checkpoint: c}
		change(&m, &u, &data, opt)
		before := weights(t, m)
		if _, err := u.Unlearn(context.Background(), m, data, opt); !errors.Is(err, dlfd.ErrCheckpoint) || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want one that says %q", err, want)
		}
		if !reflect.DeepEqual(before, weights(t, m)) {
			t.Errorf("%s: the weights are not the old ones", want)
		}
	}
	if _, err := a.run(t, c, 0); err != nil {
		t.Errorf("the file is not usable any more: %v", err)
	}
}

func TestCutCheckpoints(t *testing.T) {
	a, c := stopped(t)
	whole, err := os.ReadFile(c.Path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 16 {
		if err := os.WriteFile(c.Path, whole[:len(whole)*i/16], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := a.run(t, c, 0); !errors.Is(err, dlfd.ErrCheckpoint) {
			t.Errorf("%d of %d bytes: error is %v", len(whole)*i/16, len(whole), err)
		}
	}
}

func TestCheckpointRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run")
	data := imageData()
	warm := dlfd.Align{Distance: distance.Sinkhorn{Epsilon: .1, WarmStart: true}}
	for name, err := range map[string]error{
		"warm starts":    errorOf(warm.Unlearn(context.Background(), conv(t), data, &dlfd.Options{Checkpoint: train.Checkpoint{Path: path}})),
		"negative Every": errorOf(dlfd.Align{}.Unlearn(context.Background(), conv(t), data, &dlfd.Options{Checkpoint: train.Checkpoint{Path: path, Every: -1}})),
		"no settings": errorOf(dlfd.Run(context.Background(), "mine", conv(t), data, &dlfd.Options{Checkpoint: train.Checkpoint{Path: path}}, dlfd.Needs{Retain: true, Resumes: true}, func(ctx context.Context, s *dlfd.Session) error {
			return s.Descend(ctx, dlfd.Descent{Epochs: 1, Optimizer: train.SGD{Rate: .1}})
		})),
		"an observer for Fit": errorOf(dlfd.Run(context.Background(), "mine", conv(t), data, nil, dlfd.Needs{Retain: true}, func(_ context.Context, s *dlfd.Session) error {
			return s.Fit(train.Options{Observer: func(train.Progress) {}})
		})),
	} {
		if !errors.Is(err, dlfd.ErrParameter) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}

// several is a method of several descents, which keeps sums and an optimizer's state
// between them.
func several(ctx context.Context, c train.Checkpoint, until int, keep bool) ([]float32, error) {
	m := featuretest.NewMLP(6, 8, 3, 1)
	data := dlfd.Data{Retain: featuretest.NewBlobs(40, 6, 3, 1, 7, 1), Forget: featuretest.NewBlobs(18, 6, 3, 1, 7, 2)}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	opt := &dlfd.Options{BatchSize: 8, Checkpoint: c, Observer: func(e dlfd.Event) {
		if e.Step == until && e.Point != nil {
			cancel()
		}
	}}
	_, err := dlfd.Run(ctx, "several", m, data, opt, dlfd.Needs{Retain: true, Forget: true, Resumes: true}, func(ctx context.Context, s *dlfd.Session) error {
		s.Result.Settings = struct{ A int }{1}
		var losses []float64
		if keep {
			s.Keep("losses", &losses)
		}
		forget, stop := s.Cycle(s.Data.Forget, "forget order")
		defer stop()
		if _, err := forget(); err != nil { // before the first descent
			return err
		}
		for turn := range 3 {
			err := s.Descend(ctx, dlfd.Descent{Epochs: 1 + turn, Optimizer: train.Adam{Rate: .01}, Gradient: func(ctx context.Context, step *dlfd.Step) error {
				f, err := forget()
				if err != nil {
					return err
				}
				v, err := step.CrossEntropy(ctx, step.Mode, step.Batch.X, step.Batch.Labels, 1)
				if err != nil {
					return err
				}
				losses = append(losses, v)
				_, err = step.CrossEntropy(ctx, step.ModeFor(f), f.X, f.Labels, -losses[0]/10-float64(len(losses))/1000)
				return err
			}})
			if err != nil {
				return err
			}
			if len(losses) == 0 { // only where descents are left out, and without effect there
				s.End(dlfd.ScoreMet)
			}
			if s.Spent() {
				break
			}
		}
		return nil
	})
	return m.P[0], err
}

func TestResumeSeveralDescents(t *testing.T) {
	want, err := several(context.Background(), train.Checkpoint{}, 0, true)
	if err != nil {
		t.Fatal(err)
	}
	c := train.Checkpoint{Path: filepath.Join(t.TempDir(), "run"), Every: 2}
	for stop := 3; stop < 30; stop += 4 { // 5, 10 and 15 steps
		if _, err := several(context.Background(), c, stop, true); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if got, err := several(context.Background(), c, 0, true); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("stopped after %d steps: other weights, %v", stop, err)
		}
	}
	// A run that keeps less than the one that wrote the file is another.
	if _, err := several(context.Background(), c, 9, true); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if _, err := several(context.Background(), c, 0, false); !errors.Is(err, dlfd.ErrCheckpoint) || !strings.Contains(err.Error(), "losses") {
		t.Errorf("nothing keeps the losses: %v", err)
	}
	if err := os.Remove(c.Path); err != nil {
		t.Fatal(err)
	}
	if _, err := several(context.Background(), c, 9, false); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if _, err := several(context.Background(), c, 0, true); !errors.Is(err, dlfd.ErrCheckpoint) || !strings.Contains(err.Error(), "losses") {
		t.Errorf("the file has no losses: %v", err)
	}
}

// The wall time and the budget of a run include what was done before it was stopped.
func TestResumeBudget(t *testing.T) {
	run := func(c train.Checkpoint, until int) (*dlfd.Result, error) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		clock := time.Unix(0, 0)
		return dlfd.Align{Always: true}.Unlearn(ctx, conv(t), imageData(), &dlfd.Options{
			BatchSize: 8, Checkpoint: c, Budget: dlfd.Budget{Passes: 300},
			Now: func() time.Time { clock = clock.Add(time.Second); return clock },
			Observer: func(e dlfd.Event) {
				if e.Point != nil && e.Step == until {
					cancel()
				}
			},
		})
	}
	want, err := run(train.Checkpoint{}, 0)
	if err != nil || want.Stop != dlfd.BudgetSpent {
		t.Fatalf("%v, %+v", err, want)
	}
	c := train.Checkpoint{Path: filepath.Join(t.TempDir(), "run"), Every: 4}
	if _, err := run(c, 6); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	got, err := run(c, 0)
	if err != nil || got.Stop != dlfd.BudgetSpent || got.Ledger.Steps != want.Ledger.Steps || got.Ledger.Wall < want.Ledger.Wall {
		t.Errorf("%v, %+v, want %+v", err, got.Ledger, want.Ledger)
	}
}

const childEnv = "DLFD_TEST_CHECKPOINT"

// TestChild is the process that TestKilled kills.
func TestChild(t *testing.T) {
	name, path, ok := strings.Cut(os.Getenv(childEnv), ":")
	if !ok {
		t.Skip("runs in a process of its own")
	}
	a := attempts()[name]
	m := a.model(t)
	opt := &dlfd.Options{Seed: 3, BatchSize: 8, Checkpoint: train.Checkpoint{Path: path, Every: 1}, Observer: func(dlfd.Event) { time.Sleep(5 * time.Millisecond) }}
	if _, err := a.method.Unlearn(context.Background(), m, imageData(), opt); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".end", fmt.Append(nil, weights(t, m)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A process that is killed at random moments behind a checkpoint, ten times or until it
// is done, ends in the weights of one that was left alone.
func TestKilled(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, name := range []string{"Align", "DLFD"} {
		a := attempts()[name]
		m := a.model(t)
		if _, err := a.method.Unlearn(context.Background(), m, imageData(), &dlfd.Options{Seed: 3, BatchSize: 8}); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "run")
		killed := 0
		for !exists(path + ".end") {
			if runChild(t, name, path, killed < 10, time.Duration(r.IntN(20))*time.Millisecond) {
				killed++
			}
		}
		t.Logf("%s: killed %d times", name, killed)
		if killed == 0 {
			t.Errorf("%s: the process was never killed: the test shows nothing", name)
		}
		if got, err := os.ReadFile(path + ".end"); err != nil || string(got) != fmt.Sprint(weights(t, m)) {
			t.Errorf("%s: other weights, %v", name, err)
		}
	}
}

// runChild runs TestChild in a process of its own. It kills that some time after it has
// written a checkpoint, if it is to.
func runChild(t *testing.T, name, path string, kill bool, after time.Duration) (killed bool) {
	t.Helper()
	before := written(path)
	c := exec.Command(os.Args[0], "-test.run=^TestChild$")
	c.Env = append(os.Environ(), childEnv+"="+name+":"+path)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	for {
		select {
		case err := <-ended:
			if err != nil {
				t.Fatal(err)
			}
			return false
		case <-time.After(time.Millisecond):
		}
		if kill && written(path).After(before) {
			time.Sleep(after)
			_ = c.Process.Kill() // it may have ended meanwhile
			return <-ended != nil
		}
	}
}

// written returns when a file was written, the zero time where there is none.
func written(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
