package graph

import (
	"math"
	"slices"
)

// recognize puts one operator in the place of chains that exporters write for it:
// layer normalization, GELU, SiLU, HardSwish, HardSigmoid, linear layers with their
// bias, and attention. Only the last node of a chain changes, so that values in
// between are computed as before where somebody else reads them.
func (f *fuser) recognize() {
	f.count()
	for i := range f.nodes {
		nd := &f.nodes[i]
		switch op := nd.op.(type) {
		case Mul:
			_ = f.fuseGate(nd) || f.fuseCore(nd)
		case Map:
			f.fuseScaledGate(nd, op)
		case Pair:
			f.fuseCore(nd)
		case Add:
			f.fuseLayerNorm(nd)
		}
	}
	f.count()
	for i := range f.nodes {
		if _, ok := f.nodes[i].op.(Add); ok {
			f.fuseBias(&f.nodes[i])
		}
	}
	for i := range f.nodes {
		if _, ok := f.nodes[i].op.(MatMul); ok {
			f.fuseAttention(&f.nodes[i])
		}
	}
	f.count()
	for i := range f.nodes {
		if op, ok := f.nodes[i].op.(Take); ok {
			f.fuseAttentionOutput(&f.nodes[i], op)
			f.fusePatches(&f.nodes[i], op)
		}
	}
	f.count()
}

// count counts the readers of every value among nodes that the taps depend on.
func (f *fuser) count() {
	f.readers = make([]int, len(f.values))
	for _, v := range f.q.Taps {
		f.readers[v]++
	}
	for i := len(f.nodes) - 1; i >= 0; i-- {
		nd := f.nodes[i]
		if f.readers[nd.out] == 0 {
			continue
		}
		for _, v := range nd.in {
			f.readers[v]++
		}
	}
}

// strip returns the value that v is a copy of: reshaped, by dropout that drops nothing,
// or by slices and padding that change nothing.
func (f *fuser) strip(v Value) Value {
	for range longest {
		if f.values[v].kind != nodeValue {
			break
		}
		nd := f.nodes[f.values[v].index]
		switch op := nd.op.(type) {
		case Reshape:
		case Dropout:
			if f.q.Train {
				return v
			}
		case Take:
			if !op.identity() || f.values[nd.in[0]].kind == paramValue {
				return v
			}
		default:
			return v
		}
		v = nd.in[0]
	}
	return v
}

// longest bounds the links of a chain that a step follows, so that a plan takes a time
// in proportion to the nodes, whatever these are.
const longest = 16

// producer returns the node that computes v, reshapes left out, or nil.
func (f *fuser) producer(v Value) *node {
	v = f.strip(v)
	if f.values[v].kind != nodeValue {
		return nil
	}
	return &f.nodes[f.values[v].index]
}

// mapOf returns the node that computes v and its Map, if it is one of that kind.
func (f *fuser) mapOf(v Value, kind formKind) (*node, Map, bool) {
	nd := f.producer(v)
	if nd == nil {
		return nil, Map{}, false
	}
	op, ok := nd.op.(Map)
	return nd, op, ok && op.form.kind == kind
}

// scaled is a value seen as a·v + b.
type scaled struct {
	v    Value
	a, b float64
}

// chain returns v itself and what it is a scaled form of, link by link.
func (f *fuser) chain(v Value) []scaled {
	list := []scaled{{f.strip(v), 1, 0}}
	for len(list) < longest {
		last := list[len(list)-1]
		nd, op, ok := f.mapOf(last.v, scaleForm)
		if !ok {
			return list
		}
		list = append(list, scaled{f.strip(nd.in[0]), last.a * op.form.a, last.a*op.form.b + last.b})
	}
	return list
}

// closeTo tells whether a constant of a file is the given one, rounded to float32
// a few times on its way.
func closeTo(got, want float64) bool { return math.Abs(got-want) <= 1e-6*math.Abs(want) }

