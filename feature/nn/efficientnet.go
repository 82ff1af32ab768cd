package nn

import (
	"fmt"

	"github.com/dlfd-go/unlearn/feature"
)

// EfficientNetB0Config describes EfficientNet-B0 in torchvision's layout.
type EfficientNetB0Config struct {
	Input   []int // channels×height×width
	Classes int   // outputs
	// Heads divide the outputs, where a sample has several labels; see feature.Heads.
	// Classes is then their number, or zero.
	Heads feature.Heads
	// Hidden and Dropout make a head of more than one linear layer, as in
	// ResNet18Config. torchvision has no hidden layer and a Dropout of .2.
	Hidden  []int
	Dropout float64
	// DropPath is the rate of stochastic depth, in [0, 1): in training, block i
	// of the 16, counted from 0, leaves out its residual branch, sample by
	// sample, with probability DropPath·i/16, and otherwise multiplies the
	// branch by one over the probability of keeping it. If it is zero, every
	// branch stays; torchvision trains with .2.
	DropPath float64
	Seed     uint64 // of the initial parameters
}

// inverted is a stage of inverted residual blocks.
type inverted struct{ expand, kernel, stride, in, out, blocks int }

// EfficientNetB0 returns the network of Tan and Le ("EfficientNet", ICML 2019,
// arXiv 1905.11946, table 1), with torchvision's names of parameters:
// features.0.0, features.0.1, features.1.0.block.0.0, ..., classifier.1, or
// classifier.0, classifier.3, ... with hidden layers. Taps: stem, stage1, ...,
// stage7, top, pool. It has 4.0 million parameters before the head.
func EfficientNetB0(c EfficientNetB0Config) (*Network, error) {
	b := NewBuilder(c.Seed, c.Input...)
	x := b.Tap("stem", convNormSiLU(b, "features.0", b.Input(), Conv{Out: 32, Kernel: 3, Stride: 2, Pad: 1}))
	block := 0
	for s, stage := range []inverted{
		{1, 3, 1, 32, 16, 1}, {6, 3, 2, 16, 24, 2}, {6, 5, 2, 24, 40, 2}, {6, 3, 2, 40, 80, 3},
		{6, 5, 1, 80, 112, 3}, {6, 5, 2, 112, 192, 4}, {6, 3, 1, 192, 320, 1},
	} {
		for k := range stage.blocks {
			x = stage.block(b, fmt.Sprintf("features.%d.%d.block", s+1, k), x, c.DropPath*float64(block)/16)
			stage.in, stage.stride = stage.out, 1
			block++
		}
		b.Tap(fmt.Sprintf("stage%d", s+1), x)
	}
	x = b.Tap("top", convNormSiLU(b, "features.8", x, Conv{Out: 1280, Kernel: 1}))
	x = b.Tap("pool", b.Flatten(b.GlobalAveragePool(x)))
	name := "classifier"
	if len(c.Hidden) == 0 {
		name = "classifier.1"
	}
	return b.Build(head(b, name, x, c.Hidden, c.Dropout, b.divide(c.Classes, c.Heads)))
}

// convNormSiLU adds a convolution (name.0), batch norm (name.1) and SiLU.
func convNormSiLU(b *Builder, name string, x Value, c Conv) Value {
	return b.SiLU(b.BatchNorm(name+".1", b.Conv(name+".0", x, c)))
}

// block adds one inverted residual block: 1×1 up, depthwise, squeeze and
// excitation, 1×1 down.
func (v inverted) block(b *Builder, name string, x Value, drop float64) Value {
	at, wide := 0, v.in*v.expand
	next := func() string { at++; return fmt.Sprintf("%s.%d", name, at-1) }
	y := x
	if v.expand != 1 {
		y = convNormSiLU(b, next(), y, Conv{Out: wide, Kernel: 1})
	}
	y = convNormSiLU(b, next(), y, Conv{Out: wide, Kernel: v.kernel, Stride: v.stride, Pad: v.kernel / 2, Group: wide})
	y = squeeze(b, next(), y, wide, v.in/4)
	last := next()
	y = b.BatchNorm(last+".1", b.Conv(last+".0", y, Conv{Out: v.out, Kernel: 1}))
	if v.stride != 1 || v.in != v.out {
		return y
	}
	if drop != 0 {
		y = b.DropPath(y, drop)
	}
	return b.Add(y, x)
}

// squeeze multiplies every channel by a number in (0, 1) that two layers make
// of the means of all channels (Hu, Shen, Sun, CVPR 2018).
func squeeze(b *Builder, name string, x Value, channels, narrow int) Value {
	s := b.SiLU(b.Conv(name+".fc1", b.GlobalAveragePool(x), Conv{Out: narrow, Kernel: 1, Bias: true}))
	s = b.Sigmoid(b.Conv(name+".fc2", s, Conv{Out: channels, Kernel: 1, Bias: true}))
	return b.Mul(x, s)
}
