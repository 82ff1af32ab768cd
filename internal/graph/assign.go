package graph

// assign gives every class of values and gradients a place.
func (c *compiler) assign() {
	g, p := c.g, c.p
	var batch []*span
	local := make([][]*span, c.segOf[c.total-1]+1)
	// A value that no barrier and no caller sees needs room for the samples of
	// one group alone, in every worker; all others need room for the batch.
	put := func(v Value, k *class) *span {
		s := &span{first: k.first, last: k.last}
		seg := c.segOf[k.first]
		if c.tap[v] == 0 && seg == c.segOf[k.last] && !c.barrierAt(k.first) {
			k.ref = ref{space: inLocal}
			s.size = aligned(g.values[v].size * c.subs[seg])
			local[seg] = append(local[seg], s)
			return s
		}
		// Workers pass through a segment at their own pace: what is in use at
		// any time in it is in use all the time.
		s.first, s.last = seg, c.segOf[k.last]
		k.ref = ref{space: inBatch}
		s.size = aligned(g.values[v].size * p.req.Batch)
		batch = append(batch, s)
		return s
	}
	spans := map[*class]*span{}
	for v := range g.values {
		c.assignOne(Value(v), put, spans)
	}
	p.batchLen = place(batch)
	for _, spans := range local {
		p.localLen = max(p.localLen, place(spans))
	}
	for k, s := range spans {
		k.ref.offset = s.offset
	}
}

// assignOne places the classes that v leads.
func (c *compiler) assignOne(v Value, put func(Value, *class) *span, spans map[*class]*span) {
	if c.g.values[v].kind != nodeValue {
		return
	}
	if k := &c.values[v]; k.rep == v && k.used {
		// A class has one tap at most: its last member.
		last := c.lastMember(c.values, v)
		if tap := c.tap[last]; tap != 0 && !c.p.req.Grad {
			k.ref = ref{space: inOut, offset: tap - 1}
		} else {
			spans[k] = put(last, k)
		}
	}
	if k := &c.grads[v]; k.rep == v && k.used && c.p.req.Grad {
		spans[k] = put(c.lastMember(c.grads, v), k)
	}
}

// lastMember returns the last value of the class that rep leads.
func (c *compiler) lastMember(classes []class, rep Value) Value {
	for v := len(classes) - 1; ; v-- {
		if classes[v].rep == rep {
			return Value(v)
		}
	}
}

func (c *compiler) barrierAt(t int) bool {
	if t == c.loss {
		return true
	}
	at := 0
	for _, segs := range [][]segment{c.p.forward, {{phases: []phase{{}}}}, c.p.backward} {
		for _, s := range segs {
			if t < at+len(s.phases) {
				return s.barrier
			}
			at += len(s.phases)
		}
	}
	return false
}

// valueRef returns where the value of v is.
func (c *compiler) valueRef(v Value) ref {
	val := c.g.values[v]
	r := c.values[c.values[v].rep].ref
	switch val.kind {
	case inputValue:
		r = ref{space: inInput}
	case paramValue:
		r = ref{space: inParam, offset: val.index}
	}
	r.size = val.size
	return r
}

// gradRef returns where the gradient of v goes in VJP.
func (c *compiler) gradRef(v Value, offset []int) ref {
	val := c.g.values[v]
	r := c.grads[c.grads[v].rep].ref
	switch {
	case !c.p.req.Grad || !c.wants[v]:
		return ref{}
	case val.kind == inputValue:
		r = ref{space: inDX}
	case val.kind == paramValue && c.p.lanes == 1:
		r = ref{space: inDP, offset: val.index}
	case val.kind == paramValue:
		r = ref{space: inPartial, offset: offset[val.index]}
	}
	r.size = val.size
	return r
}

// bind fills the node plans.
func (c *compiler) bind() {
	g, p := c.g, c.p
	offset := c.partials()
	for _, i := range p.order {
		c.bindNode(i, offset)
	}
	c.freshness()
	for _, v := range p.req.Taps {
		p.taps = append(p.taps, c.valueRef(v))
		r := c.grads[c.grads[v].rep].ref
		r.size = g.values[v].size
		p.cots = append(p.cots, r)
	}
}

