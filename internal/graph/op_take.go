package graph

import (
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// Take copies elements of one sample by a fixed table: slicing, padding,
// transposing, tiling, repeating and nearest-neighbor resizing are all of this
// kind. The input may be a parameter, which then counts as equal for every
// sample. Made by NewTake.
type Take struct {
	in, out []int
	fill    float32
	runs    []takeRun
}

// takeRun is n elements of the output from out on, which are the input's
// elements in, in+step ...; in is -1 where the fill value goes.
type takeRun struct{ out, in, n, step int32 }

// NewTake returns the operator whose output, of shape out, has at position i
// the element index[i] of the input, of shape in, or fill where index[i] is -1.
// It does not keep index. Cost: memory for at most one run an element, far
// fewer where stretches are equally spaced.
func NewTake(in, out []int, index []int32, fill float32) (Take, error) {
	if len(index) != size(out) {
		return Take{}, fmt.Errorf("table of %d elements for shape %v", len(index), out)
	}
	n := int32(size(in))
	for i, k := range index {
		if k < -1 || k >= n {
			return Take{}, fmt.Errorf("element %d of %v is taken from %d of %v", i, out, k, in)
		}
	}
	op := Take{in: slices.Clone(in), out: slices.Clone(out), fill: fill}
	for i := 0; i < len(index); {
		r := nextRun(index, i)
		op.runs = append(op.runs, r)
		i += int(r.n)
	}
	op.runs = slices.Clip(op.runs)
	return op, nil
}

// nextRun returns the longest run that starts at position i.
func nextRun(index []int32, i int) takeRun {
	r := takeRun{out: int32(i), in: index[i], n: 1}
	if i+1 < len(index) && index[i] >= 0 && index[i+1] >= 0 {
		r.step = index[i+1] - index[i]
	}
	for j := i + 1; j < len(index) && (index[j] < 0) == (r.in < 0) && (r.in < 0 || index[j] == index[j-1]+r.step); j++ {
		r.n++
	}
	return r
}

// Infer implements Op.
func (op Take) Infer(in []Arg) ([]int, error) {
	if len(in) != 1 || !slices.Equal(in[0].Shape, op.in) {
		return nil, fmt.Errorf("inputs %v, want one of shape %v", in, op.in)
	}
	return op.out, nil
}

// Reads implements Op.
func (Take) Reads([]bool, bool) ([]bool, bool) { return none(1), false }

// Forward implements Op.
func (op Take) Forward(c *Call) {
	n := size(op.out)
	for s := range c.N {
		op.copySample(c.Out[s*n:(s+1)*n], op.sample(c, c.In[0], s))
	}
}

// sample returns the input's elements of sample s, or of the parameter.
func (op Take) sample(c *Call, x []float32, s int) []float32 {
	if c.Param[0] {
		return x
	}
	n := size(op.in)
	return x[s*n : (s+1)*n]
}

func (op Take) copySample(y, x []float32) {
	for _, r := range op.runs {
		to := y[r.out : r.out+r.n]
		switch {
		case r.in < 0:
			fill(to, op.fill)
		case r.step == 1:
			copy(to, x[r.in:])
		case r.step == 0:
			fill(to, x[r.in])
		default:
			at := r.in
			for i := range to {
				to[i] = x[at]
				at += r.step
			}
		}
	}
}

func fill(x []float32, v float32) {
	for i := range x {
		x[i] = v
	}
}

// VJP implements Op.
func (op Take) VJP(c *Call) {
	c.Clear(0)
	n := size(op.out)
	for s := range c.N {
		op.addSample(op.sample(c, c.DIn[0], s), c.DOut[s*n:(s+1)*n])
	}
}

func (op Take) addSample(dx, dy []float32) {
	for _, r := range op.runs {
		from := dy[r.out : r.out+r.n]
		switch {
		case r.in < 0:
		case r.step == 1:
			accumulate(false, dx[r.in:r.in+r.n], from)
		case r.step == 0:
			dx[r.in] += float32(kernel.Sum32(from))
		default:
			at := r.in
			for _, v := range from {
				dx[at] += v
				at += r.step
			}
		}
	}
}

// index returns the table that NewTake was given.
func (op Take) index() []int32 {
	index := make([]int32, size(op.out))
	for _, r := range op.runs {
		for i := range r.n {
			index[r.out+i] = r.in + i*r.step // step is 0 where in is -1
		}
	}
	return index
}

// identity tells whether the elements stay where they are.
func (op Take) identity() bool {
	return len(op.runs) == 1 && op.runs[0].in == 0 && op.runs[0].step == 1 && size(op.in) == size(op.out)
}

// fills tells whether some elements are the fill value.
func (op Take) fills() bool {
	return slices.ContainsFunc(op.runs, func(r takeRun) bool { return r.in < 0 })
}
