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
	verdict, err := metrics.Judge(metrics.Evidence{AUC: &metrics.Compared{
		Interval:  res.Loss.AUCInterval,
		Retrained: []float64{0.48, 0.51, 0.5},
	}})
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
	// under-unlearned: attack AUC 0.838 to 0.900, retrained 0.480 to 0.510
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

func ExampleJudgeScores() {
	// A perfect attacker on four samples of each: the interval says how few they are.
	s, err := metrics.JudgeScores([]float64{3, 4, 5, 6}, []float64{-3, -4, -5, -6}, 1, nil)
	fmt.Printf("AUC %v in %.2f to %v, balanced accuracy %v, %v\n", s.AUC, s.AUCInterval.Lo, s.AUCInterval.Hi, s.BalancedAccuracy, err)
	// Output: AUC 1 in 0.58 to 1, balanced accuracy 1, <nil>
}

func ExampleMeanInterval() {
	// Differences of two methods over five seeds.
	iv, err := metrics.MeanInterval([]float64{0.012, 0.008, 0.015, 0.004, 0.011}, 0.95)
	fmt.Printf("%.4f to %.4f, %v\n", iv.Lo, iv.Hi, err)
	// Output: 0.0048 to 0.0152, <nil>
}

func ExampleAUCInterval() {
	iv, err := metrics.AUCInterval([]float64{0.9, 0.5, 0.8, 0.7}, []float64{0.6, 0.1, 0.3}, 0.95)
	fmt.Printf("%.2f to %.2f, %v\n", iv.Lo, iv.Hi, err)
	// Output: 0.46 to 0.99, <nil>
}

func ExampleLabelFloor() {
	// Half of the members are of class 0, one in four of the non-members.
	f, err := metrics.LabelFloor([]int{0, 0, 1, 1}, []int{0, 1, 1, 1}, 2)
	fmt.Printf("AUC %.3f without any model, %v\n", f.AUC, err)
	// Output: AUC 0.625 without any model, <nil>
}

func ExampleOutputs_JS() {
	a := metrics.Outputs{N: 1, Classes: 2, Logits: []float32{50, -50}}
	b := metrics.Outputs{N: 1, Classes: 2, Logits: []float32{-50, 50}}
	js, err := a.JS(b)
	fmt.Printf("%.4f %v\n", js, err)
	// Output: 0.6931 <nil>
}

func ExampleFeatures_ScatterRatio() {
	f := metrics.Features{N: 4, Dim: 2, Data: []float32{0, 0, 2, 0, 10, 0, 10, 4}, Classes: 2, Labels: []int{0, 0, 1, 1}}
	ratio, err := f.ScatterRatio()
	same, _ := f.CKA(f)
	fmt.Printf("%.1f, CKA with itself %.0f, %v\n", ratio, same, err)
	// Output: 8.5, CKA with itself 1, <nil>
}

func ExampleMembershipProbe() {
	r := rand.New(rand.NewPCG(1, 1))
	noise := func() metrics.Features {
		f := metrics.Features{N: 100, Dim: 4, Classes: 2, Labels: make([]int, 100)}
		for i := range 100 {
			f.Labels[i] = i % 2
			for range 4 {
				f.Data = append(f.Data, float32(r.NormFloat64()))
			}
		}
		return f
	}
	s, err := metrics.MembershipProbe(noise(), noise(), 1, nil)
	fmt.Println(s.AUCInterval.Contains(0.5), err)
	// Output: true <nil>
}

func ExampleRegrowth() {
	// Which of four forgotten images are told right after 0, 10 and 40 steps on others.
	steps := []float64{0, 10, 40}
	model := metrics.Regrowth{At: steps, Scores: [][]float64{{0, 0, 1, 0}, {1, 0, 1, 1}, {1, 1, 1, 1}}}
	retrained := metrics.Regrowth{At: steps, Scores: [][]float64{{0, 0, 1, 0}, {0, 0, 1, 0}, {1, 0, 1, 1}}}
	curve, _ := model.Means()
	area, err := model.Relearning(retrained, 0.95)
	fmt.Println(curve)
	fmt.Printf("area %.2f, %.2f to %.2f, %v\n", area.Value, area.Interval.Lo, area.Interval.Hi, err)
	// Output:
	// [0.25 0.75 1]
	// area 0.34, -0.31 to 0.77, <nil>
}

