package dataset

import (
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
)

// NearDuplicates returns the pairs of images of a and b that look alike: whose
// difference hashes (N. Krawetz, "Kind of Like That", 2013) differ in at most
// maxBits of 64 bits. A hash tells, for 8×8 places, whether the image gets
// brighter to the right; it hardly changes with size, contrast or compression.
// Identical images differ in 0 bits, unrelated ones in about 32, and portraits
// in the same frame in fewer: look at the pairs before believing them.
//
// An image that does not change from left to right, a blank page for example,
// has no such hash. It is like another such image with the same number of
// channels if the means of 8 bands from top to bottom differ by at most 2/255 in
// every channel, and like no other image.
//
// Images must be channels×height×width; the two sets need not agree in size.
// Errors wrap feature.ErrShape. The cost is n·m comparisons of two words.
func NearDuplicates(a, b feature.Dataset, maxBits int) ([]Pair, error) {
	if maxBits < 0 || maxBits > 64 {
		return nil, fmt.Errorf("dataset: %w: %d bits, want 0 to 64", feature.ErrShape, maxBits)
	}
	of, err := likenesses(a)
	if err != nil {
		return nil, err
	}
	with, err := likenesses(b)
	if err != nil {
		return nil, err
	}
	var pairs []Pair
	for i, x := range of {
		for k, y := range with {
			if x.like(y, maxBits) {
				pairs = append(pairs, Pair{i, k})
			}
		}
	}
	return pairs, nil
}

// likeness is what images are compared by.
type likeness struct {
	hash  uint64
	bands []float64 // channels×8 means if the image has no hash, else nil
}

func (x likeness) like(y likeness, maxBits int) bool {
	if x.bands == nil && y.bands == nil {
		return bits.OnesCount64(x.hash^y.hash) <= maxBits
	}
	return len(x.bands) == len(y.bands) && equalBands(x.bands, y.bands)
}

// equalBands reports whether means differ by at most two units of 8 bits, and the
// rounding of a mean.
func equalBands(x, y []float64) bool {
	for i, v := range x {
		if math.Abs(v-y[i]) > 2./255+0x1p-20 {
			return false
		}
	}
	return true
}

func likenesses(d feature.Dataset) ([]likeness, error) {
	s := d.Shape()
	if len(s) != 3 || feature.Size(s) < 1 {
		return nil, fmt.Errorf("dataset: %w: samples of shape %v are not channels×height×width", feature.ErrShape, s)
	}
	list := make([]likeness, d.Len())
	err := eachPixels(d, func(i int, x []float64) error {
		list[i] = newLikeness(x, s[0], s[1], s[2])
		return nil
	})
	return list, err
}

func newLikeness(x []float64, c, h, w int) likeness {
	cells := make([][8][9]float64, c)
	flat := true
	for ch := range cells {
		cells[ch] = cellMeans(x[ch*h*w:(ch+1)*h*w], 1, h, w)
		for _, row := range cells[ch] {
			flat = flat && slices.Max(row[:])-slices.Min(row[:]) <= noStep
		}
	}
	if !flat {
		return likeness{hash: differenceHash(x, c, h, w)}
	}
	var l likeness
	for _, cell := range cells {
		for _, row := range cell {
			l.bands = append(l.bands, row[0])
		}
	}
	return l
}

// noStep is what cells of equal brightness may differ by: rounding alone. It is
// far above that (h·w/72·2⁻⁵³) and far below one step of 8 bits.
const noStep = 0x1p-20

// cellMeans averages an image over 8×9 cells.
func cellMeans(x []float64, c, h, w int) (cell [8][9]float64) {
	for i := range cell {
		for j := range cell[i] {
			cell[i][j] = cellMean(x, c, h, w, i, j)
		}
	}
	return cell
}

// differenceHash averages an image over 8×9 cells and compares neighbors.
func differenceHash(x []float64, c, h, w int) uint64 {
	cell := cellMeans(x, c, h, w)
	var hash uint64
	for i := range cell {
		for j := range 8 {
			hash <<= 1
			if cell[i][j+1]-cell[i][j] > noStep {
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
