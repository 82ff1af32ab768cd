package dlfd

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/metrics"
)

// The sets of an audit, in the order in which they are told.
const (
	retainSet = iota
	forgetSet
	testSet
	memberSet
	nonMemberSet
	auditSets
)

// audit is one judgment that is being made.
type audit struct {
	*Audited
	model feature.Model // counts its passes
	data  AuditData
	opt   AuditOptions
	sets  [auditSets]namedSet
	out   [auditSets]metrics.Outputs
	refs  *referenceOutputs // once they are needed
	// doubted says which retrained models make no band
	doubted []string
}

func newAudit(m feature.Model, data AuditData, opt *AuditOptions) (*audit, error) {
	if len(m.Spec().Heads) > 0 {
		return nil, fmt.Errorf("%w: the model has %d heads; use AuditHeads", feature.ErrHeads, len(m.Spec().Heads))
	}
	a := &audit{Audited: new(Audited), data: data}
	a.sets = [auditSets]namedSet{
		{name: "retain", Dataset: data.Retain, needed: true}, {name: "forget", Dataset: data.Forget}, {name: "test", Dataset: data.Test, needed: true},
		{name: "members", Dataset: data.Member}, {name: "non-members", Dataset: data.NonMember},
	}
	for i, c := range a.sets {
		if c.Dataset == nil || c.needed && c.Len() == 0 {
			return nil, fmt.Errorf("%w: %s", ErrEmpty, c.name)
		}
		if err := feature.CheckHeads(m.Spec(), c.Dataset); err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		for _, b := range a.sets[:i] {
			if err := feature.CheckClasses(c.Dataset, b.Dataset); err != nil {
				return nil, fmt.Errorf("%s and %s: %w", c.name, b.name, err)
			}
		}
	}
	var err error
	if a.opt, err = opt.resolve(m.Spec()); err != nil {
		return nil, err
	}
	if d := data.Demand; d != nil {
		if a.Kind = d.kind(); !a.Kind.Valid() {
			return nil, fmt.Errorf("%w: Demand has kind %q, which is none of %q", ErrParameter, a.Kind, kinds)
		}
		if err := d.checkLabels(data.Forget); err != nil {
			return nil, err
		}
	}
	a.Counts = Counts{data.Retain.Len(), data.Forget.Len(), data.Test.Len(), data.Member.Len(), data.NonMember.Len()}
	a.model = forwardMeter{m, &a.Work}
	return a, a.checkReferences(m.Spec())
}

// checkReferences returns an error unless every reference fits the model, and its
// Audited the data.
func (a *audit) checkReferences(spec feature.Spec) error {
	check := func(name string, r Reference) error {
		s := r.Model.Spec()
		if fmt.Sprint(s.Input) != fmt.Sprint(spec.Input) || s.Classes() != spec.Classes() {
			return fmt.Errorf("%w: %s takes %v and has %d classes, the model takes %v and has %d", feature.ErrShape, name, s.Input, s.Classes(), spec.Input, spec.Classes())
		}
		if r.Audited != nil && r.Audited.Counts != a.Counts {
			return fmt.Errorf("%w: %s was audited on sets of %+v samples, these have %+v", ErrParameter, name, r.Audited.Counts, a.Counts)
		}
		return nil
	}
	if a.opt.Original != nil {
		if err := check("Original", *a.opt.Original); err != nil {
			return err
		}
	}
	for i, r := range a.opt.Retrained {
		if err := check(fmt.Sprintf("Retrained %d", i), r); err != nil {
			return err
		}
	}
	for i, m := range a.opt.Siblings {
		if err := check(fmt.Sprintf("Siblings %d", i), Reference{Model: m}); err != nil {
			return err
		}
	}
	return nil
}

// run goes through the instruments.
func (a *audit) run(ctx context.Context) error {
	if err := a.predict(ctx); err != nil {
		return err
	}
	if err := a.basics(); err != nil {
		return err
	}
	if err := a.judgeReferences(ctx); err != nil {
		return err
	}
	a.needs()
	for _, i := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"class-wise accuracy", a.utility},
		{"the classes that go", a.goneAccuracy},
		{"wrong labels", a.wrongLabels},
		{"retrained models", a.doubtReferences},
		{"label floor", a.labelFloor},
		{"features", a.features},
		{"the most memorized tenth", a.hardest},
		{"attacks by retrained models", a.referenceAttacks},
		{"residual knowledge", a.residual},
		{"KLoM", a.klom},
		{"resurgence", a.resurgence},
		{"relearning", a.relearning},
		{"gap", a.gap},
		{"verdict", a.judge},
	} {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := a.judged(i.name, i.run(ctx)); err != nil {
			return fmt.Errorf("%s: %w", i.name, err)
		}
	}
	return nil
}

