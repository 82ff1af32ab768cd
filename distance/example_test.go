package distance_test

import (
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
