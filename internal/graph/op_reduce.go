package graph

import (
	"fmt"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// ReduceKind is what Reduce computes of a group of elements.
type ReduceKind int

// Kinds of reduction, named as in ONNX.
const (
	ReduceSum ReduceKind = iota
	ReduceMean
	ReduceMax
	ReduceMin
	ReduceProd
	ReduceL1
	ReduceL2
	ReduceSumSquare
	ReduceLogSum
	ReduceLogSumExp
)

// Reduce folds axes of a sample into one number each. Of equal extremes the
// first gets the gradient. Made by NewReduce.
type Reduce struct {
	kind  ReduceKind
	in    []int
	out   []int
	first []int32 // by output: where its group starts
	group []int32 // where the elements of a group are, from its start
	row   bool    // a group's elements are neighbors
	inner int     // groups side by side whose elements are as far apart, or 0
}

// NewReduce returns the reduction of a sample of the given shape over axes, which
// stay as axes of length 1.
func NewReduce(kind ReduceKind, shape, axes []int) (Reduce, error) {
	op := Reduce{kind: kind, in: slices.Clone(shape), out: slices.Clone(shape), first: []int32{0}, group: []int32{0}}
	for i, step := range strides(shape) {
		d := shape[i]
		if slices.Contains(axes, i) {
			op.out[i] = 1
			op.group = spread(op.group, d, step)
		} else {
			op.first = spread(op.first, d, step)
		}
	}
	for _, a := range axes {
		if a < 0 || a >= len(shape) {
			return op, fmt.Errorf("axis %d of shape %v", a, shape)
		}
	}
	op.row = op.group[len(op.group)-1] == int32(len(op.group)-1)
	op.inner = op.columns()
	return op, nil
}

// columns returns how many groups lie side by side where the elements of each are that
// far apart, as along one axis that is not the last, and 0 elsewhere.
func (op Reduce) columns() int {
	if len(op.group) < 2 || op.group[1] < 2 {
		return 0
	}
	inner := op.group[1]
	for k, at := range op.group {
		if at != int32(k)*inner {
			return 0
		}
	}
	for o, at := range op.first {
		if block := int32(o) / inner; at != block*inner*int32(len(op.group))+int32(o)%inner {
			return 0
		}
	}
	return int(inner)
}

// strides returns the distance of neighbors along every axis.
func strides(shape []int) []int {
	s := make([]int, len(shape))
	step := 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = step
		step *= shape[i]
	}
	return s
}

// spread returns every offset plus every multiple of step below n·step.
func spread(offsets []int32, n, step int) []int32 {
	out := make([]int32, 0, len(offsets)*n)
	for _, o := range offsets {
		for i := range n {
			out = append(out, o+int32(i*step))
		}
	}
	return out
}

// Infer implements Op.
func (op Reduce) Infer(in []Arg) ([]int, error) {
	if err := arity(in, 1, 1); err != nil {
		return nil, err
	}
	if !slices.Equal(in[0].Shape, op.in) {
		return nil, fmt.Errorf("sample has shape %v, want %v", in[0].Shape, op.in)
	}
	return op.out, nil
}

// Reads implements Op.
func (op Reduce) Reads([]bool, bool) ([]bool, bool) {
	reads := op.kind != ReduceSum && op.kind != ReduceMean
	return []bool{reads}, reads
}

// Forward implements Op.
func (op Reduce) Forward(c *Call) {
	n := size(op.in)
	if op.inner > 0 && op.even() {
		op.forwardColumns(c.Out, c.In[0])
		return
	}
	for s := range c.N {
		x := c.In[0][s*n : (s+1)*n]
		for o, first := range op.first {
			c.Out[s*len(op.first)+o] = float32(op.value(x[first:]))
		}
	}
}

// even tells whether all elements of a group count alike.
func (op Reduce) even() bool { return op.kind == ReduceSum || op.kind == ReduceMean }

// forwardColumns adds up blocks of rows, in the order in which value adds, some columns
// at a time so that their sums stay in the first-level cache.
func (op Reduce) forwardColumns(y, x []float32) {
	var sums [512]float64
	n, scale := op.inner, 1.0
	if op.kind == ReduceMean {
		scale = float64(len(op.group))
	}
	for ; len(y) > 0; y, x = y[n:], x[n*len(op.group):] {
		for lo := 0; lo < n; lo += len(sums) {
			part := sums[:min(len(sums), n-lo)]
			clear(part)
			for k := range op.group {
				for i, v := range x[k*n+lo:][:len(part)] {
					part[i] += float64(v)
				}
			}
			for i, v := range part {
				y[lo+i] = float32(v / scale)
			}
		}
	}
}

