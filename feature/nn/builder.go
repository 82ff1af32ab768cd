package nn

import (
	"errors"
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/internal/exec"
	"github.com/dlfd-go/unlearn/internal/graph"
)

// Value is a handle of an activation of the network under construction.
type Value int

// Builder constructs a network layer by layer. Its methods return the layer's
// output; the first error sticks and is returned by Build. Names of layers and
// taps must be unique.
type Builder struct {
	seed   uint64
	input  []int
	g      *graph.Graph
	values []graph.Value // by Value
	layers []layer
	taps   []tap
	params []param
	names  map[string]bool
	heads  feature.Heads
	err    error
}

// layer is a call of one of Builder's methods, as it is saved.
type layer struct {
	Op       string  `json:"op"`
	Name     string  `json:"name,omitempty"`
	In       []Value `json:"in"`
	Out      int     `json:"out,omitempty"`
	Kernel   int     `json:"kernel,omitempty"`
	Stride   int     `json:"stride,omitempty"`
	Dilation int     `json:"dilation,omitempty"`
	Pad      int     `json:"pad,omitempty"`
	Group    int     `json:"group,omitempty"`
	Bias     bool    `json:"bias,omitempty"`
	Rate     float64 `json:"rate,omitempty"`
	Axis     int     `json:"axis,omitempty"`
	Shape    []int   `json:"shape,omitempty"`
}

type tap struct {
	Name  string `json:"name"`
	Value Value  `json:"value"`
}

// param is a parameter with the recipe of its initial values.
type param struct {
	feature.Param
	fill  float32 // constant, unless fanIn is set
	fanIn int
	gain  float64 // variance × fanIn
}

const (
	bnEpsilon  = 1e-5
	bnMomentum = .1
)

// NewBuilder starts a network for inputs of the given shape, such as 1, 32, 32
// for grey images. seed fixes the initial parameters.
func NewBuilder(seed uint64, input ...int) *Builder {
	b := &Builder{seed: seed, input: slices.Clone(input), names: map[string]bool{}}
	b.g, b.err = graph.New(input)
	b.values = []graph.Value{0}
	return b
}

// Input returns the input of the network.
func (b *Builder) Input() Value { return 0 }

// Conv describes a convolution with square windows.
type Conv struct {
	Out      int  // output channels
	Kernel   int  // side of the window
	Stride   int  // If it is zero, 1 is used.
	Pad      int  // zeros on every side
	Dilation int  // If it is zero, 1 is used.
	Group    int  // If it is zero, 1 is used.
	Bias     bool // one number per output channel is added
}

// Conv adds a convolution over channels×height×width with the parameters
// name.weight and name.bias.
func (b *Builder) Conv(name string, x Value, c Conv) Value {
	return b.apply(layer{Op: "conv", Name: name, In: []Value{x}, Out: c.Out, Kernel: c.Kernel, Stride: c.Stride,
		Pad: c.Pad, Dilation: c.Dilation, Group: c.Group, Bias: c.Bias})
}

// Linear adds a linear layer with bias over samples with one axis: the
// parameters are name.weight (out×in) and name.bias.
func (b *Builder) Linear(name string, x Value, out int) Value {
	return b.apply(layer{Op: "linear", Name: name, In: []Value{x}, Out: out, Bias: true})
}

// BatchNorm adds batch norm over axis 0 of a sample, with the parameters
// name.weight, name.bias, name.running_mean and name.running_var.
func (b *Builder) BatchNorm(name string, x Value) Value {
	return b.apply(layer{Op: "batchnorm", Name: name, In: []Value{x}})
}

// ReLU adds max(x, 0).
func (b *Builder) ReLU(x Value) Value { return b.apply(layer{Op: "relu", In: []Value{x}}) }

// Sigmoid adds 1/(1 + exp(−x)).
func (b *Builder) Sigmoid(x Value) Value { return b.apply(layer{Op: "sigmoid", In: []Value{x}}) }

// Tanh adds the hyperbolic tangent.
func (b *Builder) Tanh(x Value) Value { return b.apply(layer{Op: "tanh", In: []Value{x}}) }

// SiLU adds x·sigmoid(x).
func (b *Builder) SiLU(x Value) Value { return b.apply(layer{Op: "silu", In: []Value{x}}) }

// GELU adds x·Φ(x).
func (b *Builder) GELU(x Value) Value { return b.apply(layer{Op: "gelu", In: []Value{x}}) }

// Add adds two activations, element by element; axes of length 1 broadcast.
func (b *Builder) Add(x, y Value) Value { return b.apply(layer{Op: "add", In: []Value{x, y}}) }

// Mul multiplies two activations, element by element; axes of length 1
// broadcast.
func (b *Builder) Mul(x, y Value) Value { return b.apply(layer{Op: "mul", In: []Value{x, y}}) }

// Concat joins activations along an axis of a sample; 0 is the channels.
func (b *Builder) Concat(axis int, x ...Value) Value {
	return b.apply(layer{Op: "concat", In: slices.Clone(x), Axis: axis})
}

// MaxPool takes maxima over square windows. A zero stride is 1.
func (b *Builder) MaxPool(x Value, kernel, stride, pad int) Value {
	return b.apply(layer{Op: "maxpool", In: []Value{x}, Kernel: kernel, Stride: stride, Pad: pad})
}

