package graph

import (
	"errors"
	"fmt"
	"sync"

	"github.com/dlfd-go/unlearn/internal/par"
)

// ErrMemory is wrapped by errors about runs that take more memory than is
// allowed.
var ErrMemory = errors.New("too much memory")

// Cache hands out runs of one graph and keeps plans and memory for later use,
// so that a steady state compiles and allocates nothing. Plans that are used
// one after the other share their memory. A Cache is safe for concurrent use.
type Cache struct {
	// MaxBytes bounds the memory of one run. It is set before the first Get.
	MaxBytes int64

	g      *Graph
	mu     sync.Mutex
	runs   []*Run    // idle ones, least recently used first
	memory []*memory // idle ones
}

const (
	// maxRuns bounds the idle plans: an epoch has a full and a short batch in
	// training, evaluation and perturbation, over a few sets of taps.
	maxRuns = 32
	// maxMemory bounds the idle memories: the number of calls at one time
	// that find memory ready.
	maxMemory = 4
)

// DefaultMaxBytes is the MaxBytes of a new cache.
const DefaultMaxBytes = 1 << 35

// NewCache returns an empty cache.
func NewCache(g *Graph) *Cache { return &Cache{MaxBytes: DefaultMaxBytes, g: g} }

// Get returns a run for req, which no one else uses until Put. It does not keep
// req. An error means that the request does not fit the graph.
func (c *Cache) Get(req Request) (*Run, error) {
	r, m := c.take(req)
	if r == nil {
		p, err := c.g.compile(req)
		if err != nil {
			return nil, err
		}
		r = newRun(p)
	}
	if n := r.prog.bytes(); n > float64(c.MaxBytes) {
		return nil, fmt.Errorf("%w: a batch of %d samples takes %.3g bytes, more than %d", ErrMemory, req.Batch, n, c.MaxBytes)
	}
	if m == nil {
		m = &memory{}
	}
	m.fit(r.prog)
	r.memory = m
	return r, nil
}

func (c *Cache) take(req Request) (r *Run, m *memory) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.memory); n > 0 {
		m = c.memory[n-1]
		c.memory = c.memory[:n-1]
	}
	for i := len(c.runs) - 1; i >= 0; i-- {
		if r := c.runs[i]; r.prog.req.equal(req) {
			copy(c.runs[i:], c.runs[i+1:])
			c.runs = c.runs[:len(c.runs)-1]
			return r, m
		}
	}
	return nil, m
}

// Put gives a run back.
func (c *Cache) Put(r *Run) {
	m := r.memory
	r.memory, r.args, r.ctx = nil, Inputs{}, nil
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.memory) < maxMemory {
		c.memory = append(c.memory, m)
	}
	if len(c.runs) == maxRuns {
		copy(c.runs, c.runs[1:])
		c.runs = c.runs[:maxRuns-1]
	}
	c.runs = append(c.runs, r)
}

// memory is what a run computes in.
type memory struct {
	batch   []float32
	packed  []float32
	packing packing   // what packed holds
	grads   []float32 // lanes × gradLen
	parts   []float64 // by node, then by lane
	state   []float64
	workers []worker
}

// bytes returns what fit and staff take for a run at most. It is a float64, since
// the products of hostile sizes may overflow.
func (p *program) bytes() float64 {
	lanes, workers := float64(p.lanes), float64(max(par.Workers(max(p.lanes, len(p.packers))), 1))
	floats := float64(p.batchLen) + float64(p.packLen) + lanes*float64(p.gradLen) + workers*(float64(p.localLen)+float64(p.scratch))
	return 4*floats + 8*(lanes*float64(p.partLen)+float64(p.stateLen))
}

// packing says whose packed parameters a memory holds.
type packing struct {
	prog  *program
	stamp Stamp
}

// worker is the memory of one goroutine.
type worker struct {
	local   []float32
	scratch []float32
	call    Call
	in, din [][]float32
}

// fit makes the memory large enough.
func (m *memory) fit(p *program) {
	m.batch = grown(m.batch, p.batchLen)
	if len(m.packed) < p.packLen {
		m.packed, m.packing = make([]float32, p.packLen), packing{}
	}
	m.grads = grown(m.grads, p.gradLen*p.lanes)
	m.parts = grown(m.parts, p.partLen*p.lanes)
	m.state = grown(m.state, p.stateLen)
}

// staff makes sure that there are n workers.
func (m *memory) staff(p *program, n int) {
	for len(m.workers) < n {
		m.workers = append(m.workers, worker{})
	}
	for i := range m.workers[:n] {
		w := &m.workers[i]
		w.local, w.scratch = grown(w.local, p.localLen), grown(w.scratch, p.scratch)
		w.in, w.din = grown(w.in, p.maxIn), grown(w.din, p.maxIn)
	}
}

func grown[T any](s []T, n int) []T {
	if len(s) < n {
		return make([]T, n)
	}
	return s
}
