package feature_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
)

func TestUseKernels(t *testing.T) {
	paths := feature.KernelPaths()
	defer func() {
		if err := feature.UseKernels(paths[0]); err != nil {
			t.Error(err)
		}
	}()
	if feature.Kernels() != paths[0] {
		t.Errorf("Kernels are %q, the paths %q", feature.Kernels(), paths)
	}
	for _, name := range slices.Backward(paths) {
		if err := feature.UseKernels(name); err != nil || feature.Kernels() != name {
			t.Errorf("%s: %v, kernels are %q", name, err, feature.Kernels())
		}
	}
	if err := feature.UseKernels("abacus"); !errors.Is(err, feature.ErrParameter) || feature.Kernels() != paths[0] {
		t.Errorf("%v, kernels are %q", err, feature.Kernels())
	}
}
