package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/onnx"
	"github.com/dlfd-go/unlearn/metrics"
)

// reference is a model that was retrained without the forget images.
type reference struct {
	File  string        `json:"file"`
	Hash  string        `json:"sha256"`
	Audit *dlfd.Audited `json:"audit"`

	model *onnx.Model
}

// audit judges a model by what there is: beside the original, unless it is nil, and
// the retrained models, if there are any; without unseen images, only by the
// accuracies on retain and forget.
func audit(ctx context.Context, m feature.Model, d *data, seed uint64, original *dlfd.Reference, retrained ...*reference) (*dlfd.Audited, error) {
	if d.judge.Test != nil && d.judge.Test.Len() > 0 {
		opt := &dlfd.AuditOptions{Seed: seed, Original: original}
		for _, r := range retrained {
			opt.Retrained = append(opt.Retrained, dlfd.Reference{Model: r.model, Audited: r.Audit})
		}
		return dlfd.Audit(ctx, m, d.judge, opt)
	}
	a := &dlfd.Audited{NotJudged: []string{
		"test accuracy: there is no unseen image to judge by; -test gives some, or two or more in -holdout",
		"attacks: there is no unseen image to compare the forget images with",
	}}
	retain, err := predictions(ctx, m, d.retain.set)
	if err != nil {
		return nil, err
	}
	lost, err := predictions(ctx, m, d.forget.set)
	if err != nil {
		return nil, err
	}
	if a.RetainAccuracy, err = retain.Accuracy(); err != nil {
		return nil, err
	}
	if a.ForgetAccuracy, err = lost.Accuracy(); err != nil {
		return nil, err
	}
	a.ForgetLoss, err = lost.MeanCrossEntropy()
	return a, err
}

// attacked reports whether the attacks could be judged.
func attacked(a *dlfd.Audited) bool { return a.LossAttack.AUCInterval != metrics.Interval{} }

// openReferences loads the retrained models.
func openReferences(f *flags, s feature.Spec) ([]*reference, error) {
	var all []*reference
	for _, path := range f.references {
		r := &reference{File: path}
		var err error
		if r.Hash, err = hashFile(path); err != nil {
			return nil, fmt.Errorf("-reference %s: %w", path, cause(err))
		}
		if r.model, err = onnx.Load(path, f.loading(true)); err != nil {
			return nil, fmt.Errorf("-reference: %w", err)
		}
		if other := r.model.Spec(); fmt.Sprint(other.Input, other.Classes()) != fmt.Sprint(s.Input, s.Classes()) {
			return nil, fmt.Errorf("-reference %s: takes %v and has %d classes, -model takes %v and has %d", path, other.Input, other.Classes(), s.Input, s.Classes())
		}
		all = append(all, r)
	}
	return all, nil
}

// judgeReferences audits the retrained models.
func judgeReferences(ctx context.Context, all []*reference, d *data, seed uint64) (err error) {
	for _, r := range all {
		if r.Audit, err = audit(ctx, r.model, d, seed, nil); err != nil {
			return fmt.Errorf("-reference %s: %w", r.File, err)
		}
	}
	return nil
}

// showJudges says which images judge.
func showJudges(w io.Writer, d *data) {
	from := d.holdout
	if d.test != nil {
		from = d.test
	}
	if from != nil && d.judge.Test.Len() > 0 {
		fmt.Fprintf(w, "judged on what steers no method: test on %d of %s; attacks on these and %d of %s\n",
			d.judge.Test.Len(), count(from.set.Len(), from.name+" image"), d.judge.Member.Len(), count(d.forget.set.Len(), "forget image"))
	}
}

