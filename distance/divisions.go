package distance

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// divisions are the ways to divide the blocks of two samples between them. Rows
// of both count through, those of x first.
type divisions struct {
	nx, ny int
	rows   [][]int // of each block; blocks of x come first
	onX    int     // blocks of x
	strata []stratum
	slack  func(observed float64) float64
}

// stratum is a set of blocks that may take one another's places.
type stratum struct {
	blocks []int
	onX    int // how many of them are on the side of x
}

func newDivisions(x, y Sample, blocksX, blocksY []int, stratified bool) (*divisions, error) {
	p := &divisions{nx: x.N, ny: y.N}
	place := make(map[int]int)
	if err := p.add(place, x, "x", 0, blocksX); err != nil {
		return nil, err
	}
	p.onX = len(p.rows)
	other := make(map[int]int)
	if err := p.add(other, y, "y", x.N, blocksY); err != nil {
		return nil, err
	}
	if blocksX != nil && blocksY != nil {
		for i, b := range blocksY {
			if _, both := place[b]; both {
				return nil, fmt.Errorf("%w: block %d is in x and, with row %d, in y", ErrParameter, b, i)
			}
		}
	}
	if err := p.stratify(x, y, stratified); err != nil {
		return nil, err
	}
	if p.arrangements() < 2 {
		return nil, fmt.Errorf("%w: %d blocks of x and %d of y can be divided in one way only", ErrParameter, p.onX, len(p.rows)-p.onX)
	}
	return p, nil
}

// add collects the rows of the blocks of one side, in the order in which blocks
// first appear. place leads from numbers of blocks to places in p.rows.
func (p *divisions) add(place map[int]int, s Sample, name string, base int, blocks []int) error {
	if blocks != nil && len(blocks) != s.N {
		return fmt.Errorf("%w: %s has %d rows in %d blocks", ErrShape, name, s.N, len(blocks))
	}
	for i := range s.N {
		at, known := len(p.rows), false
		if blocks != nil {
			if at, known = place[blocks[i]]; !known {
				at = len(p.rows)
				place[blocks[i]] = at
			}
		}
		if !known {
			p.rows = append(p.rows, nil)
		}
		p.rows[at] = append(p.rows[at], base+i)
	}
	return nil
}

// stratify puts the blocks into strata by class, or all into one.
func (p *divisions) stratify(x, y Sample, stratified bool) error {
	label := func(row int) int {
		switch {
		case !stratified:
			return 0
		case row < x.N:
			return x.Labels[row]
		}
		return y.Labels[row-x.N]
	}
	at := make(map[int]int)
	for b, rows := range p.rows {
		class := label(rows[0])
		for _, r := range rows {
			if other := label(r); other != class {
				return fmt.Errorf("%w: the block of row %d of x and y together has the classes %d and %d, so that it has no stratum", ErrParameter, rows[0], class, other)
			}
		}
		k, known := at[class]
		if !known {
			k = len(p.strata)
			at[class] = k
			p.strata = append(p.strata, stratum{})
		}
		s := &p.strata[k]
		s.blocks = append(s.blocks, b)
		if b < p.onX {
			s.onX++
		}
	}
	return nil
}

// arrangements returns how many different divisions there are.
func (p *divisions) arrangements() float64 {
	count := 1.0
	for _, s := range p.strata {
		k := min(s.onX, len(s.blocks)-s.onX)
		for i := range k {
			count = math.Round(count * float64(len(s.blocks)-i) / float64(i+1))
		}
	}
	return count
}

// observed writes which rows are on the side of x at first.
func (p *divisions) observed(inX []bool) {
	for i := range inX {
		inX[i] = i < p.nx
	}
}

// draw writes which rows are on the side of x in a random division.
func (p *divisions) draw(rnd *rand.Rand, inX []bool) {
	clear(inX)
	for _, s := range p.strata {
		order := rnd.Perm(len(s.blocks))
		for _, k := range order[:s.onX] {
			for _, r := range p.rows[s.blocks[k]] {
				inX[r] = true
			}
		}
	}
}

// evaluator returns the function from a division to its distance. It may be
// called by several goroutines, each with a workspace of its own.
func (p *divisions) evaluator(d Distance, x, y Sample) (func(ws *Workspace, inX []bool) (float64, error), error) {
	tol := max(properties(d).Tol, 1e-9)
	p.slack = func(observed float64) float64 { return tol * math.Abs(observed) }
	if q, ok := d.(Pooler); ok {
		value, scale, err := q.Pool(nil, x, y)
		if err != nil {
			return nil, err
		}
		if value != nil {
			p.slack = func(observed float64) float64 { return 1e-14 * (scale + math.Abs(observed)) }
			return func(_ *Workspace, inX []bool) (float64, error) { return value(inX) }, nil
		}
	}
	forget := properties(d).WarmStart
	return func(ws *Workspace, inX []bool) (float64, error) {
		if forget {
			ws.Reset() // what the division before left must not change a bit
		}
		ws = ws.Enter()
		defer ws.Leave()
		zx, zy := divide(ws, inX, x, y)
		return d.Eval(ws, nil, nil, zx, zy)
	}, nil
}

// divide returns the rows of both samples that are on the side of x, and the
// others, in order.
func divide(ws *Workspace, inX []bool, x, y Sample) (zx, zy Sample) {
	n := 0
	for _, in := range inX {
		if in {
			n++
		}
	}
	labeled := x.Labels != nil && y.Labels != nil
	zx, zy = Sample{N: n, Dim: x.Dim}, Sample{N: len(inX) - n, Dim: x.Dim}
	for _, z := range [2]*Sample{&zx, &zy} {
		z.X = ws.Floats(z.N * z.Dim)[:0]
		if labeled {
			z.Labels = ws.Ints(z.N)[:0]
		}
	}
	for i, in := range inX {
		z, s, r := &zy, y, i-x.N
		if in {
			z = &zx
		}
		if i < x.N {
			s, r = x, i
		}
		z.X = append(z.X, s.Row(r)...)
		if labeled {
			z.Labels = append(z.Labels, s.Labels[r])
		}
	}
	return zx, zy
}
