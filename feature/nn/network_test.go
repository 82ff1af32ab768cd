package nn

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
)

func parameters(n *Network, trainable bool) int {
	sum := 0
	for _, p := range n.Spec().Params {
		if p.Trainable == trainable {
			sum += feature.Size(p.Shape)
		}
	}
	return sum
}

func TestArchitectures(t *testing.T) {
	res, err := ResNet(ResNetConfig{Input: []int{1, 32, 32}, Classes: 5})
	if err != nil {
		t.Fatal(err)
	}
	wide, err := ResNet18(ResNet18Config{Input: []int{3, 32, 32}, Classes: 1000})
	if err != nil {
		t.Fatal(err)
	}
	paper, err := ResNet18(ResNet18Config{Input: []int{3, 32, 32}, Classes: 8, CIFAR: true, Hidden: []int{256, 128}, Dropout: .5})
	if err != nil {
		t.Fatal(err)
	}
	mlp, err := MLP(MLPConfig{Input: []int{1, 8, 8}, Classes: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		net      *Network
		params   int
		features int
		names    []string
		taps     string
	}{
		{mlp, 64*128 + 128 + 128*64 + 64 + 64*2 + 2, 64, []string{"fc1.weight", "fc3.bias"}, "hidden1 hidden2 features logits"},
		{res, 151413, 64, []string{"stem.conv.weight", "stage2.0.conv1.weight", "stage3.1.bn2.running_var", "stage2.0.downsample.0.weight", "fc.bias"},
			"stem stage1.0 stage2.0 stage3.0 stage3.1 pool features logits"},
		// torchvision's model has 11,689,512.
		{wide, 11689512, 512, []string{"conv1.weight", "bn1.running_mean", "layer2.0.downsample.1.weight", "layer4.1.conv2.weight", "fc.weight"},
			"stem layer1.0 layer1.1 layer2.0 layer2.1 layer3.0 layer3.1 layer4.0 layer4.1 pool features logits"},
		{paper, 11168832 + 512*256 + 256 + 256*128 + 128 + 128*8 + 8, 128, []string{"fc.0.weight", "fc.3.weight", "fc.6.bias"},
			"stem layer1.0 layer1.1 layer2.0 layer2.1 layer3.0 layer3.1 layer4.0 layer4.1 pool features logits"},
	} {
		spec := c.net.Spec()
		if got := parameters(c.net, true); got != c.params {
			t.Errorf("%s: %d parameters, want %d", spec.Params[0].Name, got, c.params)
		}
		if f, err := spec.Tap(spec.Features); err != nil || feature.Size(f.Shape) != c.features {
			t.Errorf("features are %v (%v), want %d", f, err, c.features)
		}
		var taps []string
		for _, tap := range spec.Taps {
			taps = append(taps, tap.Name)
		}
		if got := strings.Join(taps, " "); got != c.taps {
			t.Errorf("taps are %q, want %q", got, c.taps)
		}
		for _, name := range c.names {
			found := false
			for _, p := range spec.Params {
				found = found || p.Name == name
			}
			if !found {
				t.Errorf("no parameter %q", name)
			}
		}
	}
}

func TestInitialWeights(t *testing.T) {
	a, _ := MLP(MLPConfig{Input: []int{100}, Classes: 100, Hidden: []int{100}, Seed: 1})
	b, _ := MLP(MLPConfig{Input: []int{100}, Classes: 100, Hidden: []int{100}, Seed: 2})
	for i, gain := range []float64{2, -1, 1, -1} {
		var sum float64
		for _, v := range a.weights()[i] {
			sum += float64(v) * float64(v)
		}
		variance := sum / float64(len(a.weights()[i])) * 100
		// 10,000 draws: the standard deviation is 1.4 %; five of them.
		if gain > 0 && math.Abs(variance/gain-1) > .07 || gain < 0 && variance != 0 {
			t.Errorf("parameter %d: variance × inputs is %v, want %v", i, variance, max(gain, 0))
		}
	}
	if a.weights()[0][0] == b.weights()[0][0] || a.weights()[0][0] == a.weights()[2][0] {
		t.Error("seeds or names do not tell weights apart")
	}
}

func TestBuilderErrors(t *testing.T) {
	for i, build := range []func() (*Network, error){
		func() (*Network, error) { return MLP(MLPConfig{Input: []int{0}, Classes: 2}) },
		func() (*Network, error) { return MLP(MLPConfig{Input: []int{4}, Classes: 0}) },
		func() (*Network, error) { return MLP(MLPConfig{Input: []int{4}, Classes: 2, Dropout: 1}) },
		func() (*Network, error) { return ResNet(ResNetConfig{Input: []int{32, 32}, Classes: 2}) },
		func() (*Network, error) {
			return ResNet(ResNetConfig{Input: []int{1, 8, 8}, Classes: 2, Widths: []int{4}, Blocks: []int{1, 1}})
		},
		func() (*Network, error) {
			return ResNet(ResNetConfig{Input: []int{1, 8, 8}, Classes: 2, Widths: []int{}})
		},
		func() (*Network, error) { return ResNet(ResNetConfig{Input: []int{1, 8, 8}, Classes: 2, Stem: -1}) },
		func() (*Network, error) { b := NewBuilder(1, 4); return b.Build(b.Input()) },
		func() (*Network, error) { b := NewBuilder(1, 4); return b.Build(7) },
		func() (*Network, error) {
			b := NewBuilder(1, 4)
			return b.Build(b.Linear("a", b.Linear("a", b.Input(), 4), 2))
		},
		func() (*Network, error) { b := NewBuilder(1, 4); return b.Build(b.Linear("", b.Input(), 4)) },
		func() (*Network, error) { b := NewBuilder(1, 4); return b.Build(b.Add(0, 9)) },
		func() (*Network, error) { b := NewBuilder(1, 4); return b.Build(b.Tap("logits", b.ReLU(0))) },
		func() (*Network, error) {
			b := NewBuilder(1, 1, 4, 4)
			return b.Build(b.GlobalAveragePool(b.Input()))
		},
		func() (*Network, error) {
			b := NewBuilder(1, 2, 4, 4)
			return b.Build(b.Flatten(b.Conv("c", 0, Conv{Out: 2, Kernel: 1 << 40})))
		},
	} {
		if _, err := build(); !errors.Is(err, ErrArchitecture) {
			t.Errorf("case %d: error is %v", i, err)
		}
	}
}

func TestDoorOfGrad(t *testing.T) {
	n := small(t)["builder"]
	none := func(_, _ []feature.Tensor) error { return nil }
	grad := func(mode feature.Mode, rows int, dp [][]float32) error {
		x := feature.NewTensor(append([]int{rows}, n.Spec().Input...)...)
		return n.GradMode(context.Background(), mode, x, []string{"logits"}, none, nil, dp)
	}
	if err := grad(feature.Mode{Train: true}, 1, nil); !errors.Is(err, feature.ErrShape) || !strings.HasPrefix(err.Error(), "nn: shape mismatch: batch norm norm ") {
		t.Errorf("training with one sample: error is %v", err)
	}
	if err := grad(feature.Mode{Train: true}, 2, nil); err != nil {
		t.Errorf("training with two samples: %v", err)
	}
	if err := grad(feature.Mode{Track: true}, 2, nil); err == nil {
		t.Error("tracking without training is accepted")
	}
	dp := feature.NewGradients(n.Spec())
	dp[0] = dp[0][1:]
	if err := grad(feature.Mode{}, 2, dp); !errors.Is(err, feature.ErrShape) || !strings.Contains(err.Error(), n.Spec().Params[0].Name) {
		t.Errorf("gradient too short: error is %v", err)
	}
	x0 := feature.NewTensor(append([]int{2}, n.Spec().Input...)...)
	called := 0
	count := func(_, _ []feature.Tensor) error { called++; return nil }
	err := errors.Join(n.Forward(context.Background(), x0, nil, nil), n.Grad(context.Background(), x0, nil, count, nil, feature.NewGradients(n.Spec())))
	if err != nil || called != 1 {
		t.Errorf("no taps: error is %v, loss called %d times", err, called)
	}
	conv := small(t)["resnet"]
	x := feature.NewTensor(append([]int{1}, conv.Spec().Input...)...)
	if err := conv.GradMode(context.Background(), feature.Mode{Train: true}, x, []string{"logits"}, none, nil, nil); err != nil {
		t.Errorf("batch norm over the places of one image: %v", err)
	}
}

func TestFailedStepTracksNothing(t *testing.T) {
	n := small(t)["resnet"]
	before, _ := feature.Snapshot(n)
	x := feature.NewTensor(append([]int{3}, n.Spec().Input...)...)
	boom := errors.New("boom")
	err := n.GradMode(context.Background(), feature.Mode{Train: true, Track: true}, x, []string{"logits"},
		func(_, _ []feature.Tensor) error { return boom }, nil, feature.NewGradients(n.Spec()))
	after, _ := feature.Snapshot(n)
	if !errors.Is(err, boom) || fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("error is %v; parameters changed: %t", err, fmt.Sprint(before) != fmt.Sprint(after))
	}
}

