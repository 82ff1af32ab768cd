package dlfd

import (
	"fmt"
	"iter"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// cycle gives batches of a dataset without end, from any place on.
type cycle struct {
	s       *Session
	of      feature.Dataset
	purpose string
	place   int // batches before the next; a checkpoint has it
	given   int // place after the last batch that was given
	pull    func() (feature.Batch, error, bool)
	stop    func()
}

// Cycle returns a function that gives one batch of d after the other without
// end, shuffled anew for each pass, and a function that must be called when no
// more are wanted. The batch is valid until the next, which is being read already
// where d is a feature.AheadReader. An empty dataset gives an
// error wrapping ErrEmpty.
func (s *Session) Cycle(d feature.Dataset, purpose string) (next func() (feature.Batch, error), stop func()) {
	c := &cycle{s: s, of: d, purpose: purpose, stop: func() {}}
	drop := s.keep(purpose, &c.place)
	return c.next, func() { c.stop(); drop() }
}

func (c *cycle) next() (feature.Batch, error) {
	if c.of == nil || c.of.Len() == 0 {
		return feature.Batch{}, fmt.Errorf("%w: nothing to cycle through", ErrEmpty)
	}
	if c.pull == nil || c.given != c.place {
		c.stop()
		c.pull, c.stop = iter.Pull2(c.from(c.place))
	}
	b, err, _ := c.pull()
	c.place++
	c.given = c.place
	return b, err
}

// from gives the batches behind the first ones, which are not read.
func (c *cycle) from(place int) iter.Seq2[feature.Batch, error] {
	return func(yield func(feature.Batch, error) bool) {
		perPass := c.s.StepsPerEpoch(c.of)
		skip := place % perPass
		for pass := place / perPass; ; pass++ {
			order := rng.Stream(c.s.opt.Seed, c.purpose, pass)
			for b, err := range train.BatchesFrom(c.s.ctx, c.s.Model.Spec(), c.of, c.s.BatchSize, order, skip) {
				if !yield(b, err) {
					return
				}
			}
			skip = 0
		}
	}
}
