package graph

import (
	"context"

	"github.com/dlfd-go/unlearn/internal/par"
)

// Inputs is what one execution of a plan works on.
type Inputs struct {
	X      []float32
	Params [][]float32
	Seed   uint64
	Out    [][]float32 // without Grad: where the taps go
	DX     []float32   // with Grad and Input: is added to
	DP     [][]float32 // with Grad: is added to where Params of the request says so
	// Stamp tells which contents Params has. Under equal stamps that are not
	// zero it has the same, and a run may use what an earlier one packed.
	Stamp Stamp
}

// Stamp names the contents of a set of parameters.
type Stamp struct {
	Owner   *Owner
	Version uint64
}

// Owner tells sets of parameters apart, by its address.
type Owner struct{ _ byte }

// Run is a plan with its memory: what one execution at a time may use.
type Run struct {
	// User belongs to the caller.
	User any

	prog *program
	*memory

	args Inputs
	ctx  context.Context
	seg  *segment
	// What runs: the node whose pieces do, and how many there are of a splitter.
	wide, pieces int

	// Made once: no allocation in a step.
	laneFunc, itemFunc, pieceFunc, clearFunc, sumFunc, packFunc func(worker, i int)
}

func newRun(p *program) *Run {
	r := &Run{prog: p}
	r.laneFunc, r.itemFunc, r.pieceFunc, r.clearFunc, r.sumFunc, r.packFunc = r.lane, r.item, r.piece, r.clearGrads, r.sumGrads, r.pack
	return r
}

// staff makes sure that there are enough workers for n pieces.
func (r *Run) staff(n int) { r.memory.staff(r.prog, max(par.Workers(n), 1)) }

// Forward runs the plan up to the taps. The only error is ctx's.
func (r *Run) Forward(ctx context.Context, args Inputs) error {
	r.args, r.ctx = args, ctx
	r.staff(max(r.prog.lanes, len(r.prog.packers)))
	r.packAll()
	if err := r.segments(r.prog.forward); err != nil {
		return err
	}
	if r.prog.req.Grad {
		for i := range r.prog.cots {
			clear(r.Cotangent(i))
		}
		return nil
	}
	for i, t := range r.prog.taps {
		if t.space == inOut && t.offset != i { // the same value, asked for twice
			copy(args.Out[i], args.Out[t.offset])
		}
	}
	return nil
}

// Value returns the value of tap i after Forward of a plan with Grad. It is
// valid until Put.
func (r *Run) Value(i int) []float32 { return r.whole(r.prog.taps[i]) }

// Cotangent returns the cotangent of tap i, zero after Forward, for the caller
// to add to. Taps on the same value share it.
func (r *Run) Cotangent(i int) []float32 { return r.whole(r.prog.cots[i]) }

func (r *Run) whole(t ref) []float32 { return r.batch[t.offset : t.offset+t.size*r.prog.req.Batch] }

// Backward propagates the cotangents and adds to the gradients. After an error,
// which is that of Forward's context, DX and DP may hold a part of them.
func (r *Run) Backward() error {
	p := r.prog
	if len(p.partial) > 0 {
		par.Each(len(p.partial), r.clearFunc)
	}
	if err := r.segments(p.backward); err != nil {
		return err
	}
	par.Each(len(p.partial), r.sumFunc)
	return nil
}

// Commit lets nodes that follow the batch's statistics update their
// parameters.
func (r *Run) Commit() {
	for _, i := range r.prog.order {
		if b := &r.prog.nodes[i]; b.batchOp != nil {
			c := r.call(&r.workers[0], b, 0, 0, r.prog.req.Batch)
			params := r.workers[0].din[:0]
			for _, in := range b.in {
				var p []float32
				if in.space == inParam {
					p = r.args.Params[in.offset]
				}
				params = append(params, p)
			}
			b.batchOp.Commit(c, params)
		}
	}
}

