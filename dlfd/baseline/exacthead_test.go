package baseline_test

import (
	"context"
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/dlfd/dlfdtest"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/nn"
	"gonum.org/v1/gonum/mat"
)

// Neither method calls Grad, which these laws break, and draws numbers; the Newton
// step is one step, and the last two laws break the second.
func TestHeadLaws(t *testing.T) {
	noGrad := []string{dlfdtest.SeedLaw, "restores when the model fails", "restores when gradients are not finite", "restores when the model panics"}
	dlfdtest.RunExcept(t, baseline.ExactHead{}, noGrad...)
	dlfdtest.RunExcept(t, baseline.NewtonHead{HeadFit: baseline.HeadFit{L2: 1}},
		append(noGrad, "restores when cancelled", "restores when the observer panics")...)
}

// retrainedHead is the minimum of the loss of the last layer, by Newton's method with
// the whole Hessian in plain loops, damped at first: rows of W and b.
func retrainedHead(t *testing.T, h feature.Tensor, labels []int, classes int, l2 float64) []float64 {
	t.Helper()
	k, n := h.RowLen()+1, float64(len(labels))
	w := mat.NewVecDense(classes*k, nil)
	for step := range 60 {
		g, hess := mat.NewVecDense(classes*k, nil), mat.NewSymDense(classes*k, nil)
		for i := range classes * k {
			g.SetVec(i, l2*w.AtVec(i))
			hess.SetSym(i, i, l2)
		}
		for s, y := range labels {
			x := append(slices.Clone(h.Row(s)), 1)
			p := make([]float64, classes)
			total := 0.
			for c := range p {
				for j, v := range x {
					p[c] += w.AtVec(c*k+j) * float64(v)
				}
				p[c] = math.Exp(p[c])
				total += p[c]
			}
			for a := range classes * k {
				ca, xa := a/k, float64(x[a%k])
				pa := p[ca] / total
				g.SetVec(a, g.AtVec(a)+(pa-float64(oneIf(ca == y)))*xa/n)
				for b := a; b < classes*k; b++ {
					pb := p[b/k] / total
					hess.SetSym(a, b, hess.At(a, b)+pa*(float64(oneIf(ca == b/k))-pb)*xa*float64(x[b%k])/n)
				}
			}
		}
		if mat.Norm(g, 2) < 1e-13 {
			return w.RawVector().Data
		}
		var chol mat.Cholesky
		var s mat.VecDense
		if !chol.Factorize(hess) || chol.SolveVecTo(&s, g) != nil {
			t.Fatal("the Hessian is singular")
		}
		w.AddScaledVec(w, -min(1, .2+.1*float64(step)), &s)
	}
	t.Fatal("the reference does not converge")
	return nil
}