// value reduces the group that starts at x[0].
func (op Reduce) value(x []float32) float64 {
	switch op.kind {
	case ReduceMax, ReduceMin:
		return float64(x[op.extreme(x)])
	case ReduceLogSumExp:
		return op.logSumExp(x)
	case ReduceProd:
		return op.product(x, -1)
	}
	var total float64
	if op.row && op.even() {
		total = kernel.Sum32(x[:len(op.group)])
	} else {
		total = op.terms(x)
	}
	switch op.kind {
	case ReduceMean:
		total /= float64(len(op.group))
	case ReduceL2:
		total = math.Sqrt(total)
	case ReduceLogSum:
		total = math.Log(total)
	}
	return total
}

// terms adds up what the group's elements add to its value.
func (op Reduce) terms(x []float32) (total float64) {
	for _, k := range op.group {
		v := float64(x[k])
		switch op.kind {
		case ReduceL1:
			v = math.Abs(v)
		case ReduceL2, ReduceSumSquare:
			v *= v
		}
		total += v
	}
	return total
}

// extreme returns the place of the first largest or smallest element; NaN wins.
func (op Reduce) extreme(x []float32) int32 {
	at := op.group[0]
	for _, k := range op.group {
		v, top := x[k], x[at]
		if op.kind == ReduceMin {
			v, top = -v, -top
		}
		if v > top || v != v && top == top {
			at = k
		}
	}
	return at
}

// product multiplies all elements but the one at place skip.
func (op Reduce) product(x []float32, skip int32) float64 {
	total := 1.0
	for _, k := range op.group {
		if k != skip {
			total *= float64(x[k])
		}
	}
	return total
}

func (op Reduce) logSumExp(x []float32) float64 {
	top := math.Inf(-1)
	for _, k := range op.group {
		top = max(top, float64(x[k]))
	}
	if math.IsInf(top, 0) {
		return top
	}
	var total float64
	for _, k := range op.group {
		total += math.Exp(float64(x[k]) - top)
	}
	return top + math.Log(total)
}

// VJP implements Op.
func (op Reduce) VJP(c *Call) {
	c.Clear(0)
	n := size(op.in)
	if op.inner > 0 && op.even() {
		op.addColumns(c.DIn[0], c.DOut)
		return
	}
	for s := range c.N {
		dx := c.DIn[0][s*n : (s+1)*n]
		for o, first := range op.first {
			at := s*len(op.first) + o
			if op.even() {
				op.addEven(dx[first:], c.DOut[at])
				continue
			}
			op.addGroup(dx[first:], c.In[0][s*n+int(first):(s+1)*n], float64(c.Out[at]), float64(c.DOut[at]))
		}
	}
}

// addColumns adds the gradients of blocks of rows.
func (op Reduce) addColumns(dx, dy []float32) {
	n, scale := op.inner, float32(1)
	if op.kind == ReduceMean {
		scale = float32(1 / float64(len(op.group)))
	}
	for ; len(dy) > 0; dy, dx = dy[n:], dx[n*len(op.group):] {
		for k := range op.group {
			addScaled(false, dx[k*n:(k+1)*n], dy[:n], scale)
		}
	}
}

func (op Reduce) addEven(dx []float32, dy float32) {
	if op.kind == ReduceMean {
		dy = float32(float64(dy) / float64(len(op.group)))
	}
	if op.row {
		addConstant(dx[:len(op.group)], dy)
		return
	}
	for _, k := range op.group {
		dx[k] += dy
	}
}

func (op Reduce) addGroup(dx, x []float32, y, dy float64) {
	if op.kind == ReduceMax || op.kind == ReduceMin {
		dx[op.extreme(x)] += float32(dy)
		return
	}
	for _, k := range op.group {
		dx[k] += float32(dy * op.slope(x, k, y))
	}
}

// slope is the derivative of the group's value y in the element at place k.
func (op Reduce) slope(x []float32, k int32, y float64) float64 {
	v := float64(x[k])
	switch op.kind {
	case ReduceProd:
		return op.product(x, k)
	case ReduceL1:
		return sign(v)
	case ReduceL2:
		if y == 0 {
			return 0
		}
		return v / y
	case ReduceSumSquare:
		return 2 * v
	case ReduceLogSum:
		return math.Exp(-y)
	}
	return math.Exp(v - y) // ReduceLogSumExp
}
