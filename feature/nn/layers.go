package nn

import (
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/graph"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// apply adds a layer.
func (b *Builder) apply(l layer) Value {
	if b.err != nil {
		return 0
	}
	if b.err = b.check(l); b.err != nil {
		return 0
	}
	var out graph.Value
	if out, b.err = b.node(l); b.err != nil {
		return 0
	}
	b.layers = append(b.layers, l)
	b.values = append(b.values, out)
	return Value(len(b.values) - 1)
}

func (b *Builder) check(l layer) error {
	for _, v := range l.In {
		if v < 0 || int(v) >= len(b.values) {
			return fmt.Errorf("layer %q (%s) reads value %d of %d", l.Name, l.Op, v, len(b.values))
		}
	}
	if want, known := arity[l.Op]; !known || want >= 0 && len(l.In) != want || len(l.In) == 0 {
		return fmt.Errorf("layer %q: operator %q with %d inputs", l.Name, l.Op, len(l.In))
	}
	named := l.Op == "conv" || l.Op == "linear" || l.Op == "batchnorm"
	if named && (l.Name == "" || b.names[l.Name]) {
		return fmt.Errorf("%s layer's name %q is empty or used twice", l.Op, l.Name)
	}
	if named {
		b.names[l.Name] = true
	}
	return nil
}

// arity is the number of inputs by operator; -1: any.
var arity = map[string]int{
	"conv": 1, "linear": 1, "batchnorm": 1, "relu": 1, "sigmoid": 1, "tanh": 1, "silu": 1, "gelu": 1, "add": 2, "mul": 2,
	"concat": -1, "maxpool": 1, "avgpool": 1, "globalavgpool": 1, "flatten": 1, "reshape": 1, "dropout": 1, "droppath": 1,
}

// node adds a layer to the graph.
func (b *Builder) node(l layer) (graph.Value, error) {
	in := make([]graph.Value, len(l.In))
	for i, v := range l.In {
		in[i] = b.values[v]
	}
	var err error
	var params []graph.Value
	switch l.Op {
	case "conv":
		params, err = b.convParams(l, b.g.Shape(in[0]))
	case "linear":
		params, err = b.linearParams(l, b.g.Shape(in[0]))
	case "batchnorm":
		params, err = b.normParams(l, b.g.Shape(in[0]))
	}
	if err != nil {
		return 0, err
	}
	name := l.Name
	if name == "" {
		name = fmt.Sprintf("%s %d", l.Op, len(b.layers))
	}
	return b.g.Apply(name, operator(l), append(in, params...)...)
}

// operator returns the graph's operator for a layer.
func operator(l layer) graph.Op {
	window := graph.Window{Stride: [2]int{l.Stride, l.Stride}, Dilation: [2]int{l.Dilation, l.Dilation}, Pad: [4]int{l.Pad, l.Pad, l.Pad, l.Pad}}
	switch l.Op {
	case "conv":
		return graph.Conv{Window: window, Group: l.Group}
	case "linear":
		return graph.Linear()
	case "batchnorm":
		return graph.BatchNorm{Epsilon: bnEpsilon, Momentum: bnMomentum}
	case "maxpool":
		return graph.MaxPool{Window: window, Kernel: [2]int{l.Kernel, l.Kernel}}
	case "avgpool":
		return graph.AveragePool{Window: window, Kernel: [2]int{l.Kernel, l.Kernel}}
	case "concat":
		return graph.Concat{Axis: l.Axis}
	case "reshape":
		return graph.Reshape{Shape: l.Shape}
	case "dropout":
		return graph.Dropout{Rate: l.Rate}
	case "droppath":
		return graph.Dropout{Rate: l.Rate, Whole: true}
	}
	return plain[l.Op]
}

// plain are the operators without attributes.
var plain = map[string]graph.Op{
	"relu": graph.ReLU{}, "sigmoid": graph.Sigmoid{}, "tanh": graph.Tanh{}, "silu": graph.SiLU{}, "gelu": graph.GELU{},
	"add": graph.Add{}, "mul": graph.Mul{}, "globalavgpool": graph.GlobalAveragePool{}, "flatten": graph.Reshape{},
}

func (b *Builder) convParams(l layer, in []int) ([]graph.Value, error) {
	group := max(l.Group, 1)
	if len(in) != 3 || in[0]%group != 0 || l.Out%group != 0 {
		return nil, fmt.Errorf("convolution %q: samples of shape %v, %d outputs, %d groups", l.Name, in, l.Out, group)
	}
	fan := in[0] / group
	for range 2 {
		if l.Kernel < 1 || l.Kernel > maxFan/fan {
			return nil, fmt.Errorf("convolution %q: window of side %d", l.Name, l.Kernel)
		}
		fan *= l.Kernel
	}
	w, err := b.param(l.Name+".weight", param{fanIn: fan, gain: 2}, l.Out, in[0]/group, l.Kernel, l.Kernel)
	if err != nil || !l.Bias {
		return []graph.Value{w}, err
	}
	bias, err := b.param(l.Name+".bias", param{}, l.Out)
	return []graph.Value{w, bias}, err
}

// maxFan bounds the inputs of one unit of a convolution.
const maxFan = 1 << 24

func (b *Builder) linearParams(l layer, in []int) ([]graph.Value, error) {
	if len(in) != 1 {
		return nil, fmt.Errorf("linear layer %q: samples of shape %v, want one axis", l.Name, in)
	}
	w, err := b.param(l.Name+".weight", param{fanIn: in[0], gain: 2}, l.Out, in[0])
	if err != nil || !l.Bias {
		return []graph.Value{w}, err
	}
	bias, err := b.param(l.Name+".bias", param{}, l.Out)
	return []graph.Value{w, bias}, err
}

func (b *Builder) normParams(l layer, in []int) ([]graph.Value, error) {
	if len(in) == 0 {
		return nil, fmt.Errorf("batch norm %q: samples without axes", l.Name)
	}
	var values []graph.Value
	for _, p := range []struct {
		name string
		fill float32
	}{{"weight", 1}, {"bias", 0}, {"running_mean", 0}, {"running_var", 1}} {
		v, err := b.param(l.Name+"."+p.name, param{fill: p.fill}, in[0])
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

func (b *Builder) param(name string, p param, shape ...int) (graph.Value, error) {
	v, err := b.g.Param(shape...)
	if err != nil {
		return 0, fmt.Errorf("parameter %q: %w", name, err)
	}
	p.Param = feature.Param{Name: name, Shape: shape, Trainable: true}
	b.params = append(b.params, p)
	return v, nil
}

// initial draws the parameters.
func (b *Builder) initial() [][]float32 {
	w := make([][]float32, len(b.params))
	last := -1
	for i, p := range b.params {
		if p.fanIn > 0 && len(p.Shape) == 2 {
			last = i
		}
		w[i] = make([]float32, feature.Size(p.Shape))
	}
	for i, p := range b.params {
		gain := p.gain
		if i == last {
			gain = 1
		}
		p.draw(w[i], gain, b.seed)
	}
	return w
}

func (p param) draw(w []float32, gain float64, seed uint64) {
	if p.fanIn == 0 {
		for i := range w {
			w[i] = p.fill
		}
		return
	}
	src := rng.Stream(seed, "nn init "+p.Name)
	std := math.Sqrt(gain / float64(p.fanIn))
	for i := range w {
		w[i] = float32(std * src.NormFloat64())
	}
}
