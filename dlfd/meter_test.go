package dlfd

import (
	"context"
	"math"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/nn"
)

// partial is a network that offers some of what it has.
type partial struct {
	feature.Trainable
	net  *nn.Network
	what int // bits: ModeGrader, ParamUpdater, Cloner, Saver, Sharer
}

func (p partial) As(target any) bool {
	has := func(bit int) bool { return p.what&(1<<bit) != 0 }
	switch t := target.(type) {
	case *feature.ModeGrader:
		*t = p.net
		return has(0)
	case *feature.ParamUpdater:
		*t = p.net
		return has(1)
	case *feature.Cloner:
		*t = p.net
		return has(2)
	case *feature.Saver:
		*t = p.net
		return has(3)
	case *feature.Sharer:
		*t = p.net
		return has(4)
	}
	return false
}

func normed(t *testing.T) *nn.Network {
	t.Helper()
	m, err := nn.ResNet(nn.ResNetConfig{Input: []int{1, 8, 8}, Classes: 3, Widths: []int{4}, Blocks: []int{1}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Wrapping changes no bit and no claim, whatever the model claims.
func TestMeterIsAnHonestWrapper(t *testing.T) {
	for what := range 1 << 5 {
		net := normed(t)
		m := partial{net, net, what}
		if err := featuretest.CheckWrapper(newMeter(m, new(Ledger)), m, nil); err != nil {
			t.Errorf("claims %05b: %v", what, err)
		}
	}
	mlp, err := nn.MLP(nn.MLPConfig{Input: []int{4}, Classes: 3, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []feature.Trainable{normed(t), mlp, featuretest.NewMLP(4, 5, 3, 1)} {
		if err := featuretest.CheckWrapper(newMeter(m, new(Ledger)), m, nil); err != nil {
			t.Errorf("%T: %v", m, err)
		}
	}
}

// A clone, and a model with inserted norms, count into the ledger of the run.
func TestMeterFollowsCopies(t *testing.T) {
	mlp, err := nn.MLP(nn.MLPConfig{Input: []int{5}, Classes: 3, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	l := new(Ledger)
	m := newMeter(mlp, l)
	c, ok := feature.As[feature.Cloner](m)
	if !ok {
		t.Fatal("the meter has no Clone")
	}
	clone, err := c.Clone()
	if err != nil {
		t.Fatal(err)
	}
	x := []feature.Tensor{feature.NewTensor(7, 3)}
	if err := clone.Forward(context.Background(), feature.NewTensor(7, 5), []string{m.Spec().Logits}, x); err != nil || l.Forward != 7 {
		t.Errorf("%d samples are counted, want 7 (%v)", l.Forward, err)
	}
	i, ok := feature.As[feature.NormInserter](m)
	if !ok {
		t.Skip("the network has no norms to insert")
	}
	d := featuretest.NewBlobs(40, 5, 3, 1, 7, 1)
	n, err := i.InsertNorms(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	before := *l
	if before.Forward <= 7 {
		t.Error("the passes of the insertion are not counted")
	}
	b, err := feature.ReadAll(d)
	if err != nil {
		t.Fatal(err)
	}
	mode := feature.Mode{Train: true}
	if err := feature.ForwardMode(context.Background(), n, mode, b.X, nil, nil); err != nil || l.Forward != before.Forward+40 {
		t.Errorf("%d more samples are counted, want 40 (%v)", l.Forward-before.Forward, err)
	}
	if err := n.Fold(); err != nil {
		t.Error(err)
	}
}

// A pass through the meter allocates what the model does.
func TestMeterAllocatesNothing(t *testing.T) {
	m := normed(t)
	x := feature.NewTensor(4, 1, 8, 8)
	out := []feature.Tensor{feature.NewTensor(4, 3)}
	taps := []string{m.Spec().Logits}
	loss := func(_, _ []feature.Tensor) error { return nil }
	// The least of many tries: the race detector makes pools forget at random.
	allocs := func(m feature.Trainable) float64 {
		g := feature.NewGradients(m.Spec())
		least := math.Inf(1)
		for range 300 {
			least = min(least, testing.AllocsPerRun(1, func() { pass(t, m, x, taps, out, loss, g) }))
		}
		return least
	}
	if bare, metered := allocs(m), allocs(newMeter(m, new(Ledger))); metered >= bare+1 {
		t.Errorf("%v allocations through the meter, %v without", metered, bare)
	}
}

// pass runs a model forward, and forward and backward.
func pass(t *testing.T, m feature.Trainable, x feature.Tensor, taps []string, out []feature.Tensor, loss feature.LossFunc, g [][]float32) {
	t.Helper()
	if err := m.Forward(context.Background(), x, taps, out); err != nil {
		t.Fatal(err)
	}
	if err := feature.Grad(context.Background(), m, feature.Mode{Train: true}, x, taps, loss, nil, g); err != nil {
		t.Fatal(err)
	}
}
