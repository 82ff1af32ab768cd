package distance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/internal/finite"
	"github.com/dlfd-go/unlearn/internal/par"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// TwoSample tests by permutations whether two samples come from one
// distribution: it divides their points anew at random, many times, and counts
// how often the distance is as large as it was observed. Under the hypothesis,
// P(p ≤ α) ≤ α for every α, at any size and for any distance.
//
// References: Gretton et al., A kernel two-sample test (2012), §5; Phipson and
// Smyth, Permutation p-values should never be zero (2010), arXiv:1603.05766.
type TwoSample struct {
	// D is the distance, without gradients. Its value must not depend on the
	// order of the rows. If it is nil, MMD{Kernel: Energy{}} is used, which is
	// zero only for equal distributions and has no scale to choose. A Root changes
	// no p-value, but takes more time, since it is not a Pooler.
	D Distance

	// Permutations is how many random divisions are drawn. If it is zero, 999
	// is used.
	Permutations int

	// Stratified permutes within the classes of Sample.Labels, so that the
	// number of blocks that each side has of each class stays the same, and
	// shares of classes do not make a difference.
	Stratified bool

	// Seed chooses the divisions.
	Seed uint64
}

// TwoSampleResult is what TwoSample.Test found.
type TwoSampleResult struct {
	P             float64 // (1 + number of divisions with a distance ≥ Observed) / (1 + Permutations)
	StandardError float64 // of P, because divisions are drawn at random: √(P(1−P)/(1+Permutations))
	Observed      float64 // the distance between x and y
	Mean          float64 // of the distances of the random divisions
	Deviation     float64 // their standard deviation; 0 for a single one
	Permutations  int
	Seed          uint64
	Blocks        int // on both sides

	// Arrangements is the number of different divisions, or +Inf where it is
	// too large for a float64. P is seldom below 1/Arrangements, however
	// different the samples are.
	Arrangements float64
}

const defaultPermutations = 999

// Test returns the p-value of the hypothesis that x and y come from one
// distribution. Rows of one block, say the photos of one person, stay together:
// blocksX and blocksY hold the number of the block of each row, or are nil for
// rows that are independent. The number of blocks on each side stays the same,
// and that of rows where blocks have equal sizes. Blocks, of one class each if
// Stratified, must be exchangeable under the hypothesis, their sizes included.
//
// It takes the time of Permutations+1 calls of D.Eval without gradients, on all
// processors. A Pooler takes less: MMD computes its kernel once, for all pairs of
// the N points of both samples, in O(N²·Dim), and sums n² of its values for each
// division, where n is the size of the smaller side. The result is the same at any
// GOMAXPROCS.
//
// Errors are those of D.Eval, and ErrParameter for a block on both sides, a
// block of several classes if Stratified, only one possible division, and
// distances of which row i of x belongs to row i of y. Weights are refused
// (ErrWeights). Where values of D have not converged, the result comes with
// ErrNotConverged. Cancellation of ctx gives its error before the next division.
func (t TwoSample) Test(ctx context.Context, x, y Sample, blocksX, blocksY []int) (*TwoSampleResult, error) {
	t, err := t.resolve()
	if err != nil {
		return nil, err
	}
	if err := t.check(x, y); err != nil {
		return nil, err
	}
	p, err := newDivisions(x, y, blocksX, blocksY, t.Stratified)
	if err != nil {
		return nil, err
	}
	values, err := t.values(ctx, p, x, y)
	if err != nil && !errors.Is(err, ErrNotConverged) {
		return nil, err
	}
	r := t.result(values, p.slack)
	r.Blocks, r.Arrangements = len(p.rows), p.arrangements()
	return r, err
}

func (t TwoSample) resolve() (TwoSample, error) {
	if t.D == nil {
		t.D = MMD{Kernel: Energy{}}
	}
	t.Permutations = cmp.Or(t.Permutations, defaultPermutations)
	if t.Permutations < 0 || t.Permutations > math.MaxInt32 {
		return t, fmt.Errorf("%w: TwoSample.Permutations is %d, want 0 to %d", ErrParameter, t.Permutations, math.MaxInt32)
	}
	if properties(t.D).Paired {
		return t, fmt.Errorf("%w: TwoSample.D depends on the order of the rows", ErrParameter)
	}
	return t, nil
}

func (t TwoSample) check(x, y Sample) error {
	if err := Check(nil, nil, x, y); err != nil {
		return err
	}
	if x.W != nil || y.W != nil {
		return fmt.Errorf("%w: TwoSample takes samples without weights", ErrWeights)
	}
	if (x.Labels == nil || y.Labels == nil) && t.Stratified {
		return fmt.Errorf("%w: TwoSample.Stratified has %d labels for %d points of x, %d for %d of y",
			ErrShape, len(x.Labels), x.N, len(y.Labels), y.N)
	}
	return nil
}

// values returns the distances of all divisions, the observed one first.
func (t TwoSample) values(ctx context.Context, p *divisions, x, y Sample) ([]float64, error) {
	value, err := p.evaluator(t.D, x, y)
	if err != nil {
		return nil, err
	}
	n := t.Permutations + 1
	values, errs, panics := make([]float64, n), make([]error, n), make([]any, n)
	spaces := make([]Workspace, par.Workers(n))
	masks := make([][]bool, len(spaces))
	par.Each(n, func(worker, i int) {
		defer func() { panics[i] = recover() }()
		if errs[i] = ctx.Err(); errs[i] != nil {
			return
		}
		if masks[worker] == nil {
			masks[worker] = make([]bool, x.N+y.N)
		}
		if i == 0 {
			p.observed(masks[worker])
		} else {
			p.draw(rng.Stream(t.Seed, "permutation", i), masks[worker])
		}
		values[i], errs[i] = value(&spaces[worker], masks[worker])
	})
	return values, firstFailure(values, errs, panics)
}

// firstFailure returns the first error that leaves no result, then one that
// counts the values that have not converged, and passes a panic of D on.
func firstFailure(values []float64, errs []error, panics []any) error {
	var late error
	count := 0
	for i, err := range errs {
		if panics[i] != nil {
			panic(panics[i])
		}
		if err == nil && !finite.Is(values[i]) {
			err = fmt.Errorf("%w: the distance is %v", ErrNotFinite, values[i])
		}
		switch {
		case err == nil:
		case errors.Is(err, ErrNotConverged):
			count++
			late = err
		case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
			return err
		default:
			return fmt.Errorf("%w, in division %d of %d", err, i, len(errs)-1)
		}
	}
	if count > 0 {
		return fmt.Errorf("%w, in %d of %d divisions", late, count, len(errs))
	}
	return nil
}

// result counts. Values that differ by less than slack, a share of the observed
// one or a number, count as equal: rounding must not take ties out.
func (t TwoSample) result(values []float64, slack func(observed float64) float64) *TwoSampleResult {
	r := &TwoSampleResult{Observed: values[0], Permutations: t.Permutations, Seed: t.Seed}
	least := r.Observed - slack(r.Observed)
	n, hits := float64(t.Permutations), 0
	for _, v := range values[1:] {
		r.Mean += v / n
		if v >= least {
			hits++
		}
	}
	if t.Permutations > 1 {
		var squares float64
		for _, v := range values[1:] {
			squares += (v - r.Mean) * (v - r.Mean)
		}
		r.Deviation = math.Sqrt(squares / (n - 1))
	}
	r.P = float64(1+hits) / (1 + n)
	r.StandardError = math.Sqrt(r.P * (1 - r.P) / (1 + n))
	return r
}
