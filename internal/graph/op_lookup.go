package graph

import "fmt"

// Lookup takes rows of a matrix of parameters, by the numbers in its first input: an
// embedding. Numbers are truncated; those outside of the matrix count as the
// nearest row, so callers check them first. They have no gradient.
type Lookup struct{}

// Infer implements Op.
func (Lookup) Infer(in []Arg) ([]int, error) {
	if err := arity(in, 2, 2); err != nil {
		return nil, err
	}
	if !in[1].Param || len(in[1].Shape) != 2 {
		return nil, fmt.Errorf("table %v, want a parameter with rows", in[1])
	}
	out := make([]int, 0, len(in[0].Shape)+1)
	return append(append(out, in[0].Shape...), in[1].Shape[1]), nil
}

// Reads implements Op.
func (Lookup) Reads(want []bool, _ bool) ([]bool, bool) { return []bool{want[1], false}, false }

// row returns where the row for a number starts.
func (Lookup) row(c *Call, v float32) int {
	rows, width := c.Shape[1][0], c.Shape[1][1]
	return int(max(0, min(v, float32(rows-1)))) * width
}

// Forward implements Op.
func (op Lookup) Forward(c *Call) {
	width := c.Shape[1][1]
	for i, v := range c.In[0] {
		copy(c.Out[i*width:(i+1)*width], c.In[1][op.row(c, v):])
	}
}

// VJP implements Op.
func (op Lookup) VJP(c *Call) {
	width := c.Shape[1][1]
	if c.DIn[0] != nil {
		c.Clear(0)
	}
	if c.DIn[1] == nil {
		return
	}
	c.Clear(1)
	for i, v := range c.In[0] {
		at := op.row(c, v)
		accumulate(false, c.DIn[1][at:at+width], c.DOut[i*width:(i+1)*width])
	}
}
