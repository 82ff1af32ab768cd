package metrics

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/dlfd-go/unlearn/internal/par"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// Dependence is the outcome of SDE.
type Dependence struct {
	Forget, Seen, Unseen float64 // mean dependence of the halves of each set
	P                    float64 // share of exchanges of forget with unseen samples that show as much as Forget − Unseen
	Samples              int     // of each set, after matching
}

const (
	dependenceShuffles  = 200
	dependenceExchanges = 199  // with the sets as they are, P is a multiple of 1/200
	dependenceMost      = 1000 // samples of each set: the kernels of all pairs are kept
)

// SDE measures how much the outputs, or another activation, of two random
// halves of the forget set depend on one another, and the same of as many samples
// that were trained on and as many that were not. Samples that were trained on
// together depend more. It needs no other model, but many samples: its authors
// find it blind below 400.
//
// Dependence is HSIC with Gaussian kernels as wide as the median distance between
// forget and unseen samples, averaged over 200 shuffles. The three sets are
// matched class by class at random; of more than 1,000 samples, that many are
// drawn. P is small where the forget set shows more
// than the unseen one: 199 times, each class's forget and unseen samples are dealt
// anew, and the means of the two halves' HSIC over all shuffles are compared, which
// have a closed form.
//
// With random halves that mean depends on the spread of the outputs alone. So SDE
// tells spread, which confidence widens, and not only training; compare with its
// values for Seen and Unseen. The draws follow from the seed.
//
// Errors: those of labeled features, ErrShape for different dimensions or classes,
// ErrTooFew with fewer than four samples of each left, ErrDegenerate if outputs do
// not vary. Cost: O(n²·(d + 200)), memory O(n²).
//
// References: split-half dependence, arXiv 2603.00587; Gretton et al., "Measuring
// Statistical Dependence with Hilbert-Schmidt Norms", ALT 2005, equation 9.
func SDE(forget, seen, unseen Features, seed uint64) (Dependence, error) {
	if err := checkAlike(forget, seen, unseen); err != nil {
		return Dependence{}, err
	}
	sets := []Features{forget, seen, unseen}
	index := matchAll(sets, seed)
	n := min(len(index[0]), dependenceMost)
	for _, at := range index { // the same positions, so the same classes, of each set
		choose(rng.Stream(seed, "metrics fewer"), at, n)
	}
	if n < 4 {
		return Dependence{}, fmt.Errorf("metrics: %w: %d samples of each set after matching classes, want 4", ErrTooFew, n)
	}
	for i := range sets {
		sets[i] = sets[i].at(index[i][:n])
	}
	width := medianBetween(sets[0], sets[2])
	if width == 0 {
		return Dependence{}, fmt.Errorf("metrics: %w: forget and unseen outputs are equal", ErrDegenerate)
	}
	var mean [3]float64
	for i, f := range sets {
		mean[i] = halvesHSIC(gram(f, width), n, seed)
	}
	d := Dependence{Forget: mean[0], Seen: mean[1], Unseen: mean[2], Samples: n}
	d.P = exchangeP(sets[0], sets[2], width, seed)
	return d, nil
}

// matchAll returns the positions of as many samples of each class from each set,
// in the order of the classes.
func matchAll(sets []Features, seed uint64) [][]int {
	of := make([][][]int, len(sets))
	for i, f := range sets {
		of[i] = byClass(f.Labels, f.Classes)
	}
	index := make([][]int, len(sets))
	for c := range sets[0].Classes {
		n := len(of[0][c])
		for i := range sets {
			n = min(n, len(of[i][c]))
		}
		for i := range sets {
			index[i] = append(index[i], choose(rng.Stream(seed, "metrics match set", i, c), of[i][c], n)...)
		}
	}
	return index
}

// at returns the features of the given samples.
func (f Features) at(index []int) Features {
	g := Features{N: len(index), Dim: f.Dim, Classes: f.Classes, Data: make([]float32, 0, len(index)*f.Dim)}
	for _, i := range index {
		g.Data = append(g.Data, f.row(i)...)
	}
	if f.Labels != nil {
		g.Labels = pickAt(f.Labels, index)
	}
	return g
}

