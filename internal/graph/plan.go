package graph

import (
	"fmt"
	"slices"
)

// Request says what a plan computes.
type Request struct {
	Batch  int     // samples
	Taps   []Value // results of nodes that the caller wants to see
	Train  bool    // batch norm uses the batch, dropout drops
	Grad   bool    // cotangents at the taps are propagated back
	Input  bool    // with Grad: the gradient of the input is wanted
	Params []bool  // with Grad: the gradients of these parameters are wanted
}

func (q Request) equal(o Request) bool {
	return q.Batch == o.Batch && q.Train == o.Train && q.Grad == o.Grad && q.Input == o.Input &&
		slices.Equal(q.Taps, o.Taps) && slices.Equal(q.Params, o.Params)
}

func (q Request) clone() Request {
	q.Taps, q.Params = slices.Clone(q.Taps), slices.Clone(q.Params)
	return q
}

type phaseKind uint8

const (
	reducePhase phaseKind = iota
	combinePhase
	forwardPhase
	splitPhase // forward, by pieces
	lossPhase
	reduceVJPPhase
	combineVJPPhase
	widePhase
	vjpPhase
)

// barrier tells whether the phase needs the whole batch.
func (k phaseKind) barrier() bool {
	return k == combinePhase || k == splitPhase || k == lossPhase || k == combineVJPPhase || k == widePhase
}

type phase struct {
	kind phaseKind
	node int
}

// segment is a run of phases between barriers, for groups of one size, or one
// barrier.
type segment struct {
	phases  []phase
	barrier bool
	cut
}

// cut says how the batch is divided for a segment: lane samples are a unit of
// parallel work, of which sub pass through together.
type cut struct{ lane, sub int }

type space uint8

const (
	nowhere   space = iota
	inInput         // the caller's x
	inParam         // the caller's parameter number offset
	inOut           // the caller's output number offset
	inBatch         // the arena of values that live across barriers
	inLocal         // a worker's arena of values that do not
	inDX            // the caller's input gradient
	inDP            // the caller's gradient of parameter number offset
	inPartial       // a lane's partial gradients
)

// ref says where a value is. size is that of one sample, or of a parameter.
type ref struct {
	space  space
	offset int
	size   int
}

// nodePlan is a node with everything bound.
type nodePlan struct {
	number      int
	op          Op
	shape       [][]int
	param       []bool
	outShape    []int
	in, din     []ref
	dwide       []ref // parameter gradients of a WideOp's WideVJP
	out, dout   ref
	fresh       []bool
	zero        []int // inputs whose gradients are zeroed before VJP
	items       int   // of WideVJP or of a splitter
	state, part int   // offsets
	stateLen    int
	partLen     int
	lanes       int // of Reduce and ReduceVJP
	prepared    any
	pack        int // offset of the packed parameters
	packLen     int
	want        []bool  // gradients, for Pack
	batchOp     BatchOp // nil unless it works on the whole batch in this mode
}

// program is a compiled request; it is immutable.
type program struct {
	req      Request
	nodes    []nodePlan // by number; unneeded ones are empty
	forward  []segment
	backward []segment
	lanes    int   // at most, in any segment
	partials bool  // parameter gradients are wanted
	taps     []ref // values
	cots     []ref // cotangents
	batchLen int
	localLen int
	scratch  int
	stateLen int
	partLen  int // of one lane
	partial  []partialGrad
	gradLen  int // of one lane's partial gradients
	order    []int
	packers  []int // nodes
	packLen  int
	maxIn    int
}

// partialGrad is a parameter whose gradient is a sum over lanes.
type partialGrad struct{ param, offset, size, lanes int }

const (
	// maxLanes bounds the number of lanes, and so of partial gradients, when
	// parameter gradients are wanted.
	maxLanes = 8
	// cacheElements is how large the largest value of a group of samples may
	// be: 256 kB.
	cacheElements = 1 << 16
	// fewColumns is how many positions of images a lane has at least, as far as
	// maxSub lets it: products with fewer columns leave parts of their tiles
	// empty, and read the weights more often.
	fewColumns = 128
	// maxSub bounds the samples of a group, and of a lane that is so large for
	// fewColumns alone.
	maxSub = 16
)

// cutFor returns how the batch is divided for work on values of the given size
// at the given number of positions: by sizes alone.
func (p *program) cutFor(size, positions int) cut {
	n := p.req.Batch
	lane := (n + maxLanes - 1) / maxLanes
	if !p.partials {
		lane = min(lane, maxSub)
	}
	if positions == 1 { // linear layers read their weights once a group
		group := max(maxSub, (n+maxLanes-1)/maxLanes)
		lane = min(n, max(lane, group))
		return cut{lane, min(group, lane)}
	}
	few := maxSub // halved, so that neighboring layers agree
	for few > 1 && few/2*positions >= fewColumns {
		few /= 2
	}
	lane = min(n, max(lane, few))
	return cut{lane, min(max(cacheElements/size, 1), maxSub, lane)}
}

// lanesOf returns the number of lanes of a cut.
func (p *program) lanesOf(c cut) int { return (p.req.Batch + c.lane - 1) / c.lane }

func (g *Graph) compile(req Request) (*program, error) {
	if req.Batch < 1 || len(req.Params) != 0 && len(req.Params) != len(g.params) {
		return nil, fmt.Errorf("graph: request of %d samples and %d of %d parameters", req.Batch, len(req.Params), len(g.params))
	}
	for _, v := range req.Taps {
		if v < 0 || int(v) >= len(g.values) || g.values[v].kind != nodeValue {
			return nil, fmt.Errorf("graph: tap %d is not the result of a node", v)
		}
	}
	g.prepare()
	return g.fuse(req).program(req), nil
}

// program compiles a request to the graph as it is.
func (g *Graph) program(req Request) *program {
	p := &program{req: req.clone(), nodes: make([]nodePlan, len(g.nodes))}
	c := &compiler{g: g, p: p}
	c.mark()
	c.split()
	c.schedule()
	c.aliases()
	c.lifetimes()
	c.assign()
	c.bind()
	return p
}
