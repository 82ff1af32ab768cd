package dlfd

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/rng"
	"github.com/dlfd-go/unlearn/metrics"
)

// referenceOutputs has what the original and the retrained models say of members
// and of non-members.
type referenceOutputs struct {
	original  [2]metrics.Outputs
	retrained [2][]metrics.Outputs
}

// outputsOf runs a reference over a set.
func (a *audit) outputsOf(ctx context.Context, m feature.Model, set int) (metrics.Outputs, error) {
	o, err := outputs(ctx, forwardMeter{m, &a.Work}, a.sets[set].Dataset)
	if err != nil {
		return o, fmt.Errorf("reference on %s: %w", a.sets[set].name, err)
	}
	return o, nil
}

// consult runs the references over members and non-members once. It reports false
// where there is not an original and a retrained model, as needs says, or nobody to
// compare.
func (a *audit) consult(ctx context.Context) (bool, error) {
	if a.opt.Original == nil || len(a.opt.Retrained) == 0 || a.Counts.Member == 0 || a.Counts.NonMember == 0 {
		return false, nil
	}
	if a.refs != nil {
		return true, nil
	}
	r := new(referenceOutputs)
	for side, set := range []int{memberSet, nonMemberSet} {
		var err error
		if r.original[side], err = a.outputsOf(ctx, a.opt.Original.Model, set); err != nil {
			return false, err
		}
		for _, ref := range a.opt.Retrained {
			o, err := a.outputsOf(ctx, ref.Model, set)
			if err != nil {
				return false, err
			}
			r.retrained[side] = append(r.retrained[side], o)
		}
	}
	a.refs = r
	return true, nil
}

// hardest attacks the members that only a model trained on them knows.
func (a *audit) hardest(ctx context.Context) error {
	if ok, err := a.consult(ctx); !ok || err != nil {
		return err
	}
	before, err := a.refs.original[0].CrossEntropies()
	if err != nil {
		return err
	}
	after := make([][]float64, len(a.refs.retrained[0]))
	for k, o := range a.refs.retrained[0] {
		if after[k], err = o.CrossEntropies(); err != nil {
			return err
		}
	}
	tenth, err := hardestTenth(before, after)
	if err != nil {
		return err
	}
	own := selectRows(a.out[memberSet], tenth)
	h := &Hardest{Members: len(tenth)}
	if h.Accuracy, err = own.Accuracy(); err != nil {
		return err
	}
	if h.Attack, err = a.attackOn(own, a.out[nonMemberSet]); err != nil {
		return err
	}
	a.Hardest = h
	if len(after) < 2 {
		a.leftOut("the most memorized tenth of a retrained model: there is no other retrained model that finds it")
		return nil
	}
	for k, o := range a.refs.retrained[0] { // each on the tenth that the others choose
		others := slices.Delete(slices.Clone(after), k, k+1)
		tenth, err := hardestTenth(before, others)
		if err != nil {
			return err
		}
		s, err := a.attackOn(selectRows(o, tenth), a.refs.retrained[1][k])
		if err != nil {
			return err
		}
		h.Retrained = append(h.Retrained, s.AUC)
	}
	return nil
}

func (a *audit) attackOn(member, nonmember metrics.Outputs) (metrics.Strength, error) {
	res, err := metrics.Attack(member, nonmember, a.opt.Seed, nil)
	if err != nil {
		return metrics.Strength{}, err
	}
	return res.Loss, nil
}

// hardestTenth returns the tenth of the samples whose loss grows most from the one
// before to the mean of those after.
func hardestTenth(before []float64, after [][]float64) ([]int, error) {
	mean := make([]float64, len(before))
	for _, losses := range after {
		floats.AddScaled(mean, 1/float64(len(after)), losses)
	}
	return metrics.MostMemorized(before, mean, .1)
}

// leastForgotten is the most members that are listed.
const leastForgotten = 20

// referenceAttacks sets what attackers with retrained models reach, and lists the
// members that are forgotten least.
func (a *audit) referenceAttacks(ctx context.Context) error {
	if ok, err := a.consult(ctx); !ok || err != nil {
		return err
	}
	model := [2]metrics.Outputs{a.out[memberSet], a.out[nonMemberSet]}
	var sides [2]metrics.Referenced
	var scores [2][2][]float64 // of RMIA and IAM, by side
	for side, set := range []int{memberSet, nonMemberSet} {
		sides[side] = metrics.Referenced{Model: a.out[set], References: a.refs.retrained[side]}
	}
	complete, err := bothSides(model, a.refs.retrained).IAM(join(a.refs.original))
	if err != nil {
		return fmt.Errorf("IAM: %w", err)
	}
	scores[1] = parted(complete, a.Counts.Member)
	a.listLeast(scores[1][0])
	for side := range sides {
		if scores[0][side], err = sides[side].RMIA(sides[1]); err != nil {
			return fmt.Errorf("RMIA: %w", err)
		}
		for i := range scores[1][side] { // members are the less complete
			scores[1][side][i] *= -1
		}
	}
	matchings, err := a.matchings()
	if err != nil {
		return err
	}
	r := new(ReferenceAttacks)
	for k, to := range []*metrics.Strength{&r.RMIA, &r.IAM} {
		if *to, err = meanStrength(scores[k], matchings, a.opt.Seed); err != nil {
			return err
		}
	}
	if r.LiRA, err = a.likelihoodRatio(model, a.refs.retrained, matchings); err != nil {
		return fmt.Errorf("LiRA: %w", err)
	}
	a.Attacks = r
	return a.likelihoodRatios(matchings)
}

// referenceMatchings is how many matchings of members and non-members an attack by
// retrained models is averaged over.
const referenceMatchings = 5

