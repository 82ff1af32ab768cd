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
	err = scratch(m, func(m feature.Trainable) error { return a.relearn(ctx, m, one, other, r) })
	if err != nil {
		return a.diverged(fmt.Sprintf("relearning at rate %.4g", r.Rate), err)
	}
	a.Relearning = r
	return a.relearningArea()
}

// relearningArea compares the curve with that of the first retrained model.
func (a *audit) relearningArea() error {
	refs := a.References.Retrained
	if len(refs) == 0 {
		return nil
	}
	if refs[0].Relearning == nil {
		a.leftOut("relearning beside that of a retrained model: the first retrained model was audited without")
		return nil
	}
	first := refs[0].Relearning.regrowth()
	area, err := a.Relearning.regrowth().Relearning(first, auditLevel)
	if err != nil {
		return err
	}
	a.Relearning.Area, a.Relearning.Retrained = &area, make([]float64, 1, len(refs))
	for k, r := range refs[1:] {
		if r.Relearning == nil {
			a.leftOut("relearning of retrained model %d: it was audited without", k+1)
			continue
		}
		other, err := r.Relearning.regrowth().Relearning(first, auditLevel)
		if err != nil {
			return fmt.Errorf("retrained %d: %w", k+1, err)
		}
		a.Relearning.Retrained = append(a.Relearning.Retrained, other.Value)
	}
	return nil
}

// regrowth returns the curve of the single samples.
func (r *Relearning) regrowth() metrics.Regrowth {
	var g metrics.Regrowth
	for _, p := range r.Points {
		right := make([]float64, len(p.Right))
		for i, digit := range p.Right {
			right[i] = float64(digit - '0')
		}
		g.At, g.Scores = append(g.At, float64(p.Steps)), append(g.Scores, right)
	}
	return g
}

// relearn takes the points of the curve.
func (a *audit) relearn(ctx context.Context, m feature.Trainable, one, other feature.Dataset, r *Relearning) error {
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
		r.Points = append(r.Points, p)
		return nil
	}
	if err := take(0); err != nil {
		return err
	}
	points, last := relearningSteps, relearningSteps[len(relearningSteps)-1]
	per := train.BatchCount(m.Spec(), one, a.opt.Training.BatchSize)
	taken := 0
	return a.descend(ctx, m, one, r.Rate, "relearning", (last+per-1)/per, func(*train.Step) error {
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
