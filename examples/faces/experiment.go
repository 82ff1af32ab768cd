package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/dlfd/released"
	"github.com/dlfd-go/unlearn/examples/drawnfaces"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/metrics"
)

// settings are what an experiment depends on beside the images of a pack. They
// go into result.json.
type settings struct {
	Pack   string            `json:"pack,omitempty"`  // name of the folder; empty: drawn faces
	Label  string            `json:"label,omitempty"` // columns of the pack, or labels of drawn faces; empty: the expression
	Drawn  *drawnfaces.Crowd `json:"drawn,omitempty"` // the drawn faces; nil with a pack
	Seed   uint64            `json:"seed"`
	Seeds  int               `json:"seeds"`
	Epochs int               `json:"epochs"`
	Rate   float64           `json:"rate"` // of training, falling to zero along a cosine
	Batch  int               `json:"batch"`
	Widths []int             `json:"widths"` // channels of the network by stage
	Stem   int               `json:"stem"`   // stride of its first convolution
}

// defaults are the settings but for what the flags say.
func defaults() settings {
	crowd := drawnfaces.Default()
	return settings{
		Rate: .05, Batch: 32, Widths: []int{16, 32, 64}, Stem: 2,
		Drawn: &crowd,
	}
}

// apply puts in what the flags say.
func (s settings) apply(f flags) settings {
	s.Seed, s.Seeds, s.Epochs = f.seed, f.seeds, f.epochs
	if s.Label = f.label; f.data != "" {
		s.Pack, s.Drawn = filepath.Base(f.data), nil
	}
	if s.Epochs == 0 {
		s.Epochs = 16
		if f.data != "" {
			s.Epochs = 30
		}
	}
	return s
}

// methods are the ways of forgetting that are compared, those that can work on several
// labels where there are several.
func methods(several bool) []dlfd.Unlearner {
	all := []dlfd.Unlearner{
		released.Method{},
		dlfd.DLFD{},
		dlfd.Recommended(),
		baseline.FineTune{},
		baseline.NegGradPlus{},
	}
	return slices.DeleteFunc(all, func(u dlfd.Unlearner) bool { return several && !dlfd.NeedsOf(u).Heads })
}

// divergedStop is the reason for stopping of a method that diverged and left the
// model as it was.
const divergedStop = "diverged"

// outcome is one model of one seed and its judgment.
type outcome struct {
	Method string        `json:"method"`
	Audit  *dlfd.Audited `json:"audit"`       // of several labels the means
	Gap    metrics.Gap   `json:"retrain_gap"` // of several labels the mean
	Labels []judged      `json:"labels,omitempty"`
	Ledger dlfd.Ledger   `json:"ledger"` // without the time, which is in timing.json
	Stop   string        `json:"stop"`
	Best   int           `json:"best_step"`
	Scores []dlfd.Score  `json:"steering,omitempty"`

	seconds float64
	model   *nn.Network
}

// seedRun is the experiment with one seed.
type seedRun struct {
	Seed   uint64    `json:"seed"`
	Models []outcome `json:"models"` // those of the first rows, and the methods
}

// The first rows of a table. The second retrained model differs from the first by
// its seed alone: its gap is the band, which a perfect method scores.
const (
	originalRow = iota
	retrainedRow
	bandRow
	methodRows
)

// bandSeed is what the seed of the second retrained model is larger by. It is
// beyond the number of seeds of an experiment.
const bandSeed = 1000

// experiment runs one seed after the other and hands over all that are done after
// each. It returns them even with an error.
func experiment(ctx context.Context, p *pack, set settings, b *bar, done func([]seedRun) error) ([]seedRun, error) {
	var runs []seedRun
	for k := range set.Seeds {
		r := trial{pack: p, settings: set, seed: set.Seed + uint64(k), bar: b}
		run, err := r.run(ctx)
		if err != nil {
			return runs, fmt.Errorf("seed %d: %w", r.seed, err)
		}
		runs = append(runs, run)
		if err := done(runs); err != nil {
			return runs, err
		}
	}
	return runs, nil
}

