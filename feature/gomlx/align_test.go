package gomlx_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/compute"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/dataset"
	"github.com/dlfd-go/unlearn/feature/gomlx"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/train"
)

// blotches draws images of three classes, each a blotch of its own under noise
// that hides it in part, so that a network learns some of them by heart.
func blotches(t testing.TB, seed uint64, n int) feature.Dataset {
	t.Helper()
	const side = 8
	r := rand.New(rand.NewPCG(seed, 0))
	s := dataset.Samples{X: feature.NewTensor(n, 1, side, side), Labels: make([]int, n)}
	for i := range n {
		s.Labels[i] = r.IntN(3)
		at := 2 * s.Labels[i]
		for k := range side * side {
			v := float32(r.NormFloat64())
			if y, x := k/side, k%side; y >= at && y < at+3 && x >= at && x < at+3 {
				v += .7
			}
			s.X.Row(i)[k] = v
		}
	}
	d, err := dataset.Memory(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// reference is the network of convolutional in feature/nn.
func reference(t testing.TB, classes int, input ...int) *nn.Network {
	t.Helper()
	b := nn.NewBuilder(1, input...)
	x := b.Tap("stem", b.ReLU(b.Conv("conv1", b.Input(), nn.Conv{Out: 6, Kernel: 3, Pad: 1, Bias: true})))
	x = b.ReLU(b.Conv("conv2", b.AveragePool(x, 2, 2, 0), nn.Conv{Out: 8, Kernel: 3, Pad: 1, Bias: true}))
	n, err := b.Build(b.Linear("head", b.Flatten(b.GlobalAveragePool(x)), classes))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// copyWeights copies all parameters, which must have the same shapes.
func copyWeights(t testing.TB, to, from feature.Trainable) {
	t.Helper()
	a, b := to.Spec().Params, from.Spec().Params
	if !slices.EqualFunc(a, b, func(p, q feature.Param) bool {
		return slices.Equal(p.Shape, q.Shape) && p.Kind == q.Kind && p.Trainable == q.Trainable
	}) {
		t.Fatalf("parameters differ:\n%v\n%v", a, b)
	}
	w, err := feature.Snapshot(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Restore(to); err != nil {
		t.Fatal(err)
	}
}

// apart returns the largest difference between the parameters of two models, and
// the largest parameter.
func apart(t testing.TB, a, b feature.Trainable) (difference, top float64) {
	t.Helper()
	v, err := feature.Snapshot(a)
	if err != nil {
		t.Fatal(err)
	}
	w, err := feature.Snapshot(b)
	if err != nil {
		t.Fatal(err)
	}
	for i := range v {
		for k, x := range v[i] {
			difference = max(difference, math.Abs(float64(x)-float64(w[i][k])))
			top = max(top, math.Abs(float64(x)))
		}
	}
	return difference, top
}

// request is a division of images of which every third has to be forgotten, and
// net a network of feature/nn that knows all of them by heart.
func request(t testing.TB) (r *dlfd.Request, net *nn.Network) {
	t.Helper()
	net = reference(t, 3, 1, 8, 8)
	trained := blotches(t, 1, 90)
	if _, err := train.Fit(context.Background(), net, trained, &train.Options{Epochs: 40, Optimizer: train.Adam{Rate: .01}}); err != nil {
		t.Fatal(err)
	}
	r, err := dlfd.NewRequest(trained, func(i int) bool { return i%3 == 0 }, blotches(t, 2, 120))
	if err != nil {
		t.Fatal(err)
	}
	return r, net
}

// audit judges a model.
func audit(t testing.TB, m feature.Model, r *dlfd.Request) *dlfd.Audited {
	t.Helper()
	a, err := dlfd.Audit(context.Background(), m, r.AuditData, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("accuracy %.3f on forget, %.3f on test; AUC of the attack %.3f", a.ForgetAccuracy, a.TestAccuracy, a.LossAttack.AUC)
	return a
}

// Align unlearns one network in two engines that share no code, from the same
// weights to the same weights.
func TestAlignAsInPackageNN(t *testing.T) { alignTwice(t, newBackend(t), 1e-4) }

// alignTwice wants weights that differ by no more than the tolerance.
func alignTwice(t *testing.T, backend compute.Backend, tolerance float64) {
	r, net := request(t)
	m := newModelOn(t, backend, convolutional(3), 1, 8, 8)
	copyWeights(t, m, net)
	before := audit(t, m, r)
	start, err := m.Clone()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []feature.Trainable{net, m} {
		result, err := dlfd.Align{Always: true, Epochs: 25}.Unlearn(context.Background(), m, r.Data, &dlfd.Options{Seed: 3})
		if err != nil {
			t.Fatal(err)
		}
		if result.Stop != dlfd.Completed {
			t.Fatalf("%v after %d steps", result.Stop, result.Ledger.Steps)
		}
	}
	after := audit(t, m, r)
	if before.ForgetAccuracy < .95 || after.ForgetAccuracy > before.ForgetAccuracy-.2 || after.LossAttack.AUC > before.LossAttack.AUC {
		t.Errorf("Align changed the accuracy on what is to be forgotten from %.3f to %.3f and the AUC of the attack from %.3f to %.3f",
			before.ForgetAccuracy, after.ForgetAccuracy, before.LossAttack.AUC, after.LossAttack.AUC)
	}
	moved, _ := apart(t, start, m)
	d, top := apart(t, net, m)
	t.Logf("weights of up to %.3g moved by up to %.3g, and differ by up to %.3g between the engines", top, moved, d)
	if d > tolerance || moved < .1 {
		t.Errorf("weights differ by up to %g, want %g at most; they moved by up to %g", d, tolerance, moved)
	}
}

// Both engines give the same gradients of one function of features and logits.
func TestGradientsAsInPackageNN(t *testing.T) {
	net, m := reference(t, 3, 2, 8, 8), newModel(t, convolutional(3), 2, 8, 8)
	copyWeights(t, m, net)
	x := feature.NewTensor(7, 2, 8, 8)
	for i := range x.Data {
		x.Data[i] = float32(math.Sin(float64(i * i)))
	}
	gradients := func(m feature.Differentiable) [][]float32 {
		dx, dp := make([]float32, len(x.Data)), feature.NewGradients(m.Spec())
		err := feature.Grad(context.Background(), m, feature.Mode{Train: true}, x, []string{"logits", "features"}, func(val, cot []feature.Tensor) error {
			for k, v := range val {
				for i := range v.Data {
					cot[k].Data[i] = float32(k+1)*v.Data[i] + float32(i%3-1)
				}
			}
			return nil
		}, dx, dp)
		if err != nil {
			t.Fatal(err)
		}
		return append(dp, dx)
	}
	a, b := gradients(net), gradients(m)
	for i := range a {
		var top, d float64
		for k, v := range a[i] {
			top, d = max(top, math.Abs(float64(v))), max(d, math.Abs(float64(v)-float64(b[i][k])))
		}
		if d > 1e-5*top { // sums of some hundred float32 products in another order
			t.Errorf("gradient %d of %d, of up to %g, differs by up to %g", i, len(a), top, d)
		}
	}
}

// A run that is canceled between two steps, or in a step, gives the old weights
// back to the bit.
func TestCanceledRun(t *testing.T) {
	r, net := request(t)
	m := newModel(t, convolutional(3), 1, 8, 8)
	copyWeights(t, m, net)
	before, err := feature.Snapshot(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, inStep := range []bool{false, true} {
		ctx, cancel := context.WithCancel(context.Background())
		var u feature.Trainable = m
		if inStep {
			u = &canceling{Model: m, after: 9, cancel: cancel}
		}
		steps := 0
		_, err = dlfd.Align{}.Unlearn(ctx, u, r.Data, &dlfd.Options{Watch: func(context.Context, *dlfd.Session, bool) error {
			if steps++; steps == 3 && !inStep {
				cancel()
			}
			return nil
		}})
		cancel()
		if !errors.Is(err, context.Canceled) || steps < 3 || steps > 20 {
			t.Errorf("in a step %t: %v after %d steps", inStep, err, steps)
		}
		after, err := feature.Snapshot(m)
		if err != nil {
			t.Fatal(err)
		}
		for i := range after {
			if !slices.Equal(before[i], after[i]) {
				t.Errorf("in a step %t: parameter %q is not what it was", inStep, m.Spec().Params[i].Name)
			}
		}
	}
}

// canceling cancels a context while the loss of a later call runs, between the
// forward and the backward execution.
type canceling struct {
	*gomlx.Model
	after  int
	cancel func()
}

func (c *canceling) GradMode(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
	return c.Model.GradMode(ctx, mode, x, taps, func(val, cot []feature.Tensor) error {
		if c.after--; c.after == 0 {
			c.cancel()
		}
		return loss(val, cot)
	}, dx, dp)
}

func (c *canceling) Grad(ctx context.Context, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
	return c.GradMode(ctx, feature.Mode{}, x, taps, loss, dx, dp)
}
