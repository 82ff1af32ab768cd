package featuretest

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
)

// RunWrapper checks that wrapping changes no bit and no claim: w, a wrapper of m,
// keeps every law that Run checks, computes what m does to the bit, and offers an
// optional interface by [feature.As] exactly where m does. opt may be nil.
func RunWrapper(t *testing.T, w, m feature.Model, opt *Options) {
	t.Helper()
	runLaws(t, wrapperLaws(w, m, opt))
}

// CheckWrapper returns an error that lists every law of RunWrapper which w breaks.
func CheckWrapper(w, m feature.Model, opt *Options) error {
	return checkLaws(wrapperLaws(w, m, opt))
}

func wrapperLaws(w, m feature.Model, opt *Options) []law {
	return append(modelLaws(w, opt),
		law{"wrapper claims what it has", func() error { return sameClaims(w, m) }},
		law{"wrapper changes no bit", func() error { return sameResults(w, m, opt) }})
}

func sameClaims(w, m feature.Model) error {
	if !reflect.DeepEqual(w.Spec(), m.Spec()) {
		return errors.New("the specs differ")
	}
	return errors.Join(
		sameClaim[feature.Differentiable]("Differentiable", w, m), sameClaim[feature.Trainable]("Trainable", w, m),
		sameClaim[feature.ModeGrader]("ModeGrader", w, m), sameClaim[feature.ParamUpdater]("ParamUpdater", w, m),
		sameClaim[feature.Cloner]("Cloner", w, m), sameClaim[feature.Saver]("Saver", w, m),
		sameClaim[feature.Sharer]("Sharer", w, m), sameClaim[feature.NormInserter]("NormInserter", w, m))
}

func sameClaim[T any](name string, w, m feature.Model) error {
	if a, b := offers[T](m), offers[T](w); a != b {
		return fmt.Errorf("%s is offered by the model: %t, by the wrapper: %t", name, a, b)
	}
	return nil
}

func sameResults(w, m feature.Model, opt *Options) error {
	a, err := newSuite(m, opt)
	if err != nil {
		return err
	}
	b, err := newSuite(w, opt)
	if err != nil {
		return err
	}
	of, err := a.result(a.x)
	if err != nil {
		return err
	}
	by, err := b.result(b.x)
	if err != nil {
		return err
	}
	// What only one of them offers is the business of sameClaims.
	of, by = of[:min(len(of), len(by))], by[:min(len(of), len(by))]
	for i := range of {
		if err := sameBits("value or gradient by the model and by the wrapper", of[i], by[i]); err != nil {
			return err
		}
	}
	return nil
}
