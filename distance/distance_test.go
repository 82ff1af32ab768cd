package distance_test

import (
	"testing"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/distance/distancetest"
)

func TestConformance(t *testing.T) {
	for _, tt := range []struct {
		name string
		d    distance.Distance
	}{
		{"Sinkhorn", distance.Sinkhorn{}},
		{"SinkhornSqEuclidean", distance.Sinkhorn{Cost: distance.SqEuclidean{}, Epsilon: 1}},
		{"SinkhornEuclidean", distance.Sinkhorn{Cost: distance.Euclidean{}, Epsilon: .5}},
		{"Divergence", distance.Sinkhorn{Debiased: true, Epsilon: .5}},
		{"DivergenceSqEuclidean", distance.Sinkhorn{Cost: distance.SqEuclidean{}, Epsilon: 5, Debiased: true}},
		{"EMD", distance.EMD{}},
		{"EMDSqEuclidean", distance.EMD{Cost: distance.SqEuclidean{}}},
		{"EMDEuclidean", distance.EMD{Cost: distance.Euclidean{}}},
		{"MMD", distance.MMD{}},
		{"MMDMulti", distance.MMD{Kernel: distance.Gaussian{Sigma: 1, Multiples: []float64{.5, 1, 2}}}},
		{"MMDUnbiased", distance.MMD{Estimator: distance.Unbiased}},
		{"Energy", distance.MMD{Kernel: distance.Energy{}}},
		{"ReleasedSinkhorn", distance.ReleasedSinkhorn{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := distancetest.Check(tt.d); err != nil {
				t.Error(err)
			}
		})
	}
}