func ExampleJudge() {
	// Outputs look like those of retrained models, but the samples come back too fast.
	j, err := metrics.Judge(metrics.Evidence{
		AUC:         &metrics.Compared{Interval: metrics.Interval{Lo: 0.46, Hi: 0.54}, Retrained: []float64{0.48, 0.51}},
		OriginalAUC: 0.72,
		Samples:     300,
		Relearning:  &metrics.Compared{Interval: metrics.Interval{Lo: 0.11, Hi: 0.19}, Retrained: []float64{-0.02, 0.03}},
	})
	fmt.Println(j, err)
	for _, l := range j.Lacks {
		fmt.Println("lacks", l)
	}
	// Output:
	// hidden: relearning 0.110 to 0.190, retrained -0.020 to 0.030 <nil>
	// lacks no forget accuracy of retrained models
	// lacks no test accuracy of retrained models: a model that lost its use may pass
}

func ExampleSMI() {
	// Features in one dimension: seen samples near 0, unseen ones near 3, and of the forget samples one in four near 0.
	draw := func(seed uint64, n int, means ...float64) metrics.Features {
		r := rand.New(rand.NewPCG(seed, 0))
		f := metrics.Features{N: n, Dim: 1, Classes: 1, Labels: make([]int, n)}
		for i := range n {
			f.Data = append(f.Data, float32(means[i%len(means)]+r.NormFloat64()))
		}
		return f
	}
	share, err := metrics.SMI(draw(1, 200, 0, 3, 3, 3), draw(2, 400, 0), draw(3, 400, 3), 0.95)
	fmt.Printf("forgotten %.0f %% [%.0f, %.0f], %v\n", 100*share.Value, 100*share.Interval.Lo, 100*share.Interval.Hi, err)
	// Output: forgotten 75 % [68, 83], <nil>
}

func ExampleSDE() {
	draw := func(seed uint64, n int, spread float64) metrics.Features {
		r := rand.New(rand.NewPCG(seed, 0))
		f := metrics.Features{N: n, Dim: 1, Classes: 1, Labels: make([]int, n)}
		for range n {
			f.Data = append(f.Data, float32(spread*r.NormFloat64()))
		}
		return f
	}
	// Outputs of forgotten samples spread as widely as those of samples trained on.
	d, err := metrics.SDE(draw(1, 400, 1.5), draw(2, 400, 1.5), draw(3, 400, 1), 1)
	fmt.Println(d.Forget > d.Unseen, d.P, err)
	// Output: true 0.005 <nil>
}

func ExampleFeatures_RelativeScatter() {
	draw := func(seed uint64, spread float64) metrics.Features {
		r := rand.New(rand.NewPCG(seed, 0))
		f := metrics.Features{N: 200, Dim: 1, Classes: 2}
		for i := range f.N {
			f.Labels = append(f.Labels, i%2)
			f.Data = append(f.Data, float32(float64(i%2)+spread*r.NormFloat64()))
		}
		return f
	}
	e, err := draw(1, 0.2).RelativeScatter(draw(2, 0.3), 0.95)
	fmt.Printf("%.1f in %.1f to %.1f, %v\n", e.Value, e.Interval.Lo, e.Interval.Hi, err)
	// Output: 2.9 in 2.0 to 4.3, <nil>
}

func ExampleReferenced_IAM() {
	// Two samples of class 0: the retrained model gets them half right, the original both.
	model := metrics.Outputs{N: 2, Classes: 2, Logits: []float32{0, 0, 6, 0}, Labels: []int{0, 0}}
	retrained := metrics.Outputs{N: 2, Classes: 2, Logits: []float32{0, 0, 0, 0.5}}
	original := metrics.Outputs{N: 2, Classes: 2, Logits: []float32{6, 0, 6, 0}}
	complete, err := metrics.Referenced{Model: model, References: []metrics.Outputs{retrained}}.IAM(original)
	fmt.Printf("%.2f %v\n", complete, err)
	// Output: [1.00 0.00] <nil>
}