func (r *Run) segments(segs []segment) error {
	r.staff(r.prog.lanes)
	for i := range segs {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		r.seg = &segs[i]
		if r.seg.barrier {
			r.barrier(r.seg.phases[0])
		} else {
			par.Each(r.prog.lanesOf(r.seg.cut), r.laneFunc)
		}
	}
	return r.ctx.Err()
}

// packAll runs the Packers, unless the memory still has what they would make.
func (r *Run) packAll() {
	m := packing{prog: r.prog, stamp: r.args.Stamp}
	if m.stamp.Owner != nil && m == r.memory.packing {
		return
	}
	par.Each(len(r.prog.packers), r.packFunc)
	if r.ctx.Err() != nil {
		m = packing{} // some Packers may have been passed over: what is there serves no later run
	}
	r.memory.packing = m
}

// pack runs one Packer, unless the context is done.
func (r *Run) pack(worker, i int) {
	if r.ctx.Err() != nil {
		return // segments finds it again
	}
	b := &r.prog.nodes[r.prog.packers[i]]
	b.op.(Packer).Pack(r.call(&r.workers[worker], b, 0, 0, r.prog.req.Batch), b.want)
}

// lane runs the current segment for one lane.
func (r *Run) lane(worker, lane int) {
	p, w := r.prog, &r.workers[worker]
	end := min((lane+1)*r.seg.lane, p.req.Batch)
	for lo := lane * r.seg.lane; lo < end; lo += r.seg.sub {
		for _, ph := range r.seg.phases {
			if r.ctx.Err() != nil {
				return // segments finds it again
			}
			r.step(w, ph, lane, lo, min(lo+r.seg.sub, end))
		}
	}
}

// step runs one phase for the samples [lo, hi).
func (r *Run) step(w *worker, ph phase, lane, lo, hi int) {
	b := &r.prog.nodes[ph.node]
	c := r.call(w, b, lane, lo, hi)
	switch ph.kind {
	case forwardPhase:
		perform(c, b.op, false)
	case reducePhase, reduceVJPPhase:
		at := r.partsOf(b)[lane*b.partLen : (lane+1)*b.partLen]
		// The groups of a lane add to the same sums; the first one starts them.
		if lo == lane*r.seg.lane {
			clear(at)
		}
		if ph.kind == reducePhase {
			b.batchOp.Reduce(c, at)
		} else {
			r.bindGrads(w, b, b.din, lane, lo, hi)
			b.batchOp.ReduceVJP(c, at)
		}
	case vjpPhase:
		r.bindGrads(w, b, b.din, lane, lo, hi)
		for _, k := range b.zero {
			clear(c.DIn[k])
		}
		perform(c, b.op, true)
	}
}

func (r *Run) partsOf(b *nodePlan) []float64 {
	return r.parts[b.part*r.prog.lanes:][:b.partLen*b.lanes]
}

// barrier runs a phase that needs the whole batch. It begins when par.Each has
// returned from the segment before, so that every lane has been through that.
func (r *Run) barrier(ph phase) {
	b := &r.prog.nodes[ph.node]
	w := &r.workers[0]
	n := r.prog.req.Batch
	switch ph.kind {
	case combinePhase:
		b.batchOp.Combine(r.call(w, b, 0, 0, n), r.partsOf(b))
	case combineVJPPhase:
		c := r.call(w, b, 0, 0, n)
		r.bindGrads(w, b, b.din, 0, 0, n)
		b.batchOp.CombineVJP(c, r.partsOf(b))
	case splitPhase:
		r.wide, r.pieces = ph.node, par.Workers(b.items)
		r.staff(r.pieces)
		par.Each(r.pieces, r.pieceFunc)
	case widePhase:
		r.wide = ph.node
		r.staff(b.items)
		par.Each(b.items, r.itemFunc)
	}
}

// item runs one piece of a WideVJP. The pieces of one large weight take long
// together, so each looks at the context.
func (r *Run) item(worker, item int) {
	if r.ctx.Err() != nil {
		return // segments finds it again
	}
	w, b := &r.workers[worker], &r.prog.nodes[r.wide]
	c := r.call(w, b, 0, 0, r.prog.req.Batch)
	r.bindGrads(w, b, b.dwide, 0, 0, r.prog.req.Batch)
	b.op.(WideOp).WideVJP(c, item)
}

