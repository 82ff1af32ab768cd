package graph

import (
	"slices"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// fuse returns a graph over the same values in which chains of nodes are one
// node where that saves passes over memory: convolution, batch norm in
// evaluation and limits, as of a rectifier; convolution and limits; batch norm and
// rectifier; sum and rectifier; and what recognize finds. The
// fused node stands in the place of the chain's last, so that numbers of nodes,
// which dropout draws from, stay; nobody needs the others any more.
func (g *Graph) fuse(q Request) *Graph {
	f := fuser{Graph: &Graph{values: g.values, params: g.params, nodes: slices.Clone(g.nodes)}, q: q}
	f.recognize()
	for i := range f.nodes {
		switch op := f.nodes[i].op.(type) {
		case BatchNorm:
			f.fuseNorm(&f.nodes[i], op)
		case ReLU:
			if !f.fuseLimits(&f.nodes[i], kernel.Rectified) {
				f.fuseReLU(&f.nodes[i])
			}
		case Map:
			if op.form.kind == clipForm && op.Kernel != nil {
				f.fuseLimits(&f.nodes[i], kernel.Limits{Low: float32(op.form.a), High: float32(op.form.b)})
			}
		}
	}
	return f.Graph
}

type fuser struct {
	*Graph
	q       Request
	readers []int // by value
}

// before returns the node whose result nd alone reads, as its first input.
func (f *fuser) before(nd *node) *node {
	v := nd.in[0]
	if f.values[v].kind != nodeValue || f.readers[v] != 1 {
		return nil
	}
	return &f.nodes[f.values[v].index]
}

// fuseNorm folds the scale of a batch norm in evaluation into the weights of
// the convolution before it, unless the gradients of either are wanted.
func (f *fuser) fuseNorm(nd *node, norm BatchNorm) {
	prev := f.before(nd)
	if prev == nil || f.q.Train || f.wantsParams(prev) || f.wantsParams(nd) {
		return
	}
	if conv, ok := prev.op.(Conv); ok {
		nd.op = convNorm{Conv: conv, norm: norm, bias: len(prev.in) == 3, limits: kernel.NoLimits}
		nd.in = slices.Concat(prev.in, nd.in[1:])
		nd.prepared = prev.prepared
	}
}

// fuseLimits lets the convolution before nd limit its results, and reports whether
// it does. Where WideVJP computes the gradients of its parameters, which reads the
// gradient of the results before VJP has limited it, it does not.
func (f *fuser) fuseLimits(nd *node, l kernel.Limits) bool {
	prev := f.before(nd)
	if prev == nil {
		return false
	}
	switch op := prev.op.(type) {
	case convNorm:
		if op.limits != kernel.NoLimits {
			return false
		}
		op.limits = l
		nd.op = op
	case Conv:
		if p := prev.prepared.(*convPlan); p.isWide() && f.wantsParams(prev) {
			return false
		}
		nd.op = convLimits{op, l}
	default:
		return false
	}
	nd.in, nd.prepared = prev.in, prev.prepared
	return true
}

func (f *fuser) fuseReLU(nd *node) {
	prev := f.before(nd)
	if prev == nil {
		return
	}
	switch op := prev.op.(type) {
	case BatchNorm:
		nd.op = normReLU{op}
	case Add:
		if !f.samples(prev.in[0], nd.out) || !f.samples(prev.in[1], nd.out) {
			return
		}
		nd.op = addReLU{}
	default:
		return
	}
	nd.in, nd.prepared = prev.in, prev.prepared
}

// samples tells whether v is no parameter and as large as out.
func (f *fuser) samples(v, out Value) bool {
	return f.values[v].kind != paramValue && f.values[v].size == f.values[out].size
}

func (f *fuser) wantsParams(nd *node) bool {
	return f.q.Grad && slices.ContainsFunc(nd.in, func(v Value) bool {
		p := f.values[v]
		return p.kind == paramValue && len(f.q.Params) > 0 && f.q.Params[p.index]
	})
}
