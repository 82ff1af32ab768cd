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
		{"SinkhornEuclidean", distance.Sinkhorn{Cost: distance.Euclidean{}}},
		{"Divergence", distance.Sinkhorn{Debiased: true}},
		{"DivergenceSqEuclidean", distance.Sinkhorn{Cost: distance.SqEuclidean{}, Epsilon: .5, Debiased: true}},
		{"Sharp", distance.Sinkhorn{Value: distance.Transport, Epsilon: .2, Tol: 1e-11}},
		{"SharpDivergence", distance.Sinkhorn{Value: distance.Transport, Epsilon: .2, Tol: 1e-11, Debiased: true}},
		{"Shannon", distance.Sinkhorn{Value: distance.Shannon}},
		{"Unbalanced", distance.Sinkhorn{Rho: .5}},
		{"UnbalancedStiff", distance.Sinkhorn{Rho: 100, Cost: distance.SqEuclidean{}}},
		{"UnbalancedDivergence", distance.Sinkhorn{Rho: 1, Epsilon: .1, Debiased: true, Cost: distance.Euclidean{}}},
		{"Warm", distance.Sinkhorn{WarmStart: true}},
		{"WarmDivergence", distance.Sinkhorn{WarmStart: true, Debiased: true}},
		{"EMD", distance.EMD{}},
		{"EMDSqEuclidean", distance.EMD{Cost: distance.SqEuclidean{}}},
		{"EMDEuclidean", distance.EMD{Cost: distance.Euclidean{}}},
		{"MMD", distance.MMD{}},
		{"MMDFixed", distance.MMD{Kernel: distance.Gaussian{Sigma: 1.5}}},
		{"MMDMulti", distance.MMD{Kernel: distance.Gaussian{Sigma: 1, Multiples: []float64{.5, 1, 2}}}},
		{"MMDUnbiased", distance.MMD{Estimator: distance.Unbiased}},
		{"MMDLinearTime", distance.MMD{Estimator: distance.LinearTime}},
		{"Laplacian", distance.MMD{Kernel: distance.Laplacian{}}},
		{"LaplacianL1", distance.MMD{Kernel: distance.Laplacian{Sigma: 2, L1: true}}},
		{"LaplacianL1LinearTime", distance.MMD{Kernel: distance.Laplacian{Sigma: 2, L1: true}, Estimator: distance.LinearTime}},
		{"Energy", distance.MMD{Kernel: distance.Energy{}}},
		{"EnergyUnbiased", distance.MMD{Kernel: distance.Energy{}, Estimator: distance.Unbiased}},
		{"Linear", distance.MMD{Kernel: distance.Linear{}}},
		{"LinearUnbiased", distance.MMD{Kernel: distance.Linear{}, Estimator: distance.Unbiased}},
		{"LinearLinearTime", distance.MMD{Kernel: distance.Linear{}, Estimator: distance.LinearTime}},
		{"Polynomial", distance.MMD{Kernel: distance.Polynomial{}}},
		{"KID", distance.MMD{Kernel: distance.Polynomial{}, Estimator: distance.Unbiased}},
		{"RationalQuadratic", distance.MMD{Kernel: distance.RationalQuadratic{}}},
		{"RationalQuadratic2", distance.MMD{Kernel: distance.RationalQuadratic{Alpha: 2.5, Sigma: 1}}},
		{"IMQ", distance.MMD{Kernel: distance.InverseMultiquadric{}}},
		{"EMDCityBlock", distance.EMD{Cost: distance.CityBlock{}}},
		{"RandomFourier", distance.RandomFourier{}},
		{"RandomFourierL1", distance.RandomFourier{Sigma: 3, L1: true, Features: 40, Seed: 7}},
		{"Sliced", distance.SlicedWasserstein{}},
		{"Sliced1", distance.SlicedWasserstein{P: 1, L: 5}},
		{"Sliced3", distance.SlicedWasserstein{P: 3, L: 7, Seed: 3}},
		{"MaxSliced", distance.SlicedWasserstein{Max: true}},
		{"Bures", distance.Bures{}},
		{"BuresUnbiased", distance.Bures{DDof: 1}},
		{"BuresRidge", distance.Bures{Ridge: .1}},
		{"CORAL", distance.CORAL{}},
		{"CORALBiased", distance.CORAL{DDof: -1}},
		{"ReleasedSinkhorn", distance.ReleasedSinkhorn{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := distancetest.Check(tt.d); err != nil {
				t.Error(err)
			}
		})
	}
}
