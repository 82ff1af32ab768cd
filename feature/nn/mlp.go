package nn

import (
	"fmt"

	"github.com/dlfd-go/unlearn/feature"
)

// MLPConfig describes a multi-layer perceptron.
type MLPConfig struct {
	Input   []int // shape of a sample, flattened first
	Classes int   // outputs
	// Heads divide the outputs, where a sample has several labels; see feature.Heads.
	// Classes is then their number, or zero.
	Heads   feature.Heads
	Hidden  []int   // sizes of the hidden layers. If it is nil, 128, 64 is used.
	Dropout float64 // rate after every hidden layer, in [0, 1)
	Seed    uint64  // of the initial parameters
}

// MLP returns a perceptron with rectifiers: layers fc1, fc2 and so on; taps
// hidden1, hidden2 and so on after the rectifiers.
func MLP(c MLPConfig) (*Network, error) {
	hidden := c.Hidden
	if hidden == nil {
		hidden = []int{128, 64}
	}
	b := NewBuilder(c.Seed, c.Input...)
	x := b.Input()
	if len(c.Input) != 1 {
		x = b.Flatten(x)
	}
	for i, h := range hidden {
		x = b.Tap(fmt.Sprintf("hidden%d", i+1), b.ReLU(b.Linear(fmt.Sprintf("fc%d", i+1), x, h)))
		if c.Dropout != 0 {
			x = b.Dropout(x, c.Dropout)
		}
	}
	return b.Build(b.Linear(fmt.Sprintf("fc%d", len(hidden)+1), x, b.divide(c.Classes, c.Heads)))
}

// head adds linear layers with rectifiers and dropout between pooled features
// and the logits, named as in a PyTorch Sequential: name.0, name.3, ... or, with
// no hidden layer, name.
func head(b *Builder, name string, x Value, hidden []int, dropout float64, classes int) Value {
	if dropout != 0 && len(hidden) == 0 {
		x = b.Dropout(x, dropout)
	}
	at := 0
	for _, h := range hidden {
		x = b.ReLU(b.Linear(fmt.Sprintf("%s.%d", name, at), x, h))
		if dropout != 0 {
			x = b.Dropout(x, dropout)
		}
		at += 3
	}
	if len(hidden) > 0 {
		name = fmt.Sprintf("%s.%d", name, at)
	}
	return b.Linear(name, x, classes)
}
