package metrics

import (
	"flag"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/dlfd-go/unlearn/internal/par"
)

var fullCoverage = flag.Bool("coverage", false, "measure the coverage of intervals on 2,000 draws for each shape, and hold it to 92 to 98 %")

// shape is how many members and non-members each class has.
type shape struct {
	name         string
	classes      int
	member, non  int
	growM, growN int // more of each with the number of the class
	easy         bool
	discrete     bool
}

var shapes = []shape{
	{name: "5 classes × 40 + 40", classes: 5, member: 40, non: 40},
	{name: "5 classes × 40 + 40, classes differ", classes: 5, member: 40, non: 40, easy: true},
	{name: "50 classes × 1 + 1", classes: 50, member: 1, non: 1},
	{name: "50 classes × 1 + 1, classes differ", classes: 50, member: 1, non: 1, easy: true},
	{name: "10 classes × 2 + 2", classes: 10, member: 2, non: 2},
	{name: "10 classes × 1 + 1", classes: 10, member: 1, non: 1},
	{name: "5 classes × 10 + 100", classes: 5, member: 10, non: 100},
	{name: "8 classes, 2 to 16 + 20 to 6", classes: 8, member: 2, growM: 2, non: 20, growN: -2},
	{name: "2 classes × 3 + 200", classes: 2, member: 3, non: 200},
	{name: "3 classes × 60 + 60, coarse", classes: 3, member: 60, non: 60, discrete: true},
}

// noise returns outputs in which membership means nothing.
func (s shape) noise(r *rand.Rand, first, grow int) Outputs {
	o := Outputs{Classes: max(s.classes, 2)}
	for c := range s.classes {
		for range first + grow*c {
			o.N++
			o.Labels = append(o.Labels, c)
			for j := range o.Classes {
				z := r.NormFloat64()
				if j == c && s.easy {
					z += float64(3 * c % 7)
				}
				if s.discrete {
					z = float64(int(z))
				}
				o.Logits = append(o.Logits, float32(z))
			}
		}
	}
	return o
}

func (s shape) sides(k int) (m, n Outputs) {
	r := rand.New(rand.NewPCG(uint64(k), 77))
	return s.noise(r, s.member, s.growM), s.noise(r, s.non, s.growN)
}

// covered returns in which share of draws f, which runs on several goroutines,
// reports true for each of its counts.
func covered(draws, counts int, f func(k int) []bool) []float64 {
	hits := make([]atomic.Int64, counts)
	par.Each(draws, func(_, k int) {
		for i, ok := range f(k) {
			if ok {
				hits[i].Add(1)
			}
		}
	})
	share := make([]float64, counts)
	for i := range share {
		share[i] = float64(hits[i].Load()) / float64(draws)
	}
	return share
}

// The intervals of attacks hold ½ at the promised rate on noise. Of 2,000 draws
// a true rate of 95 % has a standard deviation of .5 %; of 50 it has 3 %.
func TestCoverageOnNoise(t *testing.T) {
	draws, lo, hi := 50, .84, 1.0 // four standard deviations below 95 %
	if *fullCoverage {
		draws, lo, hi = 2000, .92, .98
	}
	for _, s := range shapes {
		rate := covered(draws, 4, func(k int) []bool {
			m, n := s.sides(k)
			a := must(Attack(m, n, uint64(k), nil))
			f, g := m.asFeatures(), n.asFeatures()
			probe := must(MembershipProbe(f, g, uint64(k), nil))
			j := must(Judge(Evidence{AUC: &Compared{a.Loss.AUCInterval, []float64{.5}}}))
			return []bool{a.Loss.AUCInterval.Contains(.5), a.Logistic.AUCInterval.Contains(.5), probe.AUCInterval.Contains(.5),
				j.Verdict == WithinBand}
		})
		t.Logf("%-40s loss %.3f  logistic %.3f  probe %.3f", s.name, rate[0], rate[1], rate[2])
		for i, what := range []string{"loss", "logistic", "probe"} {
			if rate[i] < lo || rate[i] > hi {
				t.Errorf("%s, %s attack: coverage %.3f", s.name, what, rate[i])
			}
		}
		if rate[3] != rate[0] {
			t.Errorf("%s: Judge is within the band at %.3f, the interval at %.3f", s.name, rate[3], rate[0])
		}
	}
}

// Probes of two models that members are equally well told by, or not at all:
// their difference holds 0.
func TestCoverageOfProbeDifference(t *testing.T) {
	draws, lo, hi, some := 30, .8, 1.0, shapes[4:6]
	if *fullCoverage {
		draws, lo, hi, some = 2000, .92, .98, shapes[:9]
	}
	for _, s := range some {
		for _, apart := range []float64{0, 1} { // standard deviations along the best direction
			rate := covered(draws, 1, func(k int) []bool {
				var p [2]Probed
				for i := range p {
					m, n := s.sides(2*k + i)
					for j := range m.Logits {
						m.Logits[j] += float32(apart / math.Sqrt(float64(m.Classes)))
					}
					p[i] = Probed{m.asFeatures(), n.asFeatures()}
				}
				return []bool{must(p[0].Difference(p[1], uint64(k), nil)).Interval.Contains(0)}
			})
			t.Logf("%-40s apart %.1f: %.3f", s.name, apart, rate[0])
			// Three members beside 200 others: .992 of 500 draws, too wide.
			if rate[0] < lo || rate[0] > hi && s.member != 3 {
				t.Errorf("%s, apart %.1f: coverage %.3f", s.name, apart, rate[0])
			}
		}
	}
}

// Intervals of plain numbers: AUC of scores that do not differ, mean of normal
// values, share of trials.
func TestCoverageOfPlainIntervals(t *testing.T) {
	draws, lo, hi := 400, .91, .99
	if *fullCoverage {
		draws, lo, hi = 2000, .92, .98
	}
	for _, n := range [][2]int{{10, 10}, {20, 20}, {200, 200}, {8, 300}, {60, 25}} {
		rate := covered(draws, 4, func(k int) []bool {
			r := rand.New(rand.NewPCG(uint64(k), 78))
			x, y := make([]float64, n[0]), make([]float64, n[1])
			successes, share := 0, r.Float64() // at one share the rate jumps with n, from .92 to .98
			for i := range x {
				x[i] = r.NormFloat64()
				if r.Float64() < share {
					successes++
				}
			}
			for i := range y {
				y[i] = r.NormFloat64()
			}
			auc, mean := must(AUCInterval(x, y, .95)), must(MeanInterval(x, .95))
			pair := must(MeanInterval(x[:2], .95))
			return []bool{auc.Contains(.5), mean.Contains(0), pair.Contains(0), must(Wilson(successes, n[0], .95)).Contains(share)}
		})
		t.Logf("%3d and %3d samples: AUC %.3f  mean %.3f  mean of two %.3f  Wilson %.3f", n[0], n[1], rate[0], rate[1], rate[2], rate[3])
		for i, what := range []string{"AUC", "mean", "mean of two", "Wilson"} {
			if rate[i] < lo || rate[i] > hi {
				t.Errorf("%v samples, %s: coverage %.3f", n, what, rate[i])
			}
		}
	}
}

func (o Outputs) asFeatures() Features {
	return Features{N: o.N, Dim: o.Classes, Data: o.Logits, Classes: o.Classes, Labels: o.Labels}
}