// replace makes nd another operator.
func (f *fuser) replace(nd *node, op Op, in ...Value) {
	nd.op, nd.in, nd.prepared = op, in, nil
	if p, ok := op.(Preparer); ok {
		nd.prepared = p.Prepare(f.args(*nd))
	}
}

// fuseCore finds the core of layer normalization: x minus its mean, over the root of
// the mean of the square of that plus epsilon. The root may be a power of ½, or of −½
// in a product, or have a reciprocal taken.
func (f *fuser) fuseCore(nd *node) bool {
	top, bottom := nd.in[0], nd.in[1]
	want := .5
	if _, ok := nd.op.(Mul); ok {
		want = -.5
	} else if op := nd.op.(Pair); !op.div {
		return false
	}
	try := func(top, bottom Value) bool {
		x, n, ok := f.centered(top)
		if !ok || last(f.Shape(nd.out)) != n || f.Size(x) != f.Size(nd.out) || !f.perRow(bottom, nd.out) {
			return false
		}
		epsilon, ok := f.deviation(bottom, want, x)
		if ok {
			f.replace(nd, Standardize{Epsilon: epsilon}, x)
		}
		return ok
	}
	return try(top, bottom) || want < 0 && try(bottom, top)
}

func last(shape []int) int {
	if len(shape) == 0 {
		return 0
	}
	return shape[len(shape)-1]
}

// perRow tells whether v broadcasts to out with one number for each row.
func (f *fuser) perRow(v, out Value) bool {
	shape := f.Shape(v)
	return f.values[v].kind != paramValue && len(shape) > 0 && last(shape) == 1 && f.Size(v)*last(f.Shape(out)) == f.Size(out)
}

// rowMean returns what v is the mean of, over rows of n elements.
func (f *fuser) rowMean(v Value) (x Value, n int, ok bool) {
	nd := f.producer(v)
	if nd == nil {
		return 0, 0, false
	}
	op, ok := nd.op.(Reduce)
	if !ok || op.kind != ReduceMean || !op.row {
		return 0, 0, false
	}
	return f.strip(nd.in[0]), len(op.group), true
}

// centered returns x where v is x minus the mean of its row of n elements.
func (f *fuser) centered(v Value) (x Value, n int, ok bool) {
	nd := f.producer(v)
	if nd == nil {
		return 0, 0, false
	}
	if op, is := nd.op.(Pair); !is || op.kernel != &subKernel || !f.perRow(nd.in[1], nd.out) {
		return 0, 0, false
	}
	x, n, ok = f.rowMean(nd.in[1])
	return x, n, ok && x == f.strip(nd.in[0]) && last(f.Shape(nd.out)) == n && f.values[x].kind != paramValue
}

// deviation returns epsilon where v is the power p of epsilon plus the mean square of
// the centered rows of x.
func (f *fuser) deviation(v Value, p float64, x Value) (epsilon float64, ok bool) {
	for p != 1 {
		nd, op, ok := f.mapOf(v, powerForm)
		if !ok || op.form.a == 0 || op.form.a == 1 {
			return 0, false
		}
		p /= op.form.a
		v = nd.in[0]
		if p != 1 && p != .5 && p != -.5 && p != -1 {
			return 0, false
		}
	}
	nd, op, ok := f.mapOf(v, scaleForm)
	if !ok || op.form.a != 1 || !(op.form.b > 0) {
		return 0, false
	}
	square, n, ok := f.rowMean(nd.in[0])
	if !ok {
		return 0, false
	}
	y, m, ok := f.centered(f.squared(square))
	return op.form.b, ok && y == x && m == n
}

// squared returns what v is the square of, or v.
func (f *fuser) squared(v Value) Value {
	if nd, op, ok := f.mapOf(v, powerForm); ok && op.form.a == 2 {
		return nd.in[0]
	}
	nd := f.producer(v)
	if nd != nil {
		if _, ok := nd.op.(Mul); ok && f.strip(nd.in[0]) == f.strip(nd.in[1]) && f.Size(nd.in[0]) == f.Size(nd.out) {
			return nd.in[0]
		}
	}
	return v
}

