package nn

import (
	"fmt"

	"github.com/dlfd-go/unlearn/feature"
)

// ResNetConfig describes a small residual network for images of some 16 to 64
// pixels (He, Zhang, Ren, Sun, "Deep residual learning", CVPR 2016, section
// 4.2). With one input channel, the defaults make 151,088 parameters plus 65
// per class, and features of 64 numbers.
type ResNetConfig struct {
	Input   []int // channels×height×width
	Classes int   // outputs
	// Heads divide the outputs, where a sample has several labels; see feature.Heads.
	// Classes is then their number, or zero.
	Heads   feature.Heads
	Widths  []int   // channels by stage. If it is nil, 16, 32, 64 is used.
	Blocks  []int   // residual blocks by stage. If it is nil, it is 1 for all stages but the last, which has 2.
	Stem    int     // stride of the first convolution. If it is zero, 1 is used.
	Hidden  []int   // sizes of linear layers, with rectifiers, before the last one; the last size is that of the features
	Dropout float64 // rate before the last linear layer and after every hidden one, in [0, 1)
	Seed    uint64  // of the initial parameters
}

func (c ResNetConfig) defaults() ResNetConfig {
	if c.Widths == nil {
		c.Widths = []int{16, 32, 64}
	}
	if c.Blocks == nil && len(c.Widths) > 0 {
		c.Blocks = make([]int, len(c.Widths))
		for i := range c.Blocks {
			c.Blocks[i] = 1
		}
		c.Blocks[len(c.Blocks)-1] = 2
	}
	if c.Stem == 0 {
		c.Stem = 1
	}
	return c
}

// ResNet returns a residual network: a 3×3 convolution (stem.conv, stem.bn),
// stages of basic blocks (stage1.0.conv1, ..., each stage but the first halves
// the sides), global average pooling, and the linear layers of the head. Taps:
// stem, stage1.0, ..., pool.
func ResNet(c ResNetConfig) (*Network, error) {
	c = c.defaults()
	if len(c.Blocks) != len(c.Widths) || len(c.Widths) == 0 {
		return nil, fmt.Errorf("nn: %w: blocks %v for widths %v", ErrArchitecture, c.Blocks, c.Widths)
	}
	b := NewBuilder(c.Seed, c.Input...)
	x := b.Conv("stem.conv", b.Input(), Conv{Out: c.Widths[0], Kernel: 3, Stride: c.Stem, Pad: 1})
	x = b.Tap("stem", b.ReLU(b.BatchNorm("stem.bn", x)))
	in := c.Widths[0]
	for s, width := range c.Widths {
		for k := range c.Blocks[s] {
			stride := 1
			if s > 0 && k == 0 {
				stride = 2
			}
			x = basicBlock(b, fmt.Sprintf("stage%d.%d", s+1, k), x, in, width, stride)
			in = width
		}
	}
	x = b.Tap("pool", b.Flatten(b.GlobalAveragePool(x)))
	return b.Build(head(b, "fc", x, c.Hidden, c.Dropout, b.divide(c.Classes, c.Heads)))
}

// basicBlock adds two 3×3 convolutions and a shortcut, which is a 1×1
// convolution where the shape changes (He et al., option B).
func basicBlock(b *Builder, name string, x Value, in, out, stride int) Value {
	y := b.Conv(name+".conv1", x, Conv{Out: out, Kernel: 3, Stride: stride, Pad: 1})
	y = b.ReLU(b.BatchNorm(name+".bn1", y))
	y = b.Conv(name+".conv2", y, Conv{Out: out, Kernel: 3, Pad: 1})
	y = b.BatchNorm(name+".bn2", y)
	if in != out || stride != 1 {
		x = b.Conv(name+".downsample.0", x, Conv{Out: out, Kernel: 1, Stride: stride})
		x = b.BatchNorm(name+".downsample.1", x)
	}
	return b.Tap(name, b.ReLU(b.Add(y, x)))
}

// ResNet18Config describes ResNet18 in torchvision's layout.
type ResNet18Config struct {
	Input   []int // channels×height×width
	Classes int   // outputs
	// Heads divide the outputs, where a sample has several labels; see feature.Heads.
	// Classes is then their number, or zero.
	Heads feature.Heads
	// CIFAR replaces the 7×7 stride-2 convolution and the max-pooling of the
	// stem by one 3×3 convolution.
	CIFAR bool
	// Hidden and Dropout make a head of more than one linear layer. The paper
	// (Choi and Na, arXiv 2409.14747) has 256, 128 and .5.
	Hidden  []int
	Dropout float64
	Seed    uint64 // of the initial parameters
}

// ResNet18 returns the network of 18 layers of He, Zhang, Ren, Sun (CVPR 2016,
// table 1), with torchvision's names of parameters: conv1, bn1,
// layer1.0.conv1, ..., fc. Taps: stem, layer1.0, ..., layer4.1, pool. It has
// 11.2 million parameters.
func ResNet18(c ResNet18Config) (*Network, error) {
	b := NewBuilder(c.Seed, c.Input...)
	stem := Conv{Out: 64, Kernel: 7, Stride: 2, Pad: 3}
	if c.CIFAR {
		stem = Conv{Out: 64, Kernel: 3, Pad: 1}
	}
	x := b.Tap("stem", b.ReLU(b.BatchNorm("bn1", b.Conv("conv1", b.Input(), stem))))
	if !c.CIFAR {
		x = b.MaxPool(x, 3, 2, 1)
	}
	in := 64
	for s, width := range []int{64, 128, 256, 512} {
		for k := range 2 {
			stride := 1
			if s > 0 && k == 0 {
				stride = 2
			}
			x = basicBlock(b, fmt.Sprintf("layer%d.%d", s+1, k), x, in, width, stride)
			in = width
		}
	}
	x = b.Tap("pool", b.Flatten(b.GlobalAveragePool(x)))
	return b.Build(head(b, "fc", x, c.Hidden, c.Dropout, b.divide(c.Classes, c.Heads)))
}
