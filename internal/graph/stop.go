package graph

// blockLen is how many elements an elementwise operator is given at a time: a
// multiple of every vector's length, so that an element's bits do not depend
// on it, and about a millisecond of the slowest functions.
const blockLen = 1 << 15

// perElement reports whether output i of an operator, and the gradient of input
// i, depend on element i of what it reads alone.
func perElement(op Op) bool {
	switch op.(type) {
	case ReLU, Sigmoid, SiLU, GELU, Tanh, Map:
		return true
	}
	return false
}

// perform runs an operator's Forward or VJP, and looks at c.Stop between blocks
// where the operator lets the work be divided. Others look for themselves.
func perform(c *Call, op Op, vjp bool) {
	run := func() {
		if vjp {
			op.VJP(c)
		} else {
			op.Forward(c)
		}
	}
	n := max(len(c.Out), len(c.DOut))
	if n <= blockLen || !perElement(op) {
		run()
		return
	}
	x, y, dx, dy := c.In[0], c.Out, []float32(nil), c.DOut
	if vjp {
		dx = c.DIn[0]
	}
	for lo := 0; lo < n && !c.Stop.Now(); lo += blockLen {
		hi := min(lo+blockLen, n)
		c.In[0], c.Out, c.DOut = part(x, lo, hi), part(y, lo, hi), part(dy, lo, hi)
		if vjp {
			c.DIn[0] = part(dx, lo, hi)
		}
		run()
	}
}

// part returns x[lo:hi], or nil where x is not there.
func part(x []float32, lo, hi int) []float32 {
	if x == nil {
		return nil
	}
	return x[lo:hi]
}
