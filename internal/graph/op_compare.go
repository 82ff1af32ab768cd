package graph

import (
	"fmt"
	"slices"
)

// CompareKind is the relation that Compare tests.
type CompareKind int

// Relations, and logic on numbers of which all but zero are true.
const (
	Less CompareKind = iota
	LessOrEqual
	Greater
	GreaterOrEqual
	Equal
	And
	Or
	Xor
)

// Compare is 1 where a relation holds between its inputs, which broadcast as those
// of Add do, and 0 elsewhere. It is constant but for jumps: its gradient is zero.
type Compare struct {
	binary
	Kind CompareKind
}

// Reads implements Op.
func (Compare) Reads([]bool, bool) ([]bool, bool) { return none(2), false }

// Forward implements Op.
func (op Compare) Forward(c *Call) {
	a, b, y := c.In[0], c.In[1], c.Out
	w := newWalk(c)
	w.each(c.N, func(o, i, j int) {
		v := float32(0)
		if op.holds(a[i], b[j]) {
			v = 1
		}
		y[o] = v
	})
}

func (op Compare) holds(a, b float32) bool {
	switch op.Kind {
	case Less:
		return a < b
	case LessOrEqual:
		return a <= b
	case Greater:
		return a > b
	case GreaterOrEqual:
		return a >= b
	case Equal:
		return a == b
	case And:
		return a != 0 && b != 0
	case Or:
		return a != 0 || b != 0
	}
	return (a != 0) != (b != 0)
}

// VJP implements Op.
func (Compare) VJP(c *Call) {
	for k, dx := range c.DIn {
		if dx != nil {
			c.Clear(k)
		}
	}
}

// Choose takes, at every position, the element of its second input where the first
// is not zero, and of its third elsewhere. The inputs have batch axis and shape
// in common. The gradient goes to the element that was taken.
type Choose struct{}

// Infer implements Op.
func (Choose) Infer(in []Arg) ([]int, error) {
	if err := arity(in, 3, 3); err != nil {
		return nil, err
	}
	for _, a := range in[1:] {
		if a.Param || !slices.Equal(a.Shape, in[0].Shape) {
			return nil, fmt.Errorf("inputs %v, %v and %v, want one shape", in[0], in[1], in[2])
		}
	}
	return in[0].Shape, nil
}

// Reads implements Op.
func (Choose) Reads(want []bool, _ bool) ([]bool, bool) {
	return []bool{want[1] || want[2], false, false}, false
}

// Forward implements Op.
func (Choose) Forward(c *Call) {
	for i, v := range c.In[0] {
		if v != 0 {
			c.Out[i] = c.In[1][i]
		} else {
			c.Out[i] = c.In[2][i]
		}
	}
}

// VJP implements Op.
func (Choose) VJP(c *Call) {
	for k, dx := range c.DIn {
		if dx == nil {
			continue
		}
		c.Clear(k)
		if k == 0 {
			continue
		}
		for i, v := range c.In[0] {
			if (v != 0) == (k == 1) {
				dx[i] += c.DOut[i]
			}
		}
	}
}
