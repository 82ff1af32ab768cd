package distance

import "github.com/dlfd-go/unlearn/internal/finite"

// Workspace keeps scratch memory, warm starts and the statistics of the last
// Eval. The zero value is ready. After the first call at given sizes, an Eval
// with the same Workspace allocates nothing.
//
// A Distance takes its scratch memory between Enter and Leave:
//
//	ws = ws.Enter() // a new one if ws is nil
//	defer ws.Leave()
//	buf := ws.Floats(x.N)
type Workspace struct {
	// Stats tells how the last Eval went.
	Stats Stats

	// Key names the problem for warm starts. A caller that takes turns
	// between several problems of the same size sets it before each Eval.
	Key uint64

	floats  arena[float64]
	ints    arena[int]
	singles arena[float32]
	marks   []mark
	warm    map[warmKey][]float64
	memos   map[warmKey]*memo
	tables  map[draws][]float64
	workers []*Workspace // for work on other goroutines
}

type mark struct{ floats, ints, singles position }

type warmKey struct {
	key  uint64
	role role
	n, m int
}

// role tells the problems of one Eval apart.
type role uint8

const (
	roleXY role = iota
	roleXX
	roleYY
)

// Enter opens a frame of scratch memory and returns w, or a new Workspace if w
// is nil. The outermost Enter clears Stats.
func (w *Workspace) Enter() *Workspace {
	if w == nil {
		w = new(Workspace)
	}
	if len(w.marks) == 0 {
		w.Stats = Stats{Converged: true}
	}
	w.marks = append(w.marks, mark{w.floats.at, w.ints.at, w.singles.at})
	return w
}

// Leave closes the frame that the last Enter opened: the memory that was taken
// since then may be handed out again.
func (w *Workspace) Leave() {
	last := len(w.marks) - 1
	m := w.marks[last]
	w.marks = w.marks[:last]
	w.floats.rewind(m.floats)
	w.ints.rewind(m.ints)
	w.singles.rewind(m.singles)
}

// beginPart starts the statistics of one part of an Eval and returns those of
// the parts before it, for endPart.
func (w *Workspace) beginPart() (before Stats) {
	before, w.Stats = w.Stats, Stats{Converged: true}
	return before
}

// endPart adds the parts before to the statistics and returns those of the last
// part alone.
func (w *Workspace) endPart(before Stats) (own Stats) {
	own = w.Stats
	w.Stats = before
	w.Stats.merge(own)
	return own
}

// worker returns the workspace number i for work on other goroutines.
func (w *Workspace) worker(i int) *Workspace {
	for len(w.workers) <= i {
		w.workers = append(w.workers, new(Workspace))
	}
	return w.workers[i]
}

// Floats returns n numbers of scratch memory with any content, for use until
// the current frame is left. If no frame is open, the memory is new and w does
// not keep it.
func (w *Workspace) Floats(n int) []float64 {
	if len(w.marks) == 0 {
		return make([]float64, n)
	}
	return w.floats.take(n)
}

// Ints is Floats for integers.
func (w *Workspace) Ints(n int) []int {
	if len(w.marks) == 0 {
		return make([]int, n)
	}
	return w.ints.take(n)
}

// Reset forgets warm starts and returns the memory.
func (w *Workspace) Reset() { *w = Workspace{Key: w.Key} }

// potentials returns the n+m numbers that the last solution under the current
// Key left, or nil if there is none.
func (w *Workspace) potentials(r role, n, m int) []float64 { return w.warm[warmKey{w.Key, r, n, m}] }

// keepPotentials keeps the potentials of t, or forgets those there are if t has
// not converged.
func (w *Workspace) keepPotentials(r role, t *transport) {
	k := warmKey{w.Key, r, t.n, t.m}
	if !t.stats.Converged || !finite.All(t.f) || !finite.All(t.g) {
		delete(w.warm, k)
		return
	}
	if w.warm == nil {
		w.warm = make(map[warmKey][]float64)
	}
	p := w.warm[k]
	if p == nil {
		p = make([]float64, t.n+t.m)
		w.warm[k] = p
	}
	copy(p, t.f)
	copy(p[t.n:], t.g)
}

// arena hands out slices of a few slabs, last in, first out.
type arena[T any] struct {
	slabs [][]T
	at    position
}

type position struct{ slab, used int }

func (a *arena[T]) take(n int) []T {
	for ; a.at.slab < len(a.slabs); a.at = (position{a.at.slab + 1, 0}) {
		lo, hi := a.at.used, a.at.used+n
		if s := a.slabs[a.at.slab]; hi <= len(s) {
			a.at.used = hi
			return s[lo:hi:hi]
		}
	}
	a.slabs = append(a.slabs, make([]T, max(n, 512)))
	a.at.used = n
	return a.slabs[a.at.slab][:n:n]
}

// rewind frees what was taken after p. An empty arena joins its slabs, so that
// the next round of the same sizes needs one only.
func (a *arena[T]) rewind(p position) {
	a.at = p
	if p != (position{}) || len(a.slabs) < 2 {
		return
	}
	var total int
	for _, s := range a.slabs {
		total += len(s)
	}
	a.slabs = append(a.slabs[:0:0], make([]T, total))
}
