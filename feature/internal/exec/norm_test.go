package exec

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/internal/graph"
)

// sketch builds a model: every method adds a node with fresh parameters.
type sketch struct {
	g    *graph.Graph
	spec feature.Spec
	now  graph.Value
}

func newSketch(shape ...int) *sketch {
	g := must(graph.New(shape))
	return &sketch{g: g, spec: feature.Spec{Input: shape}, now: g.Input()}
}

func (s *sketch) param(name string, shape ...int) graph.Value {
	s.spec.Params = append(s.spec.Params, feature.Param{Name: name, Shape: shape, Trainable: true})
	return must(s.g.Param(shape...))
}

func (s *sketch) apply(name string, op graph.Op, in ...graph.Value) *sketch {
	s.now = must(s.g.Apply(name, op, append([]graph.Value{s.now}, in...)...))
	return s
}

func (s *sketch) conv(name string, out, group int, bias bool) *sketch {
	shape := s.g.Shape(s.now)
	in := []graph.Value{s.param(name+".w", out, shape[0]/group, 3, 3)}
	if bias {
		in = append(in, s.param(name+".b", out))
	}
	return s.apply(name, graph.Conv{Window: graph.Window{Pad: [4]int{1, 1, 1, 1}}, Group: group}, in...)
}

func (s *sketch) linear(name string, out int, op graph.Gemm) *sketch {
	shape := s.g.Shape(s.now)
	k := shape[len(shape)-1]
	w := []int{k, out}
	if op.TransB {
		w = []int{out, k}
	}
	in := []graph.Value{s.param(name+".w", w...)}
	if op.Beta != 0 {
		in = append(in, s.param(name+".b", out))
	}
	if len(shape) > 1 {
		return s.apply(name, graph.Rows{Gemm: op}, in...)
	}
	return s.apply(name, op, in...)
}

func (s *sketch) relu() *sketch { return s.apply("relu", graph.ReLU{}) }

func (s *sketch) flat() *sketch { return s.apply("flat", graph.Reshape{Shape: []int{-1}}) }

// model ends with a linear layer of three classes.
func (s *sketch) model() *Model {
	s.flat()
	features := s.now
	s.linear("head", 3, graph.Linear())
	s.spec.Logits, s.spec.Features = "logits", "features"
	s.spec.Taps = []feature.Tap{{Name: "features", Shape: s.g.Shape(features)}, {Name: "logits", Shape: []int{3}}}
	m := New(Config{Package: "test", Graph: s.g, Spec: s.spec, Taps: []graph.Value{features, s.now}})
	SetWeights(m, drawn(s.g, 2))
	return m
}

