package dlfd

import (
	"context"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/metrics"
)

// permutations give a P of .05 a standard error of .01.
const permutations = 499

// twoSample tests whether members and non-members have features of one
// distribution.
func (a *audit) twoSample(ctx context.Context, member, nonmember activation, retain metrics.Features) error {
	if !shareClass(member.Labels, nonmember.Labels) {
		return fmt.Errorf("%w: members and non-members have no class in common", metrics.ErrEmpty)
	}
	blocksM, blocksN, strata := blocks(member, nonmember)
	test := distance.TwoSample{D: distance.MMD{Kernel: distance.Energy{}}, Permutations: permutations, Stratified: strata, Seed: a.opt.Seed}
	x, y := asSample(member.Features), asSample(nonmember.Features)
	r, err := test.Test(ctx, x, y, blocksM, blocksN)
	if err != nil {
		return err
	}
	a.TwoSample = &TwoSample{Value: r.Observed, P: r.P, SE: r.StandardError, Members: x.N, NonMembers: y.N, Blocks: r.Blocks}
	return a.detects(test.D, member, nonmember, retain, r)
}

// fourOfFive and oneOfTwenty are the normal quantiles of .8 and .95.
const fourOfFive, oneOfTwenty = .8416, 1.6449

// detects sets the share of retained samples among the members that the test would
// have seen.
func (a *audit) detects(d distance.Distance, member, nonmember activation, retain metrics.Features, r *distance.TwoSampleResult) error {
	match, err := metrics.MatchClasses(member.Labels, retain.Labels, retain.Classes, a.opt.Seed)
	if err != nil {
		return err
	}
	seen, err := d.Eval(nil, nil, nil, asSample(selectFeatures(retain, match.NonMembers)), asSample(nonmember.Features))
	if err != nil {
		return err
	}
	if whole := seen - r.Mean; whole > 0 {
		share := math.Sqrt((oneOfTwenty + fourOfFive) * r.Deviation / whole)
		if share <= 1 {
			a.TwoSample.Detects = &share
		}
	}
	return nil
}

// blocks numbers the persons of both sides; samples of whom nobody is known are
// blocks of their own. Where a person is on both sides there are no blocks. strata
// reports whether samples can be exchanged class by class, which needs every person
// to be of one class.
func blocks(member, nonmember activation) (ofM, ofN []int, strata bool) {
	side, number, class := make(map[string]int), make(map[string]int), make(map[string]int)
	strata = true
	next := 0
	var of [2][]int
	for s, f := range []activation{member, nonmember} {
		for i, p := range f.persons {
			if p == "" {
				of[s] = append(of[s], next)
				next++
				continue
			}
			if _, known := number[p]; !known {
				number[p], side[p], class[p] = next, s, f.Labels[i]
				next++
			}
			if side[p] != s {
				return nil, nil, true
			}
			strata = strata && class[p] == f.Labels[i]
			of[s] = append(of[s], number[p])
		}
	}
	return of[0], of[1], strata
}

func shareClass(a, b []int) bool {
	in := make(map[int]bool)
	for _, y := range a {
		in[y] = true
	}
	for _, y := range b {
		if in[y] {
			return true
		}
	}
	return false
}

func asSample(f metrics.Features) distance.Sample {
	s := distance.Sample{N: f.N, Dim: f.Dim, Labels: f.Labels, X: make([]float64, len(f.Data))}
	for i, v := range f.Data {
		s.X[i] = float64(v)
	}
	return s
}