// AveragePool takes means over square windows, padding not counted. A zero
// stride is 1.
func (b *Builder) AveragePool(x Value, kernel, stride, pad int) Value {
	return b.apply(layer{Op: "avgpool", In: []Value{x}, Kernel: kernel, Stride: stride, Pad: pad})
}

// GlobalAveragePool takes the mean of every channel: channels×1×1.
func (b *Builder) GlobalAveragePool(x Value) Value {
	return b.apply(layer{Op: "globalavgpool", In: []Value{x}})
}

// Flatten gives samples one axis.
func (b *Builder) Flatten(x Value) Value { return b.apply(layer{Op: "flatten", In: []Value{x}}) }

// Reshape gives samples another shape; one axis may be -1.
func (b *Builder) Reshape(x Value, shape ...int) Value {
	return b.apply(layer{Op: "reshape", In: []Value{x}, Shape: slices.Clone(shape)})
}

// Dropout zeroes elements with probability rate in training and scales the
// others by 1/(1−rate).
func (b *Builder) Dropout(x Value, rate float64) Value {
	return b.apply(layer{Op: "dropout", In: []Value{x}, Rate: rate})
}

// DropPath zeroes whole samples of an activation with probability rate in
// training and scales the others by 1/(1−rate): stochastic depth, on the branch
// of a residual block.
func (b *Builder) DropPath(x Value, rate float64) Value {
	return b.apply(layer{Op: "droppath", In: []Value{x}, Rate: rate})
}

// Tap makes an activation visible under a name, and returns it. The logits and
// the features are tapped by Build.
func (b *Builder) Tap(name string, x Value) Value {
	switch {
	case b.err != nil:
	case x <= 0 || int(x) >= len(b.values):
		b.err = fmt.Errorf("tap %q on value %d of %d", name, x, len(b.values))
	case name == "" || b.names["tap "+name]:
		b.err = fmt.Errorf("tap name %q is empty or used twice", name)
	default:
		b.names["tap "+name] = true
		b.taps = append(b.taps, tap{name, x})
	}
	return x
}

// Divide says that the logits divide into heads, where a sample has several labels. Build
// checks that the heads are as wide as the logits.
func (b *Builder) Divide(heads feature.Heads) { b.heads = slices.Clone(heads) }

// divide returns the number of outputs of a configuration.
func (b *Builder) divide(classes int, heads feature.Heads) int {
	width := 0
	for _, h := range heads {
		width += h.Width
	}
	if len(heads) == 0 {
		return classes
	}
	if classes != 0 && classes != width && b.err == nil {
		b.err = fmt.Errorf("%d classes, and heads of %d outputs", classes, width)
	}
	b.Divide(heads)
	return width
}

// ErrArchitecture is wrapped by errors about layers that do not fit.
var ErrArchitecture = errors.New("no such network")

// logitsTap and featuresTap are the names that Build gives.
const (
	logitsTap   = "logits"
	featuresTap = "features"
)

// Build finishes the network. logits, one number a class, is tapped as
// "logits"; the input of the last linear layer, or logits if there is none, as
// "features". The builder must not be used afterwards. Errors wrap
// ErrArchitecture.
func (b *Builder) Build(logits Value) (*Network, error) {
	n, err := b.finish(logits)
	if err != nil {
		return nil, err
	}
	exec.SetWeights(n.executor, b.initial())
	return n, nil
}

// finish is Build without weights.
func (b *Builder) finish(logits Value) (*Network, error) {
	saved := slices.Clone(b.taps)
	var features Value
	if b.err == nil {
		features = b.features(logits)
	}
	b.Tap(logitsTap, logits)
	b.Tap(featuresTap, features)
	if b.err == nil && len(b.g.Shape(b.values[logits])) != 1 {
		b.err = fmt.Errorf("logits have shape %v, want one axis", b.g.Shape(b.values[logits]))
	}
	if b.err == nil {
		b.err = b.heads.Check(b.g.Size(b.values[logits]))
	}
	if b.err != nil {
		return nil, fmt.Errorf("nn: %w: %w", ErrArchitecture, b.err)
	}
	slices.SortStableFunc(b.taps, func(x, y tap) int { return int(x.Value - y.Value) })
	spec := feature.Spec{Input: b.input, Logits: logitsTap, Heads: b.heads, Features: featuresTap}
	var values []graph.Value
	for _, t := range b.taps {
		v := b.values[t.Value]
		spec.Taps = append(spec.Taps, feature.Tap{Name: t.Name, Shape: slices.Clone(b.g.Shape(v))})
		values = append(values, v)
	}
	for _, p := range b.params {
		spec.Params = append(spec.Params, p.Param)
	}
	run := exec.New(exec.Config{Package: "nn", Graph: b.g, Spec: spec, Taps: values})
	return &Network{run, architecture{b.input, b.layers, saved, logits, b.heads}}, nil
}

// features returns the input of the last linear layer that leads to logits.
func (b *Builder) features(logits Value) Value {
	for i := min(int(logits), len(b.layers)) - 1; i >= 0; i-- {
		if l := b.layers[i]; l.Op == "linear" && l.In[0] > 0 {
			return l.In[0]
		}
	}
	return logits
}
