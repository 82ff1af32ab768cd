package featuretest_test

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
)

// softmaxRegression is a Trainable written by hand: logits = W·x in two classes, of
// inputs with three numbers. Its only tap serves as features, too.
type softmaxRegression struct{ w [6]float32 } // 2×3

func (m *softmaxRegression) Spec() feature.Spec {
	return feature.Spec{
		Input: []int{3}, Features: "logits", Logits: "logits",
		Taps:   []feature.Tap{{Name: "logits", Shape: []int{2}}},
		Params: []feature.Param{{Name: "weight", Shape: []int{2, 3}, Trainable: true}},
	}
}

func (m *softmaxRegression) Forward(ctx context.Context, x feature.Tensor, taps []string, out []feature.Tensor) error {
	if err := feature.CheckForward(m.Spec(), x, taps, out); err != nil {
		return err
	}
	for _, o := range out {
		for i := range o.Data {
			o.Data[i] = 0
			for k, v := range x.Row(i / 2) {
				o.Data[i] += m.w[i%2*3+k] * v
			}
		}
	}
	return ctx.Err()
}

func (m *softmaxRegression) Grad(ctx context.Context, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
	if err := feature.CheckGrad(m.Spec(), feature.Mode{}, x, taps, dx, dp); err != nil {
		return err
	}
	val, cot := make([]feature.Tensor, len(taps)), make([]feature.Tensor, len(taps))
	for i := range taps {
		val[i], cot[i] = feature.NewTensor(x.Rows(), 2), feature.NewTensor(x.Rows(), 2)
	}
	if err := errors.Join(m.Forward(ctx, x, taps, val), loss(val, cot)); err != nil {
		return err
	}
	for _, c := range cot {
		for i, g := range c.Data {
			for k, v := range x.Row(i / 2) {
				if dx != nil {
					dx[i/2*3+k] += g * m.w[i%2*3+k]
				}
				if dp != nil && dp[0] != nil {
					dp[0][i%2*3+k] += g * v
				}
			}
		}
	}
	return nil
}

func (m *softmaxRegression) GetParam(i int, dst []float32) error {
	if err := feature.CheckParam(m.Spec(), i, len(dst)); err != nil {
		return err
	}
	copy(dst, m.w[:])
	return nil
}

func (m *softmaxRegression) SetParam(i int, src []float32) error {
	if err := feature.CheckParam(m.Spec(), i, len(src)); err != nil {
		return err
	}
	copy(m.w[:], src)
	return nil
}

// A model of one's own is tested in one line; in a test function, by
//
//	featuretest.Run(t, new(softmaxRegression), nil)
//
// CheckForward and CheckGrad refuse what a model must refuse.
func ExampleCheck() {
	m := &softmaxRegression{w: [6]float32{1, 0, -1, .5, 2, 0}}
	fmt.Println(featuretest.Check(m, nil))
	// Output: <nil>
}

// squares is a Dataset of n numbers in [-1, 1): is the square above ¼?
type squares int

func (n squares) Len() int     { return int(n) }
func (n squares) Shape() []int { return []int{1} }
func (n squares) Classes() int { return 2 }

func (n squares) Read(index []int, x []float32, labels []int) error {
	if err := feature.CheckRead(n, index, x, labels); err != nil {
		return err
	}
	for i, k := range index {
		x[i], labels[i] = float32(2*k)/float32(n)-1, n.Label(k)
	}
	return nil
}

// Label makes squares Labeled.
func (n squares) Label(i int) int {
	if math.Abs(2*float64(i)/float64(n)-1) > .5 {
		return 1
	}
	return 0
}

// A dataset of one's own is tested in one line; in a test function, by
//
//	featuretest.RunDataset(t, squares(1000))
func ExampleCheckDataset() {
	fmt.Println(featuretest.CheckDataset(squares(1000)))
	// Output: <nil>
}

// renamed is a wrapper: it hides what the model offers besides Model.
type renamed struct{ feature.Model }

func ExampleCheckWrapper() {
	m := featuretest.NewMLP(4, 8, 3, 1)
	fmt.Println(featuretest.CheckWrapper(renamed{m}, m, nil))
	// Output:
	// featuretest: wrapper claims what it has: Differentiable is offered by the model: true, by the wrapper: false
	// Trainable is offered by the model: true, by the wrapper: false
	// Cloner is offered by the model: true, by the wrapper: false
}

// The reference model and data serve tests of what works on any.
func ExampleMLP() {
	m := featuretest.NewMLP(4, 8, 3, 1)
	m.FailAfter = 2 // the second call of Grad fails
	b, err := feature.ReadAll(featuretest.NewBlobs(6, 4, 3, .5, 7, 1))
	if err != nil {
		fmt.Println(err)
		return
	}
	loss := func(val, cot []feature.Tensor) error {
		_, err := feature.CrossEntropy(val[0], cot[0], b.Labels, 1)
		return err
	}
	for range 2 {
		fmt.Println(m.Grad(context.Background(), b.X, []string{"logits"}, loss, nil, nil), m.Ran)
	}
	// Output:
	// <nil> 6
	// featuretest: the model is broken on purpose 6
}
