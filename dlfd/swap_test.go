package dlfd_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/nn"
)

// idle is a method that does nothing.
type idle struct{ data *dlfd.Data }

func (u idle) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	if u.data != nil {
		*u.data = data
	}
	return dlfd.Run(ctx, "idle", m, data, opt, dlfd.Needs{}, func(context.Context, *dlfd.Session) error { return nil })
}

func trainFor(seed uint64) func(context.Context, feature.Dataset) (feature.Trainable, error) {
	return func(_ context.Context, d feature.Dataset) (feature.Trainable, error) { return trainNet(seed, d), nil }
}

// retrain is the exact method of the nets of the court.
func retrain() dlfd.Unlearner {
	return baseline.Retrain{Epochs: 40, Fresh: func(seed uint64) (feature.Trainable, error) {
		return nn.MLP(nn.MLPConfig{Input: []int{20}, Classes: 3, Hidden: []int{64, 64, 64}, Seed: seed})
	}}
}

// Retraining has quality 1 by symmetry; doing nothing has less.
func TestSwapTellsWhoForgot(t *testing.T) {
	c := theCourt()
	ctx := context.Background()
	q, err := dlfd.Swap(ctx, c.retrained[0], c.request, trainFor(31), retrain(), &dlfd.Options{Seed: 3})
	must(err)
	t.Logf("retrained: Q %.3f, AUC %.3f, %d and %d samples", q.Q, q.AUC, q.Forget, q.Holdout)
	if !q.Q.Interval.Contains(1) {
		t.Errorf("retraining has quality %+v", q.Q)
	}
	q, err = dlfd.Swap(ctx, c.original, c.request, trainFor(31), idle{}, nil)
	must(err)
	t.Logf("original: Q %.3f, AUC %.3f", q.Q, q.AUC)
	if q.Q.Interval.Hi >= .95 || q.Q.Value > .85 || min(q.AUC[0], q.AUC[1]) < .55 {
		t.Errorf("doing nothing has quality %+v, AUC %v", q.Q, q.AUC)
	}
	if q.Forget != 240 || q.Holdout < 230 || q.Result.Stop != dlfd.NothingDone {
		t.Errorf("%d and %d samples are judged, stop %q", q.Forget, q.Holdout, q.Result.Stop)
	}
}

// labelTeller gives every sample of a class the same logits.
type labelTeller struct {
	*nn.Network
	of map[float32]int // label by first coordinate
}

func (m labelTeller) Forward(ctx context.Context, x feature.Tensor, taps []string, out []feature.Tensor) error {
	for k := range taps {
		for i := range x.Rows() {
			clear(out[k].Row(i))
			out[k].Row(i)[m.of[x.Row(i)[0]]] = float32(m.of[x.Row(i)[0]])
		}
	}
	return nil
}

// An attacker who sees labels only is as good as the classes of the two sets differ,
// and scores nothing once they are exchanged.
func TestLabelsCancelInSwap(t *testing.T) {
	trained, unseen := featuretest.NewBlobs(900, 20, 3, 2.4, 7, 1), featuretest.NewBlobs(900, 20, 3, 2.4, 7, 2)
	scarce, _, err := feature.Partition(unseen, func(i int) bool { return unseen.Labels[i] > 0 || i%8 == 0 })
	must(err)
	request, err := dlfd.NewRequest(trained, func(i int) bool { return i%2 == 0 }, scarce)
	must(err)
	m := labelTeller{trainNet(1, unseen), map[float32]int{}}
	for _, d := range []*featuretest.Blobs{trained, unseen} {
		for i, y := range d.Labels {
			m.of[d.X.Row(i)[0]] = y
		}
	}
	q, err := dlfd.Swap(context.Background(), m, request, func(context.Context, feature.Dataset) (feature.Trainable, error) { return m, nil }, idle{}, nil)
	must(err)
	t.Logf("Q %.3f, AUC %.3f, label floor %.3f", q.Q, q.AUC, q.LabelFloor)
	if math.Abs(q.AUC[0]-.5) < .05 || q.LabelFloor < .6 {
		t.Fatalf("labels tell nothing (AUC %v, floor %.3f): the test shows nothing", q.AUC, q.LabelFloor)
	}
	if math.Abs(q.Q.Value-1) > 1e-12 {
		t.Errorf("an attacker who sees labels only leaves a quality of %v", q.Q)
	}
	a, err := dlfd.Audit(context.Background(), m, request.AuditData, nil)
	must(err)
	if math.Abs(a.LossAttack.AUC-.5) > 1e-12 || a.LabelFloor.AUC < .6 {
		t.Errorf("the matched attack has an AUC of %v, the floor is %v", a.LossAttack.AUC, a.LabelFloor)
	}
}

// What is judged steers in neither world, and nobody is on two sides.
func TestSwapKeepsSidesApart(t *testing.T) {
	train, unseen := crowd(t, "trained ", 24, 5), crowd(t, "new ", 30, 4)
	r, err := dlfd.NewRequest(train, func(i int) bool { return i < 60 }, unseen)
	must(err)
	var given dlfd.Data
	m := featuretest.NewMLP(4, 8, 3, 1)
	var trainedOn feature.Dataset
	q, err := dlfd.Swap(context.Background(), m, r, func(_ context.Context, d feature.Dataset) (feature.Trainable, error) {
		trainedOn = d
		return m.Clone()
	}, idle{&given}, nil)
	must(err)
	if trainedOn.Len() != r.Data.Retain.Len()+given.Forget.Len() || given.Forget.Len() > 60 || q.Holdout == 0 {
		t.Errorf("trained on %d, forgotten %d, judged %d", trainedOn.Len(), given.Forget.Len(), q.Holdout)
	}
	first, second, err := feature.Halves(given.Forget)
	must(err)
	if p := feature.SharedIdentities(first, second); p != nil {
		t.Errorf("%q are on both sides", p)
	}
	forgotten := content(t, r.Data.Forget)
	for _, s := range content(t, given.Holdout) {
		if !slices.Contains(forgotten, s) {
			t.Fatal("the holdout of the exchanged world is not of the forget set")
		}
	}
	for _, s := range content(t, given.Forget) {
		if slices.Contains(forgotten, s) {
			t.Fatal("the exchanged world forgets a sample that the first one forgets")
		}
	}
}

func TestSwapErrors(t *testing.T) {
	c := theCourt()
	if _, err := dlfd.Swap(context.Background(), c.original, nil, trainFor(1), idle{}, nil); !errors.Is(err, dlfd.ErrParameter) {
		t.Errorf("error %v", err)
	}
	r, err := dlfd.NewRequest(crowd(t, "a", 30, 1), func(i int) bool { return i == 7 }, crowd(t, "bb", 30, 1))
	must(err)
	if _, err := dlfd.Swap(context.Background(), c.original, r, trainFor(1), idle{}, nil); !errors.Is(err, dlfd.ErrEmpty) {
		t.Errorf("a forget set of one sample: %v", err)
	}
	broken := errors.New("out of memory")
	_, err = dlfd.Swap(context.Background(), c.original, c.request, func(context.Context, feature.Dataset) (feature.Trainable, error) { return nil, broken }, idle{}, nil)
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}
