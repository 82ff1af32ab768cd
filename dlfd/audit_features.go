package dlfd

import (
	"context"
	"fmt"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/metrics"
)

const (
	// featureSample is the most samples of a set whose features are looked at, and
	// featureNumbers the most numbers, for activations that are wide.
	featureSample  = 1024
	featureNumbers = 1 << 22
	// pairSample is the most samples of a set of which all pairs are compared.
	pairSample = 512
)

// features sets what is told by the features of the model.
func (a *audit) features(ctx context.Context) error {
	if a.Counts.Forget == 0 || a.Counts.Member == 0 || a.Counts.NonMember == 0 {
		a.leftOut("scatter ratio, SMI, SDE, new head and two-sample test: there are %d forget samples, %d members and %d non-members", a.Counts.Forget, a.Counts.Member, a.Counts.NonMember)
		a.notFound(metrics.Features{}, metrics.Features{})
		return nil
	}
	var f [auditSets]activation
	for i := range f {
		if j := a.firstLike(i); j < i {
			f[i] = f[j]
			continue
		}
		var err error
		if f[i], err = a.activations(ctx, i); err != nil {
			return fmt.Errorf("%s: %w", a.sets[i].name, err)
		}
	}
	a.notFound(f[retainSet].Features, f[testSet].Features)
	for _, i := range []struct {
		name string
		err  error
	}{
		{"scatter ratio", a.scatter(f[forgetSet].Features, f[testSet].Features)},
		{"SMI", a.smi(f[memberSet].Features, f[retainSet].Features, f[nonMemberSet].Features)},
		{"SDE", a.sde()},
		{"new head", a.newHead(f[memberSet].Features, f[nonMemberSet].Features, f[retainSet].Features)},
		{"prototypes", a.prototypes(ctx, f[memberSet].Features)},
		{"two-sample test", a.twoSample(ctx, f[memberSet].atMost(pairSample), f[nonMemberSet].atMost(pairSample), f[retainSet].Features)},
	} {
		if err := a.judged(i.name, i.err); err != nil {
			return fmt.Errorf("%s: %w", i.name, err)
		}
	}
	return nil
}

// activation is features with the identity of each sample.
type activation struct {
	metrics.Features
	persons []string
}

// activations returns the features of some samples of a set, every class thinned
// out alike.
func (a *audit) activations(ctx context.Context, set int) (activation, error) {
	tap, err := a.model.Spec().Tap(a.opt.Tap)
	if err != nil {
		return activation{}, err
	}
	dim := feature.Size(tap.Shape)
	d, err := sample(a.sets[set].Dataset, min(featureSample, max(featureNumbers/dim, 64)))
	if err != nil {
		return activation{}, err
	}
	out, labels, err := feature.Predict(ctx, a.model, d, []string{tap.Name}, 64)
	if err != nil {
		return activation{}, err
	}
	f := activation{metrics.Features{N: len(labels), Dim: dim, Data: out[0].Data, Classes: a.model.Spec().Classes(), Labels: labels}, make([]string, len(labels))}
	for i := range f.persons {
		f.persons[i] = feature.IdentityOf(d, i)
	}
	return f, nil
}

// atMost thins the samples out to n.
func (f activation) atMost(n int) activation {
	index := thinned(f.Labels, n)
	g := activation{selectFeatures(f.Features, index), make([]string, len(index))}
	for i, k := range index {
		g.persons[i] = f.persons[k]
	}
	return g
}

func (a *audit) smi(member, retain, nonmember metrics.Features) error {
	e, err := metrics.SMI(member, retain, nonmember, auditLevel)
	if err == nil {
		a.SMI = &e
	}
	return err
}

// sdeLeast is the number of samples below which SDE is blind.
const sdeLeast = 400

// sde looks at the logits.
func (a *audit) sde() error {
	d, err := metrics.SDE(a.logits(memberSet), a.logits(retainSet), a.logits(nonMemberSet), a.opt.Seed)
	if err != nil {
		return err
	}
	if a.SDE = &d; d.Samples < sdeLeast {
		a.leftOut("SDE in the verdict: it is blind below %d samples of each set, and there are %d", sdeLeast, d.Samples)
	}
	return nil
}

// logits returns the logits of some samples of a set, every class thinned out
// alike.
func (a *audit) logits(set int) metrics.Features {
	o := selectRows(a.out[set], thinned(a.out[set].Labels, pairSample))
	return metrics.Features{N: o.N, Dim: o.Classes, Data: o.Logits, Classes: o.Classes, Labels: o.Labels}
}
