package nn

import (
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/internal/exec"
)

// Network is a trainable network. It implements feature.Trainable, ModeGrader,
// ParamUpdater, Cloner, Saver, NormInserter and Sharer: Forward, Grad and GradMode
// may run on several goroutines at once while no parameter is written and no Mode
// tracks.
// With Mode.Train, a batch norm over samples without spatial extent needs two
// samples at least, else the error of GradMode wraps feature.ErrShape.
//
// Work memory is kept for reuse: after the first call with given taps, mode,
// batch size and wanted gradients, a call allocates next to nothing.
type Network struct {
	*executor
	arch architecture
}

// executor gives Network its methods, without a field that others see.
type executor = exec.Model

// architecture is what a file keeps beside the weights.
type architecture struct {
	Input  []int         `json:"input"`
	Layers []layer       `json:"layers"`
	Taps   []tap         `json:"taps"`
	Logits Value         `json:"logits"`
	Heads  feature.Heads `json:"heads,omitempty"`
}

var (
	_ feature.Trainable    = (*Network)(nil)
	_ feature.ModeGrader   = (*Network)(nil)
	_ feature.ParamUpdater = (*Network)(nil)
	_ feature.Cloner       = (*Network)(nil)
	_ feature.Saver        = (*Network)(nil)
	_ feature.NormInserter = (*Network)(nil)
	_ feature.Sharer       = (*Network)(nil)
)

// weights returns the weights by position in Spec().Params.
func (n *Network) weights() [][]float32 { return exec.Weights(n.executor) }

// Clone implements feature.Cloner. The copy shares the immutable architecture
// and idle work memory.
func (n *Network) Clone() (feature.Trainable, error) {
	return &Network{exec.Copy(n.executor), n.arch}, nil
}
