package graph

import "github.com/dlfd-go/unlearn/internal/kernel"

// Arg describes an input of an operator.
type Arg struct {
	Shape []int // of one sample, or of the whole parameter
	Param bool  // a parameter: no batch axis
}

// Op is an operator. Its fields are attributes, fixed before it enters a
// graph; all run-time data is in the Call.
type Op interface {
	// Infer returns the shape of one sample of the output, or says why the
	// inputs do not fit. It is the only place that reports errors.
	Infer(in []Arg) ([]int, error)

	// Reads tells which inputs' values, and whether the output's, VJP reads
	// when it is asked for the gradients of the wanted inputs, in training or in
	// evaluation. What nobody reads is not kept.
	Reads(want []bool, train bool) (in []bool, out bool)

	// Forward writes c.Out from c.In.
	Forward(c *Call)

	// VJP adds the product of c.DOut and the Jacobian into c.DIn[i], unless
	// that is nil; where c.Fresh[i], it overwrites instead (see Call.Clear).
	VJP(c *Call)
}

// InPlacer marks operators whose Forward may get c.Out over c.In[0], and whose
// VJP may get c.DIn[0] over c.DOut (and then Fresh[0]).
type InPlacer interface{ InPlace() }

// Scratcher is implemented by operators that need scratch memory for a call
// with n samples.
type Scratcher interface {
	Scratch(prepared any, in []Arg, out []int, n int) int
}

// Packer is implemented by operators that bring their parameters into another
// order once per run, before anything else. PackLen returns how many elements
// of Call.Packed that takes when the gradients of the wanted inputs are.
type Packer interface {
	PackLen(prepared any, want []bool) int
	Pack(c *Call, want []bool)
}

// BatchOp is implemented by operators that need sums over the whole batch.
// Reduce and ReduceVJP see a few samples at a time, before Forward and VJP, and
// gather them into part, which starts at zero; Combine and CombineVJP see all
// parts in order. Where Sizes returns zero for part, none of them is called.
type BatchOp interface {
	Op
	Sizes(in []Arg, train bool) (part, state int)
	Reduce(c *Call, part []float64)
	Combine(c *Call, parts []float64)
	ReduceVJP(c *Call, part []float64)
	CombineVJP(c *Call, parts []float64) // adds parameter gradients; VJP must not
	// Commit updates the parameters that follow the batch's statistics.
	Commit(c *Call, params [][]float32)
}

// WideOp is implemented by operators with large parameters, whose gradients
// are cheaper from the whole batch at once than as a sum of parts. WideItems
// returns into how many independent pieces the work falls, or 0 to leave it to
// VJP; WideVJP adds piece item into the parameters' c.DIn, and sees the batch.
type WideOp interface {
	Op
	WideItems(prepared any, in []Arg) int
	WideVJP(c *Call, item int)
	// WideScratch is Scratcher's method for WideVJP, with n samples in the batch.
	WideScratch(prepared any, in []Arg, n int) int
}

// Preparer is implemented by operators that compute something from the shapes
// once and find it in Call.Prepared.
type Preparer interface{ Prepare(in []Arg) any }

// Call is what an operator works on: N samples of the batch.
type Call struct {
	N        int
	Shape    [][]int     // of the inputs, as in Arg
	Param    []bool      // of the inputs, as in Arg
	OutShape []int       // of one sample
	In       [][]float32 // N samples each, or a whole parameter
	Out      []float32
	DIn      [][]float32 // nil: not wanted
	DOut     []float32
	Fresh    []bool // DIn[i] holds nothing of worth and must be overwritten
	Scratch  []float32
	Prepared any       // by a Preparer
	Packed   []float32 // by a Packer
	State    []float64 // of a BatchOp, for the whole batch
	// Stop says that nobody wants the result any more. What takes longer than
	// some milliseconds looks at it.
	Stop kernel.Stop

	Train bool
	Seed  uint64
	Node  int // number of the node
	First int // number in the batch of the first sample
}

// Clear zeroes DIn[i] if it is fresh, after which adding to it is right.
func (c *Call) Clear(i int) {
	if c.Fresh[i] {
		clear(c.DIn[i])
	}
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// none returns flags for n inputs of which none is read.
func none(n int) []bool { return make([]bool, n) }