// showAudits prints a row for each model, and below what cannot be judged.
func showAudits(w io.Writer, r *receipt) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "model\tretain\tforget\ttest\tloss attack AUC [95%]\tlogistic attack AUC [95%]")
	if len(r.References) > 0 {
		fmt.Fprint(t, "\tgap to retrained")
	}
	fmt.Fprintln(t)
	rows := []struct {
		name string
		a    *dlfd.Audited
	}{{"before", r.Before}, {"after", r.After}}
	for i, ref := range r.References {
		rows = append(rows, struct {
			name string
			a    *dlfd.Audited
		}{fmt.Sprintf("retrained %d", i+1), ref.Audit})
	}
	for _, row := range rows {
		if err := showRow(t, row.name, row.a, r.References); err != nil {
			return err
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if r.After.Judgment != nil && len(r.References) == 0 { // else attackSays has it
		fmt.Fprintln(w, "verdict on the model after:", r.After.Judgment)
	}
	for _, text := range r.After.Notes {
		fmt.Fprintln(w, "note:", text)
	}
	showKind(w, r)
	for _, text := range r.After.NotJudged {
		fmt.Fprintln(w, "cannot be judged:", text)
	}
	return nil
}

// showKind prints what is judged in a request for a class or for wrong labels.
func showKind(w io.Writer, r *receipt) {
	if c := r.After.Class; c != nil && c.Unseen != nil {
		before := ""
		if b := r.Before.Class; b != nil && b.Unseen != nil {
			before = fmt.Sprintf(" (before: %.3f, %.3f)", b.Others, b.Unseen.Value)
		}
		fmt.Fprintf(w, "test accuracy without the class %.3f, on %s of it %.3f%s\n", c.Others, count(c.UnseenSamples, "unseen image"), c.Unseen.Value, before)
	}
	if p := r.After.Prototypes; p != nil {
		fmt.Fprintf(w, "class relearned from %s as prototypes: %.3f of it is told right, %.3f without\n", count(p.Shots, "image"), p.After, p.Before)
	}
	if m := r.After.Mislabeled; m != nil {
		fmt.Fprintf(w, "forget images that are given the wrong label: %.3f (before: %.3f)\n", m.Wrong, r.Before.ForgetAccuracy)
	}
}

func showRow(w io.Writer, name string, a *dlfd.Audited, refs []*reference) error {
	test, loss, logistic := "none", "none", "none"
	if a.TestLoss > 0 {
		test = fmt.Sprintf("%.3f", a.TestAccuracy)
	}
	if attacked(a) {
		loss, logistic = strength(a.LossAttack), strength(a.LogisticAttack)
	}
	fmt.Fprintf(w, "%s\t%.3f\t%.3f\t%s\t%s\t%s", name, a.RetainAccuracy, a.ForgetAccuracy, test, loss, logistic)
	if len(refs) > 0 {
		text, err := gaps(a, refs)
		if err != nil {
			return err
		}
		fmt.Fprint(w, "\t", text)
	}
	fmt.Fprintln(w)
	return nil
}

func strength(s metrics.Strength) string {
	return fmt.Sprintf("%.3f [%.3f, %.3f]", s.AUC, s.AUCInterval.Lo, s.AUCInterval.Hi)
}

// gaps is the mean distance of a model to the retrained ones but itself. Between
// retrained models that is the band, which a perfect method scores.
func gaps(a *dlfd.Audited, refs []*reference) (string, error) {
	if !attacked(a) {
		return "none", nil
	}
	sum, n := 0.0, 0
	for _, r := range refs {
		if r.Audit == a {
			continue
		}
		g, err := metrics.RetrainGap(a.Scores(), r.Audit.Scores())
		if err != nil {
			return "", err
		}
		sum, n = sum+g.Mean, n+1
	}
	if n == 0 {
		return "", nil
	}
	return fmt.Sprintf("%.4f", sum/float64(n)), nil
}

// attackSays is what the attack on the model after a run tells: a sentence, and
// whether the forget images still stand out as trained on.
func attackSays(r *receipt) (text string, still bool) {
	if !attacked(r.After) {
		return "whether the images are forgotten cannot be judged by an attack", false
	}
	between := r.After.LossAttack.AUCInterval
	switch {
	case len(r.References) > 0 && r.After.Judgment != nil:
		return "beside the retrained models: " + r.After.Judgment.String(), false
	case between.Lo > .5:
		return fmt.Sprintf("the loss attack still tells forget images from unseen ones (AUC %s); -reference with a retrained model shows what would be left without them", strength(r.After.LossAttack)), true
	case between.Hi < .5:
		return fmt.Sprintf("the loss attack tells forget images by being treated worse than unseen ones (AUC %s): more than forgotten", strength(r.After.LossAttack)), false
	}
	return "the loss attack does not tell forget images from unseen ones: ½ is in its interval", false
}

// verdict says how a run ended, and returns an error wrapping errNotForgotten or
// errCannotTell unless the model forgot and the audit shows it.
func verdict(r *receipt, w io.Writer) error {
	text, forgot := inWords(r.Result.Stop)
	fmt.Fprintf(w, "%s ended after %d steps: %s\n", r.Result.Method, len(r.Result.Trace), text)
	showScores(w, r.Result.Scores)
	says, still := attackSays(r)
	r.Verdict = says
	fmt.Fprintln(w, says)
	if lost := r.Before.TestAccuracy - r.After.TestAccuracy; lost > tolerated {
		fmt.Fprintf(w, "warning: the test accuracy fell by %.3f\n", lost)
	}
	if j := r.After.Judgment; j != nil { // the receipt heeds it too
		still = still || j.Verdict == metrics.UnderUnlearned || j.Verdict == metrics.Hidden
	}
	switch {
	case !forgot || still:
		return fmt.Errorf("%w: see above", errNotForgotten)
	case r.After.Judgment == nil || r.After.Judgment.Verdict == metrics.CannotTell:
		return fmt.Errorf("%w: see above", errCannotTell)
	}
	return nil
}

// showScores prints how far the halves that steered the method differed.
func showScores(w io.Writer, scores []dlfd.Score) {
	if len(scores) < 2 || scores[0].Interval == (metrics.Interval{}) {
		return
	}
	text := func(s dlfd.Score) string {
		return fmt.Sprintf("%.3f [%.3f, %.3f]", s.AUC, s.Interval.Lo, s.Interval.Hi)
	}
	fmt.Fprintf(w, "the method's own score, on what steered it: loss attack AUC %s before, %s after\n", text(scores[0]), text(scores[len(scores)-1]))
}

// tolerated is how much test accuracy a run may cost without a warning.
const tolerated = .03

// broken returns an error wrapping errNotForgotten if a model that knew retain
// does so no more.
func broken(r *receipt, classes int) error {
	if least := floor(classes); r.Before.RetainAccuracy >= least && r.After.RetainAccuracy < least {
		return fmt.Errorf("%w: the accuracy on retain fell from %.3f to %.3f, so the model is broken and was not written; try -method align with a smaller -rate or fewer -epochs, or give more retain images; -force writes it",
			errNotForgotten, r.Before.RetainAccuracy, r.After.RetainAccuracy)
	}
	return nil
}
