package featuretest

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
)

// law is one check by name.
type law struct {
	name  string
	check func() error
}

// runLaws checks each law in a subtest. The first one is about what the others
// build on; if it is broken, they are not checked.
func runLaws(t *testing.T, laws []law) {
	t.Helper()
	for i, l := range laws {
		ok := t.Run(l.name, func(t *testing.T) {
			if err := guard(l.check); err != nil {
				t.Error(err)
			}
		})
		if i == 0 && !ok {
			return
		}
	}
}

// checkLaws is runLaws without a test.
func checkLaws(laws []law) error {
	var errs []error
	for i, l := range laws {
		err := guard(l.check)
		if err != nil {
			errs = append(errs, fmt.Errorf("featuretest: %s: %w", l.name, err))
		}
		if i == 0 && err != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// guard calls f and returns a panic of the code under test as an error.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic at %s: %v", panicSite(), p)
		}
	}()
	return f()
}

// onGoroutines calls f on four goroutines at once and joins the errors.
func onGoroutines(f func() error) (err error) {
	const callers = 4
	errs := make(chan error, callers)
	for range callers {
		go func() { errs <- guard(f) }()
	}
	for range callers {
		err = errors.Join(err, <-errs)
	}
	return err
}

// panicSite returns the file and line of the panic that is being recovered.
func panicSite() string {
	pc := make([]uintptr, 64)
	frames := runtime.CallersFrames(pc[:runtime.Callers(0, pc)])
	panicked := false
	for {
		f, more := frames.Next()
		if panicked && !strings.HasPrefix(f.Function, "runtime.") {
			return fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
		}
		panicked = panicked || f.Function == "runtime.gopanic"
		if !more {
			return "an unknown line"
		}
	}
}

// offers reports whether v has the optional interface T. A panic of v's As counts
// as no; checkAs reports it.
func offers[T any](v any) bool {
	var ok bool
	if err := guard(func() error { _, ok = feature.As[T](v); return nil }); err != nil {
		return false
	}
	return ok
}

// checkAs checks the look-through of a wrapper: it says no to an interface that
// nobody has.
func checkAs(v any) error {
	if _, ok := feature.As[interface{ featuretestHasNoSuchMethod() }](v); ok {
		return errors.New("method As says that it has an interface which it does not know")
	}
	return nil
}
