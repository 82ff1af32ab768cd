package metrics

import (
	"fmt"
	"math"
	"slices"
)

// MarginDivergence is the outcome of KLoM, in nats.
type MarginDivergence struct {
	Samples []float64 // of each sample
	Mean    float64
	P95     float64 // the value that 95 % of samples do not exceed, interpolated; the one to report
}

const (
	klomBins  = 20
	klomClip  = 100
	klomFloor = 1e-5
	klomLeast = 3
)

// KLoM returns the KL divergence of margins: for each sample, that of the
// margins of unlearned models, one list a seed, from the margins of as many or
// other retrained models, one list a seed, by histograms of 20 bins over the range
// of both. Margins are z_y − log Σ_{j≠y} exp z_j, those of Outputs.LogitMargins, cut
// to ±100; a bin that retrained models leave empty counts as 1e-5 of them.
//
// Its floor is not 0, and falls with the number of models: take the same between
// two halves of the retrained ones. Less than three models on either side give
// ErrTooFew, lists of different lengths ErrShape. Cost: O(samples·models).
//
// Reference: "Attribute-to-Delete", arXiv 2410.23232, section 3; bins, cut and
// least share are those of its benchmark, arXiv 2602.16400.
func KLoM(unlearned, retrained [][]float64) (MarginDivergence, error) {
	if err := checkMargins(unlearned, retrained); err != nil {
		return MarginDivergence{}, err
	}
	d := MarginDivergence{Samples: make([]float64, len(unlearned[0]))}
	p, q := make([]float64, len(unlearned)), make([]float64, len(retrained))
	for i := range d.Samples {
		d.Samples[i] = binnedKL(column(p, unlearned, i), column(q, retrained, i))
	}
	d.Mean = mean(d.Samples)
	d.P95 = quantile(d.Samples, .95)
	return d, nil
}

func checkMargins(unlearned, retrained [][]float64) error {
	if m, n := len(unlearned), len(retrained); min(m, n) < klomLeast {
		return fmt.Errorf("metrics: %w: %d unlearned and %d retrained models, want %d of each", ErrTooFew, m, n, klomLeast)
	}
	for _, s := range []struct {
		what  string
		lists [][]float64
	}{{"margins of unlearned model", unlearned}, {"margins of retrained model", retrained}} {
		for k, x := range s.lists {
			if err := checkScores(fmt.Sprintf("%s %d", s.what, k), x); err != nil {
				return err
			}
			if len(x) != len(unlearned[0]) {
				return fmt.Errorf("metrics: %w: %d %s %d, the first has %d", ErrShape, len(x), s.what, k, len(unlearned[0]))
			}
		}
	}
	return nil
}

// column writes element i of each list, cut, into dst.
func column(dst []float64, lists [][]float64, i int) []float64 {
	for k, x := range lists {
		dst[k] = min(max(x[i], -klomClip), klomClip)
	}
	return dst
}

func binnedKL(p, q []float64) float64 {
	lo, hi := min(slices.Min(p), slices.Min(q)), max(slices.Max(p), slices.Max(q))
	if lo == hi {
		return 0
	}
	hp, hq := shares(p, lo, hi), shares(q, lo, hi)
	var kl float64
	for b, v := range hp {
		if v > 0 {
			kl += v * math.Log(v/max(hq[b], klomFloor))
		}
	}
	return max(kl, 0)
}

// shares returns the share of x in each bin from lo to hi.
func shares(x []float64, lo, hi float64) (h [klomBins]float64) {
	for _, v := range x {
		h[min(int((v-lo)/(hi-lo)*klomBins), klomBins-1)] += 1 / float64(len(x))
	}
	return h
}

// quantile interpolates between the order statistics of finite numbers.
func quantile(x []float64, share float64) float64 {
	x = slices.Sorted(slices.Values(x))
	at := share * float64(len(x)-1)
	k := min(int(at), len(x)-1)
	next := x[min(k+1, len(x)-1)]
	return x[k] + (at-float64(k))*(next-x[k])
}