// partials reserves room for the parameter gradients that are sums over lanes.
func (c *compiler) partials() []int {
	g, p := c.g, c.p
	offset := make([]int, len(g.params))
	if p.lanes == 1 {
		return offset
	}
	// A parameter may be read by several nodes, whose segments are cut in
	// different ways: it has as many partial sums as the most finely cut one needs.
	lanes := make([]int, len(g.params)) // 0: no partial sums
	for i, nd := range g.nodes {
		for _, v := range nd.in {
			if c.active[i] && !c.wide[i] && c.wants[v] && g.values[v].kind == paramValue {
				k := g.values[v].index
				lanes[k] = max(lanes[k], p.lanesOf(c.cut(phase{vjpPhase, i})))
			}
		}
	}
	for i, k := range lanes {
		if k > 0 {
			n := g.values[g.params[i]].size
			offset[i] = p.gradLen
			p.partial = append(p.partial, partialGrad{i, p.gradLen, n, k})
			p.gradLen += aligned(n)
		}
	}
	return offset
}

// bindNode fills the plan of node i. The gradients of a WideOp's parameters are
// left out of VJP, since WideVJP computes them from the whole batch.
func (c *compiler) bindNode(i int, offset []int) {
	g, p := c.g, c.p
	nd, b := g.nodes[i], &p.nodes[i]
	*b = nodePlan{number: i, op: nd.op, outShape: g.Shape(nd.out), fresh: none(len(nd.in))}
	b.out = c.valueRef(nd.out)
	if c.active[i] {
		b.dout = c.gradRef(nd.out, offset)
	}
	p.maxIn = max(p.maxIn, len(nd.in))
	for _, v := range nd.in {
		var din, dwide ref
		isParam := g.values[v].kind == paramValue
		switch {
		case c.active[i] && c.wide[i] && isParam && c.wants[v]:
			dwide = ref{inDP, g.values[v].index, g.values[v].size}
		case c.active[i]:
			din = c.gradRef(v, offset)
		}
		b.shape, b.param = append(b.shape, g.Shape(v)), append(b.param, isParam)
		b.in, b.din, b.dwide = append(b.in, c.valueRef(v)), append(b.din, din), append(b.dwide, dwide)
	}
	if op, part, state := c.batchOp(nd); op != nil {
		b.batchOp, b.part, b.partLen, b.state, b.stateLen = op, p.partLen, part, p.stateLen, state
		b.lanes = p.lanesOf(c.cut(phase{reducePhase, i}))
		p.partLen += part
		p.stateLen += state
	}
	c.scratch(nd, b, c.wide[i])
}

// scratch reserves what node nd needs beside its values. Nodes run one after
// the other in a worker, so that they share one scratch memory, the largest;
// packed parameters stay from run to run, so that each has a place of its own.
func (c *compiler) scratch(nd node, b *nodePlan, wide bool) {
	p := c.p
	b.prepared = nd.prepared
	if op, ok := nd.op.(Scratcher); ok {
		p.scratch = max(p.scratch, op.Scratch(nd.prepared, c.g.args(nd), b.outShape, c.cut(phase{forwardPhase, b.number}).sub))
	}
	if op, ok := nd.op.(splitter); ok {
		b.items = op.pieces()
	}
	if wide {
		op := nd.op.(WideOp)
		b.items = op.WideItems(nd.prepared, c.g.args(nd))
		p.scratch = max(p.scratch, op.WideScratch(nd.prepared, c.g.args(nd), p.req.Batch))
	}
	if op, ok := nd.op.(Packer); ok {
		b.want = none(len(nd.in))
		for k, v := range nd.in {
			b.want[k] = c.wants[v]
		}
		b.pack, b.packLen = p.packLen, op.PackLen(nd.prepared, b.want)
		p.packLen += aligned(b.packLen)
		p.packers = append(p.packers, b.number)
	}
}

// freshness finds, in the order of back-propagation, the first contribution to
// each gradient. Where one node contributes twice, its buffer is zeroed first.
func (c *compiler) freshness() {
	started := make([]bool, len(c.g.values))
	for i := len(c.g.nodes) - 1; i >= 0; i-- {
		b := &c.p.nodes[i]
		if !c.active[i] {
			continue
		}
		for k, v := range c.g.nodes[i].in {
			if c.g.values[v].kind != nodeValue || c.tap[v] != 0 || started[v] || !c.wants[v] {
				continue
			}
			// A contribution that writes saves one pass that zeroes and one read.
			// Taps are left out: their cotangents are zeroed before the loss, which
			// adds to them first. A node that reads v twice would overwrite its own
			// first contribution.
			started[v] = true
			if repeated(c.g.nodes[i].in, k) {
				b.zero = append(b.zero, k)
			} else {
				b.fresh[k] = true
			}
		}
	}
}

// repeated tells whether in[k] occurs again.
func repeated(in []Value, k int) bool {
	for j, v := range in {
		if j != k && v == in[k] {
			return true
		}
	}
	return false
}
