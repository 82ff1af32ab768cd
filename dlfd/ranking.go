package dlfd

import (
	"slices"
	"sort"
)

// ranking is a sorted list of numbers in which inserting, removing, counting and
// looking up by position take O(log n + chunkLen) operations. The list is cut into
// chunks; counts has, as a binary indexed tree (Fenwick, Software: Practice and
// Experience 24(3), 1994), how many numbers stand before each.
type ranking struct {
	n      int
	chunks [][]float64 // none is empty
	counts []int
}

// chunkLen is the most numbers of a chunk: few enough to move at once.
const chunkLen = 512

// rankingOf returns the ranking of sorted numbers.
func rankingOf(sorted []float64) ranking {
	r := ranking{n: len(sorted)}
	for c := range slices.Chunk(sorted, chunkLen/2) {
		r.chunks = append(r.chunks, slices.Clone(c))
	}
	r.recount()
	return r
}

// numbers returns all numbers, sorted.
func (r *ranking) numbers() []float64 { return slices.Concat(r.chunks...) }

// rank returns how many numbers are less than v, and how many are not greater.
func (r *ranking) rank(v float64) (less, upTo int) {
	return r.count(func(x float64) bool { return x >= v }), r.count(func(x float64) bool { return x > v })
}

// count returns how many numbers stand before the first that is beyond.
func (r *ranking) count(beyond func(float64) bool) int {
	k := sort.Search(len(r.chunks), func(i int) bool { return beyond(r.chunks[i][len(r.chunks[i])-1]) })
	if k == len(r.chunks) {
		return r.n
	}
	c := r.chunks[k]
	return r.before(k) + sort.Search(len(c), func(i int) bool { return beyond(c[i]) })
}

// at returns the number at position i.
func (r *ranking) at(i int) float64 {
	k := 0 // the chunks that stand wholly before i, by descent in the tree
	for step := bit(len(r.counts)); step > 0; step /= 2 {
		if k+step <= len(r.counts) && r.counts[k+step-1] <= i {
			k += step
			i -= r.counts[k-1]
		}
	}
	return r.chunks[k][i]
}

// bit returns the largest power of two that is not above n, or 0.
func bit(n int) int {
	b := 0
	for p := 1; p <= n; p *= 2 {
		b = p
	}
	return b
}

func (r *ranking) insert(v float64) {
	r.n++
	if len(r.chunks) == 0 {
		r.chunks = append(r.chunks, []float64{v})
		r.recount()
		return
	}
	k := min(r.chunkOf(v), len(r.chunks)-1)
	c := r.chunks[k]
	i, _ := slices.BinarySearch(c, v)
	r.chunks[k] = slices.Insert(c, i, v)
	r.add(k, 1)
	if len(r.chunks[k]) > chunkLen {
		c := r.chunks[k]
		half := slices.Clone(c[len(c)/2:])
		r.chunks[k] = c[:len(c)/2]
		r.chunks = slices.Insert(r.chunks, k+1, half)
		r.recount()
	}
}

// chunkOf returns the first chunk whose last number is not below v.
func (r *ranking) chunkOf(v float64) int {
	return sort.Search(len(r.chunks), func(i int) bool { return r.chunks[i][len(r.chunks[i])-1] >= v })
}

// remove takes out one number equal to v, which must be there.
func (r *ranking) remove(v float64) {
	r.n--
	k := r.chunkOf(v)
	i, _ := slices.BinarySearch(r.chunks[k], v)
	r.chunks[k] = slices.Delete(r.chunks[k], i, i+1)
	r.add(k, -1)
	if len(r.chunks[k]) == 0 {
		r.chunks = slices.Delete(r.chunks, k, k+1)
		r.recount()
	}
}

// before returns how many numbers stand before chunk k.
func (r *ranking) before(k int) int {
	sum := 0
	for ; k > 0; k &= k - 1 {
		sum += r.counts[k-1]
	}
	return sum
}

// add changes the count of chunk k.
func (r *ranking) add(k, by int) {
	for i := k + 1; i <= len(r.counts); i += i & -i {
		r.counts[i-1] += by
	}
}

// recount makes the tree anew: O(chunks), once for many insertions.
func (r *ranking) recount() {
	r.counts = make([]int, len(r.chunks))
	for k, c := range r.chunks {
		r.add(k, len(c))
	}
}
