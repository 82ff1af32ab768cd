package train_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/train"
)

// images are blobs in the shape of images.
type images struct{ *featuretest.Blobs }

func (images) Shape() []int { return []int{1, 8, 8} }

// lesson is a network with batch norm and dropout, data whose last batch has one
// sample, and how it trains: 4 epochs of 9 steps.
func lesson(t testing.TB, o train.Options) (feature.Trainable, feature.Dataset, train.Options) {
	t.Helper()
	m, err := nn.ResNet(nn.ResNetConfig{Input: []int{1, 8, 8}, Classes: 3, Widths: []int{4, 8}, Blocks: []int{1, 1}, Dropout: .2, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	o.Epochs, o.BatchSize, o.Seed, o.Schedule = 4, 8, 5, train.Cosine
	return m, images{featuretest.NewBlobs(73, 64, 3, 1.5, 7, 1)}, o
}

// outcome is what a training gives.
func outcome(m feature.Trainable, history []float64) string {
	w, err := feature.Snapshot(m)
	return fmt.Sprint(w, history, err)
}

// fit trains from the first weights until a step is done, for good if that is
// negative.
func fit(t *testing.T, o train.Options, until int) (string, error) {
	t.Helper()
	m, d, o := lesson(t, o)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	o.Observer = func(p train.Progress) {
		if p.Step == until {
			cancel()
		}
	}
	history, err := train.Fit(ctx, m, d, &o)
	return outcome(m, history), err
}

func TestResume(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, optimizer := range map[string]train.Optimizer{"SGD": nil, "Adam": train.Adam{Rate: .01}, "Muon": train.Muon{Rate: .02}} {
		want, err := fit(t, train.Options{Optimizer: optimizer}, -1)
		if err != nil {
			t.Fatal(err)
		}
		o := train.Options{Optimizer: optimizer}
		kills := 10
		if testing.Short() {
			kills = 3
		}
		for range kills {
			path := filepath.Join(t.TempDir(), "run")
			o.Checkpoint = train.Checkpoint{Path: path, Every: 1 + r.IntN(5)}
			stop := r.IntN(34)
			if _, err := fit(t, o, stop); !errors.Is(err, context.Canceled) {
				t.Fatalf("%s: stopped at step %d with %v", name, stop, err)
			}
			if got, err := fit(t, o, -1); err != nil || got != want {
				t.Errorf("%s, stopped at step %d, written every %d: other weights or losses, %v", name, stop, o.Checkpoint.Every, err)
			}
			if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s: the file is still there: %v", name, err)
			}
		}
		// One run is stopped again and again.
		o.Checkpoint = train.Checkpoint{Path: filepath.Join(t.TempDir(), "run"), Every: 3, Keep: true}
		for stop := 2; stop < 34; stop += 3 {
			if _, err := fit(t, o, stop); !errors.Is(err, context.Canceled) {
				t.Fatalf("%s: stopped at step %d with %v", name, stop, err)
			}
		}
		for range 2 { // the second time there is nothing left to do
			if got, err := fit(t, o, -1); err != nil || got != want {
				t.Errorf("%s: stopped eleven times: other weights or losses, %v", name, err)
			}
		}
	}
}

func TestResumedTakesNoStepTwice(t *testing.T) {
	m, d, o := lesson(t, train.Options{})
	o.Checkpoint = train.Checkpoint{Path: filepath.Join(t.TempDir(), "run"), Every: 5, Keep: true}
	if _, err := fit(t, o, 12); err == nil {
		t.Fatal("not stopped")
	}
	var steps []int
	read := &counting{Dataset: d}
	o.Observer = func(p train.Progress) { steps = append(steps, p.Step) }
	if _, err := train.Fit(context.Background(), m, read, &o); err != nil {
		t.Fatal(err)
	}
	if steps[0] != 10 || len(steps) != 26 { // 9 steps an epoch, 10 of 36 were written
		t.Errorf("%d steps from %d", len(steps), steps[0])
	}
	if want := 73 + 4*73 - 9*8 - 8 - 1; read.n != want { // all for the digest, then what is left: an epoch's last batch has 9
		t.Errorf("%d samples were read, want %d", read.n, want)
	}
}

type counting struct {
	feature.Dataset
	n int
}

func (c *counting) As(target any) bool {
	l, ok := target.(*feature.Labeled)
	if ok {
		*l, ok = feature.As[feature.Labeled](c.Dataset)
	}
	return ok
}

func (c *counting) Read(index []int, x []float32, labels []int) error {
	c.n += len(index)
	return c.Dataset.Read(index, x, labels)
}

// checkpointed returns options whose checkpoint is that of a run that was stopped.
func checkpointed(t *testing.T) train.Options {
	t.Helper()
	o := train.Options{Checkpoint: train.Checkpoint{Path: filepath.Join(t.TempDir(), "run"), Every: 4, Of: "a"}}
	if _, err := fit(t, o, 14); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	return o
}

func TestForeignCheckpoints(t *testing.T) {
	base := checkpointed(t)
	for want, change := range map[string]func(o *train.Options, m *feature.Trainable, d *feature.Dataset){
		"the seed":                             func(o *train.Options, _ *feature.Trainable, _ *feature.Dataset) { o.Seed++ },
		"the numbers of epochs and of samples": func(o *train.Options, _ *feature.Trainable, _ *feature.Dataset) { o.Epochs++ },
		"the optimizer": func(o *train.Options, _ *feature.Trainable, _ *feature.Dataset) {
			o.Optimizer = train.SGD{Rate: .05, Momentum: .9}
		},
		"the schedule":    func(o *train.Options, _ *feature.Trainable, _ *feature.Dataset) { o.Schedule = train.Constant },
		"the description": func(o *train.Options, _ *feature.Trainable, _ *feature.Dataset) { o.Checkpoint.Of = "b" },
		"the choice of parameters": func(o *train.Options, _ *feature.Trainable, _ *feature.Dataset) {
			o.Train = func(feature.Param) bool { return true }
		},
		"the data": func(_ *train.Options, _ *feature.Trainable, d *feature.Dataset) {
			*d = images{featuretest.NewBlobs(73, 64, 3, 1.5, 7, 2)}
		},
		"the model": func(_ *train.Options, m *feature.Trainable, _ *feature.Dataset) {
			*m, _ = nn.ResNet(nn.ResNetConfig{Input: []int{1, 8, 8}, Classes: 3, Widths: []int{4, 9}, Blocks: []int{1, 1}, Seed: 1})
		},
		"the starting weights": func(_ *train.Options, m *feature.Trainable, _ *feature.Dataset) {
			*m, _ = nn.ResNet(nn.ResNetConfig{Input: []int{1, 8, 8}, Classes: 3, Widths: []int{4, 8}, Blocks: []int{1, 1}, Dropout: .2, Seed: 2})
		},
	} {
		m, d, o := lesson(t, base)
		change(&o, &m, &d)
		before := outcome(m, nil)
		if _, err := train.Fit(context.Background(), m, d, &o); !errors.Is(err, train.ErrCheckpoint) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s differ: error is %v", want, err)
		}
		if outcome(m, nil) != before {
			t.Errorf("%s differ: the weights changed", want)
		}
	}
	if _, err := fit(t, base, -1); err != nil {
		t.Errorf("the file is not usable any more: %v", err)
	}
}

