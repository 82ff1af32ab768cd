// Owndistance shows a distance of one's own: written in a dozen lines, checked
// against its laws, and plugged into DLFD.
package main

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/distance/distancetest"
	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/dataset"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/synth"
)

// meanShift is the squared Euclidean distance between the means of two samples.
// It refuses weights.
func meanShift(_ *distance.Workspace, gx, gy []float64, x, y distance.Sample) (float64, error) {
	if err := distance.Check(gx, gy, x, y); err != nil {
		return 0, err
	}
	if x.W != nil || y.W != nil {
		return 0, fmt.Errorf("%w: meanShift is uniform", distance.ErrWeights)
	}
	var sum float64
	for k := range x.Dim {
		diff := mean(x, k) - mean(y, k)
		sum += diff * diff
		for i := 0; gx != nil && i < x.N; i++ {
			gx[i*x.Dim+k] = 2 * diff / float64(x.N)
		}
		for j := 0; gy != nil && j < y.N; j++ {
			gy[j*y.Dim+k] = -2 * diff / float64(y.N)
		}
	}
	return sum, nil
}

func mean(s distance.Sample, k int) (sum float64) {
	for i := range s.N {
		sum += s.Row(i)[k]
	}
	return sum / float64(s.N)
}

// clouds returns n points around three centers, one a class.
func clouds(seed uint64, n int) *dataset.Set {
	r := rand.New(rand.NewPCG(seed, 0))
	s := dataset.Samples{X: feature.NewTensor(n, 4), Labels: make([]int, n)}
	for i := range s.X.Data {
		s.Labels[i/4] = i / 4 % 3
		s.X.Data[i] = float32(float64(s.Labels[i/4]*(i%4+1)%5)/2 + r.NormFloat64())
	}
	return must(dataset.Memory(s))
}

func main() {
	mine := distance.Func(meanShift)
	must(mine, distancetest.Check(mine))
	fmt.Println("meanShift keeps the laws of a distance")
	data := dlfd.Data{Retain: clouds(1, 240), Forget: clouds(2, 60), Holdout: clouds(3, 60)}
	model := must(nn.MLP(nn.MLPConfig{Input: []int{4}, Classes: 3, Seed: 1}))
	must(train.Fit(context.Background(), model, data.Retain, nil))
	method := dlfd.DLFD{
		Synth:    synth.Synthesizer{Distance: mine},
		Steering: dlfd.Steering{Threshold: 1e-6}, // perturb every batch
	}
	result := must(method.Unlearn(context.Background(), model, data, &dlfd.Options{Seed: 1}))
	for _, p := range result.Trace {
		fmt.Printf("step %d: distance %.3f → %.3f, cross-entropy %.3f → %.3f\n", p.Step, p.DistanceBefore, p.DistanceAfter, p.LossBefore, p.LossAfter)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
