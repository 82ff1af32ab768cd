package onnx

import (
	"errors"
	"fmt"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/graph"
)

// Errors that the functions of this package wrap.
var (
	ErrFormat      = errors.New("not a valid ONNX file")
	ErrLimit       = feature.ErrLimit
	ErrUnsupported = errors.New("not supported")
	ErrGradient    = errors.New("no useful gradient")
	ErrExternal    = errors.New("external data")
)

// Versions that are read. Since operator set 21, the operators of this package
// have gained element types, and nothing else.
const (
	minIR, maxIR       = 3, 13
	minOpset, maxOpset = 7, 25
)

// Limits of what a file may hold, so that memory follows the file's size. They
// are far above those of real models. Limits of what a model may cost to run are
// in Options.
const (
	maxName    = 1 << 12 // bytes of a name
	maxNodes   = 1 << 16
	maxTensors = 1 << 16
	maxParsed  = 1 << 26 // bytes of what is parsed beside names and weights
	maxInts    = 1 << 16 // numbers in one attribute
	maxRank    = 8
	maxAxis    = 1 << 24 // length of an axis
	maxTaken   = 1 << 27 // elements of all tables, which is a limit on time: about a second
)

// Sizes in bytes of what is made when a file is read, for Options.MaxTables.
const (
	termBytes     = 16 // an element of a constant
	runBytes      = 16 // a stretch of a graph.Take
	resampleBytes = 48 // an output of a graph.Resample, beside its taps
	tapBytes      = 16 // a tap of a graph.Resample
)

// memory counts bytes of constants and tables, before they are taken.
func (b *builder) memory(bytes int) error {
	if bytes > b.opt.MaxTables-b.tables {
		return fmt.Errorf("%w: constants and tables take more than %d bytes (Options.MaxTables)", ErrLimit, b.opt.MaxTables)
	}
	b.tables += bytes
	return nil
}

// takes counts elements of tables of positions. Tables are made whole before
// their stretches are known, so a single one is limited too.
func (b *builder) takes(n int) error {
	if n > b.opt.MaxTables/8 {
		return fmt.Errorf("%w: a table of %d positions is more than an eighth of %d bytes (Options.MaxTables)", ErrLimit, n, b.opt.MaxTables)
	}
	if b.taken += n; b.taken > maxTaken {
		return fmt.Errorf("%w: slices, paddings and transpositions go through more than %d positions", ErrLimit, maxTaken)
	}
	return nil
}

// add puts an operator into the graph and counts what it costs. Every operator
// goes through here: nothing has been computed or allocated by then.
func (b *builder) add(name string, op graph.Op, in ...graph.Value) (graph.Value, error) {
	v, err := b.g.Apply(name, op, in...)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	// In floating point, products of sizes do not overflow.
	if b.work += b.cost(op, in, b.g.Size(v)); b.work > float64(b.opt.MaxWork) {
		return 0, fmt.Errorf("%w: one sample takes more than %d multiplications (Options.MaxWork)", ErrLimit, b.opt.MaxWork)
	}
	if _, same := op.(graph.Reshape); !same {
		b.kept += 4 * float64(b.g.Size(v))
	}
	if b.kept > float64(b.opt.MaxKept) {
		return 0, fmt.Errorf("%w: the activations of one sample take more than %d bytes (Options.MaxKept)", ErrLimit, b.opt.MaxKept)
	}
	b.trace(op, in, v)
	return v, nil
}

// cost estimates the multiplications, or operations of like cost, that an
// operator takes for one sample with an output of the given size.
func (b *builder) cost(op graph.Op, in []graph.Value, size int) float64 {
	out := float64(size)
	shape := func(i int) []int { return b.g.Shape(in[i]) }
	switch op := op.(type) {
	case graph.Conv:
		return out * float64(sizeOf(shape(1)[1:]))
	case graph.ConvTranspose:
		return float64(b.g.Size(in[0]))*float64(sizeOf(shape(1)[1:])) + out
	case graph.Gemm, graph.Rows, graph.MatMul:
		x := shape(0)
		return out * float64(x[len(x)-1])
	case graph.MaxPool:
		return out * float64(op.Kernel[0]*op.Kernel[1])
	case graph.AveragePool:
		return out * float64(op.Kernel[0]*op.Kernel[1])
	case graph.LRN:
		return out * float64(op.Size)
	case graph.Resample:
		return out * float64(len(op.Index[0]))
	}
	for i := range in {
		out += float64(b.g.Size(in[i]))
	}
	return out
}

// runs bounds the number of stretches of equally spaced positions in a table.
func runs(index []int32) int {
	n := 1
	for i := 2; i < len(index); i++ {
		if index[i]-index[i-1] != index[i-1]-index[i-2] {
			n++
		}
	}
	return n
}
