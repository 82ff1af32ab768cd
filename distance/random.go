package distance

import (
	"math"
	"math/rand/v2"
)

// draws names a table of random numbers that depends on nothing else.
type draws struct {
	seed      uint64
	rows, dim int
	kind      drawKind
}

// maxDraws is the size of a table at most: 1 GiB.
const maxDraws = 1 << 27

type drawKind uint8

const (
	drawNormal     drawKind = iota // independent normal rows
	drawCauchy                     // independent Cauchy entries
	drawOrthogonal                 // unit rows, orthogonal in blocks of dim
)

// table returns the numbers of d, which w keeps.
func (w *Workspace) table(d draws) []float64 {
	if t := w.tables[d]; t != nil {
		return t
	}
	if w.tables == nil {
		w.tables = make(map[draws][]float64)
	}
	rnd := rand.New(rand.NewPCG(d.seed, uint64(d.kind)))
	t := make([]float64, d.rows*d.dim)
	for i := range t {
		t[i] = rnd.NormFloat64()
		if d.kind == drawCauchy {
			t[i] = math.Tan(math.Pi * (rnd.Float64() - .5))
		}
	}
	if d.kind == drawOrthogonal {
		orthogonalise(t, d.dim)
	}
	w.tables[d] = t
	return t
}

// orthogonalise makes the rows of t unit vectors, each orthogonal to the rows
// before it in its block of dim.
func orthogonalise(t []float64, dim int) {
	for i := 0; i < len(t); i += dim {
		row := t[i : i+dim]
		block := i / dim / dim * dim * dim
		for range 2 { // twice is enough (Giraud, Langou, Rozložník 2005)
			for k := block; k < i; k += dim {
				prev := t[k : k+dim]
				var dot float64
				for j, v := range prev {
					dot += v * row[j]
				}
				for j, v := range prev {
					row[j] -= dot * v
				}
			}
		}
		normalize(row)
	}
}

func normalize(row []float64) {
	var s float64
	for _, v := range row {
		s += v * v
	}
	s = 1 / math.Sqrt(s)
	for j := range row {
		row[j] *= s
	}
}
