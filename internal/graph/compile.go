package graph

// compiler holds the intermediate results of Graph.compile.
type compiler struct {
	g *Graph
	p *program

	need   []bool // by value: an ancestor of a tap
	wants  []bool // by value: its gradient, or that of an ancestor, is wanted
	tap    []int  // by value: 1 + number of the first tap on it
	kept   []bool // by value: read by some VJP
	active []bool // by node: takes part in back-propagation
	wide   []bool // by node: a WideOp with wanted parameters

	segOf  []int // by time
	subs   []int // by segment: samples that pass through together
	loss   int   // time of the loss
	total  int   // number of times
	values []class
	grads  []class
}

// class is a set of values in one place, known by its first member: rep leads
// there.
type class struct {
	rep         Value
	used        bool
	first, last int
	ref         ref
}

func (c *compiler) mark() {
	g, q := c.g, c.p.req
	c.need, c.wants = make([]bool, len(g.values)), make([]bool, len(g.values))
	c.kept, c.tap = make([]bool, len(g.values)), make([]int, len(g.values))
	c.active, c.wide = make([]bool, len(g.nodes)), make([]bool, len(g.nodes))
	for i := len(q.Taps) - 1; i >= 0; i-- {
		c.need[q.Taps[i]] = true
		c.tap[q.Taps[i]] = i + 1
	}
	for i := len(g.nodes) - 1; i >= 0; i-- {
		for _, v := range g.nodes[i].in {
			c.need[v] = c.need[v] || c.need[g.nodes[i].out]
		}
	}
	if !q.Grad {
		return
	}
	c.wants[0] = q.Input
	for v, val := range g.values {
		if val.kind == paramValue && len(q.Params) > 0 {
			c.wants[v] = q.Params[val.index] // of every view
		}
	}
	for i, nd := range g.nodes {
		c.markGrad(i, nd)
	}
}

func (c *compiler) markGrad(i int, nd node) {
	want := none(len(nd.in))
	wide := false
	for k, v := range nd.in {
		want[k] = c.wants[v]
		c.wants[nd.out] = c.wants[nd.out] || c.wants[v]
		wide = wide || c.wants[v] && c.g.values[v].kind == paramValue
	}
	if !c.wants[nd.out] || !c.need[nd.out] {
		return
	}
	c.active[i] = true
	op, ok := nd.op.(WideOp)
	c.wide[i] = wide && ok && op.WideItems(nd.prepared, c.g.args(nd)) > 0
	in, out := nd.op.Reads(want, c.p.req.Train)
	for k, v := range nd.in {
		c.kept[v] = c.kept[v] || in[k]
	}
	c.kept[nd.out] = c.kept[nd.out] || out
}

// batchOp returns the operator of a node if it needs the whole batch.
func (c *compiler) batchOp(nd node) (op BatchOp, part, state int) {
	op, ok := nd.op.(BatchOp)
	if !ok {
		return nil, 0, 0
	}
	if part, state = op.Sizes(c.g.args(nd), c.p.req.Train); part == 0 {
		return nil, 0, 0
	}
	return op, part, state
}

// wantsData tells whether VJP has anything to do for node i beside what
// WideVJP does.
func (c *compiler) wantsData(nd node, wide bool) bool {
	for _, v := range nd.in {
		if c.wants[v] && !(wide && c.g.values[v].kind == paramValue) {
			return true
		}
	}
	return false
}

// schedule lists the phases of both directions in order. A batch norm has two
// phases before its own, since no sample can be normalized before all have been
// read. The phase of the loss stands between the directions, so that what the
// caller reads there, taps and cotangents, is alive at a time of its own.
func (c *compiler) schedule() {
	g, p := c.g, c.p
	for _, v := range g.params {
		p.partials = p.partials || c.wants[v]
	}
	var fwd, bwd []phase
	for i, nd := range g.nodes {
		if !c.need[nd.out] {
			continue
		}
		p.order = append(p.order, i)
		if op, _, _ := c.batchOp(nd); op != nil {
			fwd = append(fwd, phase{reducePhase, i}, phase{combinePhase, i})
		}
		kind := forwardPhase
		if _, ok := nd.op.(splitter); ok {
			kind = splitPhase
		}
		fwd = append(fwd, phase{kind, i})
	}
	for i := len(g.nodes) - 1; i >= 0; i-- {
		if !c.active[i] {
			continue
		}
		if op, _, _ := c.batchOp(g.nodes[i]); op != nil {
			bwd = append(bwd, phase{reduceVJPPhase, i}, phase{combineVJPPhase, i})
		}
		if c.wide[i] {
			bwd = append(bwd, phase{widePhase, i})
		}
		if c.wantsData(g.nodes[i], c.wide[i]) {
			bwd = append(bwd, phase{vjpPhase, i})
		}
	}
	p.forward = c.segments(fwd)
	c.loss = len(c.segOf)
	c.segments([]phase{{lossPhase, -1}})
	p.backward = c.segments(bwd)
}