// matchings returns as many members as non-members of each class, several times.
func (a *audit) matchings() ([]metrics.Matching, error) {
	all := make([]metrics.Matching, referenceMatchings)
	for k := range all {
		var err error
		all[k], err = metrics.MatchClasses(a.out[memberSet].Labels, a.out[nonMemberSet].Labels, a.out[memberSet].Classes, rng.Seed(a.opt.Seed, "reference matching", k))
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// meanStrength averages what an attack reaches over matchings.
func meanStrength(scores [2][]float64, matchings []metrics.Matching, seed uint64) (metrics.Strength, error) {
	var mean averaging
	for _, m := range matchings {
		if err := mean.add(scores, m, 1/float64(len(matchings)), seed); err != nil {
			return metrics.Strength{}, err
		}
	}
	return mean.Strength, nil
}

// averaging is a mean of strengths in the making.
type averaging struct{ metrics.Strength }

func (a *averaging) add(scores [2][]float64, m metrics.Matching, share float64, seed uint64) error {
	s, err := metrics.JudgeScores(at(scores[0], m.Members), at(scores[1], m.NonMembers), seed, nil)
	if err != nil {
		return err
	}
	a.AUC += share * s.AUC
	a.AUCInterval.Lo += share * s.AUCInterval.Lo
	a.AUCInterval.Hi += share * s.AUCInterval.Hi
	a.TPR += share * s.TPR
	a.BalancedAccuracy += share * s.BalancedAccuracy
	a.Leak = math.Abs(a.AUC - .5)
	return nil
}

// likelihoodRatios sets the AUC of LiRA on the original, and on the retrained models,
// each by the others.
func (a *audit) likelihoodRatios(matchings []metrics.Matching) error {
	refs := a.refs
	original, err := a.likelihoodRatio(refs.original, refs.retrained, matchings)
	if err != nil {
		return err
	}
	a.Attacks.Original = original.AUC
	if len(refs.retrained[0]) < 2 {
		return nil
	}
	for k := range refs.retrained[0] {
		scores, err := lira([2]metrics.Outputs{refs.retrained[0][k], refs.retrained[1][k]}, without(refs.retrained, k))
		if err != nil {
			return err
		}
		mean := 0.
		for _, m := range matchings {
			v, err := metrics.AUC(at(scores[0], m.Members), at(scores[1], m.NonMembers))
			if err != nil {
				return err
			}
			mean += v / float64(len(matchings))
		}
		a.Attacks.Retrained = append(a.Attacks.Retrained, mean)
	}
	return nil
}

// likelihoodRatio returns what LiRA reaches on a model by all references but one in
// turn: a retrained model is judged by the others, and fewer references make another
// attack. It averages over as many pairs of a matching and of an omission as there are
// of the more numerous of the two.
func (a *audit) likelihoodRatio(model [2]metrics.Outputs, references [2][]metrics.Outputs, matchings []metrics.Matching) (metrics.Strength, error) {
	n := len(references[0])
	scores := make([][2][]float64, n)
	for k := range scores {
		others := references
		if n > 1 {
			others = without(references, k)
		}
		var err error
		if scores[k], err = lira(model, others); err != nil {
			return metrics.Strength{}, err
		}
	}
	var mean averaging
	pairs := max(n, len(matchings))
	for i := range pairs {
		if err := mean.add(scores[i%n], matchings[i%len(matchings)], 1/float64(pairs), a.opt.Seed); err != nil {
			return metrics.Strength{}, err
		}
	}
	return mean.Strength, nil
}

// lira returns the scores of LiRA for members and non-members.
func lira(model [2]metrics.Outputs, references [2][]metrics.Outputs) (scores [2][]float64, err error) {
	all, err := bothSides(model, references).LiRA()
	return parted(all, model[0].N), err
}

// bothSides puts members and non-members into one: what an attack divides by, such as the
// deviation that samples share, must be the same for both, or a model that is more sure
// of all of them, or less, than its references seems to know one side better.
func bothSides(model [2]metrics.Outputs, references [2][]metrics.Outputs) metrics.Referenced {
	r := metrics.Referenced{Model: join(model)}
	for k := range references[0] {
		r.References = append(r.References, join([2]metrics.Outputs{references[0][k], references[1][k]}))
	}
	return r
}

// join returns the outputs for members followed by those for non-members.
func join(o [2]metrics.Outputs) metrics.Outputs {
	return metrics.Outputs{
		N: o[0].N + o[1].N, Classes: o[0].Classes,
		Logits: slices.Concat(o[0].Logits, o[1].Logits), Labels: slices.Concat(o[0].Labels, o[1].Labels),
	}
}

// parted divides what was computed for members followed by non-members.
func parted(all []float64, members int) [2][]float64 {
	if all == nil {
		return [2][]float64{}
	}
	return [2][]float64{all[:members:members], all[members:]}
}

// without returns the references of both sides but number k.
func without(references [2][]metrics.Outputs, k int) (others [2][]metrics.Outputs) {
	for side := range others {
		others[side] = slices.Delete(slices.Clone(references[side]), k, k+1)
	}
	return others
}

// at returns the elements at the given positions.
func at(x []float64, index []int) []float64 {
	out := make([]float64, len(index))
	for k, i := range index {
		out[k] = x[i]
	}
	return out
}

// listLeast lists the members that are forgotten least.
func (a *audit) listLeast(complete []float64) {
	order := make([]int, len(complete))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(complete[i], complete[j]) })
	for _, i := range order[:min(len(order), leastForgotten)] {
		a.Least = append(a.Least, Completeness{Index: i, Identity: feature.IdentityOf(a.data.Member, i), Value: complete[i]})
	}
}