// trial runs the experiment with one seed.
type trial struct {
	*pack
	settings
	seed uint64
	bar  *bar
}

func (t *trial) run(ctx context.Context) (seedRun, error) {
	run := seedRun{Seed: t.seed}
	for _, c := range []struct {
		name string
		seed uint64
		data feature.Dataset
	}{{"Original", t.seed, t.training}, {"Retrained", t.seed, t.retain}, {"Retrained 2", t.seed + bandSeed, t.retain}} {
		o, err := t.train(ctx, c.name, c.seed, c.data)
		if err != nil {
			return run, err
		}
		run.Models = append(run.Models, o)
	}
	for _, u := range methods(t.heads() != nil) {
		o, err := t.apply(ctx, dlfd.NameOf(u), u, run.Models[originalRow].model, t.request, t.seed)
		if err != nil {
			return run, err
		}
		run.Models = append(run.Models, o)
	}
	return run, run.compare()
}

// compare sets the gaps to the retrained model.
func (r *seedRun) compare() error {
	if r.labelNames() != nil {
		return r.compareLabels()
	}
	return r.compareOne()
}

func (r *seedRun) compareOne() (err error) {
	retrained := r.Models[retrainedRow].Audit.Scores()
	for i := range r.Models {
		o := &r.Models[i]
		if o.Gap, err = metrics.RetrainGap(o.Audit.Scores(), retrained); err != nil {
			return fmt.Errorf("%s: %w", o.Method, err)
		}
	}
	return nil
}

func (t *trial) network(seed uint64) (*nn.Network, error) {
	return nn.ResNet(nn.ResNetConfig{
		Input: t.retain.Shape(), Classes: t.classes(), Heads: t.heads(), Widths: t.Widths, Stem: t.Stem, Seed: seed,
	})
}

// train makes a model from fresh weights on d. The original and the retrained
// models come from the same recipe, that of baseline.Retrain.
func (t *trial) train(ctx context.Context, name string, seed uint64, d feature.Dataset) (outcome, error) {
	fresh, err := t.network(seed)
	if err != nil {
		return outcome{}, err
	}
	recipe := baseline.Retrain{
		Fresh:  func(seed uint64) (feature.Trainable, error) { return t.network(seed) },
		Epochs: t.Epochs, Schedule: train.Cosine,
		Optimizer: train.SGD{Rate: t.Rate, Momentum: .9, WeightDecay: 5e-4},
	}
	return t.apply(ctx, name, recipe, fresh, dlfd.Data{Retain: d}, seed)
}

// apply runs a method on a copy of a model and judges the result. A method
// that diverges leaves the weights as they were; that is a result too. All models
// are audited with the seed of the trial.
func (t *trial) apply(ctx context.Context, name string, u dlfd.Unlearner, from *nn.Network, data dlfd.Data, seed uint64) (outcome, error) {
	o := outcome{Method: name}
	copied, err := from.Clone()
	if err != nil {
		return o, err
	}
	o.model = copied.(*nn.Network)
	t.bar.begin(fmt.Sprintf("seed %d, %s", t.seed, name))
	defer t.bar.end()
	before := time.Now()
	res, err := u.Unlearn(ctx, o.model, data, &dlfd.Options{
		Seed: seed, BatchSize: t.Batch, Observer: t.bar.event, Now: time.Now,
	})
	o.seconds = time.Since(before).Seconds()
	switch {
	case err == nil:
		o.Ledger, o.Stop, o.Best, o.Scores = res.Ledger, string(res.Stop), res.Best, res.Scores
		o.Ledger.Wall = 0
	case errors.Is(err, train.ErrDiverged) || errors.Is(err, feature.ErrNotFinite):
		o.Stop = divergedStop
	default:
		return o, err
	}
	return o, t.audit(ctx, &o)
}
