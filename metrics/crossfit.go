package metrics

import (
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/internal/par"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// table is n×d features with the class of each row.
type table struct {
	x       []float64
	d       int
	labels  []int
	classes int
}

func (t table) row(i int) []float64 { return t.x[i*t.d : (i+1)*t.d] }

// negated returns minus column j.
func (t table) negated(j int) []float64 {
	out := make([]float64, len(t.labels))
	for i := range out {
		out[i] = -t.x[i*t.d+j]
	}
	return out
}

// crossFitted judges a logistic regression that tells the rows of m (members)
// from those of n, averaged over matchings, each with folds of its own. The AUC
// compares samples of the same fold only: log-odds of different regressions have
// different offsets, and comparing them biases the AUC of useless features below
// one half.
func crossFitted(m, n table, seed uint64, o AttackOptions) (Strength, error) {
	var s Strength
	var right tally
	var null float64
	for k := range regressionMatchings {
		match, err := matchingAt(m, n, seed, k)
		if err != nil {
			return s, err
		}
		if err := checkPair(len(match.Members), len(match.NonMembers), 2); err != nil {
			return s, err
		}
		f := newCrossFit(m, n, match, seed, k, o)
		if err := f.fit(o.C); err != nil {
			return s, err
		}
		auc, variance := f.auc(m, n)
		s.AUC += auc
		null += variance / regressionMatchings
		s.TPR += rankWeighted(f.member, f.non, nil, nil).tpr(o.FPR)
		right.add(f.tally())
	}
	s.AUC /= regressionMatchings
	s.TPR /= regressionMatchings
	s.Leak = math.Abs(s.AUC - 0.5)
	s.BalancedAccuracy = right.balancedAccuracy()
	s.AUCInterval = aucInterval(s.AUC, null, 0, o.Level)
	return s, nil
}

// crossFit is one matching, dealt over folds, with the log-odds of its samples.
type crossFit struct {
	m, n         table
	match        Matching
	folds        int
	foldM, foldN []int
	member, non  []float64
}

func newCrossFit(m, n table, match Matching, seed uint64, k int, o AttackOptions) *crossFit {
	f := &crossFit{m: m, n: n, match: match, folds: min(o.Folds, len(match.Members))}
	r := rng.Stream(seed, "metrics folds", k)
	f.foldM = dealByClass(r, pickAt(m.labels, match.Members), m.classes, f.folds)
	f.foldN = dealByClass(r, pickAt(n.labels, match.NonMembers), n.classes, f.folds)
	f.member, f.non = make([]float64, len(f.foldM)), make([]float64, len(f.foldN))
	return f
}

// pickAt returns the elements at the given positions.
func pickAt[T any](x []T, index []int) []T {
	out := make([]T, len(index))
	for k, i := range index {
		out[k] = x[i]
	}
	return out
}

// fit scores each fold by the regression on the others.
func (f *crossFit) fit(c float64) error {
	errs := make([]error, f.folds)
	par.Each(f.folds, func(_, k int) { errs[k] = f.fitFold(k, c) })
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// crossFitGain leaves weights an error of about 1e-6 of their spread, far below
// what samples decide. A search to the last bit spends half of its time on steps
// that rounding rejects.
const crossFitGain = 1e-12

func (f *crossFit) fitFold(k int, c float64) error {
	train := others(nil, f.m, f.match.Members, f.foldM, k)
	members := len(train) / f.m.d
	train = others(train, f.n, f.match.NonMembers, f.foldN, k)
	y := make([]bool, len(train)/f.m.d)
	for i := range members {
		y[i] = true
	}
	s := standardize(train, f.m.d)
	fit, err := fitPenalized(train, f.m.d, y, c, 1, crossFitGain)
	if err != nil {
		return err
	}
	s.score(f.member, f.m, f.match.Members, f.foldM, k, fit)
	s.score(f.non, f.n, f.match.NonMembers, f.foldN, k, fit)
	return nil
}

// others appends the rows outside fold k to dst.
func others(dst []float64, t table, index, fold []int, k int) []float64 {
	dst = slices.Grow(dst, 2*len(index)*t.d)
	for i, at := range index {
		if fold[i] != k {
			dst = append(dst, t.row(at)...)
		}
	}
	return dst
}

// auc returns the AUC over pairs within folds and the variance that it has if
// membership means nothing: that of placements within the fold, class by class,
// over all samples that matchings draw from.
func (f *crossFit) auc(m, n table) (auc, null float64) {
	p := f.placed(m, n)
	for c := range p.both {
		if x := p.both[c]; len(x) > 0 {
			null += foldFactor(f.folds, f.match.Classes[c].Used) * f.nullTerm(c, x, p.free[c])
		}
	}
	return p.auc, null
}

// placed is the AUC with the placements of the samples in their folds, by class:
// among all of the fold, and of members among non-members and the other way round.
// The first are centered, in each fold where a class has four of each side there:
// a class that one regression ranks high and another low varies no more for that.
// In smaller parts ranks exclude one another too much for their own mean. free
// counts the degrees of freedom.
type placed struct {
	auc               float64
	both, member, non [][]float64
	free              []int
}

const foldMates = 4

func (f *crossFit) placed(m, n table) placed {
	s := placed{both: make([][]float64, m.classes), member: make([][]float64, m.classes), non: make([][]float64, m.classes), free: make([]int, m.classes)}
	var sum, pairs float64
	for k := range f.folds {
		r := rankWeighted(pick(f.member, f.foldM, k), pick(f.non, f.foldN, k), nil, nil)
		w := float64(len(r.memberAt)) * float64(len(r.nonAt))
		sum += w * r.auc()
		pairs += w
		p := r.placements()
		both := make([][]float64, m.classes)
		gather(both, p.both, r.memberAt, m.labels, f.match.Members, f.foldM, k)
		gather(both, p.both, r.nonAt, n.labels, f.match.NonMembers, f.foldN, k)
		for c, x := range both {
			if f.match.Classes[c].Used >= foldMates*f.folds {
				x = centered(x)
				s.free[c] += len(x) - 1
			}
			s.both[c] = append(s.both[c], x...)
		}
		gather(s.member, func(at int32) float64 { return p.non[at] }, r.memberAt, m.labels, f.match.Members, f.foldM, k)
		gather(s.non, func(at int32) float64 { return p.member[at] }, r.nonAt, n.labels, f.match.NonMembers, f.foldN, k)
	}
	for c, x := range s.both {
		if s.free[c] == 0 {
			s.both[c], s.free[c] = centered(x), len(x)-1
		}
	}
	s.auc = sum / pairs
	return s
}

// centered takes the mean off x, in place.
func centered(x []float64) []float64 {
	if len(x) == 0 {
		return x
	}
	mu := mean(x)
	for i := range x {
		x[i] -= mu
	}
	return x
}

// nullTerm is the variance of the difference of the mean placements in class c,
// from centered ones, without the factor for cross-fitting.
func (f *crossFit) nullTerm(c int, both []float64, free int) float64 {
	used := f.match.Classes[c]
	share := float64(used.Used) / float64(len(f.foldM))
	squares := 0.0
	for _, v := range both {
		squares += v * v
	}
	return share * share * squares / float64(max(free, 1)) * (1/float64(used.Members) + 1/float64(used.NonMembers))
}

// foldFactor is by how much cross-fitting raises the variance of an AUC of
// noise: regressions that share most of their samples agree by chance about the
// direction. There is no closed form; the values are measured on 600 draws of
// ten shapes (1.3 to 1.6 at 5 folds, .9 to 1.1 at 2, 1.4 to 2 at 10; 1.7 to 1.9
// in classes with a single sample a side, which no fold shares), and
// TestCoverageOnNoise holds the intervals to them.
func foldFactor(folds, samples int) float64 {
	if samples == 1 {
		return 1.75
	}
	return max(1, 1.85-2/float64(folds))
}

// gather adds the placements of the samples of fold k to their class.
func gather(ofClass [][]float64, placement func(at int32) float64, at []int32, labels, index, fold []int, k int) {
	next := 0
	for i, s := range index {
		if fold[i] == k {
			y := labels[s]
			ofClass[y] = append(ofClass[y], placement(at[next]))
			next++
		}
	}
}

// tally counts the samples whose log-odds have the right sign.
func (f *crossFit) tally() tally {
	t := tally{member: len(f.member), non: len(f.non)}
	for i := range f.member {
		if f.member[i] > 0 {
			t.rightM++
		}
		if !(f.non[i] > 0) {
			t.rightN++
		}
	}
	return t
}

// scaler maps a feature to mean 0 and standard deviation 1 over the samples it
// was made from; a constant feature is only centered.
type scaler struct{ mean, scale []float64 }

// constantShare is the deviation, relative to the mean, up to which a feature
// counts as constant: the mean's own rounding error over 10⁴ samples.
const constantShare = 1e-12

// standardize changes x in place.
func standardize(x []float64, d int) scaler {
	n := len(x) / d
	s := scaler{make([]float64, d), make([]float64, d)}
	for i, v := range x {
		s.mean[i%d] += v / float64(n)
	}
	for i, v := range x {
		s.scale[i%d] = math.Hypot(s.scale[i%d], v-s.mean[i%d])
	}
	for j, norm := range s.scale {
		s.scale[j] = 1
		if std := norm / math.Sqrt(float64(n)); std > constantShare*math.Abs(s.mean[j]) {
			s.scale[j] = 1 / std
		}
	}
	for i := range n {
		s.apply(x[i*d : (i+1)*d])
	}
	return s
}

func (s scaler) apply(row []float64) {
	for j, v := range row {
		row[j] = (v - s.mean[j]) * s.scale[j]
	}
}

// score writes the log-odds of the rows of fold k.
func (s scaler) score(dst []float64, t table, index, fold []int, k int, fit logistic) {
	row := make([]float64, t.d)
	for i, at := range index {
		if fold[i] == k {
			copy(row, t.row(at))
			s.apply(row)
			dst[i] = fit.logOdds(row)
		}
	}
}