// places are models with the layers that get a norm, and those that are noted as
// having none.
var places = map[string]struct {
	build func() *Model
	with  string
	notes string
}{
	"convolutions before rectifiers": {func() *Model {
		return newSketch(2, 6, 6).conv("a", 8, 1, true).relu().conv("b", 8, 1, true).relu().model()
	}, "a b", ""},
	"groups and depthwise": {func() *Model {
		return newSketch(4, 6, 6).conv("a", 8, 2, true).relu().conv("b", 8, 8, true).apply("clip", graph.Clip(0, 6)).model()
	}, "a b", ""},
	"a shortcut before the rectifier": {func() *Model {
		s := newSketch(2, 6, 6).conv("a", 8, 1, true).relu()
		short := s.now
		return s.conv("b", 8, 1, true).relu().conv("c", 8, 1, true).apply("add", graph.Add{}, short).relu().model()
	}, "a b c", ""},
	"a difference": {func() *Model {
		s := newSketch(2, 6, 6).conv("a", 8, 1, true)
		first := s.now
		return s.conv("b", 8, 1, true).apply("sub", graph.Sub(), first).model()
	}, "a b", ""},
	"pooling and dropout before the rectifier": {func() *Model {
		s := newSketch(2, 6, 6).conv("a", 8, 1, true).apply("dropout", graph.Dropout{Rate: .2})
		return s.apply("pool", graph.AveragePool{Window: graph.Window{Stride: [2]int{2, 2}}, Kernel: [2]int{2, 2}}).relu().model()
	}, "a", ""},
	"nothing but another layer behind": {func() *Model {
		return newSketch(2, 6, 6).conv("a", 8, 1, true).conv("b", 8, 1, true).relu().model()
	}, "b", ""},
	"a norm behind": {func() *Model {
		s := newSketch(2, 6, 6).conv("a", 8, 1, true)
		s.apply("norm", graph.BatchNorm{Epsilon: 1e-5, Momentum: .1}, s.param("n.w", 8), s.param("n.b", 8), s.param("n.m", 8), s.param("n.v", 8))
		return s.relu().conv("b", 8, 1, true).relu().model()
	}, "b", ""},
	"linear layers of both orders": {func() *Model {
		s := newSketch(7).linear("a", 9, graph.Linear()).relu().linear("b", 5, graph.Gemm{Alpha: 2, Beta: .5})
		return s.apply("tanh", graph.Tanh{}).model()
	}, "a b", ""},
	"rows and a bias of their own": {func() *Model {
		s := newSketch(5, 7).linear("a", 9, graph.Gemm{Alpha: 1})
		s.apply("bias", graph.Add{}, s.param("a.b", 9)).apply("gelu", graph.GELU{})
		return s.linear("b", 6, graph.Gemm{TransB: true, Alpha: 1, Beta: 1}).relu().model()
	}, "a b", ""},
	"a bias of a convolution as a node": {func() *Model {
		s := newSketch(2, 6, 6).conv("a", 8, 1, false)
		s.apply("bias", graph.Add{}, s.param("a.b", 8, 1, 1))
		return s.relu().model()
	}, "a", ""},
	"no bias": {func() *Model {
		s := newSketch(2, 6, 6).conv("a", 8, 1, false).relu().conv("b", 8, 1, true).relu().conv("c", 6, 1, false)
		s.apply("row", graph.Add{}, s.param("c.b", 6)) // a number a column, not a channel
		return s.relu().model()
	}, "b", "a c"},
	"tied": {func() *Model {
		s := newSketch(8, 6, 6).conv("a", 8, 1, true).relu()
		w, b := s.g.ParamValue(0), must(s.g.View(s.g.ParamValue(1), 8))
		s.apply("b", graph.Conv{Window: graph.Window{Pad: [4]int{1, 1, 1, 1}}}, w, s.param("b.b", 8)).relu()
		return s.conv("c", 8, 1, true).apply("d", graph.Conv{Window: graph.Window{Pad: [4]int{1, 1, 1, 1}}}, s.param("d.w", 8, 8, 3, 3), b).relu().conv("e", 8, 1, true).relu().model()
	}, "e", "a b d"},
	"frozen": {func() *Model {
		s := newSketch(2, 6, 6).conv("a", 8, 1, true).relu().conv("b", 8, 1, true).relu()
		s.spec.Params[1].Trainable = false
		return s.model()
	}, "b", "a"},
	"transposed convolution": {func() *Model {
		s := newSketch(4, 6, 6)
		s.apply("a", graph.ConvTranspose{Window: graph.Window{Stride: [2]int{2, 2}}}, s.param("a.w", 4, 6, 2, 2), s.param("a.b", 6)).relu()
		return s.apply("b", graph.ConvTranspose{Group: 2}, s.param("b.w", 6, 2, 2, 2), s.param("b.b", 4)).relu().model()
	}, "a", "b"},
	"gates": {func() *Model {
		s := newSketch(2, 6, 6).conv("a", 8, 1, true)
		x := s.now
		return s.apply("sigmoid", graph.Sigmoid{}).apply("mul", graph.Mul{}, x).model()
	}, "a", ""},
}

func TestPlaces(t *testing.T) {
	for name, c := range places {
		t.Run(name, func(t *testing.T) {
			m := c.build()
			layers, notes := m.layers()
			var with, without []string
			for _, l := range layers {
				with = append(with, l.name)
			}
			for _, n := range notes {
				without = append(without, strings.Fields(n)[0])
			}
			if got := strings.Join(with, " "); got != c.with {
				t.Errorf("norms behind %q, want %q", got, c.with)
			}
			if got := strings.Join(without, " "); got != c.notes {
				t.Errorf("notes %q, want them on %q", notes, c.notes)
			}
			// Differences over rectifiers behind a norm of few samples meet many
			// kinks: 3 % of a derivative's typical size; a wrong term is of order 1.
			featuretest.RunNorms(t, m, &featuretest.Options{Tolerance: .1})
		})
	}
}