func oneIf(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestExactHeadIsRetraining(t *testing.T) {
	for _, l2 := range []float64{.01, 0} {
		m, d := trainedOn(t)
		old, err := feature.Snapshot(m)
		if err != nil {
			t.Fatal(err)
		}
		h, _ := taps(t, m, blobs(d.Retain).X)
		u := baseline.ExactHead{HeadFit: baseline.HeadFit{L2: l2}}
		res := runOn(t, u, m, d, dlfd.Options{})
		if l2 == 0 {
			l2 = 5e-4
		}
		want := retrainedHead(t, h, blobs(d.Retain).Labels, 3, l2)
		worst := 0.
		for c := range 3 {
			for j := range m.Hidden {
				worst = max(worst, math.Abs(float64(m.P[2][c*m.Hidden+j])-want[c*(m.Hidden+1)+j]))
			}
			worst = max(worst, math.Abs(float64(m.P[3][c])-want[c*(m.Hidden+1)+m.Hidden]))
		}
		if worst > 1e-6 {
			t.Errorf("L2 %v: weights differ from retraining by %v", l2, worst)
		}
		if !slices.Equal(m.P[0], old[0]) || !slices.Equal(m.P[1], old[1]) {
			t.Error("another layer has changed")
		}
		if got := res.Settings.(baseline.ExactHead); got.L2 != l2 || got.Tolerance != max(1e-7*l2, 1e-13) || got.MaxSteps != 100 {
			t.Errorf("settings %+v", got)
		}
		if !strings.Contains(strings.Join(res.Notes, "\n"), "exact if the other layers never saw the forget samples") || res.Ledger.Forward != 60 {
			t.Errorf("notes %q, ledger %+v", res.Notes, res.Ledger)
		}
	}
}

// Whatever the old head was, and whatever it forgets, the result is the same to the
// bit.
func TestExactHeadDependsOnRetainAlone(t *testing.T) {
	m, d := trainedOn(t)
	other := must(m.Clone()).(*featuretest.MLP)
	for i := range other.P[2] {
		other.P[2][i] *= -3
	}
	runOn(t, baseline.ExactHead{}, m, d, dlfd.Options{Seed: 1})
	d.Forget = featuretest.NewBlobs(5, 4, 3, .7, 7, 9)
	runOn(t, baseline.ExactHead{}, other, d, dlfd.Options{Seed: 2})
	if !slices.Equal(m.P[2], other.P[2]) || !slices.Equal(m.P[3], other.P[3]) {
		t.Error("the old head or the forget set changes the result")
	}
}

// From the minimum on all samples, one step ends close to the minimum on the retain
// set, and the note bounds the distance.
func TestNewtonHead(t *testing.T) {
	const l2 = .01
	m, d := trainedOn(t)
	all := must(feature.Concat(d.Retain, d.Forget))
	runOn(t, baseline.ExactHead{HeadFit: baseline.HeadFit{L2: l2}}, m, dlfd.Data{Retain: all}, dlfd.Options{})
	before := slices.Clone(m.P[2])
	res := runOn(t, baseline.NewtonHead{HeadFit: baseline.HeadFit{L2: l2}}, m, d, dlfd.Options{})
	exact := must(m.Clone()).(*featuretest.MLP)
	runOn(t, baseline.ExactHead{HeadFit: baseline.HeadFit{L2: l2}}, exact, d, dlfd.Options{})
	first, left := distanceOf(before, exact.P[2]), distanceOf(m.P[2], exact.P[2])
	if left > first/5 || res.Ledger.Steps != 1 {
		t.Errorf("%d steps: %v from retraining, %v before", res.Ledger.Steps, left, first)
	}
	if !strings.Contains(res.Notes[1], "within") {
		t.Errorf("notes %q", res.Notes)
	}
}

// A step from weights that are far too large, or from weights that are all wrong,
// certifies nothing, and leaves the model as it was.
func TestNewtonHeadFarFromTheMinimum(t *testing.T) {
	for _, factor := range []float32{16, -2} {
		m, d := trainedOn(t)
		for i := range m.P[2] {
			m.P[2][i] *= factor
		}
		old := slices.Clone(m.P[2])
		_, err := baseline.NewtonHead{HeadFit: baseline.HeadFit{L2: 1e-6}}.Unlearn(t.Context(), m, d, nil)
		if !errors.Is(err, dlfd.ErrDiverged) || !slices.Equal(old, m.P[2]) {
			t.Errorf("weights times %v: %v", factor, err)
		}
	}
}

func distanceOf(a, b []float32) (sum float64) {
	for i, v := range a {
		sum += math.Pow(float64(v)-float64(b[i]), 2)
	}
	return math.Sqrt(sum)
}

func TestHeadErrors(t *testing.T) {
	m, d := trainedOn(t)
	for _, c := range []struct {
		u    dlfd.Unlearner
		m    feature.Trainable
		want error
	}{
		{baseline.ExactHead{HeadFit: baseline.HeadFit{L2: -1}}, m, dlfd.ErrParameter},
		{baseline.ExactHead{Tolerance: math.NaN()}, m, dlfd.ErrParameter},
		{baseline.ExactHead{MaxSteps: 2}, m, distance.ErrNotConverged},
		{baseline.ExactHead{}, scaled{m}, feature.ErrParam},
		{baseline.NewtonHead{HeadFit: baseline.HeadFit{L2: math.Inf(1)}}, m, dlfd.ErrParameter},
	} {
		_, err := c.u.Unlearn(t.Context(), c.m, d, nil)
		if !isError(err, c.want) {
			t.Errorf("%+v: %v", c.u, err)
		}
	}
}

// scaled is a model whose logits are not those of its last layer.
type scaled struct{ *featuretest.MLP }

func (s scaled) Forward(ctx context.Context, x feature.Tensor, taps []string, out []feature.Tensor) error {
	if err := s.MLP.Forward(ctx, x, taps, out); err != nil {
		return err
	}
	for i, name := range taps {
		for j := range out[i].Data {
			if name == "logits" {
				out[i].Data[j] *= 1.01
			}
		}
	}
	return nil
}

// Ten thousand samples of 512 features that are cached take less than a second on a
// core of their own; UNLEARN_TIMING prints the time.
func TestExactHeadOnEmbeddings(t *testing.T) {
	n, dim := 600, 64
	if os.Getenv("UNLEARN_TIMING") != "" {
		n, dim = 10000, 512
	}
	d := featuretest.NewBlobs(n, dim, 10, 3, 7, 1)
	m := must(nn.MLP(nn.MLPConfig{Input: []int{dim}, Classes: 10, Hidden: []int{}}))
	start := time.Now()
	res := runOn(t, baseline.ExactHead{}, m, dlfd.Data{Retain: d}, dlfd.Options{BatchSize: 256})
	t.Logf("%d×%d: %v, %d steps, %v", n, dim, time.Since(start), res.Ledger.Steps, res.Notes[1])
	accuracy, _ := scores(t, m, d)
	if accuracy < .5 {
		t.Errorf("accuracy %v", accuracy)
	}
}

func isError(err, want error) bool { return err != nil && errors.Is(err, want) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
