package dlfd

import (
	"context"
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/metrics"
)

// relearning trains a copy of the model on one half of the forget set and judges
// it on the other.
func (a *audit) relearning(ctx context.Context) error {
	m, ok := a.trainable("relearning")
	if !ok {
		return nil
	}
	one, other, err := everySecond(a.data.Forget)
	if err != nil {
		return err
	}
	if other.Len() == 0 {
		a.leftOut("relearning: the forget set has %d sample, which has no half", a.data.Forget.Len())
		return nil
	}
	r := &Relearning{Rate: a.opt.Training.Rate, Trained: one.Len(), Judged: other.Len()}
	for _, factor := range relearningRates {
		c := RelearningCurve{Rate: factor * r.Rate}
		err := scratch(m, func(m feature.Trainable) error { return a.relearn(ctx, m, one, other, &c) })
		switch {
		case err != nil:
			if err := a.diverged(fmt.Sprintf("relearning at rate %.4g", c.Rate), err); err != nil {
				return err
			}
		case factor == 1:
			r.Points = c.Points
		default:
			r.Slow = &c
		}
	}
	if r.Points == nil && r.Slow == nil {
		return nil
	}
	a.Relearning = r
	return a.relearningArea()
}

// relearningArea compares the curve with that of the first retrained model, at a rate at
// which no retrained model collapses. The model may: that no retrained one does tells
// them apart.
func (a *audit) relearningArea() error {
	refs := a.References.Retrained
	if len(refs) == 0 {
		return nil
	}
	if refs[0].Relearning == nil {
		a.leftOut("relearning beside that of a retrained model: the first retrained model was audited without")
		return nil
	}
	all := []*Relearning{a.Relearning}
	for k, r := range refs {
		if r.Relearning == nil {
			a.leftOut("relearning of retrained model %d: it was audited without", k)
			continue
		}
		all = append(all, r.Relearning)
	}
	slow := a.Relearning.Points == nil || slices.ContainsFunc(all[1:], (*Relearning).collapsed)
	if slow && (a.Relearning.Slow == nil || slices.ContainsFunc(all[1:], func(r *Relearning) bool { return r.Slow == nil || fell(r.Slow.Points) })) {
		a.leftOut("relearning beside that of retrained models: at rates %.4g and %.4g one of them loses half of its accuracy, or the training diverged", a.Relearning.Rate, relearningRates[1]*a.Relearning.Rate)
		return nil
	}
	first := all[1].regrowth(slow)
	area, err := a.Relearning.regrowth(slow).Relearning(first, auditLevel)
	if err != nil {
		return err
	}
	a.Relearning.Area, a.Relearning.AreaRate, a.Relearning.Retrained = &area, a.Relearning.curve(slow).Rate, []float64{0}
	for k, r := range all[2:] {
		other, err := r.regrowth(slow).Relearning(first, auditLevel)
		if err != nil {
			return fmt.Errorf("retrained %d: %w", k+1, err)
		}
		a.Relearning.Retrained = append(a.Relearning.Retrained, other.Value)
	}
	return nil
}

// collapsed reports whether the model lost half of its accuracy at the rate of training,
// or diverged.
func (r *Relearning) collapsed() bool { return r.Points == nil || fell(r.Points) }

// fell reports whether the accuracy was ever below half of what it was at the start.
func fell(points []RelearningPoint) bool {
	return slices.ContainsFunc(points, func(p RelearningPoint) bool { return p.Accuracy < points[0].Accuracy/2 })
}

// Curve returns the curve that Area compares, or without one that at Rate, unless the
// model collapsed there.
func (r *Relearning) Curve() RelearningCurve {
	return r.curve(r.Slow != nil && (r.AreaRate == r.Slow.Rate || r.AreaRate == 0 && r.collapsed()))
}

func (r *Relearning) curve(slow bool) RelearningCurve {
	if slow {
		return *r.Slow
	}
	return RelearningCurve{r.Rate, r.Points}
}

// regrowth returns a curve of the single samples.
func (r *Relearning) regrowth(slow bool) metrics.Regrowth {
	var g metrics.Regrowth
	for _, p := range r.curve(slow).Points {
		right := make([]float64, len(p.Right))
		for i, digit := range p.Right {
			right[i] = float64(digit - '0')
		}
		g.At, g.Scores = append(g.At, float64(p.Steps)), append(g.Scores, right)
	}
	return g
}

// relearn takes the points of the curve.
func (a *audit) relearn(ctx context.Context, m feature.Trainable, one, other feature.Dataset, c *RelearningCurve) error {
	take := func(steps int) error {
		p := RelearningPoint{Steps: steps}
		right, err := accuracyOn(ctx, m, other, &p.Accuracy, &p.Loss)
		if err != nil {
			return fmt.Errorf("after %d steps: %w", steps, err)
		}
		digits := make([]byte, len(right))
		for i, v := range right {
			digits[i] = '0' + byte(v)
		}
		p.Right = string(digits)
		c.Points = append(c.Points, p)
		return nil
	}
	if err := take(0); err != nil {
		return err
	}
	points, last := relearningSteps, relearningSteps[len(relearningSteps)-1]
	per := train.BatchCount(m.Spec(), one, a.opt.Training.BatchSize)
	taken := 0
	return a.descend(ctx, m, one, c.Rate, "relearning", (last+per-1)/per, func(*train.Step) error {
		if taken++; taken != points[0] {
			return nil
		}
		points = points[1:]
		return take(taken)
	}, func() bool { return taken < last })
}

// everySecond divides d into two halves, class by class, whoever is shown: samples
// of one person on both sides are what makes relearning sensitive. What is left over
// in classes of odd size goes to either half in turn.
func everySecond(d feature.Dataset) (one, other feature.Dataset, err error) {
	labels, err := feature.Labels(d)
	if err != nil {
		return nil, nil, err
	}
	order := make([]int, len(labels))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return labels[i] - labels[j] })
	first := make([]bool, len(labels))
	for k, i := range order {
		first[i] = k%2 == 0
	}
	return feature.Partition(d, func(i int) bool { return first[i] })
}
