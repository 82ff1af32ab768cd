package distance

import (
	"github.com/dlfd-go/unlearn/internal/kernel"
	"github.com/dlfd-go/unlearn/internal/par"
)

// parallelFrom is the number of pairs of x and y from which MMD runs on all
// processors: below it, starting them takes as long as they save, and memory
// for their gradients would be allocated.
const parallelFrom = 1 << 16

// block is one share of the work: pairs of rows of one term. Where the blocks
// are cut depends on the sizes alone, and their results are added in order.
type block struct {
	pairs
	coef   float64
	a, b   []float64
	x, y   Sample
	gx, gy int // row of the whole gradient of x (y) where its own begins; −1 for none
	self   bool
	twice  bool // stands for its mirror image too
	value  float64
	dx, dy []float64
}

// blocks cuts the self term of s into those on and above the diagonal.
func (q *pairs) selfBlocks(out []block, coef float64, a []float64, s Sample, wanted bool, side int) []block {
	rows := blockRows(s.N)
	for lo := 0; lo < s.N; lo += rows {
		hi := min(lo+rows, s.N)
		for from := lo; from < s.N; from += rows {
			to := min(from+rows, s.N)
			b := block{pairs: *q, coef: coef, a: a[lo:hi], b: a[from:to], x: s.slice(lo, hi), y: s.slice(from, to), gx: -1, gy: -1}
			b.self, b.twice = from == lo, from > lo
			if wanted {
				b.gx = side + lo
				if b.twice {
					b.gy = side + from
				}
			}
			out = append(out, b)
		}
	}
	return out
}

func blockRows(n int) int { return min(max(64, (n+7)/8), 1024) }

// crossBlocks cuts the term between x and y into tiles.
func (q *pairs) crossBlocks(out []block, coef float64, a, b []float64, x, y Sample, wantX, wantY bool) []block {
	rows, columns := blockRows(x.N), blockRows(y.N)
	for lo := 0; lo < x.N; lo += rows {
		hi := min(lo+rows, x.N)
		for from := 0; from < y.N; from += columns {
			to := min(from+columns, y.N)
			k := block{pairs: *q, coef: coef, a: a[lo:hi], b: b[from:to], x: x.slice(lo, hi), y: y.slice(from, to), gx: -1, gy: -1}
			if wantX {
				k.gx = lo
			}
			if wantY {
				k.gy = x.N + from
			}
			out = append(out, k)
		}
	}
	return out
}

// run computes value and gradients of the block.
func (k *block) run(ws *Workspace) {
	ws = ws.Enter()
	defer ws.Leave()
	coef := k.coef
	if k.twice {
		coef *= 2
	}
	clear(k.dx)
	clear(k.dy)
	k.pairs.self = k.self
	k.value = coef * k.panel(ws, coef, k.dx, k.dy, nil, nil, k.a, k.b, k.x, k.y)
}

// onAllCores is quadratic on all processors: the blocks of one round are
// computed at the same time, and their gradients are added in order.
func (q *pairs) onAllCores(ws *Workspace, sx, sy float64, gx, gy, a, b []float64, x, y Sample) (value float64) {
	blocks := q.selfBlocks(nil, sx, a, x, gx != nil, 0)
	blocks = q.selfBlocks(blocks, sy, b, y, gy != nil, x.N)
	blocks = q.crossBlocks(blocks, -2, a, b, x, y, gx != nil, gy != nil)
	const round = 8
	var spaces [round]*Workspace
	for i := range spaces {
		spaces[i] = ws.worker(i)
	}
	size := max(blockRows(x.N), blockRows(y.N)) * x.Dim
	memory := ws.Floats(2 * round * size)
	for len(blocks) > 0 {
		now := blocks[:min(round, len(blocks))]
		blocks = blocks[len(now):]
		for i := range now {
			k := &now[i]
			if k.gx >= 0 {
				k.dx = memory[2*i*size:][:k.x.N*x.Dim]
			}
			if k.gy >= 0 {
				k.dy = memory[(2*i+1)*size:][:k.y.N*x.Dim]
			}
		}
		par.Each(len(now), func(_, i int) { now[i].run(spaces[i]) })
		for i := range now {
			k := &now[i]
			value += k.value
			q.scale = max(q.scale, k.value, -k.value)
			addBlock(gx, gy, k.gx, k.dx, x)
			addBlock(gx, gy, k.gy, k.dy, x)
		}
	}
	return value
}

// addBlock adds d to the gradient from row at on, counted through x and y.
func addBlock(gx, gy []float64, at int, d []float64, x Sample) {
	if at < 0 {
		return
	}
	g := gx
	if at >= x.N {
		g, at = gy, at-x.N
	}
	kernel.Axpy(1, d, g[at*x.Dim:at*x.Dim+len(d)])
}
