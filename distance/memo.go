package distance

import "slices"

// memo remembers one self term: exactly what it was computed from, so that an
// answer from memory has the bits of a new one.
type memo struct {
	cost     Cost
	settings []float64
	weights  []float64
	points   []float64
	value    float64
	stats    Stats
}

// memo returns the memory for one role under the current Key.
func (w *Workspace) memo(r role) *memo {
	k := warmKey{w.Key, r, 0, 0}
	m := w.memos[k]
	if m == nil {
		if w.memos == nil {
			w.memos = make(map[warmKey]*memo)
		}
		m = new(memo)
		w.memos[k] = m
	}
	return m
}

// fixed reports whether c is a cost of this package: one of a user's may
// change between calls.
func fixed(c Cost) bool {
	switch c.(type) {
	case Cosine, SqEuclidean, Euclidean:
		return true
	}
	return false
}

// holds reports whether m was computed from this.
func (m *memo) holds(c Cost, settings, b []float64, y Sample) bool {
	if !fixed(c) || m.cost != c || !slices.Equal(m.settings, settings) || !slices.Equal(m.weights, b) || len(m.points) != y.N*y.Dim {
		return false
	}
	for i := range y.N {
		if !slices.Equal(m.points[i*y.Dim:(i+1)*y.Dim], y.Row(i)) {
			return false
		}
	}
	return true
}

func (m *memo) keep(c Cost, settings, b []float64, y Sample, value float64, stats Stats) {
	if !fixed(c) {
		return
	}
	m.cost, m.value, m.stats = c, value, stats
	m.settings = append(m.settings[:0], settings...)
	m.weights = append(m.weights[:0], b...)
	m.points = m.points[:0]
	for i := range y.N {
		m.points = append(m.points, y.Row(i)...)
	}
}
