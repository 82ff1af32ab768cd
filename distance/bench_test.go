package distance_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/dlfd-go/unlearn/distance"
)

func features(seed uint64, n, dim int, shift float64) distance.Sample {
	rnd := rand.New(rand.NewPCG(seed, 0))
	s := distance.Sample{N: n, Dim: dim, X: make([]float64, n*dim)}
	for i := range s.X {
		s.X[i] = max(0, rnd.NormFloat64()+shift)
	}
	return s
}

func BenchmarkWeightedEMD(b *testing.B) {
	for _, n := range []int{64, 256, 1024} {
		x, y := features(1, n, 128, 0), features(2, n, 128, .2)
		rnd := rand.New(rand.NewPCG(3, 4))
		for _, s := range []*distance.Sample{&x, &y} {
			s.W = make([]float64, n)
			var sum float64
			for i := range s.W {
				s.W[i] = rnd.Float64()
				sum += s.W[i]
			}
			for i := range s.W {
				s.W[i] /= sum
			}
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			ws := new(distance.Workspace)
			for b.Loop() {
				if _, err := (distance.EMD{}).Eval(ws, nil, nil, x, y); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(ws.Stats.DualityGap, "gap")
		})
	}
}

func BenchmarkEval(b *testing.B) {
	for _, bb := range []struct {
		name string
		d    distance.Distance
	}{
		{"Sinkhorn", distance.Sinkhorn{}},
		{"Divergence", distance.Sinkhorn{Debiased: true}},
		{"EMD", distance.EMD{}},
		{"MMD", distance.MMD{Kernel: distance.Gaussian{Sigma: 10}}},
		{"Energy", distance.MMD{Kernel: distance.Energy{}}},
	} {
		for _, n := range []int{64, 256, 1024} {
			x, y := features(1, n, 128, 0), features(2, n, 128, .2)
			b.Run(fmt.Sprintf("%s/%d", bb.name, n), func(b *testing.B) {
				ws := new(distance.Workspace)
				for b.Loop() {
					if _, err := bb.d.Eval(ws, nil, nil, x, y); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(ws.Stats.Iterations), "sweeps")
			})
		}
	}
}
