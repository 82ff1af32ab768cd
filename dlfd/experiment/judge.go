package experiment

import (
	"context"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/metrics"
)

// judge audits a model with every seed of evaluation, and measures its gaps to the
// retrained models.
func (r *run) judge(ctx context.Context, j Job, m feature.Trainable, o *Outcome) error {
	c, err := r.compared(ctx, j)
	if err != nil {
		return err
	}
	_, data := r.problems[j.task].data(j.Kind)
	if err := r.measure(ctx, m, data, o); err != nil {
		return err
	}
	for e := range r.manifest.Seeds.Evaluation {
		a, err := dlfd.Audit(ctx, m, data, c.options(e))
		if err != nil {
			return err
		}
		o.Audits = append(o.Audits, a)
		if j.Kind == JudgeRetrained || j.Kind.swapped() {
			continue // no model is retrained without Unseen but with the forget set
		}
		gaps := make([]metrics.Gap, len(c.retrained))
		for k, ref := range c.retrained {
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
	job       Job
	original  *reference
	retrained []reference
}

// compared gathers the models that a model is compared with: none for a retrained
// one and where sets are swapped, the retrained ones for an original, and these and
// the original for a method.
func (r *run) compared(ctx context.Context, j Job) (*comparison, error) {
	c := &comparison{run: r, job: j}
	if j.Kind == JudgeRetrained || j.Kind.swapped() {
		return c, nil
	}
	for k := range r.retrained(j.task) {
		ref, err := r.reference(ctx, JudgeRetrained, j.task, k)
		if err != nil {
			return nil, err
		}
		c.retrained = append(c.retrained, *ref)
	}
	var err error
	if j.Kind == JudgeMethod {
		c.original, err = r.reference(ctx, JudgeOriginal, j.task, j.Model)
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
func (c *comparison) options(e int) *dlfd.AuditOptions {
	o := &dlfd.AuditOptions{Seed: c.manifest.Seeds.evaluation(e)}
	if e == 0 && c.deep() {
		o.Training = c.problems[c.job.task].Recipe.training()
	}
	if c.original != nil {
		o.Original = &dlfd.Reference{Model: c.original.model, Audited: c.original.audits[e]}
	}
	for _, ref := range c.retrained {
		o.Retrained = append(o.Retrained, dlfd.Reference{Model: ref.model, Audited: ref.audits[e]})
	}
	return o
}

// deep reports whether the audit trains copies of the model.
func (c *comparison) deep() bool {
	if c.job.Kind.swapped() {
		return false
	}
	number := c.job.Model
	if c.job.Kind == JudgeMethod {
		_, runs := c.runs(c.job.task)
		number = number*runs + c.job.Run
	}
	deep := c.manifest.Deep
	return deep == 0 || number < deep || deep > 0 && c.job.Kind != JudgeMethod
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