// fuseLayerNorm finds a standardized row times a parameter plus a parameter.
func (f *fuser) fuseLayerNorm(nd *node) {
	product, shift, ok := f.withParam(nd)
	if !ok {
		return
	}
	mul := f.producer(product)
	if mul == nil {
		return
	}
	if _, is := mul.op.(Mul); !is {
		return
	}
	core, scale, ok := f.withParam(mul)
	if !ok {
		return
	}
	std := f.producer(core)
	if std == nil {
		return
	}
	op, is := std.op.(Standardize)
	n := last(f.Shape(std.out))
	if is && f.rowParam(scale, mul.out, n) && f.rowParam(shift, nd.out, n) {
		f.replace(nd, layerNorm{op}, std.in[0], scale, shift)
	}
}

// withParam returns the inputs of a node of two of which one is a parameter.
func (f *fuser) withParam(nd *node) (v, param Value, ok bool) {
	v, param = nd.in[0], nd.in[1]
	if f.values[v].kind == paramValue {
		v, param = param, v
	}
	return v, param, f.values[param].kind == paramValue
}

// rowParam tells whether a parameter has n numbers which broadcast along the last
// axis of out.
func (f *fuser) rowParam(p, out Value, n int) bool {
	return f.Size(p) == n && last(f.Shape(p)) == n && last(f.Shape(out)) == n
}

// fuseBias makes a parameter that is added to the rows of a product its bias.
func (f *fuser) fuseBias(nd *node) {
	product, bias, ok := f.withParam(nd)
	if !ok {
		return
	}
	v := f.strip(product)
	if f.values[v].kind != nodeValue || f.readers[v] != 1 || f.readers[product] != 1 {
		return
	}
	prev := f.nodes[f.values[v].index]
	if len(prev.in) != 2 || !f.rowParam(bias, nd.out, last(f.Shape(prev.out))) {
		return
	}
	switch op := prev.op.(type) {
	case Rows:
		op.Beta = 1
		f.replace(nd, op, slices.Concat(prev.in, []Value{bias})...)
	case Gemm:
		op.Beta = 1
		f.replace(nd, op, slices.Concat(prev.in, []Value{bias})...)
	}
}

// fusePatches finds a convolution with windows side by side whose result is
// transposed, from channels×positions to positions×channels.
func (f *fuser) fusePatches(nd *node, take Take) {
	v := f.strip(nd.in[0])
	if f.values[v].kind != nodeValue || f.readers[v] != 1 || f.readers[nd.in[0]] != 1 {
		return
	}
	prev := f.nodes[f.values[v].index]
	if _, ok := prev.op.(Conv); !ok {
		return
	}
	p := prev.prepared.(*convPlan)
	positions := p.oh * p.ow
	if !p.tiled() || f.Size(nd.out) != f.Size(v) || f.values[prev.in[0]].kind == paramValue {
		return
	}
	for i, k := range take.index() {
		if int(k) != i%p.m*positions+i/p.m {
			return
		}
	}
	op := &patches{Rows: Rows{Linear()}, geometry: p.geometry, shapes: [][]int{{positions, p.k}, {p.m, p.k}, {p.m}}[:len(prev.in)]}
	f.replace(nd, op, prev.in...)
}

// tiled tells whether the windows lie side by side in the image, without padding.
func (p *convPlan) tiled() bool {
	g := p.geometry
	return p.group == 1 && g.KernelH*g.KernelW > 1 && g.StrideH == g.KernelH && g.StrideW == g.KernelW &&
		g.DilationH == 1 && g.DilationW == 1 && g.Top|g.Left|g.Bottom|g.Right == 0
}
