package metrics

import "gonum.org/v1/gonum/stat"

// side is the scores and the classes of the members or of the non-members; nil
// labels mean that all samples are of class 0.
type side struct {
	scores []float64
	labels []int
}

func (s side) class(i int) int {
	if s.labels == nil {
		return 0
	}
	return s.labels[i]
}

func (s side) byClass(classes int) [][]int {
	of := make([][]int, classes)
	for i := range s.scores {
		of[s.class(i)] = append(of[s.class(i)], i)
	}
	return of
}

// at returns the samples at the given positions.
func (s side) at(index []int) side {
	out := side{make([]float64, len(index)), make([]int, len(index))}
	for k, i := range index {
		out.scores[k], out.labels[k] = s.scores[i], s.class(i)
	}
	return out
}

// sides weighs members and non-members so that every class has the same weight
// on both sides, that of the smaller count. The weighted AUC is the mean of the
// AUCs of all possible matchings: a pair of samples is in a matching with the
// product of the two weights as its probability.
type sides struct {
	member, non side
	ofM, ofN    [][]int   // samples by class
	share       []float64 // of each class in the weight of a side
	ranks       *ranked
}

// newSides returns the sides without the classes that only one of them has.
func newSides(member, non side, classes int) (*sides, error) {
	if err := checkScores("member scores", member.scores); err != nil {
		return nil, err
	}
	if err := checkScores("non-member scores", non.scores); err != nil {
		return nil, err
	}
	a := &sides{member: member, non: non, ofM: member.byClass(classes), ofN: non.byClass(classes), share: make([]float64, classes)}
	var total float64
	for c := range classes {
		a.share[c] = float64(min(len(a.ofM[c]), len(a.ofN[c])))
		total += a.share[c]
	}
	if classes == 1 {
		a.share[0] = 1
		a.ranks = rankWeighted(member.scores, non.scores, nil, nil)
		return a, nil
	}
	wm, wn := make([]float64, len(member.scores)), make([]float64, len(non.scores))
	for c := range classes {
		setWeights(wm, a.ofM[c], a.share[c])
		setWeights(wn, a.ofN[c], a.share[c])
		a.share[c] /= total
	}
	a.ranks = rankWeighted(member.scores, non.scores, wm, wn)
	return a, nil
}

func setWeights(w []float64, items []int, sum float64) {
	for _, i := range items {
		w[i] = sum / float64(len(items))
	}
}

// nullVariance returns the variance of the AUC over all ways to call as many
// samples of each class members as there are: what it has if membership means
// nothing. It needs no more than one sample a class and side.
func (a *sides) nullVariance() float64 {
	f := a.ranks.placements()
	var sum float64
	for c, share := range a.share {
		if share > 0 {
			sum += share * share * a.nullTerm(c, f)
		}
	}
	return sum
}

// nullTerm is the variance of the difference of the mean placements in class c.
func (a *sides) nullTerm(c int, f placements) float64 {
	x := make([]float64, 0, len(a.ofM[c])+len(a.ofN[c]))
	for _, i := range a.ofM[c] {
		x = append(x, f.both(a.ranks.memberAt[i]))
	}
	for _, i := range a.ofN[c] {
		x = append(x, f.both(a.ranks.nonAt[i]))
	}
	return stat.Variance(x, nil) * (1/float64(len(a.ofM[c])) + 1/float64(len(a.ofN[c])))
}

// variance estimates the variance of the AUC from the placements of members
// among non-members and the other way round, class by class. A class with a
// single sample on a side has the term that it has in nullVariance, less as the
// AUC is further from ½.
func (a *sides) variance() float64 {
	f := a.ranks.placements()
	auc := a.ranks.auc()
	var sum float64
	for c, share := range a.share {
		m, n := len(a.ofM[c]), len(a.ofN[c])
		switch {
		case share == 0:
		case m < 2 || n < 2:
			sum += 4 * auc * (1 - auc) * share * share * a.nullTerm(c, f)
		default:
			vm := stat.Variance(lookUp(f.non, a.ranks.memberAt, a.ofM[c]), nil)
			vn := stat.Variance(lookUp(f.member, a.ranks.nonAt, a.ofN[c]), nil)
			sum += share * share * (vm/float64(m) + vn/float64(n))
		}
	}
	return sum
}

// lookUp returns f at the positions of the given samples.
func lookUp(f []float64, at []int32, items []int) []float64 {
	out := make([]float64, len(items))
	for k, i := range items {
		out[k] = f[at[i]]
	}
	return out
}

// placements has, for each distinct score, the share of members and the share
// of non-members below it, those equal to it counting half.
type placements struct{ member, non []float64 }

// both returns the placement among all samples, either side weighing the same.
func (p placements) both(at int32) float64 { return (p.member[at] + p.non[at]) / 2 }

func (r *ranked) placements() placements {
	return placements{midShares(r.member), midShares(r.non)}
}

func midShares(w []float64) []float64 {
	out := make([]float64, len(w))
	var below float64
	for v, x := range w {
		out[v] = below + x/2
		below += x
	}
	for v := range out {
		out[v] /= below
	}
	return out
}
