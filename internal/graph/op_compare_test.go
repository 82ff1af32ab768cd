package graph

import "testing"

// TestChoose compares the gradient of a choice by a mask with differences: it goes
// to what was chosen, and none through the mask.
func TestChoose(t *testing.T) {
	for kind, name := range []string{"less", "less or equal", "greater", "greater or equal", "equal", "and", "or", "xor"} {
		t.Run(name, func(t *testing.T) {
			n := newNet(t, uint64(kind), 3, 4)
			x := n.inner(true)
			limit := n.param(4)
			copy(n.params[0], []float32{9, -9, 0, 9}) // far from x, but for the zero of And
			if kind < int(And) {
				n.params[0][2] = -9
			}
			mask := n.apply(Compare{Kind: CompareKind(kind)}, x, limit)
			y := n.apply(Mul{}, x, n.param(3, 4))
			n.apply(Choose{}, mask, y, n.apply(Scale(-3, .5), x))
			n.check(mode{}, uniform(n.src, 5*12))
		})
	}
}

// TestCompare compares with the relations of the language, at all pairs of a few
// numbers.
func TestCompare(t *testing.T) {
	v := []float32{-1, 0, .5, 2}
	for kind, want := range map[CompareKind]func(a, b float32) bool{
		Less: func(a, b float32) bool { return a < b }, LessOrEqual: func(a, b float32) bool { return a <= b },
		Greater: func(a, b float32) bool { return a > b }, GreaterOrEqual: func(a, b float32) bool { return a >= b },
		Equal: func(a, b float32) bool { return a == b }, And: func(a, b float32) bool { return a != 0 && b != 0 },
		Or: func(a, b float32) bool { return a != 0 || b != 0 }, Xor: func(a, b float32) bool { return (a != 0) != (b != 0) },
	} {
		for _, a := range v {
			for _, b := range v {
				if got := (Compare{Kind: kind}).holds(a, b); got != want(a, b) {
					t.Errorf("relation %d of %v and %v is %t", kind, a, b, got)
				}
			}
		}
	}
}
