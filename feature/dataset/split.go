package dataset

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// Split divides d into parts so that no identity is in two of them; numbers are
// one identity in any spelling, as in Overlap. The parts hold about the given
// fractions of the samples, which are positive and sum to 1: identities are
// shuffled and go, one after another, to the part that misses the largest portion
// of its share. So a part is too large by less than the samples of one identity,
// and empty only if there are fewer identities than parts. Within a part, samples
// keep their order. Equal seeds give equal parts. Samples are not read.
//
// Errors wrap ErrIdentity if a sample has none, ErrEmpty if a part stays empty.
func Split(d feature.Dataset, seed uint64, fractions ...float64) ([]feature.Dataset, error) {
	if err := checkFractions(fractions); err != nil {
		return nil, err
	}
	count := map[string]int{}
	for i := range d.Len() {
		id := feature.IdentityOf(d, i)
		if id == "" {
			return nil, fmt.Errorf("dataset: sample %d: %w", i, ErrIdentity)
		}
		count[sameValue(id)]++
	}
	part := assign(count, seed, fractions, d.Len())
	index := make([][]int, len(fractions))
	for i := range d.Len() {
		k := part[sameValue(feature.IdentityOf(d, i))]
		index[k] = append(index[k], i)
	}
	return subsets(d, index, len(count))
}

func checkFractions(fractions []float64) error {
	sum := 0.0
	for _, f := range fractions {
		if !(f > 0) {
			return fmt.Errorf("dataset: fractions %v must be positive", fractions)
		}
		sum += f
	}
	// Decimal fractions sum to 1 up to one rounding for each of them.
	if !(math.Abs(sum-1) <= float64(len(fractions))*0x1p-52) {
		return fmt.Errorf("dataset: fractions %v sum to %v, want 1", fractions, sum)
	}
	return nil
}

// assign gives every identity a part.
func assign(count map[string]int, seed uint64, fractions []float64, n int) map[string]int {
	ids := slices.Sorted(maps.Keys(count))
	rng.Stream(seed, "split").Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	missing := slices.Repeat([]float64{1}, len(fractions)) // in units of the share
	part := make(map[string]int, len(ids))
	for _, id := range ids {
		k := slices.Index(missing, slices.Max(missing))
		part[id] = k
		missing[k] -= float64(count[id]) / (fractions[k] * float64(n))
	}
	return part
}

func subsets(d feature.Dataset, index [][]int, identities int) ([]feature.Dataset, error) {
	parts := make([]feature.Dataset, len(index))
	for k, ix := range index {
		if len(ix) == 0 {
			return nil, fmt.Errorf("dataset: %w: part %d of %d got none of %d identities", ErrEmpty, k, len(index), identities)
		}
		var err error
		if parts[k], err = feature.Subset(d, ix); err != nil {
			return nil, err
		}
	}
	return parts, nil
}
