package baseline

import (
	"fmt"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
)

// layerNumbers returns for each parameter the number of its layer, from 0. A layer
// begins with each Weight of two or more axes, in the order of Spec().Params;
// biases, norms and their statistics belong to the layer before them, and to layer
// 0 where there is none. count is the number of layers.
func layerNumbers(spec feature.Spec) (number []int, count int) {
	number = make([]int, len(spec.Params))
	for i, p := range spec.Params {
		if p.Kind == feature.Weight && len(p.Shape) >= 2 {
			count++
		}
		number[i] = max(count-1, 0)
	}
	return number, count
}

// lastLayers returns a function that tells the parameters of the last k layers. A
// k below 1 or above the number of layers gives an error wrapping
// dlfd.ErrParameter.
func lastLayers(spec feature.Spec, k int) (func(feature.Param) bool, error) {
	number, count := layerNumbers(spec)
	if k < 1 || k > count {
		return nil, fmt.Errorf("%w: the last %d layers of a model with %d", dlfd.ErrParameter, k, count)
	}
	last := make(map[string]bool)
	for i, p := range spec.Params {
		if number[i] >= count-k {
			last[p.Name] = true
		}
	}
	return func(p feature.Param) bool { return last[p.Name] }, nil
}
