package dlfd

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/internal/rng"
	"github.com/dlfd-go/unlearn/metrics"
)

// The epochs of resurgence and the steps of relearning after which a point is
// taken, and the factors of the learning rate.
var (
	resurgenceEpochs = []int{1, 4}
	resurgenceRates  = []float64{1, .1}
	relearningSteps  = []int{10, 40}
	relearningRates  = []float64{1, .1}
)

// trainable returns the model with its weights, or says why resurgence and
// relearning are left out.
func (a *audit) trainable(what string) (feature.Trainable, bool) {
	m, ok := feature.As[feature.Trainable](a.model)
	switch {
	case a.opt.Training == nil: // needs has said so
	case a.Counts.Forget == 0:
		a.leftOut("%s: there is no forget sample", what)
	case !ok:
		a.leftOut("%s: the weights of the model cannot be changed", what)
	case m.Spec().Batch != 0:
		a.leftOut("%s: the model takes batches of %d samples only", what, m.Spec().Batch)
	default:
		return newMeter(m, &a.Work), true
	}
	return nil, false
}

// scratch calls f with a model like m, whose weights f may change: a copy, or m
// itself, whose weights are put back whatever f does.
func scratch(m feature.Trainable, f func(feature.Trainable) error) (err error) {
	if c, ok := feature.As[feature.Cloner](m); ok {
		copied, err := c.Clone()
		if err != nil {
			return err
		}
		return f(copied)
	}
	w, err := feature.Snapshot(m)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Restore(m)) }() // while a panic passes too
	return f(m)
}

// diverged turns the error of a training that diverged into a sentence.
func (a *Audited) diverged(what string, err error) error {
	for _, far := range []error{ErrDiverged, feature.ErrNotFinite, metrics.ErrNotFinite} {
		if errors.Is(err, far) {
			a.leftOut("%s: %v", what, err)
			return nil
		}
	}
	return err
}

// auditLevel is the confidence level of all intervals of an audit.
const auditLevel = .95

// resurgence trains copies of the model on the retain set alone.
func (a *audit) resurgence(ctx context.Context) error {
	m, ok := a.trainable("resurgence")
	if !ok {
		return nil
	}
	r := new(Resurgence)
	if err := a.weightChange(m, r); err != nil {
		return err
	}
	var looks resurgenceLooks
	for _, factor := range resurgenceRates {
		rate := factor * a.opt.Training.Rate
		c := resurgenceRun{audit: a, ResurgenceCurve: ResurgenceCurve{Rate: rate}}
		err := scratch(m, func(m feature.Trainable) error { return c.run(ctx, m) })
		if err != nil {
			if err := a.diverged(fmt.Sprintf("resurgence at rate %.4g", rate), err); err != nil {
				return err
			}
			continue
		}
		r.Curves = append(r.Curves, c.ResurgenceCurve)
		for side := range looks {
			looks[side] = append(looks[side], c.looks[side]...)
		}
	}
	if len(r.Curves) == 0 {
		return nil
	}
	a.Resurgence = r
	var err error
	r.Rise, err = looks.rise(len(resurgenceEpochs) + 1)
	return err
}

// resurgenceLooks has, for forget and test, which samples are told right at each
// look.
type resurgenceLooks [2][][]float64

// rise compares the mean of the looks after the start with that at the start; of
// every per looks the first is one at the start.
func (l resurgenceLooks) rise(per int) (metrics.Estimate, error) {
	var curve [2]metrics.Regrowth
	for side, looks := range l {
		after := make([]float64, len(looks[0]))
		n := float64(len(looks) - len(looks)/per)
		for k, look := range looks {
			if k%per > 0 {
				floats.AddScaled(after, 1/n, look)
			}
		}
		for i := range after {
			after[i] = min(after[i], 1) // whatever the sum of shares rounds to
		}
		curve[side] = metrics.Regrowth{At: []float64{0, 1}, Scores: [][]float64{looks[0], after}}
	}
	return curve[0].Resurgence(curve[1], auditLevel)
}

// resurgenceRun is one curve that is being taken.
type resurgenceRun struct {
	*audit
	ResurgenceCurve
	before feature.Weights
	looks  resurgenceLooks
}

// run descends on the retain set and takes the points of the curve.
func (c *resurgenceRun) run(ctx context.Context, m feature.Trainable) (err error) {
	if c.before, err = feature.Snapshot(m); err != nil {
		return err
	}
	if err := c.take(ctx, m, 0); err != nil {
		return err
	}
	points := resurgenceEpochs
	return c.descend(ctx, m, c.data.Retain, c.Rate, "resurgence", points[len(points)-1], func(s *train.Step) error {
		if (s.Number+1)%s.PerEpoch != 0 || (s.Number+1)/s.PerEpoch != points[0] {
			return nil
		}
		points = points[1:]
		return c.take(ctx, m, (s.Number+1)/s.PerEpoch)
	}, nil)
}

