package graph

import "math"

// gate is a function of x that x is multiplied by.
type gate struct {
	op     Op      // what the product is
	factor float64 // of the product where it is that
}

// fuseGate finds x times a function of x.
func (f *fuser) fuseGate(nd *node) bool {
	g, x, ok := f.gated(nd)
	if ok && closeTo(g.factor, 1) {
		f.replace(nd, g.op, x)
		return true
	}
	return false
}

// fuseScaledGate finds a multiple of x times a function of x, and a multiple of a
// limited x+3.
func (f *fuser) fuseScaledGate(nd *node, op Map) {
	if op.form.kind != scaleForm || op.form.b != 0 {
		return
	}
	prev := f.producer(nd.in[0])
	if prev == nil {
		return
	}
	if _, ok := prev.op.(Mul); ok {
		if g, x, ok := f.gated(prev); ok && closeTo(op.form.a*g.factor, 1) {
			f.replace(nd, g.op, x)
		}
		return
	}
	if x, h, ok := f.hardGate(nd.out); ok && closeTo(h.factor, 1) {
		f.replace(nd, HardSigmoid(h.a, h.b), x)
	}
}

// gated looks at both inputs of a product for x and for the function.
func (f *fuser) gated(mul *node) (gate, Value, bool) {
	for k := range 2 {
		for _, x := range f.chain(mul.in[k]) {
			if x.b != 0 || f.values[x.v].kind == paramValue || f.Size(x.v) != f.Size(mul.out) {
				break
			}
			if g, ok := f.gateOf(mul.in[1-k], x.v); ok {
				g.factor *= x.a
				return g, x.v, true
			}
		}
	}
	return gate{}, 0, false
}

// gateOf tells which function of x the value is. The factors are those that
// exporters divide by afterwards.
func (f *fuser) gateOf(v, x Value) (gate, bool) {
	if y, h, ok := f.hardGate(v); ok && y == x && closeTo(h.a, 1./6) && closeTo(h.b, .5) {
		return gate{HardSwish(), h.factor}, true
	}
	for _, u := range f.chain(v) {
		nd := f.producer(u.v)
		if nd == nil {
			continue
		}
		switch op := nd.op.(type) {
		case Sigmoid:
			if u.b == 0 && f.strip(nd.in[0]) == x {
				return gate{SiLU{}, u.a}, true
			}
		case Tanh:
			if closeTo(u.b, u.a) && f.isGELUCubic(nd.in[0], x) {
				return gate{GELU{Tanh: true}, 2 * u.a}, true
			}
		case Map:
			if op.form.kind == erfForm && closeTo(u.b, u.a) && f.isMultiple(nd.in[0], x, 0.7071067811865476) {
				return gate{GELU{}, 2 * u.a}, true
			}
		}
	}
	return gate{}, false
}

// isMultiple tells whether v is a·x.
func (f *fuser) isMultiple(v, x Value, a float64) bool {
	for _, u := range f.chain(v) {
		if u.v == x && u.b == 0 && closeTo(u.a, a) {
			return true
		}
	}
	return false
}

// hard is factor times what a·x + b is, limited to [0, 1].
type hard struct{ a, b, factor float64 }

// hardGate returns x and its function where v is one of that form.
func (f *fuser) hardGate(v Value) (x Value, h hard, ok bool) {
	for _, u := range f.chain(v) {
		if u.b != 0 {
			break
		}
		if nd, op, ok := f.mapOf(u.v, hardSigmoidForm); ok {
			return f.strip(nd.in[0]), hard{op.form.a, op.form.b, u.a}, true
		}
		nd, op, ok := f.mapOf(u.v, clipForm)
		if !ok || op.form.a != 0 || !(op.form.b > 0) || math.IsInf(op.form.b, 1) {
			continue
		}
		if inner := f.chain(nd.in[0]); len(inner) > 1 {
			return inner[1].v, hard{inner[1].a / op.form.b, inner[1].b / op.form.b, u.a * op.form.b}, true
		}
	}
	return 0, hard{}, false
}

// isGELUCubic tells whether v is √(2/π)·(x + 0.044715·x³).
func (f *fuser) isGELUCubic(v, x Value) bool {
	p, ok := f.polynomial(v, x, 12)
	const scale, cubic = 0.7978845608028654, 0.044715
	return ok && p[0] == 0 && p[2] == 0 && closeTo(p[1], scale) && closeTo(p[3], scale*cubic)
}

// polynomial returns the coefficients of v as a polynomial of x, of degree 3 at
// most, looking at chains of the given depth.
func (f *fuser) polynomial(v, x Value, depth int) (p [4]float64, ok bool) {
	if f.strip(v) == x {
		return [4]float64{0, 1}, true
	}
	nd := f.producer(v)
	if nd == nil || depth == 0 || f.Size(v) != f.Size(x) {
		return p, false
	}
	q, ok := f.polynomial(nd.in[0], x, depth-1)
	if !ok {
		return p, false
	}
	switch op := nd.op.(type) {
	case Map:
		return raised(q, op.form)
	case Add, Mul:
		r, ok := f.polynomial(nd.in[1], x, depth-1)
		if !ok {
			return p, false
		}
		if _, sum := op.(Add); !sum {
			return times(q, r)
		}
		for i := range p {
			p[i] = q[i] + r[i]
		}
		return p, true
	}
	return p, false
}

// raised applies a Map to a polynomial.
func raised(q [4]float64, form form) (p [4]float64, ok bool) {
	switch {
	case form.kind == scaleForm:
		for i := range p {
			p[i] = form.a * q[i]
		}
		p[0] += form.b
		return p, true
	case form.kind == powerForm && form.a == 2:
		return times(q, q)
	case form.kind == powerForm && form.a == 3:
		if p, ok = times(q, q); ok {
			return times(p, q)
		}
	}
	return p, false
}

// times multiplies polynomials, unless the degree exceeds 3.
func times(q, r [4]float64) (p [4]float64, ok bool) {
	for i, a := range q {
		for j, b := range r {
			switch {
			case a == 0 || b == 0:
			case i+j > 3:
				return p, false
			default:
				p[i+j] += a * b
			}
		}
	}
	return p, true
}
