package graph

import "slices"

// fuseAttention finds the product of a softmax over the last axis and V, where the
// softmax is one of a multiple of Q·Kᵀ, plus masks and biases. What splits, reshapes and transposes Q, K and
// V before is read through where the matrices of the heads have rows or columns of
// neighbors nevertheless.
func (f *fuser) fuseAttention(nd *node) {
	soft := f.producer(nd.in[0])
	if soft == nil || f.readers[soft.out] != 1 {
		return
	}
	shape := f.Shape(nd.in[0])
	if f.Size(nd.in[0]) > mostPlaces || f.Size(nd.out) > mostPlaces {
		return
	}
	rows, keys := shape[len(shape)-2], shape[len(shape)-1]
	if op, ok := soft.op.(Softmax); !ok || last(f.Shape(soft.out)) != keys || op.Axis != -1 && op.Axis != len(f.Shape(soft.out))-1 {
		return
	}
	op := attention{rows: rows, keys: keys, depth: last(f.Shape(nd.out)), heads: f.Size(nd.in[0]) / (rows * keys)}
	op.output = matrices{size: f.Size(nd.out), ld: op.depth}
	for i := range op.heads {
		op.output.offset = append(op.output.offset, int32(i*rows*op.depth))
	}
	scores, added := f.addends(&op, soft.in[0])
	links := f.chain(scores)
	end := links[len(links)-1]
	prod := f.producer(end.v)
	if prod == nil || end.b != 0 || f.readers[prod.out] != 1 {
		return
	}
	if _, ok := prod.op.(MatMul); ok {
		op.width = last(f.Shape(prod.in[0]))
		f.attend(nd, prod, op, end.a, added)
	}
}

// addends takes off v what is added to it in rows of scores, and returns the rest.
func (f *fuser) addends(op *attention, v Value) (rest Value, added []Value) {
	for len(added) < longest {
		nd := f.producer(v)
		if nd == nil {
			return v, added
		}
		if _, ok := nd.op.(Add); !ok {
			return v, added
		}
		x, m := nd.in[0], nd.in[1]
		if f.values[x].kind == paramValue || f.Size(x) < f.Size(nd.out) {
			x, m = m, x
		}
		a := addend{size: f.Size(m)}
		if f.values[m].kind == paramValue {
			a.size = 0
		}
		if f.values[x].kind == paramValue || f.Size(x) != f.Size(nd.out) || !a.set(f.Shape(m), f.Shape(nd.out), op) {
			return v, added
		}
		op.added, added = append(op.added, a), append(added, m)
		v = x
	}
	return v, added
}

// set finds where the rows are that a value of the given shape adds to those of out.
func (a *addend) set(shape, out []int, op *attention) bool {
	r := len(out)
	for len(shape) > r && shape[0] == 1 {
		shape = shape[1:]
	}
	if r < 2 || out[r-1] != op.keys || out[r-2] != op.rows || size(out) != op.heads*op.rows*op.keys || len(shape) > r || last(shape) != op.keys {
		return false
	}
	if len(shape) > 1 && shape[len(shape)-2] > 1 {
		a.ld = op.keys
	}
	index := []int32{0}
	step := strides(shape)
	for i := range r - 2 {
		d := 0
		if at := i - (r - len(shape)); at >= 0 && shape[at] > 1 {
			d = step[at]
		}
		index = spread(index, out[i], d)
	}
	a.offset = index
	return true
}

// attend finds out where the matrices are, and puts op in the place of nd.
func (f *fuser) attend(nd, prod *node, op attention, scale float64, added []Value) {
	if s := f.Shape(prod.out); s[len(s)-2] != op.rows || s[len(s)-1] != op.keys {
		return
	}
	var in []Value
	for _, m := range []struct {
		to         *matrices
		v          Value
		rows, cols int
	}{{&op.q, prod.in[0], op.rows, op.width}, {&op.k, prod.in[1], op.width, op.keys}, {&op.v, nd.in[1], op.keys, op.depth}} {
		if f.values[m.v].kind == paramValue || f.Size(m.v) != op.heads*m.rows*m.cols || f.Size(m.v) > mostPlaces {
			return
		}
		base, factor, ok := f.place(m.to, m.v, m.rows, m.cols)
		if !ok {
			return
		}
		scale *= factor
		m.to.in, in = input(in, base)
	}
	for i, v := range added {
		op.added[i].in, in = input(in, v)
	}
	op.scale = float32(scale)
	nd.op, nd.in, nd.prepared = op, in, nil
}

