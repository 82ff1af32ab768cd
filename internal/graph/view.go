package graph

import "fmt"

// View returns a handle of parameter p with another shape of the same size.
// Both stand for the same parameter: their gradients are summed.
func (g *Graph) View(p Value, shape ...int) (Value, error) {
	v := g.values[p]
	if v.kind != paramValue {
		return 0, fmt.Errorf("graph: value %d is not a parameter", p)
	}
	w, err := g.add(paramValue, v.index, shape)
	if err == nil && g.values[w].size != v.size {
		return 0, fmt.Errorf("graph: parameter of shape %v seen as %v", v.shape, shape)
	}
	return w, err
}
