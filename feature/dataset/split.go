package dataset

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
)

// Pair is a sample of one dataset and a sample of another.
type Pair struct{ A, B int }

// Shared is what two datasets have in common.
type Shared struct {
	Identities []string // sorted, as the first spells them
	Images     []Pair   // with equal content, by A and then B
}

// Overlap returns the identities that stand in both a and b, and the samples of
// equal content. Identities that are numbers are compared by value: 7, 07 and 7.0
// are one person. Content is compared as pixels, rounded to multiples of 1/65535
// after undoing the normalisation: sets of 8-bit images compare exactly even if
// they are normalised differently. Labels do not count. Samples of different
// shapes are never equal.
//
// The cost is one pass over each.
func Overlap(a, b feature.Dataset) (Shared, error) {
	s := Shared{Identities: sharedIdentities(a, b)}
	if !slices.Equal(a.Shape(), b.Shape()) {
		return s, nil
	}
	known := map[[sha256.Size]byte][]int{}
	if err := eachPixels(b, func(i int, x []float64) error {
		h := contentHash(x)
		known[h] = append(known[h], i)
		return nil
	}); err != nil {
		return Shared{}, err
	}
	err := eachPixels(a, func(i int, x []float64) error {
		for _, k := range known[contentHash(x)] {
			s.Images = append(s.Images, Pair{i, k})
		}
		return nil
	})
	return s, err
}

func contentHash(x []float64) [sha256.Size]byte {
	buf := make([]byte, 8*len(x))
	for i, v := range x {
		binary.LittleEndian.PutUint64(buf[8*i:], uint64(int64(math.Round(v*65535))))
	}
	return sha256.Sum256(buf)
}

// eachPixels calls f for the samples of d in their order, with the normalisation
// undone. x is reused.
func eachPixels(d feature.Dataset, f func(i int, x []float64) error) error {
	p, c := feature.PixelsOf(d), channels(d.Shape())
	if err := p.Check(c); err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	x := make([]float64, feature.Size(d.Shape()))
	plane := len(x) / c
	for b, err := range feature.Batches(d, 64, nil) {
		if err != nil {
			return err
		}
		for i, k := range b.Index {
			row := b.X.Row(i)
			for ch := range c {
				denormalize(x[ch*plane:(ch+1)*plane], row[ch*plane:], p, ch)
			}
			if err := f(k, x); err != nil {
				return err
			}
		}
	}
	return nil
}

// NearDuplicates returns the pairs of images of a and b that look alike: whose
// difference hashes (N. Krawetz, "Kind of Like That", 2013) differ in at most
// maxBits of 64 bits. A hash tells, for 8×8 places, whether the image gets
// brighter to the right; it hardly changes with size, contrast or compression.
// Identical images differ in 0 bits, unrelated ones in about 32, and portraits
// in the same frame in fewer: look at the pairs before believing them.
//
// Images must be channels×height×width; the two sets need not agree in size.
// Errors wrap feature.ErrShape. The cost is n·m comparisons of two words.
func NearDuplicates(a, b feature.Dataset, maxBits int) ([]Pair, error) {
	if maxBits < 0 || maxBits > 64 {
		return nil, fmt.Errorf("dataset: %w: %d bits, want 0 to 64", feature.ErrShape, maxBits)
	}
	ha, err := hashes(a)
	if err != nil {
		return nil, err
	}
	hb, err := hashes(b)
	if err != nil {
		return nil, err
	}
	var pairs []Pair
	for i, x := range ha {
		for k, y := range hb {
			if bits.OnesCount64(x^y) <= maxBits {
				pairs = append(pairs, Pair{i, k})
			}
		}
	}
	return pairs, nil
}

func hashes(d feature.Dataset) ([]uint64, error) {
	s := d.Shape()
	if len(s) != 3 || feature.Size(s) < 1 {
		return nil, fmt.Errorf("dataset: %w: samples of shape %v are not channels×height×width", feature.ErrShape, s)
	}
	h := make([]uint64, d.Len())
	err := eachPixels(d, func(i int, x []float64) error {
		h[i] = differenceHash(x, s[0], s[1], s[2])
		return nil
	})
	return h, err
}

// differenceHash averages an image over 8×9 cells and compares neighbours.
func differenceHash(x []float64, c, h, w int) uint64 {
	var cell [8][9]float64
	for i := range cell {
		for j := range cell[i] {
			cell[i][j] = cellMean(x, c, h, w, i, j)
		}
	}
	var hash uint64
	for i := range cell {
		for j := range 8 {
			hash <<= 1
			// Equal cells differ by rounding alone; 2⁻²⁰ is far above that
			// (h·w/72·2⁻⁵³) and far below one step of 8 bits.
			if cell[i][j+1]-cell[i][j] > 0x1p-20 {
				hash |= 1
			}
		}
	}
	return hash
}

func cellMean(x []float64, c, h, w, i, j int) float64 {
	y0, y1 := span(i, 8, h)
	x0, x1 := span(j, 9, w)
	sum := 0.0
	for ch := range c {
		for y := y0; y < y1; y++ {
			for _, v := range x[(ch*h+y)*w+x0 : (ch*h+y)*w+x1] {
				sum += v
			}
		}
	}
	return sum / float64(c*(y1-y0)*(x1-x0))
}

// span returns part i of n of a length, at least one long.
func span(i, n, length int) (lo, hi int) {
	lo = i * length / n
	return lo, max((i+1)*length/n, lo+1)
}

// Split cuts d into parts so that no identity stands in two of them. The parts
// hold about the given fractions of the samples, which are positive and sum to
// 1: identities are shuffled by src and go, one after another, to the part that
// misses the largest portion of its share. So a part is too large by less than
// the samples of one identity, and empty only if there are fewer identities than
// parts. Within a part, samples keep their order. Equal sources give equal parts.
//
// Errors wrap ErrIdentity if a sample has none, ErrEmpty if a part stays empty.
func Split(d feature.Dataset, src rand.Source, fractions ...float64) ([]feature.Dataset, error) {
	if err := checkFractions(fractions); err != nil {
		return nil, err
	}
	if src == nil {
		return nil, fmt.Errorf("dataset: split without a random source")
	}
	count := map[string]int{}
	for i := range d.Len() {
		id := feature.IdentityOf(d, i)
		if id == "" {
			return nil, fmt.Errorf("dataset: sample %d: %w", i, ErrIdentity)
		}
		count[id]++
	}
	part := assign(count, src, fractions, d.Len())
	index := make([][]int, len(fractions))
	for i := range d.Len() {
		k := part[feature.IdentityOf(d, i)]
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
func assign(count map[string]int, src rand.Source, fractions []float64, n int) map[string]int {
	ids := slices.Sorted(maps.Keys(count))
	rand.New(src).Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
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
