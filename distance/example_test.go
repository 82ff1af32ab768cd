package distance_test

import (
	"context"
	"fmt"

	"github.com/dlfd-go/unlearn/distance"
)

func ExampleSinkhorn() {
	x := distance.FromRows([][]float64{{0, 0}, {1, 0}})
	y := distance.FromRows([][]float64{{0, 1}, {1, 1}, {2, 1}})
	d := distance.Sinkhorn{Cost: distance.SqEuclidean{}, Epsilon: .1, Debiased: true}
	ws := new(distance.Workspace) // keeps memory from call to call
	gx := make([]float64, x.N*x.Dim)
	value, err := d.Eval(ws, gx, nil, x, y)
	fmt.Printf("value %.4f, gradient %.4f, error %v, converged %v\n", value, gx, err, ws.Stats.Converged)
	// Output: value 1.4566, gradient [-0.3333 -1.0000 -0.6667 -1.0000], error <nil>, converged true
}

func ExampleEMD_Plan() {
	x := distance.Sample{N: 2, Dim: 1, X: []float64{0, 1}, W: []float64{.75, .25}}
	y := distance.Sample{N: 2, Dim: 1, X: []float64{0, 3}}
	plan := make([]float64, 4)
	value, err := distance.EMD{Cost: distance.Euclidean{}}.Plan(nil, plan, x, y)
	fmt.Println(value, plan, err)
	// Output: 1.25 [0.5 0.25 0 0.25] <nil>
}

func ExampleByName() {
	d, err := distance.ByName("emd:sqeuclidean:root")
	fmt.Printf("%+v %v\n", d, err)
	_, err = distance.ByName("emd:eps=1")
	fmt.Println(err)
	// Output:
	// {D:{Cost:{}} P:2} <nil>
	// distance: bad parameter: "emd" has no setting "eps", in "emd:eps=1"
}

// Labels come with the points: the distance between samples of two classes is
// taken class by class, weighted by the shares of x.
func ExampleClassConditional() {
	x := distance.FromRows([][]float64{{0}, {1}, {10}, {11}})
	y := distance.FromRows([][]float64{{12}, {2}, {3}, {13}})
	x.Labels, y.Labels = []int{0, 0, 1, 1}, []int{1, 0, 0, 1}
	d := distance.ClassConditional{D: distance.EMD{Cost: distance.Euclidean{}}}
	v, err := d.Eval(nil, nil, nil, x, y)
	fmt.Println(v, err)
	// Output: 2 <nil>
}

// A plan says which point of x goes where in y, and the gradient in the weights
// what more mass at a point would cost.
func ExamplePlanner() {
	var d distance.Distance = distance.EMD{Cost: distance.SqEuclidean{}}
	x, y := distance.FromRows([][]float64{{0}, {4}}), distance.FromRows([][]float64{{5}, {1}})
	plan := make([]float64, 4)
	if p, ok := d.(distance.Planner); ok {
		v, err := p.Plan(nil, plan, x, y)
		fmt.Println(v, err, plan)
	}
	ga := make([]float64, 2)
	if w, ok := d.(distance.WeightGradienter); ok {
		_, err := w.EvalWeights(nil, ga, nil, x, y)
		fmt.Println(err, ga[0]+ga[1])
	}
	// Output:
	// 1 <nil> [0 0.5 0.5 0]
	// <nil> 0
}

// An idea is tried out without a gradient of one's own.
func ExampleNumeric() {
	d := distance.Numeric(func(x, y distance.Sample) (float64, error) {
		diff := x.Row(0)[0] - y.Row(0)[0]
		return diff * diff, nil
	})
	gx := make([]float64, 1)
	v, err := d.Eval(nil, gx, nil, distance.FromRows([][]float64{{3}}), distance.FromRows([][]float64{{1}}))
	fmt.Printf("%v %.6f %v\n", v, gx[0], err)
	// Output: 4 4.000000 <nil>
}

// HSIC of a sample with a function of itself is far above that with noise.
func ExampleHSIC() {
	var x, square [][]float64
	for i := -5; i <= 5; i++ {
		x, square = append(x, []float64{float64(i)}), append(square, []float64{float64(i * i)})
	}
	v, err := distance.HSIC{X: distance.Gaussian{Sigma: 2}, Y: distance.Gaussian{Sigma: 8}}.EvalPaired(nil, nil, nil, distance.FromRows(x), distance.FromRows(square))
	fmt.Println(v > .01, err)
	// Output: true <nil>
}

// Two persons have been photographed three times each, and two others: whether
// the photos of the two pairs differ is a question about four persons and not
// about twelve photos.
func ExampleTwoSample() {
	x := distance.FromRows([][]float64{{0}, {.1}, {.2}, {5}, {5.1}, {5.2}})
	y := distance.FromRows([][]float64{{2}, {2.1}, {2.2}, {8}, {8.1}, {8.2}})
	test := distance.TwoSample{D: distance.EMD{Cost: distance.Euclidean{}}, Permutations: 199, Seed: 1}
	one, err := test.Test(context.Background(), x, y, []int{1, 1, 1, 2, 2, 2}, []int{3, 3, 3, 4, 4, 4})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("distance %.2f, p above .1: %v, %v ways to divide %d persons\n", one.Observed, one.P > .1, one.Arrangements, one.Blocks)
	// Output: distance 2.50, p above .1: true, 6 ways to divide 4 persons
}

// Class 1 of x has no counterpart in y: a plan of all mass has to move it, one of
// the share that both have leaves it where it is.
func ExamplePartial() {
	x := distance.FromRows([][]float64{{0}, {1}, {100}, {101}})
	y := distance.FromRows([][]float64{{2}, {3}})
	for _, share := range []float64{1, .5} {
		v, err := distance.Partial{Cost: distance.Euclidean{}, Share: share}.Eval(nil, nil, nil, x, y)
		fmt.Println(share, v, err)
	}
	// Output:
	// 1 49.5 <nil>
	// 0.5 0.75 <nil>
}

// The witness function tells where two samples differ: here at 5, which only x has.
func ExampleMMD_Witness() {
	x := distance.FromRows([][]float64{{0}, {1}, {5}})
	y := distance.FromRows([][]float64{{0}, {1}, {.5}})
	f := make([]float64, x.N)
	err := distance.MMD{Kernel: distance.Gaussian{Sigma: 1}}.Witness(nil, f, x, x, y)
	fmt.Printf("%.2f %v\n", f, err)
	// Output: [-0.29 -0.29 0.33] <nil>
}
