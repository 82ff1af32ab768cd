package graph

import (
	"context"
	"errors"
	"math"
	"testing"
)

// stopped is an operator that is canceled when its Forward has begun.
type stopped struct {
	Op
	cancel func()
}

func (s stopped) Prepare(in []Arg) any {
	if p, ok := s.Op.(Preparer); ok {
		return p.Prepare(in)
	}
	return nil
}

func (s stopped) Scratch(prepared any, in []Arg, out []int, n int) int {
	return s.Op.(Scratcher).Scratch(prepared, in, out, n)
}

func (s stopped) PackLen(prepared any, want []bool) int {
	if p, ok := s.Op.(Packer); ok {
		return p.PackLen(prepared, want)
	}
	return 0
}

func (s stopped) Pack(c *Call, want []bool) {
	if p, ok := s.Op.(Packer); ok {
		p.Pack(c, want)
	}
}

func (s stopped) Forward(c *Call) {
	s.cancel()
	s.Op.Forward(c)
}

// A layer with a lot of work gives it up when the context is canceled while it
// runs: what it had not begun to write keeps its old values.
func TestCancellationWithinACall(t *testing.T) {
	const side = 40
	for name, c := range map[string]struct {
		input []int
		op    Op
		param []int
	}{
		"matrix":          {[]int{1000}, Linear(), []int{500, 1000}},
		"rows":            {[]int{50, 100}, Rows{Linear()}, []int{100, 100}},
		"convolution 3×3": {[]int{8, side, side}, Conv{Window: Window{Pad: [4]int{1, 1, 1, 1}}}, []int{16, 8, 3, 3}},
		"convolution 5×5": {[]int{8, side, side}, Conv{Window: Window{Pad: [4]int{2, 2, 2, 2}}}, []int{16, 8, 5, 5}},
		"depthwise":       {[]int{8, side, side}, Conv{Window: Window{Pad: [4]int{1, 1, 1, 1}}, Group: 8}, []int{8, 1, 3, 3}},
		"maximum":         {[]int{8, side, side}, MaxPool{Kernel: [2]int{2, 2}}, nil},
	} {
		n := newNet(t, 1, c.input...)
		ctx, cancel := context.WithCancel(context.Background())
		in := []Value{n.g.Input()}
		if c.param != nil {
			in = append(in, n.param(c.param...))
		}
		n.apply(stopped{c.op, cancel}, in...)
		n.untouched(ctx, name, 0)
	}
}

// An elementwise operator finishes the block that it is at.
func TestCancellationBetweenBlocks(t *testing.T) {
	n := newNet(t, 1, 3*blockLen)
	ctx, cancel := context.WithCancel(context.Background())
	n.apply(Map{Value: func(x float64) float64 { cancel(); return x }}, n.g.Input())
	n.untouched(ctx, "map", blockLen)
}

// untouched runs the net on one sample and fails unless it is canceled, and the
// output keeps its old values from an element on.
func (n *net) untouched(ctx context.Context, name string, from int) {
	n.t.Helper()
	out := make([]float32, n.g.Size(n.out))
	for i := range out {
		out[i] = float32(math.Inf(1))
	}
	x := uniform(n.src, n.g.Size(n.g.Input()))
	err := n.pass(ctx, Request{Batch: 1, Taps: []Value{n.out}}, Inputs{X: x, Params: n.params, Out: [][]float32{out}})
	if !errors.Is(err, context.Canceled) {
		n.t.Errorf("%s: error is %v, want %v", name, err, context.Canceled)
	}
	for i, v := range out[from:] {
		if !math.IsInf(float64(v), 1) {
			n.t.Errorf("%s: element %d of %d was written after the context was canceled", name, from+i, len(out))
			return
		}
	}
}
