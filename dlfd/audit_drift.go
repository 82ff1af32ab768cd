package dlfd

import (
	"context"
	"fmt"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/metrics"
)

// Past is what an earlier request had to forget.
type Past struct {
	ID     string // of the request
	Forget feature.Dataset
	// Was, where not nil, is the interval of the AUC of the loss attack when the request
	// was carried out.
	Was *metrics.Interval
}

// DriftData is what a chain of requests is judged on.
type DriftData struct {
	// Unseen has samples that no model of the chain was trained on and that steered no
	// method.
	Unseen feature.Dataset
	Past   []Past // earlier requests whose samples are at hand
}

// DriftOptions are those of Drift. Nil means the defaults.
type DriftOptions struct {
	// Seed fixes the matchings and the resampling of the attacks.
	Seed uint64
	// Tap names the activation that is compared with that of the first model. If it is
	// empty, the model's Spec().Features is used.
	Tap string
}

// Drifted says what a chain of requests has made of a model.
type Drifted struct {
	Past []PastJudged `json:"past,omitempty"`
	// JS is the mean Jensen-Shannon divergence, in nats, between the outputs of the model
	// and of the first one on Unseen, and CKA the linear centered kernel alignment of
	// their features there: 1 where these agree up to a rotation and a scale. Nil without
	// the first model. A second training of the same model moves both too.
	JS  *float64 `json:"js,omitempty"`
	CKA *float64 `json:"cka,omitempty"`
	// Accuracy is that on Unseen, and First that of the first model, nil without it.
	Accuracy float64  `json:"accuracy"`
	First    *float64 `json:"first_accuracy,omitempty"`
	// Advice has the reasons to train the model anew, one sentence each; see Drift.
	Advice    []string `json:"advice,omitempty"`
	NotJudged []string `json:"not_judged,omitempty"`
}

// PastJudged says how a model treats what an earlier request had to forget.
type PastJudged struct {
	ID       string           `json:"request"`
	Samples  int              `json:"samples"`
	Accuracy float64          `json:"accuracy"`
	Attack   metrics.Strength `json:"loss_attack"`
}

// driftTolerated is how much test accuracy a chain may cost without advice to retrain.
const driftTolerated = .03

