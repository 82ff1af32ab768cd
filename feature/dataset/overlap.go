package dataset

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
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

// Overlap returns the identities that are in both a and b, and the samples of
// equal content. Identities that are numbers are compared by value: 7, 07 and 7.0
// are one person. Content is compared as pixels, rounded to multiples of 1/65535
// after undoing the normalization: sets of 8-bit images compare exactly even if
// they are normalized differently. Labels do not count. Samples of different
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

// eachPixels calls f for the samples of d in their order, with the normalization
// undone. x is reused.
func eachPixels(d feature.Dataset, f func(i int, x []float64) error) error {
	p, c := feature.PixelsOf(d), channels(d.Shape())
	if err := p.Check(c); err != nil {
		return featureError{err}
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
