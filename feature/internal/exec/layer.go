package exec

import (
	"fmt"

	"github.com/dlfd-go/unlearn/internal/graph"
)

// layer is a convolution or a linear layer that a norm can stand behind and be
// folded into.
type layer struct {
	name         string
	weight, bias int         // parameters of the graph
	shape        []int       // of the weight
	axis         int         // of the output channels, in shape
	factor       float64     // of the bias
	end          graph.Value // the output, bias included
	last         bool        // the channels are the last of several axes of the output, not the first
}

func (l layer) channels() int { return l.shape[l.axis] }

// use says what reads a value, directly or behind operators that are linear in
// it.
type use uint8

const (
	activated use = 1 << iota // a nonlinearity
	added                     // an addition of activations
	normed                    // a norm
	deeper                    // a further layer, whatever is between
)

// finder looks for layers.
type finder struct {
	m       *Model
	nodes   []graph.NodeInfo
	readers [][]int // nodes, by value
	reads   []int   // how many inputs of nodes are this parameter
	uses    []use   // by value
	trains  []bool  // by parameter: it is one of the model's and trains
	notes   []string
}

// layers returns the layers that get a norm, in order of computation, and notes
// on those that should but cannot.
func (m *Model) layers() ([]layer, []string) {
	f := &finder{m: m, nodes: m.g.Nodes()}
	f.index()
	var list []layer
	for _, nd := range f.nodes {
		l, ok := f.candidate(nd)
		if !ok || f.uses[l.end]&normed != 0 || f.uses[l.end]&(activated|added) == 0 || f.uses[l.end]&deeper == 0 {
			continue
		}
		if why := f.obstacle(l); why != "" {
			f.notes = append(f.notes, fmt.Sprintf("%s has no norm: %s", l.name, why))
			continue
		}
		list = append(list, l)
	}
	return list, f.notes
}

// index fills the tables.
func (f *finder) index() {
	g := f.m.g
	f.readers, f.uses = make([][]int, g.Values()), make([]use, g.Values())
	f.reads, f.trains = make([]int, g.Params()), make([]bool, g.Params())
	for i, at := range f.m.exposed {
		f.trains[at] = f.m.spec.Params[i].Trainable
	}
	for i, nd := range f.nodes {
		for _, v := range nd.In {
			f.readers[v] = append(f.readers[v], i)
			if at := g.ParamIndex(v); at >= 0 {
				f.reads[at]++
			}
		}
	}
	for i := len(f.nodes) - 1; i >= 0; i-- { // readers come later than what they read
		for _, v := range f.nodes[i].In {
			f.uses[v] |= f.use(f.nodes[i])
		}
	}
}

// use returns what a node makes of its inputs, those that are activations.
func (f *finder) use(nd graph.NodeInfo) use {
	behind := f.uses[nd.Out]
	own := behind & deeper
	switch op := nd.Op.(type) {
	case graph.BatchNorm, graph.Standardize:
		return own | normed
	case graph.Conv, graph.ConvTranspose, graph.Gemm, graph.Rows:
		return deeper
	case graph.MatMul:
		return own
	case graph.Reshape, graph.Take, graph.Concat, graph.Select, graph.Dropout, graph.Resample, graph.Reduce,
		graph.AveragePool, graph.GlobalAveragePool, graph.Affine:
		return behind
	case graph.Map:
		if !op.ReadsIn && !op.ReadsOut { // its derivative is a constant
			return behind
		}
	case graph.Add:
		if !f.readsParam(nd) {
			return own | added
		}
		return behind
	case graph.Mul:
		if f.readsParam(nd) {
			return behind
		}
	case graph.Pair:
		switch {
		case f.readsParam(nd):
			return behind
		case op.Const:
			return own | added
		}
	}
	return own | activated
}

// readsParam tells whether one of the inputs is a parameter.
func (f *finder) readsParam(nd graph.NodeInfo) bool {
	for _, v := range nd.In {
		if f.m.g.ParamIndex(v) >= 0 {
			return true
		}
	}
	return false
}

// candidate returns the layer that begins with a node; ok is false for nodes
// that are no layers. Its bias is -1 where it has none.
func (f *finder) candidate(nd graph.NodeInfo) (l layer, ok bool) {
	l = layer{name: nd.Name, bias: -1, factor: 1, end: nd.Out}
	channel := 0 // axis of the output
	switch op := nd.Op.(type) {
	case graph.Conv:
	case graph.ConvTranspose:
		l.axis = 1
		if op.Group > 1 {
			l.axis = -1
		}
	case graph.Gemm:
		l.gemm(op)
	case graph.Rows:
		l.gemm(op.Gemm)
		channel = len(f.m.g.Shape(nd.Out)) - 1
		l.last = channel > 0
	default:
		return l, false
	}
	l.weight, l.shape = f.m.g.ParamIndex(nd.In[1]), f.m.g.Shape(nd.In[1])
	if len(nd.In) == 3 {
		l.bias = f.m.g.ParamIndex(nd.In[2])
	} else {
		f.findBias(&l, channel)
		l.factor = 1
	}
	return l, true
}

func (l *layer) gemm(op graph.Gemm) {
	l.factor = float64(op.Beta)
	if !op.TransB {
		l.axis = 1
	}
}

// findBias looks for a node that alone reads the layer's output and adds a
// parameter of one number a channel.
func (f *finder) findBias(l *layer, channel int) {
	g := f.m.g
	if len(f.readers[l.end]) != 1 {
		return
	}
	nd := f.nodes[f.readers[l.end][0]]
	if _, ok := nd.Op.(graph.Add); !ok {
		return
	}
	out := g.Shape(l.end)
	for _, v := range nd.In {
		shape := g.Shape(v)
		at := channel - (len(out) - len(shape))
		if g.ParamIndex(v) >= 0 && at >= 0 && shape[at] == out[channel] && g.Size(v) == out[channel] {
			l.bias, l.end = g.ParamIndex(v), nd.Out
			return
		}
	}
}

// obstacle says why a layer cannot have a norm, or returns "".
func (f *finder) obstacle(l layer) string {
	switch {
	case l.bias < 0 || l.factor == 0:
		return "it has no bias that the norm's shift could be folded into"
	case !f.trains[l.weight] || !f.trains[l.bias]:
		return "its weight or its bias is a constant or does not train"
	case f.reads[l.weight] > 1 || f.reads[l.bias] > 1:
		return "its weight or its bias is used by another node too"
	case l.axis < 0:
		return "it is a transposed convolution in groups"
	}
	return ""
}
