package baseline

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/internal/finite"
)

// DUCK moves the features of every forget sample towards the nearest centroid of
// another class (Cotogni, Bonato, Sabetta, Pelosin, Nicolosi, arXiv 2312.02052).
// Centroids are the mean features of the retain samples of each class, and which is
// nearest, by the cosine distance, is decided once, with the model as it came. A step
// descends on
//
//	LambdaForget·mean(1 − cos(features, centroid)) + LambdaRetain·CE(retain logits/Temperature)
//
// for a forget batch and a retain batch. The run ends with dlfd.ScoreMet when the
// accuracy on the forget set is no longer above Target.
type DUCK struct {
	Limit
	// LambdaForget and LambdaRetain weigh the two terms. If they are zero, 1 and 1.4
	// are used; the released code has these.
	LambdaForget, LambdaRetain float64
	// Temperature divides the retain logits. If it is zero, 2 is used, as in the
	// released code.
	Temperature float64
	// Target is the accuracy on the forget set that ends the run, in [0, 1]. If it is
	// zero, it is what the model that came reaches on Holdout, as published, times the
	// share of forget samples whose class the retain set has: a class that goes as a
	// whole is to be got wrong.
	Target float64
	// Epochs is the largest number of passes over the retain set. If it is zero, 3 is
	// used.
	Epochs int
	// Rate is the learning rate of Adam. If it is zero, .0005 is used; the released
	// code has .0004.
	Rate float64
}

// Name implements dlfd.Namer.
func (DUCK) Name() string { return "DUCK" }

// Needs implements dlfd.Needer.
func (DUCK) Needs() dlfd.Needs {
	return dlfd.Needs{Retain: true, Forget: true, Holdout: true, Resumes: true}
}

// Unlearn implements dlfd.Unlearner. It reads all three datasets. Cost: two forward
// and backward passes a retain sample and epoch; one forward pass of the forget set
// for each pass over it, for the accuracy; one forward pass of all three datasets;
// and the looks of the Limit.
func (d DUCK) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, d.Name(), m, data, opt, d.Needs(), func(ctx context.Context, s *dlfd.Session) error {
		d, err := d.resolve()
		if err != nil {
			return err
		}
		c, err := newCentroids(ctx, s)
		if err != nil {
			return err
		}
		if d.Target == 0 {
			if d.Target, err = c.target(ctx, s); err != nil {
				return err
			}
		}
		s.Result.Settings = d
		h, err := d.watch(ctx, s)
		if err != nil {
			return err
		}
		h.patient = true
		return d.descend(ctx, s, c, h)
	})
}

func (d DUCK) resolve() (_ DUCK, err error) {
	d.LambdaForget, d.LambdaRetain, d.Temperature = cmp.Or(d.LambdaForget, 1), cmp.Or(d.LambdaRetain, 1.4), cmp.Or(d.Temperature, 2)
	d.Epochs, d.Rate = cmp.Or(d.Epochs, 3), cmp.Or(d.Rate, .0005)
	for _, v := range []float64{d.LambdaForget, d.LambdaRetain, d.Temperature, d.Rate} {
		if !positive(v) {
			return d, fmt.Errorf("%w: LambdaForget %v, LambdaRetain %v, Temperature %v, Rate %v", dlfd.ErrParameter, d.LambdaForget, d.LambdaRetain, d.Temperature, d.Rate)
		}
	}
	if d.Epochs < 1 || !(d.Target >= 0 && d.Target <= 1) {
		return d, fmt.Errorf("%w: Epochs %d, Target %v", dlfd.ErrParameter, d.Epochs, d.Target)
	}
	d.Limit, err = d.Limit.resolve()
	return d, err
}

func (d DUCK) descend(ctx context.Context, s *dlfd.Session, c *centroids, h *harm) error {
	forget, stop := s.Cycle(s.Data.Forget, "forget order")
	defer stop()
	every := s.StepsPerEpoch(s.Data.Forget)
	err := s.Descend(ctx, dlfd.Descent{
		Epochs: d.Epochs, Optimizer: train.Adam{Rate: d.Rate},
		Gradient: func(ctx context.Context, step *dlfd.Step) error {
			keep, err := d.keep(ctx, step)
			if err != nil {
				return fmt.Errorf("retain batch: %w", err)
			}
			f, err := forget()
			if err != nil {
				return fmt.Errorf("forget batch: %w", err)
			}
			far, err := c.approach(ctx, step, f, d.LambdaForget)
			if err != nil {
				return fmt.Errorf("forget batch: %w", err)
			}
			step.Point.Loss, step.Point.ForgetTerm = d.LambdaRetain*keep+d.LambdaForget*far, far
			return nil
		},
		After: func(ctx context.Context) error {
			if s.Result.Ledger.Steps%every == 0 {
				a, err := accuracy(ctx, s, s.Data.Forget)
				if err != nil {
					return err
				}
				if a <= d.Target {
					s.End(dlfd.ScoreMet)
				}
			}
			return h.after(ctx)
		},
	})
	if err != nil {
		return err
	}
	return h.look(ctx)
}

// keep accumulates the gradient of LambdaRetain times the cross-entropy of the
// step's batch at the temperature, and returns the cross-entropy.
func (d DUCK) keep(ctx context.Context, step *dlfd.Step) (float64, error) {
	var loss float64
	err := step.Accumulate(ctx, step.Mode, step.Batch.X, []string{step.Model.Spec().Logits}, func(val, cot []feature.Tensor) (err error) {
		cool := val[0].Clone()
		for i := range cool.Data {
			cool.Data[i] /= float32(d.Temperature)
		}
		g := feature.NewTensor(cool.Shape...)
		if loss, err = feature.CrossEntropy(cool, g, step.Batch.Labels, 1); err != nil {
			return err
		}
		for i, v := range g.Data {
			cot[0].Data[i] += float32(d.LambdaRetain / d.Temperature * float64(v))
		}
		return finiteLoss(loss)
	})
	return loss, err
}

