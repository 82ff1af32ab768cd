package experiment

import (
	"context"
	"encoding/json"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/metrics"
)

// judge audits a model with every seed of evaluation, and measures its gaps to the
// retrained models. What a method made of a model may be such that it cannot be
// audited, with logits that are not finite: that is an outcome.
func (r *run) judge(ctx context.Context, j Job, m feature.Trainable, o *Outcome) error {
	c, err := r.compared(ctx, j)
	if err != nil {
		return err
	}
	err = c.audit(ctx, m, o)
	if err == nil {
		_, err = json.Marshal(o) // has no place for what is not a number
	}
	if err != nil && j.Kind.ofMethod() && ctx.Err() == nil {
		o.Stop, o.Failure = Failed, err.Error()
		o.Audits, o.Gaps, o.Distances = nil, nil, nil
		return nil
	}
	return err
}

func (c *comparison) audit(ctx context.Context, m feature.Trainable, o *Outcome) error {
	j := c.job
	_, data := c.problems[j.task].data(j.Kind)
	if err := c.measure(ctx, m, data, o); err != nil {
		return err
	}
	for e := range c.manifest.Seeds.Evaluation {
		a, err := dlfd.Audit(ctx, m, data, c.auditOptions(e))
		if err != nil {
			return err
		}
		o.Audits = append(o.Audits, a)
		if j.Kind == JudgeRetrained || j.Kind.swapped() {
			continue // the band is a job of its own; no model is retrained for swapped sets
		}
		gaps := make([]metrics.Gap, len(c.others))
		for k, ref := range c.others {
			if gaps[k], err = metrics.RetrainGap(a.Scores(), ref.audits[e].Scores()); err != nil {
				return err
			}
		}
		o.Gaps = append(o.Gaps, gaps)
	}
	return nil
}

// reference is a model that others are compared with, and its audits.
type reference struct {
	model  feature.Model
	audits []*dlfd.Audited
}

// comparison has what the audits of a job need beside the model.
type comparison struct {
	*run
	job      Job
	original *reference
	others   []reference // retrained models
}

// compared gathers the models that a model is compared with: the retrained ones, for
// one of these the others, and the original. A retrained model that is judged by itself
// has none, and neither has one where sets are swapped.
func (r *run) compared(ctx context.Context, j Job) (*comparison, error) {
	c := &comparison{run: r, job: j}
	if j.Kind == JudgeRetrained || j.Kind.swapped() {
		return c, nil
	}
	for k := range r.retrained(j.task) {
		if j.Kind == JudgeBand && k == j.Model {
			continue
		}
		ref, err := r.reference(ctx, JudgeRetrained, j.task, k)
		if err != nil {
			return nil, err
		}
		c.others = append(c.others, *ref)
	}
	var err error
	switch j.Kind {
	case JudgeMethod:
		c.original, err = r.reference(ctx, JudgeOriginal, j.task, j.Model)
	case JudgeBand:
		c.original, err = r.reference(ctx, JudgeOriginal, j.task, 0)
	case JudgeOriginal: // is its own, which the audit judges first
		c.original = new(reference)
		c.original.model, err = r.model(ctx, j.Kind, j.task, j.Model)
	}
	return c, err
}

func (r *run) reference(ctx context.Context, kind Kind, task, number int) (*reference, error) {
	o, err := r.ensure(ctx, r.find(kind, task, number))
	if err != nil {
		return nil, err
	}
	m, err := r.model(ctx, kind, task, number)
	return &reference{m, o.Audits}, err
}

// options are those of the audit with seed of evaluation e. References that lack
// instruments which only the first seed has are audited with that seed alone.
func (c *comparison) auditOptions(e int) *dlfd.AuditOptions {
	o := &dlfd.AuditOptions{Seed: c.manifest.Seeds.evaluation(e)}
	if e == 0 && c.deep(c.job) {
		o.Training = c.problems[c.job.task].Recipe.training()
	}
	if c.original != nil {
		o.Original = &dlfd.Reference{Model: c.original.model}
		if c.original.audits != nil {
			o.Original.Audited = c.original.audits[e]
		}
	}
	for _, ref := range c.others {
		o.Retrained = append(o.Retrained, dlfd.Reference{Model: ref.model, Audited: ref.audits[e]})
	}
	return o
}

// deep reports whether the audit of a job trains copies of the model.
func (p *Plan) deep(j Job) bool {
	if j.Kind.swapped() || j.Kind.Stage() == 1 {
		return false
	}
	number := j.Model
	if j.Kind == JudgeMethod {
		_, runs := p.runs(j.task)
		number = number*runs + j.Run
	}
	deep := p.manifest.Deep
	return deep == 0 || number < deep || deep > 0 && j.Kind.ofRetrained()
}

// training is what audits imitate.
func (r Recipe) training() *dlfd.Training {
	if r.Audit != nil {
		return r.Audit
	}
	t := &dlfd.Training{BatchSize: r.BatchSize}
	switch o := r.Optimizer.(type) {
	case train.SGD:
		t.Rate = o.Rate
		t.Optimizer = func(rate float64) train.Optimizer { o.Rate = rate; return o }
	case train.Adam:
		t.Rate = o.Rate
		t.Optimizer = func(rate float64) train.Optimizer { o.Rate = rate; return o }
	}
	return t
}
