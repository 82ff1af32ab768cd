package nn

import (
	"testing"

	"github.com/dlfd-go/unlearn/feature/featuretest"
)

func TestConformance(t *testing.T) {
	for name, net := range small(t) {
		t.Run(name, func(t *testing.T) { featuretest.Run(t, net, nil) })
	}
}

// small returns one small network of each kind.
func small(t testing.TB) map[string]*Network {
	t.Helper()
	nets := map[string]*Network{}
	keep := func(name string, n *Network, err error) {
		if err != nil {
			t.Fatal(err)
		}
		nets[name] = n
	}
	n, err := MLP(MLPConfig{Input: []int{3, 4}, Classes: 3, Hidden: []int{9, 7}, Dropout: .2, Seed: 1})
	keep("mlp", n, err)
	n, err = ResNet(ResNetConfig{Input: []int{2, 9, 8}, Classes: 3, Widths: []int{4, 6}, Hidden: []int{7}, Dropout: .2, Seed: 2})
	keep("resnet", n, err)
	b := NewBuilder(3, 3, 8, 8)
	x := b.SiLU(b.Conv("a", b.Input(), Conv{Out: 6, Kernel: 3, Pad: 1, Group: 3, Bias: true}))
	x = b.Tap("pooled", b.MaxPool(x, 2, 2, 0))
	y := b.GELU(b.Conv("b", x, Conv{Out: 6, Kernel: 2, Stride: 2, Dilation: 1}))
	x = b.Concat(0, b.AveragePool(x, 2, 2, 0), b.Mul(y, b.Sigmoid(b.GlobalAveragePool(y))))
	x = b.Tanh(b.BatchNorm("norm", b.Linear("c", b.Flatten(x), 10)))
	n, err = b.Build(b.Linear("d", x, 4))
	keep("builder", n, err)
	b = NewBuilder(4, 4, 6, 6)
	x = inverted{expand: 2, kernel: 3, stride: 1, in: 4, out: 4, blocks: 1}.block(b, "block", b.Input(), .3)
	x = transition(b, "transition", b.Concat(0, x, b.Input()), 6)
	n, err = b.Build(b.Linear("fc", b.Flatten(b.GlobalAveragePool(x)), 3))
	keep("deep", n, err)
	return nets
}
