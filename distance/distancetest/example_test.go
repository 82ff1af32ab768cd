package distancetest_test

import (
	"fmt"
	"strings"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/distance/distancetest"
)

// firstCoordinate is a user's distance: the squared difference of the means of
// the first coordinate. It takes no weights.
func firstCoordinate(_ *distance.Workspace, gx, gy []float64, x, y distance.Sample) (float64, error) {
	if err := distance.Check(gx, gy, x, y); err != nil {
		return 0, err
	}
	if x.W != nil || y.W != nil {
		return 0, distance.ErrWeights
	}
	clear(gx)
	clear(gy)
	var d float64
	for i := range x.N {
		d += x.Row(i)[0] / float64(x.N)
	}
	for j := range y.N {
		d -= y.Row(j)[0] / float64(y.N)
	}
	for i := 0; i < len(gx); i += x.Dim {
		gx[i] = 2 * d / float64(x.N)
	}
	for j := 0; j < len(gy); j += y.Dim {
		gy[j] = 2 * d / float64(y.N) // the sign is wrong
	}
	return d * d, nil
}

// A distance of one's own is tested in one line. In a test function, use Run
// instead of Check.
func ExampleCheck() {
	err := distancetest.Check(distance.Func(firstCoordinate), distancetest.Options{Sizes: []distancetest.Size{{N: 2, M: 3, Dim: 2}}})
	message, _, _ := strings.Cut(err.Error(), ": ") // the numbers follow
	fmt.Println(message)
	// Output:
	// law "gradient" broken, seed 1, x 2×2, y 3×2
}