// piece runs one piece of a splitter's Forward, unless the context is done.
func (r *Run) piece(worker, item int) {
	if r.ctx.Err() != nil {
		return // segments finds it again
	}
	w, b := &r.workers[worker], &r.prog.nodes[r.wide]
	b.op.(splitter).forwardPiece(r.call(w, b, 0, 0, r.prog.req.Batch), item, r.pieces)
}

// call binds the values of a node.
func (r *Run) call(w *worker, b *nodePlan, lane, lo, hi int) *Call {
	c := &w.call
	c.N, c.First = hi-lo, lo
	c.Shape, c.Param, c.OutShape, c.Fresh = b.shape, b.param, b.outShape, b.fresh
	c.Prepared, c.Packed = b.prepared, r.packed[b.pack:b.pack+b.packLen]
	c.Scratch, c.State = w.scratch, r.state[b.state:b.state+b.stateLen]
	c.Train, c.Seed, c.Node, c.Stop = r.prog.req.Train, r.args.Seed, b.number, r.ctx.Done()
	c.In, c.DIn, c.DOut = w.in[:len(b.in)], nil, nil
	for k, in := range b.in {
		c.In[k] = r.slice(w, in, lane, lo, hi)
	}
	c.Out = r.slice(w, b.out, lane, lo, hi)
	return c
}

// bindGrads binds the gradients of a node for a VJP; din is where those of
// the inputs go, b.din for VJP and b.dwide for WideVJP.
func (r *Run) bindGrads(w *worker, b *nodePlan, din []ref, lane, lo, hi int) {
	c := &w.call
	c.DIn = w.din[:len(din)]
	for k, d := range din {
		c.DIn[k] = r.slice(w, d, lane, lo, hi)
	}
	c.DOut = r.slice(w, b.dout, lane, lo, hi)
}

// slice returns the memory of a value for the samples [lo, hi).
func (r *Run) slice(w *worker, t ref, lane, lo, hi int) []float32 {
	switch t.space {
	case inInput:
		return r.args.X[lo*t.size : hi*t.size]
	case inParam:
		return r.args.Params[t.offset]
	case inOut:
		return r.args.Out[t.offset][lo*t.size : hi*t.size]
	case inBatch:
		return r.batch[t.offset+lo*t.size : t.offset+hi*t.size]
	case inLocal:
		return r.localSlice(w, t, lo, hi)
	case inDX:
		return r.args.DX[lo*t.size : hi*t.size]
	case inDP:
		return r.args.DP[t.offset]
	case inPartial:
		at := lane*r.prog.gradLen + t.offset
		return r.grads[at : at+t.size]
	}
	return nil
}

// localSlice returns nil where the whole batch is asked for: barriers see no
// local values.
func (r *Run) localSlice(w *worker, t ref, lo, hi int) []float32 {
	if n := t.size * (hi - lo); t.offset+n <= r.prog.localLen {
		return w.local[t.offset : t.offset+n]
	}
	return nil
}

// clearGrads zeroes the partial gradients of one parameter, in every lane: two
// nodes may read it, and each adds.
func (r *Run) clearGrads(_, i int) {
	g := r.prog.partial[i]
	for lane := range g.lanes {
		clear(r.grads[lane*r.prog.gradLen+g.offset:][:g.size])
	}
}

// sumGrads adds the partial gradients of one parameter, lane after lane: sums of
// float32 depend on their order, and this one does not depend on which lane was
// done first.
func (r *Run) sumGrads(_, i int) {
	g := r.prog.partial[i]
	dst := r.args.DP[g.param]
	sum := r.grads[g.offset : g.offset+g.size]
	for lane := 1; lane < g.lanes; lane++ {
		at := lane*r.prog.gradLen + g.offset
		accumulate(false, sum, r.grads[at:at+g.size])
	}
	accumulate(false, dst, sum)
}
