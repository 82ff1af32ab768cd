package gotensor_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"gorgonia.org/tensor"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/gotensor"
)

func Example() {
	dense := tensor.New(tensor.WithShape(2, 3), tensor.WithBacking([]float32{1, 2, 3, 4, 5, 6}))
	x, shared, err := gotensor.From(dense)
	if err != nil {
		panic(err)
	}
	fmt.Println(x.Shape, x.Row(1), shared)

	x.Row(1)[0] = 40
	back, err := gotensor.To(x)
	if err != nil {
		panic(err)
	}
	fmt.Println(back.Shape(), back.Data())
	// Output:
	// [2 3] [4 5 6] true
	// (2, 3) [1 2 3 40 5 6]
}

func TestFrom(t *testing.T) {
	base := func() *tensor.Dense {
		return tensor.New(tensor.WithShape(2, 3), tensor.WithBacking([]float32{1, 2, 3, 4, 5, 6}))
	}
	transposed := base()
	if err := transposed.T(); err != nil {
		t.Fatal(err)
	}
	column, err := base().Slice(nil, tensor.S(1, 3))
	if err != nil {
		t.Fatal(err)
	}
	double := tensor.New(tensor.WithShape(3), tensor.WithBacking([]float64{1, .1, 3}))
	for _, tc := range []struct {
		name   string
		in     *tensor.Dense
		shape  []int
		data   []float32
		shared bool
	}{
		{"plain", base(), []int{2, 3}, []float32{1, 2, 3, 4, 5, 6}, true},
		{"transposed", transposed, []int{3, 2}, []float32{1, 4, 2, 5, 3, 6}, false},
		{"slice", column.(*tensor.Dense), []int{2, 2}, []float32{2, 3, 5, 6}, false},
		{"float64", double, []int{3}, []float32{1, .1, 3}, false},
		{"column-major", tensor.New(tensor.WithShape(2, 2), tensor.AsFortran([]float32{1, 3, 2, 4})), []int{2, 2}, []float32{1, 3, 2, 4}, false}, // the argument is row-major
	} {
		got, shared, err := gotensor.From(tc.in)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if !slices.Equal(got.Shape, tc.shape) || !slices.Equal(got.Data, tc.data) || shared != tc.shared {
			t.Errorf("%s: %v, shared %t", tc.name, got, shared)
		}
	}
}

func TestErrors(t *testing.T) {
	if _, _, err := gotensor.From(nil); !errors.Is(err, feature.ErrShape) {
		t.Errorf("nil: %v", err)
	}
	ints := tensor.New(tensor.WithShape(2), tensor.WithBacking([]int{1, 2}))
	if _, _, err := gotensor.From(ints); !errors.Is(err, gotensor.ErrType) {
		t.Errorf("integers: %v", err)
	}
	if _, err := gotensor.To(feature.Tensor{Shape: []int{2, 2}, Data: make([]float32, 3)}); !errors.Is(err, feature.ErrShape) {
		t.Errorf("short: %v", err)
	}
}

func TestRoundTrip(t *testing.T) {
	for _, shape := range [][]int{{1}, {3}, {1, 4}, {2, 3, 4}, {2, 1, 3, 1}} {
		x := feature.NewTensor(shape...)
		for i := range x.Data {
			x.Data[i] = float32(i)
		}
		dense, err := gotensor.To(x)
		if err != nil {
			t.Fatal(err)
		}
		back, shared, err := gotensor.From(dense)
		if err != nil || !shared || &back.Data[0] != &x.Data[0] || !slices.Equal(back.Shape, shape) {
			t.Errorf("%v: %v, shared %t, %v", shape, back, shared, err)
		}
	}
}
