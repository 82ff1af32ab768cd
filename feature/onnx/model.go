package onnx

import (
	"slices"
	"strings"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/internal/exec"
)

// Model is a model read from a file. It implements feature.Trainable, ModeGrader,
// ParamUpdater, Cloner, Saver, NormInserter and Sharer: Forward, Grad and GradMode
// may run on several goroutines at once while no parameter is written and no Mode
// tracks.
// With Mode.Train, a batch norm over samples without spatial extent needs two
// samples at least, else the error of GradMode wraps feature.ErrShape.
//
// Taps are named after tensors; nodes' names stand for their first outputs.
// Work memory is kept for reuse: after the first call with given taps, mode,
// batch size and wanted gradients, a call allocates next to nothing.
type Model struct {
	*executor
	notes     []string
	operators []Operator
	data      []byte // the file
	words     int    // the input numbers words of a text, below this; 0: it does not
	folder    string

	weights []*weight   // of the graph, with what the file has
	data32  [][]float32 // of the graph, current; they are the executor's
}

// executor gives Model its methods, without a field that others see.
type executor = exec.Model

var (
	_ feature.Trainable    = (*Model)(nil)
	_ feature.ModeGrader   = (*Model)(nil)
	_ feature.ParamUpdater = (*Model)(nil)
	_ feature.Cloner       = (*Model)(nil)
	_ feature.NormInserter = (*Model)(nil)
	_ feature.Sharer       = (*Model)(nil)
)

// Notes returns what a user should know about how the file was read, such as
// parameters that have several names, one sentence each.
func (m *Model) Notes() []string { return slices.Clone(m.notes) }

// Clone implements feature.Cloner. The copy shares what does not change: the
// graph, the file's bytes and idle work memory.
func (m *Model) Clone() (feature.Trainable, error) {
	c := *m
	c.executor = exec.Copy(m.executor)
	c.data32 = exec.Weights(c.executor)
	return &c, nil
}

// Operator is an operator of a file and how often it takes part in the model.
type Operator struct {
	Name  string
	Count int
}

// Operators lists the operators that the logits depend on, by name.
func (m *Model) Operators() []Operator { return slices.Clone(m.operators) }

// countOperators counts the operators of needed nodes.
func (f *file) countOperators(needed []bool) []Operator {
	var list []Operator
	for i, n := range f.graph.nodes {
		if !needed[i] {
			continue
		}
		at, found := slices.BinarySearchFunc(list, n.op, func(o Operator, name string) int { return strings.Compare(o.Name, name) })
		if !found {
			list = slices.Insert(list, at, Operator{Name: n.op})
		}
		list[at].Count++
	}
	return list
}
