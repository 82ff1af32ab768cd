package dlfd_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/dlfd/released"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/synth"
)

// fuse panics when it has been used up.
type fuse struct{ left int }

func (f *fuse) burn() {
	if f.left--; f.left == 0 {
		panic("user code")
	}
}

type panickyModel struct {
	*nn.Network
	*fuse
}

func (m panickyModel) GradMode(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
	return m.Network.GradMode(ctx, mode, x, taps, func(val, cot []feature.Tensor) error {
		m.burn() // in the midst of a pass
		return loss(val, cot)
	}, dx, dp)
}

type panickyData struct {
	images
	*fuse
	lock *sync.Mutex
}

func (d panickyData) Read(index []int, x []float32, labels []int) error {
	d.lock.Lock()
	defer d.lock.Unlock()
	d.burn()
	return d.images.Read(index, x, labels)
}

// User code that panics leaves the weights as they were, and the panic goes on.
func TestPanicsRestore(t *testing.T) {
	data := imageData()
	fresh := func(seed uint64) (feature.Trainable, error) {
		return nn.ResNet(nn.ResNetConfig{Input: []int{1, 8, 8}, Classes: 3, Widths: []int{4, 8}, Blocks: []int{1, 1}, Dropout: .2, Seed: seed})
	}
	always := dlfd.Steering{Threshold: 1e-9}
	for _, u := range []dlfd.Unlearner{
		dlfd.Align{}, dlfd.DLFD{Steering: always}, released.Method{Threshold: 1e-9},
		baseline.FineTune{}, baseline.NegGradPlus{}, baseline.Retrain{Fresh: fresh, Epochs: 2},
	} {
		for kind, start := range map[string]func(*nn.Network) error{
			"observer": func(m *nn.Network) error {
				f := fuse{2}
				_, err := u.Unlearn(context.Background(), m, data, &dlfd.Options{BatchSize: 8, Observer: func(e dlfd.Event) {
					if e.Point != nil {
						f.burn()
					}
				}})
				return err
			},
			"dataset": func(m *nn.Network) error {
				d := data
				d.Retain = panickyData{data.Retain.(images), &fuse{4}, new(sync.Mutex)} // once for the check
				_, err := u.Unlearn(context.Background(), m, d, &dlfd.Options{BatchSize: 8})
				return err
			},
			"model": func(m *nn.Network) error {
				_, err := u.Unlearn(context.Background(), panickyModel{m, &fuse{4}}, data, &dlfd.Options{BatchSize: 8})
				return err
			},
		} {
			mustPanic(t, dlfd.NameOf(u)+", "+kind, start)
		}
	}
	f := fuse{4}
	mustPanic(t, "distance", func(m *nn.Network) error {
		d := distance.Func(func(_ *distance.Workspace, gx, _ []float64, _, _ distance.Sample) (float64, error) {
			f.burn()
			clear(gx)
			return 1, nil
		})
		_, err := dlfd.DLFD{Synth: synth.Synthesizer{Distance: d}, Steering: always}.Unlearn(context.Background(), m, data, &dlfd.Options{BatchSize: 8})
		return err
	})
	f = fuse{4}
	mustPanic(t, "schedule", func(m *nn.Network) error {
		_, err := dlfd.Align{Schedule: func(float64) float64 { f.burn(); return 1 }}.Unlearn(context.Background(), m, data, &dlfd.Options{BatchSize: 8})
		return err
	})
}

func mustPanic(t *testing.T, what string, start func(*nn.Network) error) {
	t.Helper()
	m := conv(t)
	before := weights(t, m)
	got := func() (p any) {
		defer func() { p = recover() }()
		return fmt.Sprintf("no panic, error %v", start(m))
	}()
	if got != "user code" {
		t.Errorf("%s: %v", what, got)
	}
	if !slices.Equal(before, weights(t, m)) {
		t.Errorf("%s: the weights are not the old ones", what)
	}
}

// normedMLP is a perceptron with batch norm over its one hidden layer, which has
// no spatial extent.
func normedMLP(t *testing.T) *nn.Network {
	t.Helper()
	b := nn.NewBuilder(1, 4)
	m, err := b.Build(b.Linear("fc2", b.ReLU(b.BatchNorm("bn", b.Linear("fc1", b.Input(), 5))), 3))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A last batch of one sample, and a set of one sample, pass through batch norm.
func TestOneSampleAndBatchNorm(t *testing.T) {
	set := func(seed uint64, n int) feature.Dataset { return named(t, seed, n, "a", "b", "c") }
	for _, n := range []int{1, 2, 33} {
		for _, u := range []dlfd.Unlearner{dlfd.Align{}, dlfd.DLFD{}, baseline.NegGradPlus{}, baseline.FineTune{}} {
			for _, data := range []dlfd.Data{
				{Retain: set(1, 64), Forget: set(2, n), Holdout: set(3, 30)},
				{Retain: set(1, 65), Forget: set(2, 12), Holdout: set(3, 30+n)},
			} {
				res, err := u.Unlearn(context.Background(), normedMLP(t), data, nil)
				if err != nil {
					t.Errorf("%s, %d forgotten: %v", dlfd.NameOf(u), data.Forget.Len(), err)
				} else if per := data.Retain.Len() / 32; res.Stop == dlfd.Completed && res.Ledger.Steps%per != 0 {
					t.Errorf("%s: %d steps, want a multiple of %d", dlfd.NameOf(u), res.Ledger.Steps, per)
				}
			}
		}
	}
	for _, u := range []dlfd.Unlearner{dlfd.Align{}, baseline.FineTune{}} {
		if _, err := u.Unlearn(context.Background(), normedMLP(t), dlfd.Data{Retain: set(1, 6), Forget: set(2, 3), Holdout: set(3, 9)}, &dlfd.Options{BatchSize: 1}); err != nil {
			t.Errorf("%s, batches of one: %v", dlfd.NameOf(u), err)
		}
	}
}

func TestBatchSizeOutOfRange(t *testing.T) {
	for _, n := range []int{-1, train.MaxBatch + 1, int(^uint(0) >> 1)} {
		m := conv(t)
		_, err := dlfd.Align{}.Unlearn(context.Background(), m, imageData(), &dlfd.Options{BatchSize: n})
		if err == nil {
			t.Errorf("batches of %d are taken", n)
		}
	}
}