func ExampleProbed_Difference() {
	// Members and non-members are other persons, which feature 0 tells; feature 1
	// knows the members of the model judged.
	features := func(seed uint64, person, membership float64) metrics.Features {
		r := rand.New(rand.NewPCG(seed, 0))
		f := metrics.Features{N: 200, Dim: 2, Classes: 1, Labels: make([]int, 200)}
		for range f.N {
			f.Data = append(f.Data, float32(r.NormFloat64()+person), float32(r.NormFloat64()+membership))
		}
		return f
	}
	model := metrics.Probed{Member: features(1, 1, 2), NonMember: features(2, 0, 0)}
	retrained := metrics.Probed{Member: features(3, 1, 0), NonMember: features(4, 0, 0)}
	probe, _ := metrics.MembershipProbe(retrained.Member, retrained.NonMember, 1, nil)
	d, err := model.Difference(retrained, 1, nil)
	fmt.Printf("the retrained model has AUC %.2f, the model %.2f more, %.2f to %.2f, %v\n", probe.AUC, d.Value, d.Interval.Lo, d.Interval.Hi, err)
	// Output: the retrained model has AUC 0.76, the model 0.19 more, 0.14 to 0.25, <nil>
}

func ExampleExchange_Quality() {
	draw := func(seed uint64, mean float64) (x []float64) {
		r := rand.New(rand.NewPCG(seed, 0))
		for range 300 {
			x = append(x, mean+r.NormFloat64())
		}
		return x
	}
	// The forget set scores higher whether it was unlearned or never trained on: that is no leak.
	e := metrics.Exchange{Forget: [2][]float64{draw(1, 0.8), draw(2, 0.8)}, Holdout: [2][]float64{draw(3, 0), draw(4, 0)}}
	q, err := e.Quality(0.95)
	fmt.Printf("Q %.2f in %.2f to %.2f, %v\n", q.Value, q.Interval.Lo, q.Interval.Hi, err)
	// Output: Q 0.99 in 0.94 to 1.00, <nil>
}

func ExampleKLoM() {
	// Margins of two samples in three unlearned and three retrained models.
	d, err := metrics.KLoM([][]float64{{4, 2}, {5, 1}, {6, 1.5}}, [][]float64{{1, 2}, {1.2, 1}, {0.8, 1.5}})
	fmt.Printf("%.1f, 95 %% have up to %.1f, %v\n", d.Samples, d.P95, err)
	// Output: [10.4 0.0], 95 % have up to 9.9, <nil>
}

func ExampleResidualKnowledge() {
	// Right answers among 20 noisy copies of each of five forget samples.
	e, err := metrics.ResidualKnowledge([]int{14, 9, 18, 12, 16}, []int{8, 6, 12, 7, 9}, 20, 0.95)
	fmt.Printf("%.2f in %.2f to %.2f, %v\n", e.Value, e.Interval.Lo, e.Interval.Hi, err)
	// Output: 1.64 in 1.47 to 1.87, <nil>
}

func ExampleMostMemorized() {
	// Losses by the original model and by a retrained one.
	hard, err := metrics.MostMemorized([]float64{0.1, 0.2, 0.1}, []float64{0.2, 4, 0.3}, 0.1)
	fmt.Println(hard, err)
	// Output: [1] <nil>
}

func ExampleHead() {
	f := metrics.Features{N: 4, Dim: 2, Data: []float32{3, 0, 4, 1, 0, 3, 1, 5}, Classes: 2, Labels: []int{0, 0, 1, 1}}
	// The layers below know the classes, as a head trained anew finds.
	fresh, _ := metrics.FitHead(f)
	recovered, _ := fresh.Accuracy(f)
	// The head judged never answers class 1; one image brings it back.
	shut := metrics.Head{Classes: 2, Dim: 2, Weights: []float64{1, 0, 0, 0}, Bias: []float64{0, -9}}
	before, _ := shut.Accuracy(f)
	shots := metrics.Features{N: 1, Dim: 2, Data: []float32{0, 2}, Classes: 2, Labels: []int{1}}
	back, err := shut.Relearn(shots)
	if err != nil {
		fmt.Println(err)
		return
	}
	after, _ := back.Accuracy(f)
	fmt.Println(recovered, before, after)
	// Output: 1 0.5 1
}

func ExampleOutputs_CalibrationError() {
	o := metrics.Outputs{N: 2, Classes: 2, Logits: []float32{2, 0, 2, 0}, Labels: []int{0, 1}}
	e, err := o.CalibrationError(15)
	fmt.Printf("%.3f %v\n", e, err)
	// Output: 0.381 <nil>
}