// Drift judges what earlier requests had to forget on the model as it is after a further
// one, and how far the model is from the first of the chain, which may be nil. It advises
// to train the model anew
//
//   - where an earlier forget set is told from unseen samples again: the interval of the
//     AUC of the loss attack lies above what it was when the request was carried out, or,
//     where that is not known, above ½;
//   - where the accuracy fell by more than .03 from that of the first model, and an
//     interval at 95 % shows that it fell.
//
// Cost: one forward pass of Unseen by both models, and of the earlier forget sets. Errors:
// ErrEmpty for an empty Unseen or forget set, ErrParameter for a nil model or an id that
// is empty or given twice, feature.ErrShape where the models differ, and those of the
// data. Too few samples for an attack are told in NotJudged.
func Drift(ctx context.Context, now, first feature.Model, data DriftData, opt *DriftOptions) (*Drifted, error) {
	d := &drift{Drifted: new(Drifted), now: now, first: first, data: data}
	if opt != nil {
		d.opt = *opt
	}
	err := d.check()
	if err == nil {
		err = d.run(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("dlfd: drift: %w", err)
	}
	return d.Drifted, nil
}

// drift is a Drifted in the making.
type drift struct {
	*Drifted
	now, first feature.Model
	data       DriftData
	opt        DriftOptions
}

func (d *drift) check() error {
	if d.now == nil {
		return fmt.Errorf("%w: there is no model", ErrParameter)
	}
	if isEmpty(d.data.Unseen) {
		return fmt.Errorf("%w: unseen samples", ErrEmpty)
	}
	ids := make(map[string]bool)
	for i, p := range d.data.Past {
		if p.ID == "" || ids[p.ID] {
			return fmt.Errorf("%w: Past[%d] has the id %q, which is empty or given before", ErrParameter, i, p.ID)
		}
		if isEmpty(p.Forget) {
			return fmt.Errorf("%w: forget set of request %s", ErrEmpty, p.ID)
		}
		if err := feature.CheckClasses(p.Forget, d.data.Unseen); err != nil {
			return fmt.Errorf("request %s and unseen: %w", p.ID, err)
		}
		ids[p.ID] = true
	}
	if d.first == nil {
		d.NotJudged = append(d.NotJudged, "distance to the first model of the chain: it is not there")
		return nil
	}
	a, b := d.now.Spec(), d.first.Spec()
	if fmt.Sprint(a.Input, a.Classes()) != fmt.Sprint(b.Input, b.Classes()) {
		return fmt.Errorf("%w: the model takes %v and has %d classes, the first one %v and %d", feature.ErrShape, a.Input, a.Classes(), b.Input, b.Classes())
	}
	return nil
}

func (d *drift) run(ctx context.Context) error {
	unseen, err := outputs(ctx, d.now, d.data.Unseen)
	if err != nil {
		return fmt.Errorf("unseen: %w", err)
	}
	if d.Accuracy, err = unseen.Accuracy(); err != nil {
		return err
	}
	for _, p := range d.data.Past {
		if err := d.again(ctx, p, unseen); err != nil {
			return fmt.Errorf("request %s: %w", p.ID, err)
		}
	}
	if d.first == nil {
		return nil
	}
	return d.fromFirst(ctx, unseen)
}

// again judges what an earlier request had to forget.
func (d *drift) again(ctx context.Context, p Past, unseen metrics.Outputs) error {
	o, err := outputs(ctx, d.now, p.Forget)
	if err != nil {
		return err
	}
	j := PastJudged{ID: p.ID, Samples: o.N}
	if j.Accuracy, err = o.Accuracy(); err != nil {
		return err
	}
	res, err := metrics.Attack(o, unseen, d.opt.Seed, nil)
	if err != nil {
		var a Audited // which knows what is too little
		err = a.judged("request "+p.ID, err)
		d.NotJudged = append(d.NotJudged, a.NotJudged...)
		return err
	}
	j.Attack = res.Loss
	d.Past = append(d.Past, j)
	i := j.Attack.AUCInterval
	switch {
	case p.Was != nil && i.Lo > p.Was.Hi:
		d.Advice = append(d.Advice, fmt.Sprintf("what request %s had to forget is told again: loss attack AUC %.3f to %.3f, %.3f to %.3f when it was carried out", p.ID, i.Lo, i.Hi, p.Was.Lo, p.Was.Hi))
	case p.Was == nil && i.Lo > .5:
		d.Advice = append(d.Advice, fmt.Sprintf("what request %s had to forget is told from unseen samples: loss attack AUC %.3f to %.3f", p.ID, i.Lo, i.Hi))
	}
	return nil
}

// fromFirst compares with the first model.
func (d *drift) fromFirst(ctx context.Context, unseen metrics.Outputs) error {
	before, err := outputs(ctx, d.first, d.data.Unseen)
	if err != nil {
		return fmt.Errorf("first model: %w", err)
	}
	js, err := unseen.JS(before)
	if err != nil {
		return err
	}
	first, err := before.Accuracy()
	if err != nil {
		return err
	}
	d.JS, d.First = &js, &first
	fell, err := shareAbove([2]float64{first, d.Accuracy}, [2]int{before.N, unseen.N})
	if err != nil {
		return err
	}
	if fell.Value > driftTolerated && fell.Interval.Lo > 0 {
		d.Advice = append(d.Advice, fmt.Sprintf("the accuracy on unseen samples fell from %.3f to %.3f since the first model", first, d.Accuracy))
	}
	return d.alignment(ctx)
}

// alignment sets CKA, where both models have the features.
func (d *drift) alignment(ctx context.Context) error {
	var f [2]metrics.Features
	for i, m := range []feature.Model{d.now, d.first} {
		name := d.opt.Tap
		if name == "" {
			name = m.Spec().Features
		}
		tap, err := m.Spec().Tap(name)
		if err != nil {
			return err
		}
		dim := feature.Size(tap.Shape)
		part, err := sample(d.data.Unseen, min(featureSample, max(featureNumbers/dim, 64)))
		if err != nil {
			return err
		}
		out, labels, err := feature.Predict(ctx, m, part, []string{name}, 64)
		if err != nil {
			return err
		}
		f[i] = metrics.Features{N: len(labels), Dim: dim, Data: out[0].Data, Classes: m.Spec().Classes(), Labels: labels}
	}
	if f[0].N != f[1].N {
		d.NotJudged = append(d.NotJudged, fmt.Sprintf("CKA: the features have %d and %d dimensions, and were taken on other samples", f[0].Dim, f[1].Dim))
		return nil
	}
	cka, err := f[0].CKA(f[1])
	if err != nil {
		var a Audited
		err = a.judged("CKA", err)
		d.NotJudged = append(d.NotJudged, a.NotJudged...)
		return err
	}
	d.CKA = &cka
	return nil
}
