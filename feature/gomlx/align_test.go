package gomlx_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/dataset"
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

// Align unlearns the same network in two engines that share no code, from the same
// weights to the same weights.
func TestAlignAsInPackageNN(t *testing.T) {
	ctx := context.Background()
	net, m := reference(t, 3, 1, 8, 8), newModel(t, convolutional(3), 1, 8, 8)
	trained, unseen := blotches(t, 1, 90), blotches(t, 2, 120)
	if _, err := train.Fit(ctx, net, trained, &train.Options{Epochs: 40, Optimizer: train.Adam{Rate: .01}}); err != nil {
		t.Fatal(err)
	}
	copyWeights(t, m, net)
	request, err := dlfd.NewRequest(trained, func(i int) bool { return i%3 == 0 }, unseen)
	if err != nil {
		t.Fatal(err)
	}
	var audits []*dlfd.Audited
	audit := func(m feature.Trainable) {
		a, err := dlfd.Audit(ctx, m, request.AuditData, nil)
		if err != nil {
			t.Fatal(err)
		}
		audits = append(audits, a)
	}
	audit(m)
	for _, m := range []feature.Trainable{net, m} {
		r, err := dlfd.Align{}.Unlearn(ctx, m, request.Data, &dlfd.Options{Seed: 3})
		if err != nil {
			t.Fatal(err)
		}
		t.Log(r.Stop, r.Ledger)
		audit(m)
	}
	for _, a := range audits {
		t.Logf("accuracy %.3f on forget, %.3f on test; attack AUC %.3f", a.ForgetAccuracy, a.TestAccuracy, a.LossAttack.AUC)
	}
	d, top := apart(t, net, m)
	t.Log(d, top)
}
