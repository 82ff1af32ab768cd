package distance

import "math"

// Numbers are sorted by stable passes over the digits of their bits, from low to
// high: digits are of fewBits up to manyFrom numbers, so that counting them does
// not take longer than sorting, and of manyBits above. Below radixFrom, they are
// sorted by insertion.
const (
	fewBits, manyBits = 8, 11
	manyFrom          = 3000
	radixFrom         = 80
)

// sorter sorts numbers; its memory is for as many as it was made for.
type sorter struct {
	key, otherKey []int
	otherIx       []int
	counts        []int
}

func newSorter(ws *Workspace, n int) sorter {
	if n < radixFrom {
		return sorter{}
	}
	return sorter{key: ws.Ints(n), otherKey: ws.Ints(n), otherIx: ws.Ints(n), counts: ws.Ints(1 << manyBits)}
}

// order writes the order of x into ix, with ties by index. The first try leaves
// out the low digits, which rarely matter.
func (s *sorter) order(ix []int, x []float64) {
	if len(x) < radixFrom {
		insertionOrder(ix, x)
		return
	}
	bits, low := fewBits, 3*fewBits
	if len(x) >= manyFrom {
		bits, low = manyBits, 2*manyBits
	}
	if !s.try(ix, x, bits, low) {
		s.try(ix, x, bits, 0)
	}
}

// try sorts by the digits from bit low on, and reports whether that is the order.
func (s *sorter) try(ix []int, x []float64, bits, low int) bool {
	n := len(x)
	key, key2, from, to := s.key[:n], s.otherKey[:n], ix, s.otherIx[:n]
	for i, v := range x {
		key[i], ix[i] = int(sortKey(v)), i
	}
	for ; low < 64; low += bits {
		s.pass(key2, key, to, from, bits, low)
		key, key2, from, to = key2, key, to, from
	}
	if &from[0] != &ix[0] {
		copy(ix, from)
	}
	for i := 1; i < n; i++ {
		if uint64(key[i]) < uint64(key[i-1]) {
			return false
		}
	}
	return true
}

// pass sorts key, and from with it, by the digit of that many bits at shift.
func (s *sorter) pass(key2, key, to, from []int, bits, shift int) {
	counts, mask := s.counts[:1<<bits], uint64(1)<<bits-1
	clear(counts)
	for _, k := range key {
		counts[uint64(k)>>shift&mask]++
	}
	sum := 0
	for d, c := range counts {
		counts[d], sum = sum, sum+c
	}
	for i, k := range key {
		d := uint64(k) >> shift & mask
		at := counts[d]
		counts[d]++
		key2[at], to[at] = k, from[i]
	}
}

// sortKey maps a number to an unsigned one of the same order.
func sortKey(v float64) uint64 {
	k := math.Float64bits(v)
	return k ^ (uint64(int64(k)>>63) | 1<<63)
}

func insertionOrder(ix []int, x []float64) {
	for i, v := range x {
		j := i
		for ; j > 0 && x[ix[j-1]] > v; j-- {
			ix[j] = ix[j-1]
		}
		ix[j] = i
	}
}
