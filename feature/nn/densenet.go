package nn

import (
	"fmt"

	"github.com/dlfd-go/unlearn/feature"
)

// DenseNet121Config describes DenseNet121 in torchvision's layout.
type DenseNet121Config struct {
	Input   []int // channels×height×width
	Classes int   // outputs
	// Heads divide the outputs, where a sample has several labels; see feature.Heads.
	// Classes is then their number, or zero.
	Heads feature.Heads
	// Hidden and Dropout make a head of more than one linear layer, as in
	// ResNet18Config.
	Hidden  []int
	Dropout float64
	Seed    uint64 // of the initial parameters
}

// DenseNet121 returns the network of 121 layers of Huang, Liu, van der Maaten,
// Weinberger ("Densely connected convolutional networks", CVPR 2017, table 1;
// growth 32, with bottlenecks and halving transitions), with torchvision's names
// of parameters: features.conv0, features.norm0,
// features.denseblock1.denselayer1.norm1, ..., features.norm5, classifier. Taps:
// stem, denseblock1, transition1, ..., denseblock4, pool. It has 7.0 million
// parameters before the head.
func DenseNet121(c DenseNet121Config) (*Network, error) {
	b := NewBuilder(c.Seed, c.Input...)
	x := b.Conv("features.conv0", b.Input(), Conv{Out: 64, Kernel: 7, Stride: 2, Pad: 3})
	x = b.Tap("stem", b.ReLU(b.BatchNorm("features.norm0", x)))
	x = b.MaxPool(x, 3, 2, 1)
	width := 64
	for s, layers := range []int{6, 12, 24, 16} {
		block := fmt.Sprintf("denseblock%d", s+1)
		for k := range layers {
			x = denseLayer(b, fmt.Sprintf("features.%s.denselayer%d", block, k+1), x)
			width += denseGrowth
		}
		b.Tap(block, x)
		if s < 3 {
			width /= 2
			x = transition(b, fmt.Sprintf("transition%d", s+1), x, width)
		}
	}
	x = b.ReLU(b.BatchNorm("features.norm5", x))
	x = b.Tap("pool", b.Flatten(b.GlobalAveragePool(x)))
	return b.Build(head(b, "classifier", x, c.Hidden, c.Dropout, b.divide(c.Classes, c.Heads)))
}

// denseGrowth is the number of channels that a layer adds.
const denseGrowth = 32

// denseLayer joins to x what a 1×1 and a 3×3 convolution make of it.
func denseLayer(b *Builder, name string, x Value) Value {
	y := b.ReLU(b.BatchNorm(name+".norm1", x))
	y = b.Conv(name+".conv1", y, Conv{Out: 4 * denseGrowth, Kernel: 1})
	y = b.ReLU(b.BatchNorm(name+".norm2", y))
	return b.Concat(0, x, b.Conv(name+".conv2", y, Conv{Out: denseGrowth, Kernel: 3, Pad: 1}))
}

// transition halves the sides and changes the number of channels.
func transition(b *Builder, name string, x Value, out int) Value {
	x = b.ReLU(b.BatchNorm("features."+name+".norm", x))
	x = b.Conv("features."+name+".conv", x, Conv{Out: out, Kernel: 1})
	return b.Tap(name, b.AveragePool(x, 2, 2, 0))
}
