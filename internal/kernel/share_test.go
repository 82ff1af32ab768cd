package kernel

import (
	"math/rand/v2"
	"testing"
)

// Pieces of one sample have the bits of the whole, and write nothing else.
func TestForwardPieces(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(61, 62))
		for i := range 60 {
			c := NewConv(randomWindow(r), 1+r.IntN(50), 1)
			if i%4 == 0 {
				c = NewConv(Window{24, 5 + i/4, 6, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, 24+r.IntN(30), 1)
			}
			d := newConvData(r, c, 1)
			bias, packed := floats(r, c.Out), make([]float32, c.PackedForward())
			c.PackForward(packed, d.w)
			whole, parts := make([]float32, d.out), make([]float32, d.out)
			c.Forward(whole, d.x, packed, bias, Limits{-1, 2}, false, 1, d.scratch, nil)
			n := 1 + r.IntN(5)
			for piece := range n {
				c.ForwardPiece(piece, n, parts, d.x, packed, bias, Limits{-1, 2}, 1, d.scratch, nil)
			}
			sameBits(t, "ForwardPiece", c, parts, whole)
		}
		for range 40 {
			g := randomWindow(r)
			g.Channels = 1 + r.IntN(6)
			d := NewDepthwise(g, 1+r.IntN(2))
			c := newDepthData(r, d, 1)
			d.Forward(c.y, c.x, c.w, c.bias, Rectified, 1, c.scratch, nil)
			parts := make([]float32, len(c.y))
			n := 1 + r.IntN(g.Channels)
			for piece := range n {
				d.ForwardPiece(piece, n, parts, c.x, c.w, c.bias, Rectified, c.scratch, nil)
			}
			sameOrNaN(t, "Depthwise.ForwardPiece", parts, c.y)
		}
	})
}

// Products with few columns have the bits of tiles.
func TestFewColumns(t *testing.T) {
	eachKernel(t, func(t *testing.T) {
		g, r := sgemmKernel(), rand.New(rand.NewPCG(63, 64))
		for i := range 200 {
			kc, rows, cols, add := 1+r.IntN(40), 1+r.IntN(130), 1+i%5, i%3 == 0
			a, b := floats(r, roundUp(rows, mr)*kc), floats(r, 16*kc)
			ldc := cols + r.IntN(3)
			got, whole := guarded[float32](rows*ldc, 3)
			want := make([]float32, len(got))
			for i := range want {
				want[i] = got[i]
			}
			if !fewColumns(kc, a, b, got, ldc, rows, cols, add) {
				continue
			}
			for i := 0; i < rows; i += g.high {
				g.tile(kc, a[i*kc:], b, g.nr, 0, want[i*ldc:], ldc, g.nr, min(g.high, rows-i), cols, add)
			}
			sameOrNaN(t, "few columns", got, want)
			checkGuards(t, "few columns", whole, 3, len(got))
		}
	})
}
