package kernel

// depthProgram tells the assembly for depthwise convolutions, vector by vector of
// results, which taps reach it and from where, so that planes are read as they are
// and nothing outside of them is.
//
// It is a list of items of three numbers. A vector has one of its own: the place of
// its first element in the plane of results, the mask of its elements, and the
// number of its taps. The items of these follow: the place in the plane of inputs
// that the first lane reads from, whether or not it exists; the mask of the lanes
// whose inputs exist; the number of the tap.
type depthProgram struct {
	items   []int32
	vectors int
}

// reading says where the lanes of a vector read from.
type reading int

const (
	beside reading = iota // side by side
	even                  // every other element; masks have a bit for every element
	spread                // those that read anything side by side, the first one from the place given
)

// maxItems bounds the size of a program: 3 MB.
const maxItems = 1 << 18

// inputOf returns the place in a plane of inputs that a tap of a result reads, or
// −1.
type inputOf func(row, column, tap int) int

// newDepthProgram returns the program for planes of rows×cols results. Vectors run
// across the ends of rows where the inputs do so too. It has no vectors where
// it would be too large.
func newDepthProgram(rows, cols, taps, lanes int, how reading, from inputOf) depthProgram {
	if rows*((cols+lanes-1)/lanes)*(taps+1) > maxItems {
		return depthProgram{}
	}
	var p depthProgram
	for at := 0; at < rows*cols; at += lanes {
		if !p.vector(at, min(lanes, rows*cols-at), cols, taps, how, from) {
			return byRows(rows, cols, taps, lanes, how, from)
		}
	}
	return p
}

// byRows is newDepthProgram with vectors that end with their rows.
func byRows(rows, cols, taps, lanes int, how reading, from inputOf) depthProgram {
	var p depthProgram
	for row := range rows {
		for at := 0; at < cols; at += lanes {
			if !p.vector(row*cols+at, min(lanes, cols-at), cols, taps, how, from) {
				return depthProgram{}
			}
		}
	}
	return p
}

// vector appends the vector of n results from first on, and reports whether the
// lanes of every tap read in the given manner.
func (p *depthProgram) vector(first, n, cols, taps int, how reading, from inputOf) bool {
	own := len(p.items)
	p.items = append(p.items, int32(first), int32(1<<n-1), 0)
	for tap := range taps {
		start, mask, seen := 0, uint32(0), 0
		for lane := range n {
			at := from((first+lane)/cols, (first+lane)%cols, tap)
			if at < 0 {
				continue
			}
			bit, at := how.lane(lane, seen, at)
			if mask != 0 && at != start {
				return false
			}
			start, mask, seen = at, mask|1<<bit, seen+1
		}
		if mask != 0 {
			p.items = append(p.items, int32(start), int32(mask), int32(tap))
			p.items[own+2]++
		}
	}
	p.vectors++
	return true
}

// lane returns the bit of a lane that reads from the given place after seen others
// of its vector, and the place that this makes the vector read from.
func (r reading) lane(lane, seen, from int) (bit, start int) {
	switch r {
	case even:
		return 2 * lane, from - 2*lane
	case spread:
		return lane, from - seen
	}
	return lane, from - lane
}