// finiteLoss returns an error wrapping dlfd.ErrDiverged for a loss that is not
// finite.
func finiteLoss(loss float64) error {
	if !finite.Is(loss) {
		return fmt.Errorf("%w: the loss is %v", dlfd.ErrDiverged, loss)
	}
	return nil
}

// accuracy returns the share of samples that s.Model gets right in evaluation mode.
func accuracy(ctx context.Context, s *dlfd.Session, d feature.Dataset) (float64, error) {
	out, labels, err := feature.Predict(ctx, s.Model, d, []string{s.Model.Spec().Logits}, s.BatchSize)
	if err != nil {
		return 0, err
	}
	right := 0
	for i, label := range labels {
		if highest(out[0].Row(i), -1) == label {
			right++
		}
	}
	return float64(right) / float64(len(labels)), nil
}

// highest returns the position of the largest number but that at except, the first
// of equal ones.
func highest(v []float32, except int) int {
	best := -1
	for i, x := range v {
		if i != except && (best < 0 || x > v[best]) {
			best = i
		}
	}
	return best
}

// centroids has the mean features of the classes, and for every forget sample the
// class that it is sent to.
type centroids struct {
	mean [][]float64 // by class; nil for a class that the retain set has none of
	goal []int       // by forget sample
	kept float64     // share of the forget samples whose class the retain set has
}

func newCentroids(ctx context.Context, s *dlfd.Session) (*centroids, error) {
	spec := s.Model.Spec()
	out, labels, err := feature.Predict(ctx, s.Model, s.Data.Retain, []string{spec.Features}, s.BatchSize)
	if err != nil {
		return nil, fmt.Errorf("retain: %w", err)
	}
	c := &centroids{mean: means(out[0], labels, spec.Classes())}
	out, labels, err = feature.Predict(ctx, s.Model, s.Data.Forget, []string{spec.Features}, s.BatchSize)
	if err != nil {
		return nil, fmt.Errorf("forget: %w", err)
	}
	for i, label := range labels {
		if c.mean[label] != nil {
			c.kept += 1 / float64(len(labels))
		}
		goal := c.nearest(out[0].Row(i), label)
		if goal < 0 {
			return nil, fmt.Errorf("forget: %w: features of sample %d have no distance to any centroid", dlfd.ErrDiverged, i)
		}
		c.goal = append(c.goal, goal)
	}
	return c, nil
}

// means returns the mean row of each class, nil for a class without rows.
func means(x feature.Tensor, labels []int, classes int) [][]float64 {
	mean, count := make([][]float64, classes), make([]float64, classes)
	for i, label := range labels {
		if count[label]++; mean[label] == nil {
			mean[label] = make([]float64, x.RowLen())
		}
		for k, v := range x.Row(i) {
			mean[label][k] += float64(v)
		}
	}
	for c, m := range mean {
		for k := range m {
			m[k] /= count[c]
		}
	}
	return mean
}

// nearest returns the class other than label whose centroid is nearest by the cosine
// distance. The retain set has at least two classes, so that there is one; features
// that are not finite have none, and −1 is returned.
func (c *centroids) nearest(features []float32, label int) int {
	best, least := -1, math.Inf(1)
	for class, m := range c.mean {
		if class == label || m == nil {
			continue
		}
		if d := cosineDistance(nil, features, m, 1); d < least {
			best, least = class, d
		}
	}
	return best
}

// target is the default of DUCK.Target.
func (c *centroids) target(ctx context.Context, s *dlfd.Session) (float64, error) {
	a, err := accuracy(ctx, s, s.Data.Holdout)
	if err != nil {
		return 0, fmt.Errorf("holdout: %w", err)
	}
	return min(1, c.kept*a), nil
}

// approach accumulates the gradient of weight times the mean cosine distance of a
// forget batch from its goals, and returns the distance.
func (c *centroids) approach(ctx context.Context, step *dlfd.Step, f feature.Batch, weight float64) (float64, error) {
	var sum float64
	n := float64(len(f.Labels))
	err := step.Accumulate(ctx, step.ModeFor(f), f.X, []string{step.Model.Spec().Features}, func(val, cot []feature.Tensor) error {
		for i, k := range f.Index {
			sum += cosineDistance(cot[0].Row(i), val[0].Row(i), c.mean[c.goal[k]], weight/n)
		}
		return finiteLoss(sum)
	})
	return sum / n, err
}

// cosineDistance returns 1 − cos(x, y) and adds weight times its derivative in x into
// grad unless that is nil. Where x or y is zero the distance is 1 and its derivative
// zero.
func cosineDistance(grad, x []float32, y []float64, weight float64) float64 {
	var xx, yy, xy float64
	for i, v := range x {
		xx += float64(v) * float64(v)
		yy += y[i] * y[i]
		xy += float64(v) * y[i]
	}
	if xx == 0 || yy == 0 {
		return 1
	}
	norm := math.Sqrt(xx) * math.Sqrt(yy)
	cos := xy / norm
	for i := range grad {
		grad[i] -= float32(weight * (y[i]/norm - cos*float64(x[i])/xx))
	}
	return 1 - cos
}
