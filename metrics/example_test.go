package metrics_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/dlfd-go/unlearn/metrics"
)

// outputs simulates a classifier of three classes that is sure of its answers
// by about margin.
func outputs(seed uint64, n int, margin float64) metrics.Outputs {
	r := rand.New(rand.NewPCG(seed, 0))
	o := metrics.Outputs{N: n, Classes: 3}
	for range n {
		y := r.IntN(3)
		o.Labels = append(o.Labels, y)
		for j := range 3 {
			z := r.NormFloat64()
			if j == y {
				z += margin
			}
			o.Logits = append(o.Logits, float32(z))
		}
	}
	return o
}

func Example() {
	forget, unseen := outputs(1, 300, 4), outputs(2, 300, 2)

	res, err := metrics.Attack(forget, unseen, 1, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	verdict, err := metrics.Judge(res.Loss.AUCInterval, []float64{0.48, 0.51, 0.5})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("matched %d of %d members\n", len(res.Matching.Members), forget.N)
	fmt.Printf("AUC %.2f, balanced accuracy %.2f\n", res.Loss.AUC, res.Loss.BalancedAccuracy)
	fmt.Println(verdict)
	// Output:
	// matched 278 of 300 members
	// AUC 0.87, balanced accuracy 0.78
	// under-unlearned: AUC 0.838 to 0.900, retrained 0.480 to 0.510
}

func ExampleAUC() {
	auc, err := metrics.AUC([]float64{0.9, 0.5, 0.8}, []float64{0.5, 0.1})
	fmt.Printf("%.4f %v\n", auc, err)
	// Output: 0.9167 <nil>
}

func ExampleNoMUS() {
	fs, _ := metrics.ForgettingScore(0.528)
	score, err := metrics.NoMUS(0.620, 0.528)
	fmt.Printf("FS %.3f, NoMUS %.3f, %v\n", fs, score, err)
	// Output: FS 0.056, NoMUS 0.782, <nil>
}

func ExamplePublishedAttack() {
	member, _ := outputs(1, 390, 4).CrossEntropies()
	nonmember, _ := outputs(2, 300, 4).CrossEntropies()

	// Members and non-members do not differ; there are just more of the former.
	res, err := metrics.PublishedAttack(member, nonmember, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("accuracy %.3f, majority answer %.3f\n", res.Accuracy, res.TestMajority)
	// Output: accuracy 0.564, majority answer 0.565
}

func ExampleRetrainGap() {
	gap, err := metrics.RetrainGap(
		metrics.Scores{Retain: 1, Forget: 0.95, Test: 0.90, AUC: 0.54},
		metrics.Scores{Retain: 1, Forget: 0.89, Test: 0.91, AUC: 0.46})
	fmt.Printf("mean %.3f, tug of war %.3f, %v\n", gap.Mean, gap.TugOfWar, err)
	// Output: mean 0.050, tug of war 0.931, <nil>
}

func ExampleWilson() {
	iv, err := metrics.Wilson(81, 263, 0.95)
	fmt.Printf("%.4f to %.4f, %v\n", iv.Lo, iv.Hi, err)
	// Output: 0.2553 to 0.3662, <nil>
}

func ExampleOutputs() {
	o := metrics.Outputs{N: 2, Classes: 3, Logits: []float32{4, 1, 1, 0, 2, 1}, Labels: []int{0, 2}}
	top1, _ := o.Accuracy()
	top2, _ := o.TopK(2)
	_, err := o.TopK(4)
	fmt.Println(top1, top2)
	fmt.Println(err)
	// Output:
	// 0.5 1
	// metrics: value out of range: k is 4 of 3 classes
}
