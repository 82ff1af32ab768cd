package gomlx

import (
	"context"
	"testing"

	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/train"
)

func twoLayers(scope *model.Scope, x *graph.Node, _ func(string, *graph.Node)) *graph.Node {
	return layers.Dense(scope.In("head"), graph.Tanh(layers.Dense(scope.In("hidden"), x, true, 6)), true, 3)
}

func newTwoLayers(t *testing.T, opt Options) *Model {
	t.Helper()
	b, err := gobackend.New("ops_sequential")
	if err != nil {
		t.Fatal(err)
	}
	opt.Input, opt.NoCheck = []int{4}, true
	m, err := New(b, model.NewStore(), twoLayers, &opt)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A short last batch costs one more compilation of each graph, and not one in
// every epoch.
func TestCompilationsOfShortBatches(t *testing.T) {
	m := newTwoLayers(t, Options{})
	d := featuretest.NewBlobs(50, 4, 3, .5, 1, 1)
	if _, err := train.Fit(context.Background(), m, d, &train.Options{Epochs: 5, BatchSize: 16}); err != nil {
		t.Fatal(err)
	}
	if m.compiled != 4 { // forward and backward, for 16 rows and for 2
		t.Errorf("%d graphs were compiled, want 4", m.compiled)
	}
}

func TestGraphsThatAreKept(t *testing.T) {
	m := newTwoLayers(t, Options{Graphs: 3})
	run := func(rows int) {
		out := []feature.Tensor{feature.NewTensor(rows, 3)}
		if err := m.Forward(context.Background(), feature.NewTensor(rows, 4), []string{"logits"}, out); err != nil {
			t.Fatal(err)
		}
	}
	for rows := 1; rows <= 6; rows++ {
		run(1)
		run(rows)
	}
	if len(m.programs) != 3 || m.compiled != 6 {
		t.Errorf("%d graphs are kept of %d, want 3 of 6", len(m.programs), m.compiled)
	}
	run(1) // used throughout, so it is still there
	run(5)
	if m.compiled != 6 {
		t.Errorf("a graph that was used last was compiled again")
	}
	run(2)
	if m.compiled != 7 {
		t.Errorf("%d compilations where one graph was given up, want 7", m.compiled)
	}
	for _, p := range m.programs {
		if p.users != 0 {
			t.Errorf("%d calls run the graph %s", p.users, p.key)
		}
	}
}

// A graph that a call runs is not freed under it.
func TestEvictionSparesWhatRuns(t *testing.T) {
	m := newTwoLayers(t, Options{Graphs: 1})
	loss := func(val, cot []feature.Tensor) error {
		copy(cot[0].Data, val[0].Data)
		return nil
	}
	done := make(chan error)
	for rows := 1; rows <= 4; rows++ {
		go func() {
			x := feature.NewTensor(rows, 4)
			for range 30 {
				if err := m.Grad(context.Background(), x, []string{"logits"}, loss, make([]float32, len(x.Data)), nil); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.programs) != 1 {
		t.Errorf("%d graphs are kept, want 1", len(m.programs))
	}
}

// Align compiles one to two graphs for each size of a batch, however many steps it
// takes.
func TestCompilationsOfAlign(t *testing.T) {
	m := newTwoLayers(t, Options{})
	d := featuretest.NewBlobs(130, 4, 3, 2, 1, 1)
	r, err := dlfd.NewRequest(d, func(i int) bool { return i%4 == 0 }, featuretest.NewBlobs(300, 4, 3, 2, 1, 2))
	if err != nil {
		t.Fatal(err)
	}
	compiled := 0
	for _, epochs := range []int{10, 20} {
		result, err := dlfd.Align{Always: true, Epochs: epochs}.Unlearn(context.Background(), m, r.Data, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d steps, %d compilations", result.Ledger.Steps, m.compiled-compiled)
		if m.compiled > 16 || compiled > 0 && m.compiled > compiled {
			t.Errorf("%d compilations after a first run of %d, want 16 at most, and none in the second run", m.compiled, compiled)
		}
		compiled = m.compiled
	}
}