// take adds a point.
func (c *resurgenceRun) take(ctx context.Context, m feature.Trainable, epochs int) error {
	p := ResurgencePoint{Epochs: epochs}
	for side, set := range []struct {
		number         int
		accuracy, loss *float64
	}{{forgetSet, &p.ForgetAccuracy, &p.ForgetLoss}, {testSet, &p.TestAccuracy, &p.TestLoss}} {
		right, err := accuracyOn(ctx, m, c.sets[set.number].Dataset, set.accuracy, set.loss)
		if err != nil {
			return fmt.Errorf("after %d epochs: %s: %w", epochs, c.sets[set.number].name, err)
		}
		c.looks[side] = append(c.looks[side], right)
	}
	p.Lead = p.ForgetAccuracy - p.TestAccuracy
	now, err := feature.Snapshot(m)
	if err != nil {
		return err
	}
	p.Moved = relativeChange(m.Spec(), c.before, now)
	c.Points = append(c.Points, p)
	return nil
}

// descend trains m in a way like that of the training. more, where not nil, is
// asked before each step.
func (a *audit) descend(ctx context.Context, m feature.Trainable, d feature.Dataset, rate float64, purpose string, epochs int, after func(*train.Step) error, more func() bool) error {
	return train.Descent{
		Epochs: epochs, BatchSize: a.opt.Training.BatchSize, Optimizer: a.opt.Training.Optimizer(rate),
		Order:  func(epoch int) rand.Source { return rng.Stream(a.opt.Seed, purpose+" order", epoch) },
		Seed:   func(step int) uint64 { return rng.Seed(a.opt.Seed, purpose+" dropout", step) },
		Before: more,
		After: func(s *train.Step) error {
			a.Work.Steps++
			return after(s)
		},
	}.Run(ctx, m, d)
}

// accuracyOn runs a model over a set and returns 1 for every sample that is told
// right and 0 for the others.
func accuracyOn(ctx context.Context, m feature.Model, d feature.Dataset, accuracy, loss *float64) ([]float64, error) {
	o, err := outputs(ctx, m, d)
	if err != nil {
		return nil, err
	}
	if *accuracy, err = o.Accuracy(); err != nil {
		return nil, err
	}
	right := make([]float64, o.N)
	for i := range right {
		if toldRight(o, i) {
			right[i] = 1
		}
	}
	*loss, err = o.MeanCrossEntropy()
	return right, err
}

// toldRight reports whether the model is right on sample i.
func toldRight(o metrics.Outputs, i int) bool { return argMax(o.Row(i)) == o.Labels[i] }

// argMax returns the position of the first of the largest elements.
func argMax(row []float32) int {
	best := 0
	for c, v := range row {
		if v > row[best] {
			best = c
		}
	}
	return best
}

// weightChange compares the weights with those of the original.
func (a *audit) weightChange(m feature.Trainable, r *Resurgence) error {
	if a.opt.Original == nil {
		return nil
	}
	original, ok := feature.As[feature.Trainable](a.opt.Original.Model)
	if !ok || !sameParams(m.Spec().Params, original.Spec().Params) {
		a.leftOut("change of the weights: the original has not the parameters of the model")
		return nil
	}
	before, err := feature.Snapshot(original)
	if err != nil {
		return err
	}
	now, err := feature.Snapshot(m)
	if err != nil {
		return err
	}
	change := relativeChange(m.Spec(), before, now)
	r.WeightChange = &change
	return nil
}

func sameParams(a, b []feature.Param) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Kind != b[i].Kind || fmt.Sprint(a[i].Shape) != fmt.Sprint(b[i].Shape) {
			return false
		}
	}
	return true
}

// relativeChange returns ‖now − before‖/‖before‖ over weights and biases, 0 where
// all of before are zero.
func relativeChange(spec feature.Spec, before, now feature.Weights) float64 {
	var moved, size float64
	for i, p := range spec.Params {
		if p.Kind == feature.Statistic {
			continue
		}
		for j, v := range before[i] {
			d := float64(now[i][j]) - float64(v)
			moved += d * d
			size += float64(v) * float64(v)
		}
	}
	if size == 0 {
		return 0
	}
	return math.Sqrt(moved / size)
}
