package distance

import "math"

// Numbers are sorted by radixPasses stable passes over digits of radixBits, from
// the lowest; below radixFrom numbers, by insertion.
const (
	radixBits   = 11
	radixPasses = 6
	radixFrom   = 48
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
	return sorter{
		key: ws.Ints(n), otherKey: ws.Ints(n), otherIx: ws.Ints(n),
		counts: ws.Ints(radixPasses << radixBits),
	}
}

// order writes the order of x into ix, with ties by index.
func (s *sorter) order(ix []int, x []float64) {
	if len(x) < radixFrom {
		insertionOrder(ix, x)
		return
	}
	n := len(x)
	key, ix2 := s.key[:n], s.otherIx[:n]
	clear(s.counts)
	for i, v := range x {
		k := sortKey(v)
		key[i], ix[i] = int(k), i
		for p := range radixPasses {
			s.counts[p<<radixBits|int(k>>(p*radixBits)&(1<<radixBits-1))]++
		}
	}
	from, to := ix, ix2
	key2 := s.otherKey[:n]
	for p := range radixPasses {
		counts := s.counts[p<<radixBits : (p+1)<<radixBits]
		shift := p * radixBits
		if counts[int(uint64(key[0])>>shift&(1<<radixBits-1))] == n {
			continue // one digit for all
		}
		sum := 0
		for d, c := range counts {
			counts[d], sum = sum, sum+c
		}
		for i, k := range key {
			d := int(uint64(k) >> shift & (1<<radixBits - 1))
			at := counts[d]
			counts[d]++
			key2[at], to[at] = k, from[i]
		}
		key, key2, from, to = key2, key, to, from
	}
	if &from[0] != &ix[0] {
		copy(ix, from)
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