func TestCutCheckpoints(t *testing.T) {
	o := checkpointed(t)
	whole, err := os.ReadFile(o.Checkpoint.Path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 16 {
		if err := os.WriteFile(o.Checkpoint.Path, whole[:len(whole)*i/16], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := fit(t, o, -1); !errors.Is(err, train.ErrCheckpoint) {
			t.Errorf("%d of %d bytes: error is %v", len(whole)*i/16, len(whole), err)
		}
	}
}

// plain is an optimizer whose state does not write itself.
type plain struct{ train.SGD }

type plainState struct{ train.OptimizerState }

func (p plain) Start(s feature.Spec) (train.OptimizerState, error) {
	state, err := p.SGD.Start(s)
	return plainState{state}, err
}

func TestCheckpointOutOfRange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run")
	for name, o := range map[string]train.Options{
		"optimizer": {Optimizer: plain{train.SGD{Rate: .1}}, Checkpoint: train.Checkpoint{Path: path}},
		"every":     {Checkpoint: train.Checkpoint{Path: path, Every: -1}},
	} {
		if _, err := fit(t, o, -1); !errors.Is(err, train.ErrParameter) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	if _, err := fit(t, train.Options{Checkpoint: train.Checkpoint{Path: filepath.Join(path, "no", "folder")}}, -1); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is missing: %v", err)
	}
}

const childEnv = "TRAIN_TEST_CHECKPOINT"

// TestChild is the process that TestKilled kills.
func TestChild(t *testing.T) {
	path := os.Getenv(childEnv)
	if path == "" {
		t.Skip("runs in a process of its own")
	}
	m, d, o := lesson(t, train.Options{Checkpoint: train.Checkpoint{Path: path, Every: 1}})
	o.Observer = func(train.Progress) { time.Sleep(5 * time.Millisecond) }
	history, err := train.Fit(context.Background(), m, d, &o)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".end", []byte(outcome(m, history)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A process that is killed at random moments behind a checkpoint, ten times or until it
// is done, ends in the bits of one that was left alone.
func TestKilled(t *testing.T) {
	want, err := fit(t, train.Options{}, -1)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "run")
	r := rand.New(rand.NewPCG(3, 4))
	killed := 0
	for len(readFile(path+".end")) == 0 {
		if runChild(t, path, killed < 10, time.Duration(r.IntN(20))*time.Millisecond) {
			killed++
		}
	}
	t.Logf("killed %d times", killed)
	if killed == 0 {
		t.Error("the process was never killed: the test shows nothing")
	}
	if got := string(readFile(path + ".end")); got != want {
		t.Error("other weights or losses")
	}
}

// runChild runs TestChild in a process of its own. It kills that some time after it has
// written a checkpoint, if it is to.
func runChild(t *testing.T, path string, kill bool, after time.Duration) (killed bool) {
	t.Helper()
	before := written(path)
	c := exec.Command(os.Args[0], "-test.run=^TestChild$")
	c.Env = append(os.Environ(), childEnv+"="+path)
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

// readFile returns nothing where there is no file.
func readFile(path string) []byte {
	b, _ := os.ReadFile(path)
	return b
}

// Batches from a later one are the later ones, whatever the last one is joined to.
func TestBatchesFrom(t *testing.T) {
	plain := featuretest.NewMLP(3, 4, 2, 1).Spec()
	norms := feature.Spec{Params: []feature.Param{{Name: "mean", Shape: []int{1}, Kind: feature.Statistic}}}
	for _, spec := range []feature.Spec{plain, norms} {
		for n := 1; n < 18; n++ {
			d := featuretest.NewBlobs(n, 3, 2, 1, 7, 1)
			var all [][]int
			for b, err := range train.Batches(spec, d, 4, rand.NewPCG(1, 1)) {
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, slices.Concat(b.Index, b.Labels))
			}
			for skip := range len(all) + 2 {
				var got [][]int
				for b, err := range train.BatchesFrom(context.Background(), spec, d, 4, rand.NewPCG(1, 1), skip) {
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, slices.Concat(b.Index, b.Labels))
				}
				if want := all[min(skip, len(all)):]; fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%d samples from batch %d: %v, want %v", n, skip, got, want)
				}
			}
		}
	}
}
