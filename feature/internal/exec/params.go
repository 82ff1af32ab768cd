package exec

import (
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/graph"
)

// classify sets the Kind of every parameter by what the nodes that read it do
// with it. A parameter with several roles is a Statistic if one of them is, and
// a Bias if all of them are.
func (m *Model) classify() {
	kinds := make([]feature.ParamKind, m.g.Params())
	seen := make([]bool, m.g.Params())
	for _, nd := range m.g.Nodes() {
		for k, v := range nd.In {
			at := m.g.ParamIndex(v)
			if at < 0 {
				continue
			}
			kind := role(m.g, nd, k)
			if seen[at] && kind != kinds[at] && kind != feature.Statistic {
				kind = min(kind, kinds[at]) // Weight, if the roles are Weight and Bias
			}
			if kinds[at] != feature.Statistic {
				kinds[at], seen[at] = kind, true
			}
		}
	}
	for i, at := range m.exposed {
		p := &m.spec.Params[i]
		p.Kind = kinds[at]
		p.Trainable = p.Trainable && p.Kind != feature.Statistic
	}
}

// role returns what input k of a node, a parameter, is there.
func role(g *graph.Graph, nd graph.NodeInfo, k int) feature.ParamKind {
	switch nd.Op.(type) {
	case graph.BatchNorm:
		return [...]feature.ParamKind{0, feature.Weight, feature.Bias, feature.Statistic, feature.Statistic}[k]
	case graph.Affine, graph.Conv, graph.ConvTranspose, graph.Gemm, graph.Rows:
		if k == 2 {
			return feature.Bias
		}
	case graph.Add:
		if axes(g.Shape(nd.In[k])) <= 1 {
			return feature.Bias
		}
	}
	return feature.Weight
}

// axes returns the number of axes that are longer than 1: one for a number a
// channel, more for what is learned for each place, such as a position's
// embedding.
func axes(shape []int) int {
	n := 0
	for _, d := range shape {
		if d > 1 {
			n++
		}
	}
	return n
}

// keepFrozen makes batch norms whose scale and shift are parameters that do not
// train keep their running statistics too. A norm whose scale and shift are
// constants of the graph is one without them, and follows its batches.
func (m *Model) keepFrozen() {
	frozen := make([]bool, m.g.Params())
	for i, at := range m.exposed {
		frozen[at] = !m.spec.Params[i].Trainable
	}
	for _, nd := range m.g.Nodes() {
		if _, ok := nd.Op.(graph.BatchNorm); ok && frozen[m.g.ParamIndex(nd.In[1])] && frozen[m.g.ParamIndex(nd.In[2])] {
			m.g.KeepStatistics(nd.Out)
		}
	}
}

// cannotTrainAlone lists the batch norms that see one number a channel and
// sample.
func cannotTrainAlone(g *graph.Graph) []string {
	var names []string
	for _, nd := range g.Nodes() {
		if _, ok := nd.Op.(graph.BatchNorm); ok && g.Size(nd.Out) == g.Shape(nd.Out)[0] {
			names = append(names, nd.Name)
		}
	}
	return names
}