// cut divides the batch for a phase, by the largest value that it touches and
// the positions of its result.
func (c *compiler) cut(ph phase) cut {
	if ph.kind == lossPhase {
		return c.p.cutFor(1, 1)
	}
	nd := c.g.nodes[ph.node]
	n := c.g.Size(nd.out)
	for _, v := range nd.in {
		if c.g.values[v].kind != paramValue {
			n = max(n, c.g.Size(v))
		}
	}
	positions := 1
	if shape := c.g.Shape(nd.out); len(shape) > 1 {
		positions = size(shape[1:])
	}
	return c.p.cutFor(n, positions)
}

// segments groups phases and gives each a time and the number of its segment.
func (c *compiler) segments(phases []phase) []segment {
	var segs []segment
	next := 0
	if n := len(c.segOf); n > 0 {
		next = c.segOf[n-1] + 1
	}
	for _, ph := range phases {
		last := len(segs) - 1
		// A group passes through all phases of a segment, so that these must be
		// cut alike; another cut starts a new segment.
		cut := c.cut(ph)
		if last < 0 || ph.kind.barrier() || segs[last].barrier || segs[last].cut != cut {
			segs = append(segs, segment{barrier: ph.kind.barrier(), cut: cut})
			c.subs = append(c.subs, cut.sub)
			c.p.lanes = max(c.p.lanes, c.p.lanesOf(cut))
			last++
		}
		segs[last].phases = append(segs[last].phases, ph)
		c.segOf = append(c.segOf, next+last)
	}
	return segs
}

// aliases decides which values and which gradients share their place with
// those of an in-place operator's first input.
func (c *compiler) aliases() {
	g := c.g
	uses, gradUses := make([]int, len(g.values)), make([]int, len(g.values))
	for i, nd := range g.nodes {
		for _, v := range nd.in {
			if c.need[nd.out] {
				uses[v]++
			}
			if c.active[i] {
				gradUses[v]++
			}
		}
	}
	c.values, c.grads = make([]class, len(g.values)), make([]class, len(g.values))
	for v := range g.values {
		c.values[v].rep, c.grads[v].rep = Value(v), Value(v)
	}
	for i, nd := range g.nodes {
		if _, ok := nd.op.(InPlacer); !ok || !c.need[nd.out] {
			continue
		}
		a := nd.in[0]
		if g.values[a].kind != nodeValue || c.tap[a] != 0 || g.values[a].size != g.values[nd.out].size {
			continue
		}
		// Another reader of a, or a VJP that reads it later, would find the result
		// in its place.
		if uses[a] == 1 && !c.kept[a] {
			c.values[nd.out].rep = c.values[a].rep
		}
		// With a second contribution the VJP would have to add to a gradient that
		// it has overwritten with its own input.
		if c.active[i] && gradUses[a] == 1 && c.wants[a] {
			c.grads[nd.out].rep = c.grads[a].rep
		}
	}
}

// touch extends the time in which the class of v is in use to t.
func touch(classes []class, v Value, t int) {
	k := &classes[classes[v].rep]
	if !k.used {
		k.used, k.first, k.last = true, t, t
	}
	k.first, k.last = min(k.first, t), max(k.last, t)
}

// lifetimes finds from when to when each class is in use: place lets those
// share memory whose times do not overlap.
func (c *compiler) lifetimes() {
	t := 0
	visit := func(segs []segment) {
		for _, s := range segs {
			for _, ph := range s.phases {
				c.visit(ph, t)
				t++
			}
		}
	}
	visit(c.p.forward)
	for _, v := range c.p.req.Taps {
		touch(c.values, v, t)
		touch(c.grads, v, t)
	}
	t++
	visit(c.p.backward)
	c.total = t
}

// visit marks what a phase reads and writes as in use at time t. Back-propagation
// reads only those inputs that the operator's Reads names, so that the others
// need not be kept after the forward pass.
func (c *compiler) visit(ph phase, t int) {
	nd := c.g.nodes[ph.node]
	backward := ph.kind > lossPhase
	want := none(len(nd.in))
	for k, v := range nd.in {
		want[k] = c.wants[v]
	}
	reads, out := none(len(nd.in)), false
	if backward {
		reads, out = nd.op.Reads(want, c.p.req.Train)
		touch(c.grads, nd.out, t)
	}
	if out || ph.kind == forwardPhase || ph.kind == splitPhase {
		touch(c.values, nd.out, t)
	}
	for k, v := range nd.in {
		if !backward || reads[k] {
			touch(c.values, v, t)
		}
		if ph.kind == vjpPhase && want[k] {
			touch(c.grads, v, t)
		}
	}
}
