package graph

import "github.com/dlfd-go/unlearn/internal/kernel"

// patches stands in a plan for a convolution whose windows do not overlap and the
// transposition behind it, which make the patches of an image rows: it is Rows on
// what each window sees. Inputs: those of Conv. Output: positions×channels.
type patches struct {
	Rows
	geometry
	shapes [][]int // of the inputs, as Rows sees them
}

// WideItems implements WideOp: there is none, since the windows would be gathered
// once for each.
func (op *patches) WideItems(any, []Arg) int { return 0 }

// Prepare implements Preparer.
func (op *patches) Prepare([]Arg) any { return op.Rows.Prepare(op.args()) }

func (op *patches) args() []Arg {
	in := make([]Arg, len(op.shapes))
	for i, shape := range op.shapes {
		in[i] = Arg{Shape: shape, Param: i > 0}
	}
	return in
}

// gathered returns the number of elements of all windows of n samples.
func (op *patches) gathered(n int) int { return n * size(op.shapes[0]) }

// Scratch implements Scratcher.
func (op *patches) Scratch(prepared any, _ []Arg, out []int, n int) int {
	return aligned(op.gathered(n)) + op.Rows.Scratch(prepared, op.args(), out, n)
}

// Pack implements Packer.
func (op *patches) Pack(c *Call, want []bool) {
	d := *c
	d.Shape = op.shapes
	op.Rows.Pack(&d, want)
}

// inner returns the call as Rows sees it, with the windows, or room for their gradient,
// in scratch.
func (op *patches) inner(c *Call) (d Call, rows []float32) {
	d = *c
	n := op.gathered(c.N)
	rows, d.Scratch = c.Scratch[:n], c.Scratch[aligned(n):]
	d.Shape = op.shapes
	return d, rows
}

// Forward implements Op.
func (op *patches) Forward(c *Call) {
	d, rows := op.inner(c)
	in := [3][]float32{rows, c.In[1]}
	if len(c.In) == 3 {
		in[2] = c.In[2]
	}
	op.gather(c, rows)
	d.In = in[:len(c.In)]
	op.Rows.Forward(&d)
}

// VJP implements Op: the gradient of the image goes through that of the windows.
func (op *patches) VJP(c *Call) {
	d, rows := op.inner(c)
	in, grads, fresh := [3][]float32{rows, c.In[1]}, [3][]float32{}, [3]bool{true}
	d.In, d.DIn, d.Fresh = in[:len(c.In)], grads[:len(c.In)], fresh[:len(c.In)]
	if c.DIn[0] != nil {
		grads[0] = rows
		op.Rows.VJP(&d)
		op.scatter(c, rows)
		grads[0] = nil
	}
	if copy(grads[1:], c.DIn[1:]); c.DIn[1] != nil {
		op.gather(c, rows)
	}
	op.Rows.VJP(&d)
}

// each calls f for every channel of every window with the places of its first
// element in the image and in the rows.
func (op *patches) each(n int, f func(image, row int)) {
	taps, plane := op.KernelH*op.KernelW, op.Height*op.Width
	row := 0
	for s := range n {
		for y := range op.oh {
			for x := range op.ow {
				for ch := range op.Channels {
					f((s*op.Channels+ch)*plane+y*op.KernelH*op.Width+x*op.KernelW, row)
					row += taps
				}
			}
		}
	}
}

func (op *patches) gather(c *Call, rows []float32) {
	op.each(c.N, func(image, row int) {
		kernel.CopyRows(op.KernelH, op.KernelW, c.In[0][image:], op.Width, rows[row:], op.KernelW)
	})
}

// scatter adds the gradient of the windows to that of the image.
func (op *patches) scatter(c *Call, rows []float32) {
	c.Clear(0)
	op.each(c.N, func(image, row int) {
		for y := range op.KernelH {
			from := rows[row+y*op.KernelW:][:op.KernelW]
			to := c.DIn[0][image+y*op.Width:][:op.KernelW]
			kernel.Add32(to, to, from)
		}
	})
}
