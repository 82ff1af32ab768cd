package distance_test

import (
	"math"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/distance"
)

// goldenPair is the pair of weighted samples of the golden values below:
// xᵢₖ = sin(1+3i+5k), yⱼₖ = cos(2+7j+k)+.3, aᵢ ∝ i+1, bⱼ ∝ 10−j.
func goldenPair() (x, y distance.Sample) {
	x = distance.Sample{N: 5, Dim: 3, X: make([]float64, 15), W: make([]float64, 5)}
	y = distance.Sample{N: 7, Dim: 3, X: make([]float64, 21), W: make([]float64, 7)}
	for i := range x.X {
		x.X[i] = math.Sin(float64(1 + 3*(i/3) + 5*(i%3)))
	}
	for j := range y.X {
		y.X[j] = math.Cos(float64(2+7*(j/3)+j%3)) + .3
	}
	for i := range x.W {
		x.W[i] = float64(i+1) / 15
	}
	for j := range y.W {
		y.W[j] = float64(10-j) / 49
	}
	return x, y
}

// TestGolden compares with values of POT 0.8.2 (emd2, sinkhorn with
// method sinkhorn_log and stopThr 1e-14, emd2_1d) and of plain numpy and scipy
// (kernel means by cdist, sqrtm, cov; the unbalanced problem as a minimization
// over log P by L-BFGS-B, good to 2e-9), all in float64.
func TestGolden(t *testing.T) {
	sq, eu := distance.SqEuclidean{}, distance.Euclidean{}
	type sinkhorn = distance.Sinkhorn
	for _, tt := range []struct {
		name string
		d    distance.Distance
		want float64
	}{
		{"EMD sq", distance.EMD{Cost: sq}, 1.7286286448217094},
		{"EMD eu", distance.EMD{Cost: eu}, 1.147532318738233},
		{"EMD cos", distance.EMD{}, 0.510544790933951},
		{"OT sq .05", sinkhorn{Cost: sq, Epsilon: .05, Tol: 1e-12}, 1.7877131488948317},
		{"OT sq .5", sinkhorn{Cost: sq, Epsilon: .5, Tol: 1e-12}, 2.1899329166073374},
		{"OT eu .05", sinkhorn{Cost: eu, Epsilon: .05, Tol: 1e-12}, 1.20332892900427},
		{"OT eu .5", sinkhorn{Cost: eu, Epsilon: .5, Tol: 1e-12}, 1.4744494784721636},
		{"OT cos .05", sinkhorn{Tol: 1e-12}, 0.5642298747335446},
		{"OT cos .5", sinkhorn{Epsilon: .5, Tol: 1e-12}, 0.8080483019827887},
		{"sharp sq .05", sinkhorn{Sharp: true, Cost: sq, Epsilon: .05, Tol: 1e-12}, 1.7302534490690977},
		{"sharp cos .5", sinkhorn{Sharp: true, Epsilon: .5, Tol: 1e-12}, 0.6682348581036175},
		{"unbalanced sq", sinkhorn{Cost: sq, Epsilon: .1, Rho: .5, Tol: 1e-12}, 0.6196276745825293},
		{"unbalanced eu", sinkhorn{Cost: eu, Epsilon: .1, Rho: .5, Tol: 1e-12}, 0.6666185381188743},
		{"unbalanced cos", sinkhorn{Epsilon: .1, Rho: .5, Tol: 1e-12}, 0.3667270055463525},
		{"Gaussian", distance.MMD{Kernel: distance.Gaussian{Sigma: .7}}, 0.4082354838371412},
		{"Laplacian", distance.MMD{Kernel: distance.Laplacian{Sigma: 1.3}}, 0.3101247311001295},
		{"Laplacian L1", distance.MMD{Kernel: distance.Laplacian{Sigma: 1.3, L1: true}}, 0.35007903071216867},
		{"Energy", distance.MMD{Kernel: distance.Energy{}}, 0.7052650302091967},
		{"Polynomial", distance.MMD{Kernel: distance.Polynomial{}}, 1.1988955465677869},
		{"RationalQuadratic", distance.MMD{Kernel: distance.RationalQuadratic{Sigma: .8, Alpha: 2}}, 0.32699350318890763},
		{"IMQ", distance.MMD{Kernel: distance.RationalQuadratic{Sigma: .9, Alpha: .5}}, 0.22399982472803615},
	} {
		x, y := goldenPair()
		got, err := tt.d.Eval(nil, nil, nil, x, y)
		if err != nil || math.Abs(got-tt.want) > 1e-10 && !strings.HasPrefix(tt.name, "unbalanced") || math.Abs(got-tt.want) > 3e-9 {
			t.Errorf("%s: got %v, %v, want %v", tt.name, got, err, tt.want)
		}
	}
}

