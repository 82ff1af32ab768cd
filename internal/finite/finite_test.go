package finite

import (
	"math"
	"testing"
)

func TestIs(t *testing.T) {
	for _, v := range []float64{0, math.Copysign(0, -1), 1, -1, math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64} {
		if !Is(v) {
			t.Errorf("%v is said not to be finite", v)
		}
	}
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if Is(v) || Is(float32(v)) {
			t.Errorf("%v is said to be finite", v)
		}
	}
	if !Is(float32(math.MaxFloat32)) || !Is(float32(math.SmallestNonzeroFloat32)) {
		t.Error("an extreme float32 is said not to be finite")
	}
}

// A product whose rounding error a fused subtraction would show.
func TestProductsAreFinite(t *testing.T) {
	for x := .1; x < 1; x += .01 {
		if !Is(x * x) {
			t.Errorf("%v² is said not to be finite", x)
		}
	}
}

func TestFirst(t *testing.T) {
	if i := First([]float32{1, 2, float32(math.NaN()), float32(math.Inf(1))}); i != 2 {
		t.Errorf("First is %d, want 2", i)
	}
	if !All([]float64{1, 2}) || !All[float32](nil) {
		t.Error("finite numbers are said not to be finite")
	}
}
