package graph

import "slices"

// NodeInfo describes a node to code that reads or copies a graph.
type NodeInfo struct {
	Name string
	Op   Op
	In   []Value
	Out  Value
}

// Nodes returns the nodes in order of computation.
func (g *Graph) Nodes() []NodeInfo {
	list := make([]NodeInfo, len(g.nodes))
	for i, nd := range g.nodes {
		list[i] = NodeInfo{nd.name, nd.op, slices.Clone(nd.in), nd.out}
	}
	return list
}

// Values returns the number of values: handles are 0 up to that.
func (g *Graph) Values() int { return len(g.values) }

// ParamIndex returns the number of the parameter that v, or what v is a view
// of, stands for, and -1 if v is no parameter.
func (g *Graph) ParamIndex(v Value) int {
	if g.values[v].kind != paramValue {
		return -1
	}
	return g.values[v].index
}

// ParamValue returns the value of parameter i.
func (g *Graph) ParamValue(i int) Value { return g.params[i] }

// KeepStatistics makes the batch norm that computes v keep its running
// statistics: Commit does not move them. It belongs to the building of a graph.
func (g *Graph) KeepStatistics(v Value) {
	nd := &g.nodes[g.values[v].index]
	op := nd.op.(BatchNorm)
	op.Momentum = 0
	nd.op = op
}
