package distance_test

import (
	"errors"
	"math"
	"testing"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/distance/distancetest"
)

// labeledPair is goldenPair with the classes 0 and 1 of x and 0 and 2 of y.
func labeledPair() (x, y distance.Sample) {
	x, y = goldenPair()
	x.Labels, y.Labels = []int{0, 1, 0, 1, 0}, []int{2, 0, 2, 0, 2, 0, 0}
	return x, y
}

// TestGoldenMore compares with numpy and scipy: FID by sqrtm of np.cov, partial
// transport by linprog (HiGHS), which POT 0.8.2, partial_wasserstein2, confirms,
// its regularized form by 20,000 sweeps in the log domain on the extended problem,
// OTDD by linprog with the Bures distances of weighted classes.
func TestGoldenMore(t *testing.T) {
	sq := distance.SqEuclidean{}
	for _, tt := range []struct {
		name string
		d    distance.Distance
		want float64
	}{
		{"partial .1", distance.Partial{Cost: sq, Share: .1}, 0.016073407139663785},
		{"partial .5", distance.Partial{Cost: sq, Share: .5}, 0.1721754593420158},
		{"partial .9", distance.Partial{Cost: sq}, 1.1395083118290705},
		{"partial 1", distance.Partial{Cost: sq, Share: 1}, 1.7286286448217094},
		{"partial eu .5", distance.Partial{Cost: distance.Euclidean{}, Share: .5}, 0.2849753931603199},
		{"partial eu .9", distance.Partial{Cost: distance.Euclidean{}, Share: .9}, 0.8985785314645937},
		{"entropic .5", distance.Partial{Cost: sq, Share: .5, Epsilon: .1}, 0.3505795375164941},
		{"entropic .9", distance.Partial{Cost: sq, Share: .9, Epsilon: .3}, 1.5267906442651298},
		{"entropic 1", distance.Partial{Cost: sq, Share: 1, Epsilon: .5}, 2.1899329166073374},
		{"OTDD", distance.OTDD{}, 4.9103539461477625},
		{"OTDD .25", distance.OTDD{Weight: .25}, 2.524059970153223},
	} {
		x, y := labeledPair()
		within(t, tt.name, value(t, tt.d, x, y), tt.want, 1e-9)
	}
	x, y := goldenPair()
	x.W, y.W = nil, nil
	x.Dim, y.Dim, x.Stride, y.Stride = 2, 2, 3, 3 // so that covariances have full rank
	x.X, y.X = x.X[:14], y.X[:20]
	fid, err := distance.ByName("fid")
	if err != nil {
		t.Fatal(err)
	}
	within(t, "FID", value(t, fid, x, y), 1.108898400119935, 1e-12)
}

// TestGradientsMore holds gradients to finite differences.
func TestGradientsMore(t *testing.T) {
	for name, d := range map[string]distance.Distance{
		"partial": distance.Partial{Cost: distance.SqEuclidean{}, Share: .6}, "partial cosine": distance.Partial{Share: .35},
		"entropic": distance.Partial{Cost: distance.SqEuclidean{}, Share: .6, Epsilon: .2}, "entropic cosine": distance.Partial{Epsilon: .1},
		"OTDD": distance.OTDD{}, "OTDD Euclidean": distance.OTDD{Cost: distance.Euclidean{}, Between: distance.MMD{Kernel: distance.Gaussian{Sigma: 1}}, Weight: 3},
		"subsets":   distance.Subsets{D: distance.EMD{Cost: distance.SqEuclidean{}}, Count: 5, Size: 4},
		"FID":       distance.Bures{DDof: 1},
		"KID whole": distance.Subsets{Count: 2},
	} {
		x, y := labeledPair()
		x.W, y.W = nil, nil
		relx, rely, err := distancetest.GradientError(d, x, y)
		if err != nil || relx > 1e-6 || rely > 1e-6 {
			t.Errorf("%s: %g, %g, %v", name, relx, rely, err)
		}
	}
}

