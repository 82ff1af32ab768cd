package distance

// InnerProduct is the function ⟨x, y⟩, which Linear and Polynomial kernels are
// functions of. As a cost of transport it pulls points towards directions that
// are opposite, since it has no lower bound.
type InnerProduct struct{}

// Matrix implements Cost in O(N·M·Dim), by one matrix product.
func (InnerProduct) Matrix(ws *Workspace, dst []float64, x, y Sample) {
	ws = ws.Enter()
	defer ws.Leave()
	gemm(ws, false, true, x.N, y.N, x.Dim, 1, tight(ws, x), tight(ws, y), 0, dst)
}

// VJP implements Cost.
func (InnerProduct) VJP(ws *Workspace, gx, gy, g, _ []float64, x, y Sample) {
	ws = ws.Enter()
	defer ws.Leave()
	if gx != nil {
		gemm(ws, false, false, x.N, x.Dim, y.N, 1, g, tight(ws, y), 1, gx)
	}
	if gy != nil {
		gemm(ws, true, false, y.N, x.Dim, x.N, 1, g, tight(ws, x), 1, gy)
	}
}

// tight returns the rows of x without gaps, in x or in memory of ws.
func tight(ws *Workspace, x Sample) []float64 {
	if x.stride() == x.Dim {
		return x.X[:x.N*x.Dim]
	}
	out := ws.Floats(x.N * x.Dim)
	for i := range x.N {
		copy(out[i*x.Dim:], x.Row(i))
	}
	return out
}

// keepsNoCosts reports whether VJP of c does without the costs that Matrix
// wrote.
func keepsNoCosts(c Cost) bool {
	switch c.(type) {
	case InnerProduct, CityBlock, SqEuclidean:
		return true
	}
	return false
}

// ofPair returns the value of c at one pair of points.
func ofPair(ws *Workspace, c Cost, x, y Sample) float64 {
	switch c.(type) {
	case InnerProduct:
		var s float64
		for i, v := range x.Row(0) {
			s += v * y.Row(0)[i]
		}
		return s
	case CityBlock:
		return absDiff(x.Row(0), y.Row(0))
	case SqEuclidean:
		return sqDiff(x.Row(0), y.Row(0))
	}
	ws = ws.Enter()
	defer ws.Leave()
	value := ws.Floats(1)
	c.Matrix(ws, value, x, y)
	return value[0]
}

// pullPair adds w times the gradient of c at one pair of points, where its
// value is s, to gx and gy.
func pullPair(ws *Workspace, c Cost, gx, gy []float64, w, s float64, x, y Sample) {
	switch c.(type) {
	case InnerProduct:
		for k, v := range x.Row(0) {
			gx[k] += w * y.Row(0)[k]
			gy[k] += w * v
		}
		return
	case CityBlock:
		addSigns(gx, w, x.Row(0), y.Row(0))
		addSigns(gy, w, y.Row(0), x.Row(0))
		return
	case SqEuclidean:
		for k, v := range x.Row(0) {
			d := 2 * w * (v - y.Row(0)[k])
			gx[k] += d
			gy[k] -= d
		}
		return
	}
	ws = ws.Enter()
	defer ws.Leave()
	g := ws.Floats(2)
	g[0], g[1] = w, s
	c.VJP(ws, gx, gy, g[:1], g[1:], x, y)
}
