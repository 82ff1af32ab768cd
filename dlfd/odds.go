package dlfd

import (
	"maps"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/checkpoint"
	"github.com/dlfd-go/unlearn/metrics"
)

// oddsByClass has the log-odds of every forget and holdout sample at its last
// visit, sorted class by class. A visit costs O(log n) for n samples of the class.
type oddsByClass struct {
	last    [2][]float64 // of the forget and the holdout samples; NaN before the first visit
	classes map[int]*classOdds
}

func newOdds(forget, holdout feature.Dataset) oddsByClass {
	o := oddsByClass{classes: make(map[int]*classOdds)}
	for side, d := range []feature.Dataset{forget, holdout} {
		o.last[side] = make([]float64, d.Len())
		for i := range o.last[side] {
			o.last[side][i] = math.NaN()
		}
	}
	return o
}

func (o *oddsByClass) class(label int) *classOdds {
	c := o.classes[label]
	if c == nil {
		c = new(classOdds)
		o.classes[label] = c
	}
	return c
}

// keptOdds is what a checkpoint has of oddsByClass.
type keptOdds struct {
	Last    [2][]float64
	Classes []keptClass
}

type keptClass struct {
	Label int
	Side  [2][]float64 // sorted
	Below int
}

// MarshalBinary implements encoding.BinaryMarshaler.
func (o *oddsByClass) MarshalBinary() ([]byte, error) {
	kept := keptOdds{Last: o.last}
	for _, label := range slices.Sorted(maps.Keys(o.classes)) {
		c := o.classes[label]
		kept.Classes = append(kept.Classes, keptClass{label, [2][]float64{c.side[0].numbers(), c.side[1].numbers()}, c.below})
	}
	return checkpoint.Encode(kept)
}

// UnmarshalBinary implements encoding.BinaryUnmarshaler.
func (o *oddsByClass) UnmarshalBinary(data []byte) error {
	var kept keptOdds
	if err := checkpoint.Decode(data, &kept); err != nil {
		return err
	}
	o.last, o.classes = kept.Last, make(map[int]*classOdds)
	for _, c := range kept.Classes {
		o.classes[c.Label] = &classOdds{side: [2]ranking{rankingOf(c.Side[0]), rankingOf(c.Side[1])}, below: c.Below}
	}
	return nil
}

// visit records the log-odds of a batch, of forget samples for side 0 and of
// holdout samples for side 1, and returns them.
func (o *oddsByClass) visit(side int, logits feature.Tensor, b feature.Batch) ([]float64, error) {
	odds, err := metrics.Outputs{N: len(b.Labels), Classes: logits.RowLen(), Logits: logits.Data, Labels: b.Labels}.LogitMargins()
	if err != nil {
		return nil, err
	}
	for i, k := range b.Index {
		c := o.class(b.Labels[i])
		if old := o.last[side][k]; !math.IsNaN(old) {
			c.change(side, old, -1)
		}
		c.change(side, odds[i], 1)
		o.last[side][k] = odds[i]
	}
	return odds, nil
}

// classOdds has the log-odds of the forget and the holdout samples of a class.
type classOdds struct {
	side [2]ranking
	// below counts, over all pairs of a holdout and a forget sample, 2 where the
	// forget sample is the lower one and 1 where they are equal.
	below int
}

// change adds v to a side, or takes it away for a sign of −1.
func (c *classOdds) change(side int, v float64, sign int) {
	other := &c.side[1-side]
	less, upTo := other.rank(v)
	pairs := less + upTo // of a holdout sample with the forget samples
	if side == 0 {
		pairs = 2*other.n - less - upTo
	}
	c.below += sign * pairs
	if sign > 0 {
		c.side[side].insert(v)
	} else {
		c.side[side].remove(v)
	}
}

// higher reports whether a forget sample is more often above a holdout sample
// than below it: whether an attack that takes high log-odds for known samples
// does better than chance.
func (c *classOdds) higher() bool { return c.below < c.side[0].n*c.side[1].n }

// target returns the log-odds that a holdout sample has at the rank of v, a
// member of the forget side. It reports false where the forget samples are not
// higher.
func (c *classOdds) target(v float64) (float64, bool) {
	from, to := &c.side[0], &c.side[1]
	if !c.higher() {
		return 0, false
	}
	lo, hi := from.rank(v)
	p := float64(lo+hi) / 2 / float64(from.n) // equal ones share the middle of their ranks
	return to.at(min(int(p*float64(to.n)), to.n-1)), true
}