// TestPartialIgnoresOutliers: points without counterpart neither cost nor move.
func TestPartialIgnoresOutliers(t *testing.T) {
	x, y := column(1, 0, 1, 2, 1e6), column(1, .1, 1.1, 2.1, -1e7)
	for _, eps := range []float64{0, 1e-3} {
		d := distance.Partial{Cost: distance.Euclidean{}, Share: .75, Epsilon: eps}
		if eps > 0 {
			x, y = column(1, 0, 1, 2, 40), column(1, .1, 1.1, 2.1, -30)
		}
		v, gx, _ := evalAll(t, d, x, y)
		within(t, "value", v, .075, 3*eps+1e-10)
		within(t, "gradient of the outlier", gx[3], 0, 1e-9)
		within(t, "gradient", gx[1], -.25, 1e-9)
	}
}

// TestOTDDClasses: without classes it is EMD; of two samples with the same points,
// those with other classes are apart; names of classes do not matter.
func TestOTDDClasses(t *testing.T) {
	x, y := labeledPair()
	x.Labels, y.Labels = make([]int, x.N), make([]int, y.N)
	emd := value(t, distance.EMD{Cost: distance.SqEuclidean{}}, x, y)
	within(t, "one class", value(t, distance.OTDD{}, x, y), emd+value(t, distance.Bures{}, x, y), 1e-10)
	x, y = labeledPair()
	want := value(t, distance.OTDD{}, x, y)
	for i := range y.Labels {
		y.Labels[i] = 1 - y.Labels[i]
	}
	within(t, "other names", value(t, distance.OTDD{}, x, y), want, 0)
	z := x
	z.Labels = []int{0, 0, 1, 1, 1}
	within(t, "the same", value(t, distance.OTDD{}, x, x), 0, 1e-10)
	if v := value(t, distance.OTDD{}, x, z); !(v > .01) {
		t.Errorf("other classes of the same points: %v, want more than 0", v)
	}
	z.Labels = nil
	if _, err := (distance.OTDD{}).Eval(nil, nil, nil, x, z); !errors.Is(err, distance.ErrShape) {
		t.Errorf("without labels: %v", err)
	}
}

// TestSubsets: the mean of unbiased values is unbiased, and their deviation over
// √Count is how far means of other subsets are.
func TestSubsets(t *testing.T) {
	x, y := normal(1, 60, 4, 0), normal(2, 50, 4, .5)
	whole := value(t, distance.MMD{Kernel: distance.Polynomial{}, Unbiased: true}, x, y)
	within(t, "all rows", value(t, distance.Subsets{}, x, y), whole, 1e-12*math.Abs(whole))
	ws := new(distance.Workspace)
	var outside int
	var total float64
	for seed := range uint64(100) {
		v, err := distance.Subsets{Count: 50, Size: 10, Seed: seed}.Eval(ws, nil, nil, x, y)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(v-whole) > 2*ws.Stats.StandardError {
			outside++
		}
		total += v / 100
	}
	if outside < 1 || outside > 12 {
		t.Errorf("%d of 100 means are two standard errors away from the value of all rows, want about 5", outside)
	}
	within(t, "mean", total, whole, 4*ws.Stats.StandardError/10)
}

// TestWitness: by hand for one point a side; in sum it is MMD²; and by numpy.
func TestWitness(t *testing.T) {
	x, y := goldenPair()
	d := distance.MMD{Kernel: distance.Gaussian{Sigma: .7}}
	fx, fy := make([]float64, x.N), make([]float64, y.N)
	if err := d.Witness(nil, fx, x, x, y); err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{0.40630081, 0.07951943, 0.47086693, 0.09763153, 0.41856565} {
		within(t, "numpy", fx[i], want, 5e-9)
	}
	if err := d.Witness(nil, fy, y, x, y); err != nil {
		t.Fatal(err)
	}
	var got float64
	for i, w := range x.W {
		got += w * fx[i]
	}
	for j, w := range y.W {
		got -= w * fy[j]
	}
	within(t, "sum", got, value(t, d, x, y), 1e-14)
	if err := d.Witness(nil, fx[:2], x, x, y); !errors.Is(err, distance.ErrShape) {
		t.Errorf("short dst: %v", err)
	}
	if err := (distance.MMD{Kernel: distance.Polynomial{Degree: 60}}).Witness(nil, fx, distance.Sample{N: 5, Dim: 3, X: []float64{1e9, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}}, x, y); !errors.Is(err, distance.ErrNotFinite) {
		t.Errorf("overflow: %v", err)
	}
}
