package baseline

import (
	"context"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/internal/rng"
	"github.com/dlfd-go/unlearn/synth"
)

// RetainFree runs another method where the retain set is gone: in its place come
// samples that the model recalls, those of synth.Recall. A Retain in the data is not
// read. Layers are in evaluation mode throughout: running statistics of batch norm are all
// that is left of the real data, and those of recalled samples are others. The result's
// ledger includes the passes of the recall, and a note says how many samples there were and
// how well they fit the model.
//
// It is a last resort, and what it costs was measured as the mean gap of test accuracy,
// forget accuracy and attack to retrained models (metrics.RetrainGap), one run each. On a
// perceptron for clouds of points that knows 360 samples by heart (TestRetainFreeGap): .065
// with nothing done, .064 with JiT, .019 for Align with Match .05 on recalled samples, .029
// for Align on the real ones. On a convolutional network with batch norm for Fashion-MNIST, 300 samples
// recalled in 100 steps with Statistics 10, of which a retrained network got 56 % right: .035
// with nothing done; .289 with JiT, and .035 at a rate of .0003 with 5 noises, where it does
// nothing; .030 for NegGrad+ at a rate of .002 for 10 epochs on the recalled samples, the
// best of six settings, chosen by what is told here, with 4 points of test accuracy lost
// (.48 with Beta .2, .115 at its default rate on 200 samples made with Statistics 3), and
// .034 for FineTune, while SCRUB diverged; .006 for Align on the real ones. There nothing comes near to what the retain set allows: judge the model with
// an audit, and lower rates before all else.
type RetainFree struct {
	// Of is the method. It is required.
	Of dlfd.Unlearner `json:"-"`
	// PerClass is as in synth.Recall. If it is zero, 64 is used.
	PerClass int
	// Steps is as in synth.Recall. If it is zero, 300 is used.
	Steps int
	// Statistics is as in synth.Recall. If it is zero, 1 is used; dlfd.Off leaves it out.
	Statistics float64
	// Whole says that the classes of the forget set are to be forgotten as a whole: no
	// samples of them are recalled.
	Whole bool
}

func (r RetainFree) with(of dlfd.Unlearner) decorator { r.Of = of; return r }
func (r RetainFree) inner() dlfd.Unlearner            { return r.Of }

// Name implements dlfd.Namer.
func (r RetainFree) Name() string { return nameOf(r.Of) + " on recalled samples" }

// Needs implements dlfd.Needer.
func (r RetainFree) Needs() dlfd.Needs {
	needs := dlfd.NeedsOf(r.Of)
	needs.Retain, needs.Forget, needs.Heads = false, true, false
	return needs
}

// Unlearn implements dlfd.Unlearner. It reads Forget, and what Of reads but Retain. Cost:
// that of Of on the recalled samples, and for each of these Steps passes forward and
// backward; three and two in the place of each for a model with running statistics.
func (r RetainFree) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	if data.Forget == nil || data.Forget.Len() == 0 {
		return nil, fmt.Errorf("%s: %w: forget", r.Name(), dlfd.ErrEmpty)
	}
	o := options(opt)
	recalled, err := r.recall(ctx, m, data.Forget, o.Seed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Name(), err)
	}
	used := dlfd.Ledger{Forward: recalled.Forward, Backward: recalled.Backward}
	data.Retain = recalled
	if o.Observer != nil {
		o.Observer = after(used, o.Observer)
	}
	var spent bool
	if o.Budget, spent = remaining(o.Budget, used); spent {
		return nil, fmt.Errorf("%s: %w: the recall takes %d passes, and the budget is %d", r.Name(), dlfd.ErrParameter, used.Forward+used.Backward, opt.Budget.Passes)
	}
	o.RetrainEpochs = math.MaxInt32 // a training on recalled samples is no measure
	if train.HasStatistics(m.Spec()) {
		m = still{m}
	}
	res, err := decorate(ctx, r, m, data, o)
	if err != nil {
		return nil, err
	}
	res.Ledger, res.Retraining = plus(res.Ledger, used), nil
	res.Notes = append(res.Notes, fmt.Sprintf("In the place of a retain set stood %d samples that the model recalled: their mean loss was %.4g, and the mismatch of statistics %.4g.", recalled.Len(), recalled.Loss, recalled.Statistics))
	return res, nil
}

// still is a model whose layers are always in evaluation mode: it offers no
// feature.ModeGrader, and so statistics do not move.
type still struct{ feature.Trainable }

// recall makes the samples.
func (r RetainFree) recall(ctx context.Context, m feature.Trainable, forget feature.Dataset, seed uint64) (*synth.Recalled, error) {
	by := synth.Recall{PerClass: r.PerClass, Steps: r.Steps, Statistics: r.Statistics, Pixels: feature.PixelsOf(forget), Seed: rng.Seed(seed, "recall")}
	if r.Whole {
		labels, err := feature.Labels(forget)
		if err != nil {
			return nil, err
		}
		whole := make(map[int]bool)
		for _, y := range labels {
			whole[y] = true
		}
		by.Leave = func(class int) bool { return whole[class] }
	}
	return by.Samples(ctx, m)
}
