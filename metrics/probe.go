package metrics

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// MembershipProbe measures how well a linear probe tells members from
// non-members by an activation: the cross-fitted logistic regression of Attack,
// on class-matched samples, with all Dim features.
//
// It says how far the two sets differ, whatever the reason, and by itself
// nothing about forgetting. Where members and non-members differ in more than
// membership, being other persons for one, the probe tells that difference: on
// Extended Yale B faces it has an AUC of .70 on the original model, on the
// retrained one, and on one whose last layer alone was edited. What membership
// adds is Probed.Difference; or take held-out samples of the members' persons as
// non-members. Errors as for Attack, and ErrEmpty for no features.
// Cost: O(Folds·n·d²); memory: O(n·d).
func MembershipProbe(member, nonmember Features, seed uint64, opt *AttackOptions) (Strength, error) {
	if err := (Probed{member, nonmember}).check(); err != nil {
		return Strength{}, err
	}
	o, err := opt.resolve(member.Dim)
	if err != nil {
		return Strength{}, err
	}
	return crossFitted(member.table(), nonmember.table(), seed, o)
}

// Probed is an activation of one model for members and non-members.
type Probed struct{ Member, NonMember Features }

// Difference returns by how much better MembershipProbe tells members of the
// model p than those of a reference, the same samples in the same order through a
// retrained model: the difference of the AUCs. What tells the two sets apart
// without membership is in both and cancels. Layers may have different dimensions.
//
// Matchings and folds are the same for both. The interval, at AttackOptions.Level,
// pairs the samples and widens as that of the probe does for cross-fitting; with
// three members a class it is too wide. Errors
// as for MembershipProbe, ErrShape if numbers of samples or classes differ,
// ErrLabel if labels do. Cost: twice that of MembershipProbe.
func (p Probed) Difference(reference Probed, seed uint64, opt *AttackOptions) (Estimate, error) {
	if err := p.checkSame(reference); err != nil {
		return Estimate{}, err
	}
	var diff, variance float64
	for k := range regressionMatchings {
		d, v, err := p.difference(reference, seed, k, opt)
		if err != nil {
			return Estimate{}, err
		}
		diff += d / regressionMatchings
		variance += v / regressionMatchings
	}
	o, err := opt.resolve(p.Member.Dim)
	if err != nil {
		return Estimate{}, err
	}
	half := math.Sqrt2 * math.Erfinv(o.Level) * math.Sqrt(variance)
	return Estimate{diff, Interval{max(diff-half, -1), min(diff+half, 1)}}, nil
}

// difference is that of matching k, with the variance that it has if the two
// probes tell members equally well.
func (p Probed) difference(reference Probed, seed uint64, k int, opt *AttackOptions) (diff, variance float64, err error) {
	var f *crossFit
	var of [2]placed
	var null [2]float64
	for i, q := range []Probed{p, reference} {
		m, n := q.Member.table(), q.NonMember.table()
		o, err := opt.resolve(m.d)
		if err != nil {
			return 0, 0, err
		}
		match, err := matchingAt(m, n, seed, k)
		if err != nil {
			return 0, 0, err
		}
		if err := checkPair(len(match.Members), len(match.NonMembers), 2); err != nil {
			return 0, 0, err
		}
		f = newCrossFit(m, n, match, seed, k, o)
		if err := f.fit(o.C); err != nil {
			return 0, 0, err
		}
		of[i] = f.placed(m, n)
		_, null[i] = f.auc(m, n)
	}
	diff = of[0].auc - of[1].auc
	return diff, f.pairedVariance(of[0], of[1], (null[0]+null[1])/2), nil
}

// pairedVariance is that of the difference of the AUCs of p and q, from the
// differences of the placements of each sample, side by side; classes with a single
// pair in the matching make one stratum. The factor for cross-fitting belongs to
// probes that find nothing and so agree by chance about the direction: it fades as
// their AUC leaves ½ by more than twice its deviation without a difference,
// whose square null is.
func (f *crossFit) pairedVariance(p, q placed, null float64) (variance float64) {
	z := ((p.auc+q.auc)/2 - .5) / math.Sqrt(null)
	byChance := math.Exp(-z * z / 8)
	var single [2][]float64
	for c, used := range f.match.Classes {
		if used.Used == 1 {
			single[0] = append(single[0], less(p.member[c], q.member[c])...)
			single[1] = append(single[1], less(p.non[c], q.non[c])...)
		}
	}
	for c, used := range f.match.Classes {
		if used.Used == 0 {
			continue
		}
		member, non := less(p.member[c], q.member[c]), less(p.non[c], q.non[c])
		if used.Used == 1 && len(single[0]) > 1 {
			member, non = single[0], single[1]
		}
		term := f.nullTerm(c, less(p.both[c], q.both[c]), p.free[c])
		if len(member) > 1 {
			share := float64(used.Used) / float64(len(f.foldM))
			term = share * share * (stat.Variance(member, nil)/float64(used.Members) + stat.Variance(non, nil)/float64(used.NonMembers))
		}
		variance += (1 + byChance*(foldFactor(f.folds, used.Used)-1)) * term
	}
	return variance
}

// less returns x − y.
func less(x, y []float64) []float64 {
	d := make([]float64, len(x))
	for i, v := range x {
		d[i] = v - y[i]
	}
	return d
}

func (p Probed) check() error {
	if err := p.Member.checkLabeled("members' features"); err != nil {
		return err
	}
	if err := p.NonMember.checkLabeled("non-members' features"); err != nil {
		return err
	}
	if m, n := p.Member, p.NonMember; m.Dim != n.Dim || m.Classes != n.Classes {
		return fmt.Errorf("metrics: %w: members have %d features and %d classes, non-members %d and %d",
			ErrShape, m.Dim, m.Classes, n.Dim, n.Classes)
	}
	return nil
}

func (p Probed) checkSame(reference Probed) error {
	for _, q := range []Probed{p, reference} {
		if err := q.check(); err != nil {
			return err
		}
	}
	for _, c := range []struct {
		what string
		f, g Features
	}{{"members", p.Member, reference.Member}, {"non-members", p.NonMember, reference.NonMember}} {
		if c.f.N != c.g.N || c.f.Classes != c.g.Classes {
			return fmt.Errorf("metrics: %w: %d %s of %d classes, of the reference %d of %d", ErrShape, c.f.N, c.what, c.f.Classes, c.g.N, c.g.Classes)
		}
		if !slices.Equal(c.f.Labels, c.g.Labels) {
			return fmt.Errorf("metrics: %w: the reference has other labels for the %s", ErrLabel, c.what)
		}
	}
	return nil
}

func (f Features) table() table {
	x := make([]float64, len(f.Data))
	for i, v := range f.Data {
		x[i] = float64(v)
	}
	return table{x, f.Dim, f.Labels, f.Classes}
}
