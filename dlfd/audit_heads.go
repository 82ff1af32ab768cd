package dlfd

import (
	"context"
	"fmt"

	"github.com/dlfd-go/unlearn/feature"
)

// AuditedHeads is the judgment of a model with several heads.
type AuditedHeads struct {
	Heads []AuditedHead `json:"heads"`
	Mean  HeadMeans     `json:"mean"`
}

// AuditedHead is the judgment of one head, on the labels that it answers.
type AuditedHead struct {
	Name string `json:"name"` // of the label, or of the head where that has none
	*Audited
}

// HeadMeans are means over the heads of figures of Audited.
type HeadMeans struct {
	RetainAccuracy float64 `json:"retain_accuracy"`
	ForgetAccuracy float64 `json:"forget_accuracy"`
	TestAccuracy   float64 `json:"test_accuracy"`

	// Attacked is the number of heads on which the attacks could be judged; the means
	// of this paragraph are over these.
	Attacked        int     `json:"attacked"`
	AUC             float64 `json:"auc"` // of the loss attack
	ForgettingScore float64 `json:"forgetting_score"`
	NoMUS           float64 `json:"nomus"`
	BalancedNoMUS   float64 `json:"balanced_nomus"`

	// Gap is nil where a head has no gap to the retrained models, Band where one has no
	// band; Bands is Gap as a multiple of Band.
	Gap   *float64 `json:"gap,omitempty"`
	Band  *float64 `json:"band,omitempty"`
	Bands *float64 `json:"bands,omitempty"`
}

// AuditHeads is Audit for a model with several heads and data with several labels a
// sample: it judges every head as the classifier that it is, by feature.OneHead and
// feature.OneLabel, and has the means beside. The references are models with the same
// heads; a Reference must have no Audited, which would be that of one head. Cost: that
// of Audit, once a head. Errors: feature.ErrHeads where the labels do not fit the heads,
// and for a model with one softmax, which is for Audit; and those of Audit, with the
// number and the name of the head.
func AuditHeads(ctx context.Context, m feature.Model, data AuditData, opt *AuditOptions) (*AuditedHeads, error) {
	heads := m.Spec().Heads
	if len(heads) == 0 {
		return nil, fmt.Errorf("dlfd: audit: %w: the model has one softmax; use Audit", feature.ErrHeads)
	}
	res := new(AuditedHeads)
	for k := range heads {
		a, name, err := auditHead(ctx, m, data, opt, k)
		if err != nil {
			return nil, fmt.Errorf("dlfd: audit: head %d (%q): %w", k, name, err)
		}
		res.Heads = append(res.Heads, AuditedHead{name, a.Audited})
	}
	res.average()
	return res, nil
}

func auditHead(ctx context.Context, m feature.Model, data AuditData, opt *AuditOptions, k int) (*audit, string, error) {
	spec := m.Spec()
	name := spec.Heads[k].Name
	if data.Retain != nil {
		if t := feature.TargetsOf(data.Retain); k < len(t) && t[k].Name != "" {
			name = t[k].Name
		}
	}
	if err := data.Demand.checkLabels(data.Forget); err != nil {
		return nil, name, err
	}
	data, err := oneLabel(spec, data, k)
	if err != nil {
		return nil, name, err
	}
	if opt, err = oneHeadOptions(opt, k); err != nil {
		return nil, name, err
	}
	head, err := feature.OneHead(m, k)
	if err != nil {
		return nil, name, err
	}
	a, err := newAudit(head, data, opt)
	if err == nil {
		err = a.run(ctx)
	}
	return a, name, err
}

// oneLabel returns the data with label k alone. Equal sets stay equal, so that a model
// is run over them once.
func oneLabel(spec feature.Spec, data AuditData, k int) (AuditData, error) {
	sets := []*feature.Dataset{&data.Retain, &data.Forget, &data.Test, &data.Member, &data.NonMember}
	var all, views []feature.Dataset
	for i, d := range sets {
		if *d == nil {
			return data, fmt.Errorf("%w: set %d of the audit's data is nil", ErrEmpty, i)
		}
		all, views = append(all, *d), append(views, nil)
		for j := range i {
			if sameDataset(all[j], *d) {
				views[i] = views[j]
			}
		}
		if views[i] == nil {
			if err := feature.CheckHeads(spec, *d); err != nil {
				return data, err
			}
			views[i] = *d // one sigmoid, and one label a sample
			if len(feature.TargetsOf(*d)) > 0 {
				v, err := feature.OneLabel(*d, k)
				if err != nil {
					return data, err
				}
				views[i] = v
			}
		}
		*d = views[i]
	}
	return data, nil
}

// oneHeadOptions returns the options with head k of every model.
func oneHeadOptions(opt *AuditOptions, k int) (*AuditOptions, error) {
	if opt == nil {
		return nil, nil
	}
	o := *opt
	o.Retrained, o.Siblings = nil, nil
	if opt.Original != nil {
		r, err := oneHeadReference("Original", *opt.Original, k)
		if err != nil {
			return nil, err
		}
		o.Original = &r
	}
	for i, ref := range opt.Retrained {
		r, err := oneHeadReference(fmt.Sprintf("Retrained %d", i), ref, k)
		if err != nil {
			return nil, err
		}
		o.Retrained = append(o.Retrained, r)
	}
	for i, m := range opt.Siblings {
		r, err := oneHeadReference(fmt.Sprintf("Siblings %d", i), Reference{Model: m}, k)
		if err != nil {
			return nil, err
		}
		o.Siblings = append(o.Siblings, r.Model)
	}
	return &o, nil
}

func oneHeadReference(name string, r Reference, k int) (Reference, error) {
	if r.Model == nil || r.Audited != nil {
		return r, fmt.Errorf("%w: %s needs a Model and must have no Audited", ErrParameter, name)
	}
	head, err := feature.OneHead(r.Model, k)
	if err != nil {
		return r, fmt.Errorf("%s: %w", name, err)
	}
	return Reference{Model: head}, nil
}

// average sets the means.
func (r *AuditedHeads) average() {
	var gap, band float64
	gaps, bands, n := 0, 0, float64(len(r.Heads))
	for _, h := range r.Heads {
		r.Mean.RetainAccuracy += h.RetainAccuracy / n
		r.Mean.ForgetAccuracy += h.ForgetAccuracy / n
		r.Mean.TestAccuracy += h.TestAccuracy / n
		if h.attacked() {
			r.Mean.Attacked++
			r.Mean.AUC += h.LossAttack.AUC
			r.Mean.ForgettingScore += h.ForgettingScore
			r.Mean.NoMUS += h.NoMUS
			r.Mean.BalancedNoMUS += h.BalancedNoMUS
		}
		if h.Gap != nil {
			gap, gaps = gap+h.Gap.Mean/n, gaps+1
			if h.Gap.Band != nil {
				band, bands = band+*h.Gap.Band/n, bands+1
			}
		}
	}
	for _, v := range []*float64{&r.Mean.AUC, &r.Mean.ForgettingScore, &r.Mean.NoMUS, &r.Mean.BalancedNoMUS} {
		*v /= float64(max(r.Mean.Attacked, 1))
	}
	if gaps == len(r.Heads) {
		r.Mean.Gap = &gap
	}
	if bands == len(r.Heads) {
		r.Mean.Band = &band
		if band > 0 && gaps == bands {
			multiple := gap / band
			r.Mean.Bands = &multiple
		}
	}
}