// TestConstantChannels: a channel whose output is the same for every sample, by
// weights of zero or nearly so, stays what it is.
func TestConstantChannels(t *testing.T) {
	for _, scale := range []float32{0, 1e-20, 1e-6, 1e-3, 1e3} {
		m := newSketch(2, 6, 6).conv("a", 8, 1, true).relu().conv("b", 8, 1, true).relu().model()
		for i := range 4 * 9 { // channels 0 and 1 of the first layer
			m.weights[0][i] *= scale
		}
		for i := range m.weights[2] { // the whole second layer
			m.weights[2][i] *= scale
		}
		// In training the gradient of a bias before a norm is nothing but rounding,
		// which a small variance magnifies: the tolerance leaves gradients out.
		if err := featuretest.CheckNorms(m, &featuretest.Options{Tolerance: 10}); err != nil {
			t.Errorf("weights times %g: %v", scale, err)
		}
	}
}

func TestNoPlace(t *testing.T) {
	m := newSketch(4).model()
	d := pixels{8, 4}
	if _, err := m.InsertNorms(context.Background(), d); !errors.Is(err, feature.ErrNoNorms) {
		t.Errorf("a model of one layer: error is %v", err)
	}
	m = places["convolutions before rectifiers"].build()
	if _, err := m.InsertNorms(context.Background(), d); !errors.Is(err, feature.ErrShape) {
		t.Errorf("samples of another shape: error is %v", err)
	}
}

// pixels is a dataset of drawn samples.
type pixels struct{ n, size int }

func (d pixels) Len() int     { return d.n }
func (d pixels) Shape() []int { return []int{d.size} }
func (d pixels) Classes() int { return 3 }

func (d pixels) Read(index []int, x []float32, labels []int) error {
	for i, k := range index {
		copy(x[i*d.size:], inputs(1, uint64(k), d.size).Data)
		labels[i] = k % 3
	}
	return nil
}

// TestStatisticsAreThoseOfAllSamples compares with a plain two-pass computation.
func TestStatisticsAreThoseOfAllSamples(t *testing.T) {
	m := places["linear layers of both orders"].build()
	d := pixels{300, 7}
	n := must(m.InsertNorms(context.Background(), d)).(*normedModel)
	x, labels := feature.NewTensor(300, 7), make([]int, 300)
	index := make([]int, 300)
	for i := range index {
		index[i] = i
	}
	if err := d.Read(index, x.Data, labels); err != nil {
		t.Fatal(err)
	}
	for ch := range 9 {
		var mean, variance float64
		y := make([]float64, 300)
		for i := range y {
			y[i] = float64(m.weights[1][ch])
			for k, v := range x.Row(i) {
				y[i] += float64(m.weights[0][ch*7+k]) * float64(v)
			}
			mean += y[i] / 300
		}
		for _, v := range y {
			variance += (v - mean) * (v - mean) / 300
		}
		got := n.norms[0]
		for what, pair := range map[string][2]float64{
			"mean": {float64(got.mean[ch]), mean}, "variance": {float64(got.variance[ch]), variance},
			"scale²": {float64(got.scale[ch]) * float64(got.scale[ch]), variance + got.epsilon}, "shift": {float64(got.shift[ch]), mean},
		} {
			if d := pair[0] - pair[1]; !(max(d, -d) <= 1e-6*(1+variance)) { // float32
				t.Errorf("channel %d: %s is %v, want %v", ch, what, pair[0], pair[1])
			}
		}
	}
}

// TestCloneOfNormed: a copy is a model of its own.
func TestCloneOfNormed(t *testing.T) {
	m := places["linear layers of both orders"].build()
	n := must(m.InsertNorms(context.Background(), pixels{30, 7}))
	c, ok := feature.As[feature.Cloner](n)
	if !ok {
		t.Fatal("no Cloner")
	}
	if _, ok := must(c.Clone()).(feature.Normed); ok {
		t.Error("the copy could be folded into the same model")
	}
}