// TestTrainingBits trains at GOMAXPROCS 1, 2 and 4 and compares the bits.
func TestTrainingBits(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var want uint64
	for _, procs := range []int{1, 2, 4} {
		runtime.GOMAXPROCS(procs)
		net, err := ResNet(ResNetConfig{Input: []int{1, 8, 8}, Classes: 2, Widths: []int{4, 8}, Hidden: []int{8}, Dropout: .2, Seed: 3})
		if err != nil {
			t.Fatal(err)
		}
		x, labels := stripes(3, 21, 8)
		descend(t, net, x, labels, 10, .1)
		h := fnv.New64a()
		if err := net.encode(h); err != nil {
			t.Fatal(err)
		}
		if want == 0 {
			want = h.Sum64()
		}
		if got := h.Sum64(); got != want {
			t.Errorf("GOMAXPROCS %d: weights have hash %x, with 1 %x", procs, got, want)
		}
	}
}

// raced is set under the race detector, which makes pools forget.
var raced bool

func TestNoAllocationInAStep(t *testing.T) {
	if raced {
		t.Skip("the race detector allocates")
	}
	n := small(t)["resnet"]
	x := feature.NewTensor(append([]int{24}, n.Spec().Input...)...)
	dp := feature.NewGradients(n.Spec())
	taps := []string{"logits", "features"}
	loss := func(_, cot []feature.Tensor) error { cot[0].Data[0]++; return nil }
	allocs := testing.AllocsPerRun(50, func() {
		if err := n.GradMode(context.Background(), feature.Mode{Train: true, Track: true}, x, taps, loss, nil, dp); err != nil {
			t.Error(err)
		}
	})
	if allocs >= 1 {
		t.Errorf("%v allocations a step", allocs)
	}
}
