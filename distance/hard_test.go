package distance

import (
	"math"
	"math/rand/v2"
	"testing"
)

// peaked draws the logits of a classifier with 8 classes that is sure of
// itself: 6 for a random class, noise of deviation 1 for all.
func peaked(rnd *rand.Rand, n int, high float64) Sample {
	s := Sample{N: n, Dim: 8, X: make([]float64, n*8)}
	for i := range s.X {
		s.X[i] = rnd.NormFloat64()
	}
	for i := range n {
		s.X[i*8+rnd.IntN(8)] += high
	}
	return s
}

// TestPeakedLogits is the case in which the released loop stops 10 % short:
// plain sweeps need thousands for this accuracy.
func TestPeakedLogits(t *testing.T) {
	for _, n := range []int{32, 64, 128, 256} {
		for _, high := range []float64{3, 6, 10, 20} {
			rnd := rand.New(rand.NewPCG(1, uint64(n)))
			x, y := peaked(rnd, n, high), peaked(rnd, n, high)
			ws := new(Workspace)
			got, err := Sinkhorn{Epsilon: .01}.Eval(ws, nil, nil, x, y)
			if s := ws.Stats; err != nil || s.Iterations >= 40 || s.NewtonSteps > 15 || s.MarginalError > 1e-6 || !s.Converged {
				t.Errorf("n=%d, peak %v: %v, %+v", n, high, err, s)
			}
			want, err := Sinkhorn{Epsilon: .01, NewtonAfter: -1, Tol: 1e-8, MaxIter: 20000}.Eval(ws, nil, nil, x, y)
			if math.Abs(got-want) > 1e-9 {
				t.Errorf("n=%d, peak %v: value %v, by sweeps %v (%v)", n, high, got, want, err)
			}
		}
	}
}
