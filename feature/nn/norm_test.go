package nn

import (
	"context"
	"runtime"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// bare is a network with shortcuts, as it is once batch norm is folded into its
// convolutions, or with norms where InsertNorms puts them.
func bare(t testing.TB, norms bool) *Network {
	t.Helper()
	b := NewBuilder(3, 1, 12, 12)
	conv := func(name string, x Value, out, stride int) Value {
		x = b.Conv(name, x, Conv{Out: out, Kernel: 3, Stride: stride, Pad: 1, Bias: true})
		if norms {
			x = b.BatchNorm(name+".bn", x)
		}
		return x
	}
	x := b.ReLU(conv("stem", b.Input(), 8, 1))
	for _, name := range []string{"one", "two"} {
		y := b.ReLU(conv(name+".a", x, 16, 2))
		y = conv(name+".b", y, 16, 1)
		x = b.ReLU(b.Add(y, conv(name+".short", x, 16, 2)))
	}
	x = b.Dropout(b.Flatten(b.GlobalAveragePool(x)), .1)
	x = b.Linear("hidden", x, 20)
	if norms {
		x = b.BatchNorm("hidden.bn", x)
	}
	n, err := b.Build(b.Linear("fc", b.ReLU(x), 4))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// drawnData is a dataset of noise with labels that depend on it.
type drawnData struct{ n int }

func (d drawnData) Len() int     { return d.n }
func (d drawnData) Shape() []int { return []int{1, 12, 12} }
func (d drawnData) Classes() int { return 4 }

func (d drawnData) Read(index []int, x []float32, labels []int) error {
	for i, k := range index {
		src := rng.Stream(uint64(k), "drawn")
		labels[i] = k % 4
		for j := range 144 {
			x[i*144+j] = float32(src.NormFloat64())
			if j%12/3 == labels[i] {
				x[i*144+j]++
			}
		}
	}
	return nil
}

// unlearned shrinks and perturbs the weights as package dlfd does, and descends
// for some steps.
func unlearned(t testing.TB, m feature.Trainable) {
	t.Helper()
	for i, p := range m.Spec().Params {
		src := rng.Stream(1, "noise", i)
		err := feature.UpdateParam(m, i, make([]float32, feature.Size(p.Shape)), func(w []float32) {
			for j := range w {
				if len(p.Shape) > 1 {
					w[j] = .4*w[j] + float32(.05*src.NormFloat64())
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for step := range 12 {
		index := make([]int, 16)
		for i := range index {
			index[i] = step*16 + i
		}
		x, labels := feature.NewTensor(16, 1, 12, 12), make([]int, 16)
		if err := (drawnData{}).Read(index, x.Data, labels); err != nil {
			t.Fatal(err)
		}
		dp := feature.NewGradients(m.Spec())
		mode := feature.Mode{Train: true, Track: true, Seed: uint64(step)}
		err := feature.Grad(context.Background(), m, mode, x, []string{"logits"}, func(val, cot []feature.Tensor) error {
			_, err := feature.CrossEntropy(val[0], cot[0], labels, 1)
			return err
		}, nil, dp)
		if err != nil {
			t.Fatal(err)
		}
		for i, g := range dp {
			if g == nil {
				continue
			}
			if err := feature.UpdateParam(m, i, make([]float32, len(g)), func(w []float32) {
				for j := range w {
					w[j] -= .05 * g[j]
				}
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func inserted(t testing.TB, n *Network) feature.Normed {
	t.Helper()
	m, err := n.InsertNorms(context.Background(), drawnData{500})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func weightsOf(t testing.TB, m feature.Trainable) feature.Weights {
	t.Helper()
	w, err := feature.Snapshot(m)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestNormLaws(t *testing.T) {
	featuretest.RunNorms(t, bare(t, false), &featuretest.Options{Tolerance: .1})
	mlp, err := MLP(MLPConfig{Input: []int{9}, Hidden: []int{20, 20}, Classes: 3, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	featuretest.RunNorms(t, mlp, &featuretest.Options{Tolerance: .1})
}

// TestInsertedNormIsARealOne: a network that was built with norms, and given the
// statistics that were inserted into another, goes the same way to the bit.
func TestInsertedNormIsARealOne(t *testing.T) {
	virtual, real := inserted(t, bare(t, false)), bare(t, true)
	before := weightsOf(t, virtual)
	if a, b := len(before), len(real.Spec().Params); a != b {
		t.Fatalf("%d parameters with inserted norms, %d with real ones", a, b)
	}
	if err := before.Restore(real); err != nil {
		t.Fatal(err)
	}
	unlearned(t, virtual)
	unlearned(t, real)
	after := weightsOf(t, virtual)
	for i, w := range weightsOf(t, real) {
		if !slices.Equal(w, after[i]) {
			t.Errorf("parameter %q differs", real.Spec().Params[i].Name)
		}
		if slices.Equal(w, before[i]) {
			t.Errorf("parameter %q did not change", real.Spec().Params[i].Name)
		}
	}
}

// TestNormBits: inserting, unlearning and folding give equal bits on any number
// of threads.
func TestNormBits(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var first feature.Weights
	for _, threads := range []int{1, 2, 4} {
		runtime.GOMAXPROCS(threads)
		n := bare(t, false)
		m := inserted(t, n)
		unlearned(t, m)
		if err := m.Fold(); err != nil {
			t.Fatal(err)
		}
		w := weightsOf(t, n)
		if first == nil {
			first = w
		}
		for i := range w {
			if !slices.Equal(w[i], first[i]) {
				t.Errorf("parameter %q differs on %d threads", n.Spec().Params[i].Name, threads)
			}
		}
	}
}

// BenchmarkStep compares a step of training with inserted norms, with real ones
// and with none.
func BenchmarkStep(b *testing.B) {
	plain, real := bare(b, false), bare(b, true)
	for _, c := range []struct {
		name string
		m    feature.ModeGrader
		spec feature.Spec
	}{{"none", plain, plain.Spec()}, {"real", real, real.Spec()}, {"inserted", inserted(b, plain).(feature.ModeGrader), inserted(b, plain).Spec()}} {
		x, labels := feature.NewTensor(32, 1, 12, 12), make([]int, 32)
		index := make([]int, 32)
		for i := range index {
			index[i] = i
		}
		if err := (drawnData{}).Read(index, x.Data, labels); err != nil {
			b.Fatal(err)
		}
		dp := feature.NewGradients(c.spec)
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				err := c.m.GradMode(context.Background(), feature.Mode{Train: true, Track: true}, x, []string{"logits"}, func(val, cot []feature.Tensor) error {
					_, err := feature.CrossEntropy(val[0], cot[0], labels, 1)
					return err
				}, nil, dp)
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
