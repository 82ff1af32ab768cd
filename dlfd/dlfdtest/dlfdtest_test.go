package dlfdtest_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/dlfd/dlfdtest"
	"github.com/dlfd-go/unlearn/dlfd/released"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
)

func TestEveryMethod(t *testing.T) {
	for _, u := range []dlfd.Unlearner{
		dlfd.Align{},
		dlfd.DLFD{},
		dlfd.DLFD{Shrink: .4, Rate: .03, Epochs: 2},
		released.Method{},
		baseline.FineTune{},
		baseline.NegGradPlus{},
		baseline.Retrain{Fresh: dlfdtest.Model, Epochs: 3},
		baseline.ShortRetrain{Fresh: dlfdtest.Model},
		baseline.ShortRetrain{},
		baseline.ShrinkPerturb{},
		baseline.CFk{},
		baseline.EUk{},
		baseline.NegGrad{},
		baseline.RandomLabel{},
		baseline.L1Sparse{},
		baseline.SCRUB{},
		baseline.BadTeacher{},
		baseline.SalUn{},
		baseline.Surgery{},
		baseline.UNSIR{},
		baseline.BoundaryShrink{},
		baseline.DUCK{},
		baseline.AMUN{},
		baseline.MSG{},
		baseline.JiT{},
		baseline.ReGUn{},
		baseline.Rewind{Of: baseline.SCRUB{}},
		baseline.EarlyStop{Of: baseline.NegGradPlus{}, Every: 4},
		baseline.Budget{Of: baseline.FineTune{}, Passes: 1 << 40},
		baseline.Sequential{Of: baseline.FineTune{}},
	} {
		t.Run(dlfd.NameOf(u), func(t *testing.T) { dlfdtest.Run(t, u) })
	}
}

// SSD draws nothing where it takes the gradients of all samples. The two sets here come
// from one distribution, where few weights matter ten times as much for one of them.
func TestSSD(t *testing.T) {
	dlfdtest.RunExcept(t, baseline.SSD{Alpha: 1, Lambda: .9}, dlfdtest.SeedLaw)
}

// RetainFree does not look at a retain set.
func TestRetainFree(t *testing.T) {
	dlfdtest.RunExcept(t, baseline.RetainFree{Of: baseline.NegGradPlus{}, PerClass: 12, Steps: 20},
		"refuses NaN", "restores when a dataset panics", "refuses shared identities", "refuses shared samples")
}

// broken methods, by name.
var broken = map[string]dlfd.Unlearner{
	"nil":       nil,
	"silent":    silent{},
	"panicky":   panicky{},
	"greedy":    greedy{},
	"oblivious": oblivious{},
}

type silent struct{}

func (silent) Unlearn(context.Context, feature.Trainable, dlfd.Data, *dlfd.Options) (*dlfd.Result, error) {
	return nil, nil
}

type panicky struct{}

func (panicky) Unlearn(context.Context, feature.Trainable, dlfd.Data, *dlfd.Options) (*dlfd.Result, error) {
	var none []int
	none[len(none)]++
	return nil, nil
}

// greedy reads the holdout, which it says it does not need.
type greedy struct{ baseline.FineTune }

func (g greedy) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	_ = data.Holdout.Len()
	return g.FineTune.Unlearn(ctx, m, data, opt)
}

// oblivious says that it goes on from a checkpoint, and keeps a sum that it does not
// give to one.
type oblivious struct{}

func (oblivious) Needs() dlfd.Needs { return dlfd.Needs{Retain: true, Resumes: true} }

func (o oblivious) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, "oblivious", m, data, opt, o.Needs(), func(ctx context.Context, s *dlfd.Session) error {
		s.Result.Settings = o
		var sum float64
		return s.Descend(ctx, dlfd.Descent{Epochs: 2, Optimizer: train.SGD{Rate: .1}, Gradient: func(ctx context.Context, step *dlfd.Step) (err error) {
			step.Point.Loss, err = step.CrossEntropy(ctx, step.Mode, step.Batch.X, step.Batch.Labels, 1+sum)
			sum += step.Point.Loss
			return err
		}})
	})
}

// TestBroken runs the laws on methods that break them, each in a process of its own:
// they must fail, with a sentence, and must not panic.
func TestBroken(t *testing.T) {
	if name, ok := os.LookupEnv("DLFDTEST_BROKEN"); ok {
		dlfdtest.Run(t, broken[name])
		return
	}
	for name, want := range map[string]string{
		"nil":       "the Unlearner is nil",
		"silent":    "neither a result nor an error",
		"panicky":   "panic: runtime error: index out of range",
		"oblivious": "the weights are not those of a run that was left alone",
		"greedy":    "alone: panic: runtime error: invalid memory address",
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestBroken$", "-test.v")
			cmd.Env = append(os.Environ(), "DLFDTEST_BROKEN="+name)
			out, err := cmd.CombinedOutput()
			text := string(out)
			if err == nil || !strings.Contains(text, want) || !strings.Contains(text, "--- FAIL: TestBroken") {
				t.Errorf("error %v, want a failure that says %q:\n%s", err, want, text)
			}
		})
	}
}
