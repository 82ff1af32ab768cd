package synth_test

import (
	"context"
	"fmt"
	"log"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/synth"
)

// Samples are moved until their features lie farther from those of a reference,
// here the origin.
func Example() {
	m := featuretest.NewMLP(6, 10, 3, 1)
	b, err := feature.ReadAll(featuretest.NewBlobs(12, 6, 3, 1, 7, 1))
	if err != nil {
		log.Fatal(err)
	}
	s := synth.Synthesizer{Distance: distance.MMD{}, StepSize: .05, Epsilon: .5}
	moved := b.X.Clone()
	trace, err := s.Synthesize(context.Background(), m, moved, synth.Batch{
		X: b.X, Labels: b.Labels, Lambda: .1,
		Reference: distance.Sample{N: 4, Dim: 10, X: make([]float64, 40)},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(trace.Steps, "steps; the distance has grown:", trace.DistanceAfter > trace.DistanceBefore)
	// Output:
	// 15 steps; the distance has grown: true
}
