//go:build unix

package nn

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/dlfd-go/unlearn/feature"
)

// cpuTime returns the processor time used so far, on all cores: on a shared
// machine it says more than the clock.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchmarkNet runs one pass over a batch of 32.
func benchmarkNet(b *testing.B, net *Network, mode feature.Mode, input, params bool) {
	x := feature.NewTensor(append([]int{32}, net.Spec().Input...)...)
	for i := range x.Data {
		x.Data[i] = float32(i%17)/8 - 1
	}
	labels := make([]int, 32)
	out := []feature.Tensor{feature.NewTensor(32, net.Spec().Classes())}
	var dx []float32
	var dp [][]float32
	if input {
		dx = make([]float32, len(x.Data))
	}
	if params {
		dp = feature.NewGradients(net.Spec())
	}
	loss := func(val, cot []feature.Tensor) error {
		_, err := feature.CrossEntropy(val[0], cot[0], labels, 1)
		return err
	}
	taps := []string{"logits"}
	b.ReportAllocs()
	start := cpuTime()
	for b.Loop() {
		var err error
		if input || params {
			err = net.GradMode(context.Background(), mode, x, taps, loss, dx, dp)
		} else {
			err = net.Forward(context.Background(), x, taps, out)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()*1e3/float64(b.N)/32, "ms/sample")
	b.ReportMetric((cpuTime()-start).Seconds()*1e3/float64(b.N)/32, "cpu-ms/sample")
}

func BenchmarkResNet(b *testing.B) {
	net, err := ResNet(ResNetConfig{Input: []int{1, 32, 32}, Classes: 5})
	if err != nil {
		b.Fatal(err)
	}
	passes(b, net)
}

func BenchmarkResNet18(b *testing.B) {
	for name, cifar := range map[string]bool{"torchvision": false, "cifar": true} {
		net, err := ResNet18(ResNet18Config{Input: []int{3, 32, 32}, Classes: 8, CIFAR: cifar})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) { passes(b, net) })
	}
}

// BenchmarkOne runs one sample forward.
func BenchmarkOne(b *testing.B) {
	net, err := ResNet18(ResNet18Config{Input: []int{3, 128, 128}, Classes: 8})
	if err != nil {
		b.Fatal(err)
	}
	x, out := feature.NewTensor(1, 3, 128, 128), []feature.Tensor{feature.NewTensor(1, 8)}
	for b.Loop() {
		if err := net.Forward(context.Background(), x, []string{"logits"}, out); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDeep covers the other networks of the paper.
func BenchmarkDeep(b *testing.B) {
	for _, name := range []string{"densenet121", "efficientnet_b0"} {
		net, err := deep[name]([]int{3, 64, 64}, 8)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) { passes(b, net) })
	}
}

func passes(b *testing.B, net *Network) {
	b.Run("infer", func(b *testing.B) { benchmarkNet(b, net, feature.Mode{}, false, false) })
	b.Run("input-grad", func(b *testing.B) { benchmarkNet(b, net, feature.Mode{}, true, false) })
	b.Run("input-grad-train", func(b *testing.B) { benchmarkNet(b, net, feature.Mode{Train: true}, true, false) })
	b.Run("train", func(b *testing.B) { benchmarkNet(b, net, feature.Mode{Train: true, Track: true}, false, true) })
}