// needs says what is left out because it was not given what it needs.
func (a *audit) needs() {
	if a.opt.Training == nil {
		a.leftOut("resurgence and relearning: it is not said how the model was trained")
	}
	if a.opt.Original == nil {
		a.leftOut("divergence from the original, the most memorized tenth and samples least forgotten: there is no original model")
	}
	if n := len(a.opt.Retrained); n == 0 {
		a.leftOut("gap to retraining, residual knowledge, the most memorized tenth and samples least forgotten: there is no retrained model")
	} else if n < bandModels {
		a.leftOut("band of retraining: it needs %d retrained models, and there are %d", bandModels, n)
	} else if len(a.opt.Siblings) < 2 {
		a.leftOut("KLoM: it needs two models more that the same method made, and there are %d", len(a.opt.Siblings))
	}
}

// predict runs the model over all sets, over equal ones once.
func (a *audit) predict(ctx context.Context) (err error) {
	for i, c := range a.sets {
		if j := a.firstLike(i); j < i {
			a.out[i] = a.out[j]
			continue
		}
		if a.out[i], err = outputs(ctx, a.model, c.Dataset); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// firstLike returns the first set that is the same value as set i.
func (a *audit) firstLike(i int) int {
	for j, c := range a.sets[:i] {
		if sameDataset(c.Dataset, a.sets[i].Dataset) {
			return j
		}
	}
	return i
}

// sameDataset reports whether a and b are the same value, false where their type
// cannot be compared.
func sameDataset(a, b feature.Dataset) bool {
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}

// leftOut says why something is not judged.
func (a *Audited) leftOut(format string, args ...any) {
	a.NotJudged = append(a.NotJudged, fmt.Sprintf(format, args...))
}

// judged turns the error of an instrument with too few samples into a sentence.
func (a *Audited) judged(what string, err error) error {
	for _, tooLittle := range []error{metrics.ErrTooFew, metrics.ErrEmpty, metrics.ErrOneClass, metrics.ErrDegenerate} {
		if errors.Is(err, tooLittle) {
			a.leftOut("%s: %v", what, err)
			return nil
		}
	}
	return err
}

// forwardMeter counts the samples that pass through a model which may have no
// weights to change.
type forwardMeter struct {
	feature.Model
	ledger *Ledger
}

// Forward implements feature.Model.
func (m forwardMeter) Forward(ctx context.Context, x feature.Tensor, taps []string, out []feature.Tensor) error {
	atomic.AddInt64(&m.ledger.Forward, int64(x.Rows()))
	return m.Model.Forward(ctx, x, taps, out)
}

// As implements the look-through of feature.As.
func (m forwardMeter) As(target any) bool { return lookThrough(m.Model, target) }

// judgeReferences audits the references that have no Audited, by forward passes
// the original, by all that the options allow the retrained models.
func (a *audit) judgeReferences(ctx context.Context) error {
	o := a.opt
	o.Original, o.Retrained, o.Siblings = nil, nil, nil
	for i, r := range a.opt.Retrained {
		b, err := a.reference(ctx, r, o)
		if err != nil {
			return fmt.Errorf("retrained model %d: %w", i, err)
		}
		a.References.Retrained = append(a.References.Retrained, b)
	}
	if a.opt.Original == nil {
		return nil
	}
	o.Training = nil
	var err error
	if a.References.Original, err = a.reference(ctx, *a.opt.Original, o); err != nil {
		return fmt.Errorf("original model: %w", err)
	}
	return nil
}

func (a *audit) reference(ctx context.Context, r Reference, o AuditOptions) (*Audited, error) {
	if r.Audited != nil {
		return r.Audited, nil
	}
	b, err := newAudit(r.Model, a.data, &o)
	if err == nil {
		err = b.run(ctx)
	}
	if err != nil {
		return nil, err
	}
	a.Work.Forward += b.Work.Forward
	a.Work.Backward += b.Work.Backward
	a.Work.Steps += b.Work.Steps
	return b.Audited, nil
}
