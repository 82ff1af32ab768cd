package graph

import "sync"

// Cache hands out runs of one graph and keeps them for later use, so that a
// steady state compiles and allocates nothing. It is safe for concurrent use.
// The zero Cache of a graph is made by NewCache.
type Cache struct {
	g    *Graph
	mu   sync.Mutex
	free []*Run // least recently used first
}

// maxFree bounds the idle runs: an epoch uses a full and a short batch in
// training, evaluation and perturbation.
const maxFree = 8

// NewCache returns an empty cache.
func NewCache(g *Graph) *Cache { return &Cache{g: g} }

// Get returns a run for req, which no one else uses until Put. It does not keep
// req. An error means that the request does not fit the graph.
func (c *Cache) Get(req Request) (*Run, error) {
	if r := c.take(req); r != nil {
		return r, nil
	}
	p, err := c.g.compile(req)
	if err != nil {
		return nil, err
	}
	return newRun(p), nil
}

func (c *Cache) take(req Request) *Run {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.free) - 1; i >= 0; i-- {
		if r := c.free[i]; r.prog.req.equal(req) {
			copy(c.free[i:], c.free[i+1:])
			c.free = c.free[:len(c.free)-1]
			return r
		}
	}
	return nil
}

// Put gives a run back.
func (c *Cache) Put(r *Run) {
	r.release()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.free) == maxFree {
		copy(c.free, c.free[1:])
		c.free = c.free[:maxFree-1]
	}
	c.free = append(c.free, r)
}