// TestGoldenUniform is TestGolden without weights.
func TestGoldenUniform(t *testing.T) {
	x, y := goldenPair()
	x.W, y.W = nil, nil
	for _, tt := range []struct {
		name string
		d    distance.Distance
		want float64
	}{
		{"CORAL", distance.CORAL{}, 0.07998442102386998},
		{"Unbiased", distance.MMD{Kernel: distance.Gaussian{Sigma: .7}, Unbiased: true}, 0.1867458246629436},
	} {
		got, err := tt.d.Eval(nil, nil, nil, x, y)
		if err != nil || math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("%s: got %v, %v, want %v", tt.name, got, err, tt.want)
		}
	}
	// The covariances have rank 2, for which sqrtm keeps half of the digits.
	x, y = goldenPair()
	if got := value(t, distance.Bures{}, x, y); math.Abs(got-1.3991886564207925) > 1e-7 {
		t.Errorf("Bures %v", got)
	}
	x.W, y.W = nil, nil
	if got, want := distance.MedianDistance(new(distance.Workspace), x, y), 1.9171530909759116; math.Abs(got-want) > 1e-12 {
		t.Errorf("median %v, want %v", got, want)
	}
	y.N, y.X = 5, y.X[:15]
	h := distance.HSIC{X: distance.Gaussian{Sigma: .7}, Y: distance.Gaussian{Sigma: 1.1}}
	if got, err := h.EvalPaired(nil, nil, nil, x, y); err != nil || math.Abs(got-0.03889222872232335) > 1e-13 {
		t.Errorf("HSIC %v, %v", got, err)
	}
}

// TestGoldenLine compares with POT's emd2_1d.
func TestGoldenLine(t *testing.T) {
	x, y := goldenPair()
	var px, py []float64
	for i := range x.N {
		px = append(px, x.Row(i)[0])
	}
	for j := range y.N {
		py = append(py, y.Row(j)[0])
	}
	for _, tt := range []struct{ p, want float64 }{{1, 0.31357310750686157}, {3, 0.0763552132567621}} {
		got, err := distance.Wasserstein1D(px, py, x.W, y.W, tt.p)
		if err != nil || math.Abs(got-tt.want) > 1e-14 {
			t.Errorf("p=%v: got %v, %v, want %v", tt.p, got, err, tt.want)
		}
	}
}

// TestGoldenShannon compares the optimum less ε(H(a)+H(b)) with POT's value of
// Cuturi's objective.
func TestGoldenShannon(t *testing.T) {
	x, y := goldenPair()
	entropy := func(w []float64) (h float64) {
		for _, v := range w {
			h -= v * math.Log(v)
		}
		return h
	}
	for _, tt := range []struct {
		d    distance.Sinkhorn
		want float64
	}{
		{distance.Sinkhorn{Cost: distance.SqEuclidean{}, Epsilon: .05, Tol: 1e-12}, 1.6180230867455572},
		{distance.Sinkhorn{Epsilon: .5, Tol: 1e-12}, -0.8888523195099558},
	} {
		within(t, "Shannon", value(t, tt.d, x, y)-tt.d.Epsilon*(entropy(x.W)+entropy(y.W)), tt.want, 1e-9)
	}
}