// input returns the number of v among the inputs, and these with it.
func input(in []Value, v Value) (int, []Value) {
	if i := slices.Index(in, v); i >= 0 {
		return i, in
	}
	return len(in), append(in, v)
}

// place finds the matrices of v in the earliest value that holds them, and what
// they have been multiplied by since. Without factor v itself is meant.
func (f *fuser) place(m *matrices, v Value, rows, cols int) (base Value, factor float64, ok bool) {
	base, table, factor := f.origin(v)
	if m.size = f.Size(base); m.set(table, rows, cols) {
		return base, factor, true
	}
	m.size = f.Size(v)
	return v, 1, m.set(counting(m.size), rows, cols)
}

// counting returns 0, 1, … n−1.
func counting(n int) []int32 {
	table := make([]int32, n)
	for i := range table {
		table[i] = int32(i)
	}
	return table
}

// origin follows v back through what only moves elements or multiplies them by a
// constant, and returns the place there of each element of v.
func (f *fuser) origin(v Value) (base Value, table []int32, factor float64) {
	base, factor = f.strip(v), 1
	var moves []Take
	for range longest {
		nd := f.producer(base)
		if nd == nil || f.values[nd.in[0]].kind == paramValue {
			break
		}
		take, isTake := nd.op.(Take)
		scale, isMap := nd.op.(Map)
		if isTake && !take.fills() && f.Size(nd.in[0]) <= mostPlaces {
			moves = append(moves, take)
		} else if isMap && scale.form.kind == scaleForm && scale.form.b == 0 {
			factor *= scale.form.a
		} else {
			break
		}
		base = f.strip(nd.in[0])
	}
	return base, moved(moves, f.Size(base)), factor
}

// mostPlaces bounds the elements of a value whose places are looked at one by one.
const mostPlaces = 1 << 22

// moved returns the places of the elements after moves, the last of which is done
// first, on n elements.
func moved(moves []Take, n int) []int32 {
	table := counting(n)
	for _, op := range slices.Backward(moves) {
		index := op.index()
		for i, k := range index {
			index[i] = table[k]
		}
		table = index
	}
	return table
}

// set finds heads of rows×cols elements at places that are equally spaced within
// each, with neighbors side by side in rows or in columns.
func (m *matrices) set(table []int32, rows, cols int) bool {
	var down, across int32 = 1, 1
	if rows > 1 {
		down = table[cols] - table[0]
	}
	if cols > 1 {
		across = table[1] - table[0]
	}
	m.offset = nil
	for at := 0; at < len(table); at += rows * cols {
		m.offset = append(m.offset, table[at])
		for i := range rows {
			for j := range cols {
				if table[at+i*cols+j] != table[at]+int32(i)*down+int32(j)*across {
					return false
				}
			}
		}
	}
	if m.turned, m.ld = false, int(down); across != 1 {
		m.turned, m.ld = true, int(across)
	}
	least := cols
	if m.turned {
		least = rows
	}
	if rows == 1 || cols == 1 {
		m.ld = max(m.ld, least)
	}
	return (across == 1 || down == 1) && m.ld >= least
}

// fuseAttentionOutput lets attention write where a transposition that follows would
// put its result.
func (f *fuser) fuseAttentionOutput(nd *node, take Take) {
	v := f.strip(nd.in[0])
	if f.values[v].kind != nodeValue || f.readers[v] != 1 || f.readers[nd.in[0]] != 1 {
		return
	}
	prev := f.nodes[f.values[v].index]
	op, ok := prev.op.(attention)
	if !ok || f.Size(nd.out) != f.Size(v) {
		return
	}
	to := make([]int32, f.Size(v))
	for i := range to {
		to[i] = -1
	}
	for i, k := range take.index() {
		if k < 0 || to[k] >= 0 {
			return
		}
		to[k] = int32(i)
	}
	m := matrices{size: f.Size(v)}
	if m.set(to, op.rows, op.depth) {
		op.output = m
		nd.op, nd.in, nd.prepared = op, prev.in, nil
	}
}
