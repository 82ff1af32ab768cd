package graph

import "slices"

// span is a piece of memory that is in use from time first to time last.
type span struct {
	first, last int
	size        int
	offset      int
}

// place gives every span an offset so that spans which are in use at the same
// time do not overlap, and returns the total length. First fit in order of
// size, large ones first, which wastes little in practice.
func place(spans []*span) int {
	order := slices.Clone(spans)
	slices.SortStableFunc(order, func(a, b *span) int { return b.size - a.size })
	var placed []*span // by offset
	total := 0
	for _, s := range order {
		s.offset = 0
		for _, p := range placed {
			if p.last < s.first || s.last < p.first {
				continue
			}
			if s.offset+s.size <= p.offset {
				break
			}
			s.offset = max(s.offset, p.offset+p.size)
		}
		at, _ := slices.BinarySearchFunc(placed, s.offset, func(p *span, off int) int { return p.offset - off })
		placed = slices.Insert(placed, at, s)
		total = max(total, s.offset+s.size)
	}
	return total
}

// aligned rounds a length up to a multiple of 16 elements: one cache line.
func aligned(n int) int { return (n + 15) &^ 15 }