// ResidualKnowledge returns how much more often a model is right near the forget
// samples than a retrained one: the sum over samples of the right answers in
// small balls of noise, divided by the same of the retrained model. 1 is as
// retrained, more is knowledge that forget samples themselves may not show. Element
// i of either list counts the right answers among the same draws around sample i,
// of which there are draws.
//
// The interval at the confidence level, between 0 and 1 (ErrRange), is Fieller's
// with the samples as units; it ends at draws·samples where a retrained model that
// is hardly ever right leaves it open. Errors: ErrEmpty without samples, ErrTooFew
// with one, ErrShape for lists of different lengths, ErrRange for counts outside 0
// to draws, ErrDegenerate if the retrained model is never right.
//
// Reference: residual knowledge, arXiv 2601.22359, which takes the ratio sample by
// sample; that of the sums exists where a sample has none.
func ResidualKnowledge(model, retrained []int, draws int, level float64) (Estimate, error) {
	if err := checkLevel(level); err != nil {
		return Estimate{}, err
	}
	if err := checkCounts(model, retrained, draws); err != nil {
		return Estimate{}, err
	}
	n := float64(len(model))
	q := quotient{dof: n - 1}
	for i, k := range model {
		q.a += float64(k) / n
		q.b += float64(retrained[i]) / n
	}
	if q.b == 0 {
		return Estimate{}, fmt.Errorf("metrics: %w: the retrained model is never right near %d samples", ErrDegenerate, len(model))
	}
	for i, k := range model {
		a, b := float64(k)-q.a, float64(retrained[i])-q.b
		q.varA += a * a / n / (n - 1)
		q.varB += b * b / n / (n - 1)
		q.cov += a * b / n / (n - 1)
	}
	return q.fieller(level, Interval{0, float64(draws) * n}), nil
}

func checkCounts(model, retrained []int, draws int) error {
	switch m, n := len(model), len(retrained); {
	case m == 0:
		return fmt.Errorf("metrics: %w: counts of the model", ErrEmpty)
	case m != n:
		return fmt.Errorf("metrics: %w: counts of %d and %d samples", ErrShape, m, n)
	case m < 2:
		return fmt.Errorf("metrics: %w: counts of %d sample, want 2", ErrTooFew, m)
	}
	for i, k := range model {
		if r := retrained[i]; min(k, r) < 0 || max(k, r) > draws {
			return fmt.Errorf("metrics: %w: sample %d: %d and %d right of %d draws", ErrRange, i, k, r, draws)
		}
	}
	return nil
}

// MostMemorized returns the positions of the given share of samples, rounded up,
// that a model has memorized most, the most memorized first: whose loss grows most
// from a model that was trained on them to one that was not. Attacks find the hard
// samples first, so report a tenth (.1) beside the whole. Of equal differences the
// earlier sample comes first. A share outside (0, 1] gives ErrRange.
//
// Reference: the per-sample evaluation of RULI, arXiv 2506.13009.
func MostMemorized(with, without []float64, share float64) ([]int, error) {
	if !(share > 0 && share <= 1) {
		return nil, fmt.Errorf("metrics: %w: share is %v, want above 0 to 1", ErrRange, share)
	}
	if err := checkScores("losses with the samples", with); err != nil {
		return nil, err
	}
	if err := checkScores("losses without the samples", without); err != nil {
		return nil, err
	}
	if len(with) != len(without) {
		return nil, fmt.Errorf("metrics: %w: %d losses with the samples, %d without", ErrShape, len(with), len(without))
	}
	order := identity(len(with))
	slices.SortStableFunc(order, func(i, j int) int {
		// Halves, so that no difference overflows.
		switch a, b := without[i]/2-with[i]/2, without[j]/2-with[j]/2; {
		case a > b:
			return -1
		case a < b:
			return 1
		}
		return 0
	})
	return order[:int(math.Ceil(share*float64(len(with))))], nil
}