// medianBetween returns the median distance between samples of equal number
// once those of g are turned by each of some steps.
func medianBetween(f, g Features) float64 {
	var d []float64
	for k := range min(f.N*f.N, 10*f.N) {
		d = append(d, squaredDistance(f.row(k%f.N), g.row((k+k/f.N)%f.N)))
	}
	slices.Sort(d)
	return math.Sqrt(d[len(d)/2])
}

// gram returns the n×n kernels of the rows of all features.
func gram(f Features, width float64) []float64 {
	k := make([]float64, f.N*f.N)
	par.Each(f.N, func(_, i int) {
		for j := range f.N {
			k[i*f.N+j] = math.Exp(-squaredDistance(f.row(i), f.row(j)) / width / width / 2)
		}
	})
	return k
}

// halvesHSIC is the mean HSIC of two random halves; an odd sample is left out.
func halvesHSIC(k []float64, n int, seed uint64) float64 {
	values := make([]float64, dependenceShuffles)
	par.Each(len(values), func(_, s int) {
		p := rng.Stream(seed, "metrics halves", s).Perm(n)
		values[s] = hsic(k, n, p[:n/2], p[n/2:n/2*2])
	})
	return mean(values)
}

// hsic returns tr(KHLH)/m² for the kernels K among samples a and L among b.
func hsic(k []float64, n int, a, b []int) float64 {
	m := len(a)
	meanA, meanB := make([]float64, m), make([]float64, m)
	var allA, allB, cross float64
	for i := range m {
		for j := range m {
			x, y := k[a[i]*n+a[j]], k[b[i]*n+b[j]]
			meanA[i] += x / float64(m)
			meanB[i] += y / float64(m)
			cross += x * y
		}
		allA += meanA[i] / float64(m)
		allB += meanB[i] / float64(m)
	}
	var means float64
	for i := range m {
		means += meanA[i] * meanB[i]
	}
	return max(cross/float64(m*m)-2*means/float64(m)+allA*allB, 0)
}

// exchangeP is the p-value of forget against unseen by exchanges within classes.
// All shuffles of one set have a mean that falls with the mean kernel of its
// pairs, so it is these that are compared.
func exchangeP(forget, unseen Features, width float64, seed uint64) float64 {
	n := forget.N
	both := Features{N: 2 * n, Dim: forget.Dim, Data: slices.Concat(forget.Data, unseen.Data)}
	k := gram(both, width)
	classes := byClass(forget.Labels, forget.Classes)
	observed := spreadGap(k, n, identity(2*n))
	at := make([]bool, dependenceExchanges)
	par.Each(len(at), func(_, e int) {
		at[e] = spreadGap(k, n, exchanged(rng.Stream(seed, "metrics exchange", e), classes, n)) >= observed
	})
	count := 1
	for _, more := range at {
		if more {
			count++
		}
	}
	return float64(count) / (dependenceExchanges + 1)
}

// exchanged deals each class's samples of both sides anew; sample i of the
// second side has the number n + i.
func exchanged(r *rand.Rand, classes [][]int, n int) []int {
	p := make([]int, 2*n)
	for _, items := range classes {
		pool := make([]int, 0, 2*len(items))
		for _, i := range items {
			pool = append(pool, i, n+i)
		}
		choose(r, pool, len(pool))
		for k, i := range items {
			p[i], p[n+i] = pool[2*k], pool[2*k+1]
		}
	}
	return p
}

// spreadGap is the sum of the kernels among the second n samples of p less that
// among the first.
func spreadGap(k []float64, n int, p []int) float64 {
	var gap float64
	for i := range n {
		for j := range i {
			gap += k[p[n+i]*2*n+p[n+j]] - k[p[i]*2*n+p[j]]
		}
	}
	return gap
}
