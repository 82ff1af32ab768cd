package distancetest_test

import (
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/distance/distancetest"
)

// brokenCost is SqEuclidean with faults.
type brokenCost struct{ mutation string }

func (c brokenCost) Matrix(ws *distance.Workspace, dst []float64, x, y distance.Sample) {
	distance.SqEuclidean{}.Matrix(ws, dst, x, y)
	switch {
	case c.mutation == "depends on others":
		dst[0] += .1 * dst[len(dst)-1] * float64(len(dst)-1)
	case c.mutation == "skips the last pair" && len(dst) > 1:
		dst[len(dst)-1] = dst[0]
	}
}

func (c brokenCost) VJP(ws *distance.Workspace, gx, gy, g, costs []float64, x, y distance.Sample) {
	if c.mutation == "overwrites" {
		clear(gx)
		clear(gy)
	}
	if c.mutation == "sign of gy" {
		for j := range gy {
			gy[j] = -gy[j]
		}
	}
	distance.SqEuclidean{}.VJP(ws, gx, gy, g, costs, x, y)
	if c.mutation == "sign of gy" {
		for j := range gy {
			gy[j] = -gy[j]
		}
	}
}

func TestCheckCost(t *testing.T) {
	for _, c := range []distance.Cost{distance.Cosine{}, distance.SqEuclidean{}, distance.Euclidean{}, distance.CityBlock{}, distance.InnerProduct{}, brokenCost{}} {
		if err := distancetest.CheckCost(c); err != nil {
			t.Errorf("%T: %v", c, err)
		}
	}
	for mutation, law := range map[string]string{
		"depends on others": "pairs", "skips the last pair": "gradient", "overwrites": "adds", "sign of gy": "gradient",
	} {
		rejects(t, mutation, law, distancetest.CheckCost(brokenCost{mutation}))
	}
}

func rejects(t *testing.T, mutation, law string, err error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), `law "`+law+`" broken`) {
		t.Errorf("%s: got %v, want law %q broken", mutation, err, law)
	}
}

// brokenKernel is RationalQuadratic with faults.
type brokenKernel struct {
	distance.RationalQuadratic
	mutation string
}

func (k brokenKernel) Bandwidth(ws *distance.Workspace, x, y distance.Sample) (float64, error) {
	if k.mutation == "negative bandwidth" {
		return -1, nil
	}
	return k.RationalQuadratic.Bandwidth(ws, x, y)
}

func (k brokenKernel) Map(v, dv, s []float64, bandwidth float64) {
	k.RationalQuadratic.Map(v, dv, s, bandwidth)
	switch {
	case k.mutation == "derivative" && dv != nil:
		dv[len(dv)-1] *= 1.01
	case k.mutation == "value without derivative" && dv == nil:
		v[0] *= 1.001
	case k.mutation == "depends on others":
		v[0] *= 1 + 1e-9*float64(len(v)-1)
	case k.mutation == "changes its argument":
		s[0] = 0
	}
}

func TestCheckKernel(t *testing.T) {
	for _, k := range []distance.Kernel{
		distance.Gaussian{}, distance.Gaussian{Sigma: 2, Multiples: []float64{.5, 1}}, distance.Laplacian{}, distance.Laplacian{Sigma: 2, L1: true},
		distance.Energy{}, distance.Linear{}, distance.Polynomial{}, distance.RationalQuadratic{Alpha: .5}, brokenKernel{},
	} {
		if err := distancetest.CheckKernel(k); err != nil {
			t.Errorf("%+v: %v", k, err)
		}
	}
	for _, mutation := range []string{"derivative", "value without derivative", "depends on others", "changes its argument"} {
		rejects(t, mutation, "map", distancetest.CheckKernel(brokenKernel{mutation: mutation}))
	}
	rejects(t, "negative bandwidth", "map", distancetest.CheckKernel(brokenKernel{mutation: "negative bandwidth"}))
}

// brokenHSIC is HSIC with faults.
type brokenHSIC struct{ mutation string }

func (d brokenHSIC) EvalPaired(ws *distance.Workspace, gx, gy []float64, x, y distance.Sample) (float64, error) {
	if d.mutation == "takes unequal sizes" && y.N > x.N {
		y = distance.Sample{N: x.N, Dim: y.Dim, X: y.X[:x.N*y.Dim]}
	}
	v, err := distance.HSIC{X: distance.Gaussian{Sigma: 1}, Y: distance.Gaussian{Sigma: 2}}.EvalPaired(ws, gx, gy, x, y)
	if d.mutation == "sign" {
		for i := range gx {
			gx[i] = -gx[i]
		}
	}
	if d.mutation == "gradient of one dimension" && y.Dim > x.Dim {
		clear(gy)
	}
	return v, err
}

func TestCheckDependence(t *testing.T) {
	for _, d := range []distance.Dependence{distance.HSIC{X: distance.Energy{}, Y: distance.Laplacian{Sigma: 1}}, brokenHSIC{}} {
		if err := distancetest.CheckDependence(d); err != nil {
			t.Errorf("%+v: %v", d, err)
		}
	}
	rejects(t, "sign", "gradient", distancetest.CheckDependence(brokenHSIC{"sign"}))
	rejects(t, "takes unequal sizes", "dimensions", distancetest.CheckDependence(brokenHSIC{"takes unequal sizes"}))
	rejects(t, "gradient of one dimension", "dimensions", distancetest.CheckDependence(brokenHSIC{"gradient of one dimension"}))
}

func TestNilParts(t *testing.T) {
	if distancetest.CheckCost(nil) == nil || distancetest.CheckKernel(nil) == nil || distancetest.CheckDependence(nil) == nil {
		t.Error("nil is accepted")
	}
}
