// Package distancetest tests implementations of distance.Distance. A user's
// whole test of an own distance is
//
//	func TestMine(t *testing.T) { distancetest.Run(t, Mine{}) }
//
// Every Distance is held to the contract of the interface: gradients agree
// with finite differences and overwrite what they are given, arguments stay as
// they are, the same call gives the same bits from any workspace and on any
// goroutine, nothing is allocated after the first call, and bad samples give
// errors, not panics, NaN or endless loops. A Distance that declares
// distance.Properties is held to these laws too.
package distancetest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/distance"
)

// Size is a pair of sample sizes.
type Size struct{ N, M, Dim int }

func (s Size) String() string { return fmt.Sprintf("x %d×%d, y %d×%d", s.N, s.Dim, s.M, s.Dim) }

// Options adapts a test. The zero value is the default.
type Options struct {
	// Properties to test. If it is nil, what d.Properties returns is used, and
	// the zero Properties if d has no such method.
	Properties *distance.Properties

	// Sizes to test at. If it is empty, eight sizes between 1×1 and 12×9 are
	// used, less those that the properties exclude.
	Sizes []Size

	// Tol is the relative accuracy that the laws must hold with. If it is
	// zero, it is the larger of 1e-6 and Properties.Tol for gradients, and of
	// 1e-9 and Properties.Tol for values.
	Tol float64

	// Seed of the random samples. If it is zero, 1 is used.
	Seed uint64

	// Reference, if not nil, is a Distance that must give the same values and
	// gradients.
	Reference distance.Distance

	// Sample, if not nil, draws the test samples, n points of the given
	// dimension, instead of the normal distribution: for distances that want
	// points of a special kind. side is 0 for x and 1 for y.
	Sample func(seed uint64, side, n, dim int) distance.Sample
}

var defaultSizes = []Size{{5, 7, 3}, {8, 8, 4}, {12, 9, 2}, {6, 6, 1}, {3, 5, 8}, {1, 1, 2}, {1, 4, 3}, {4, 1, 2}}

// Check runs every law that applies to d and returns all violations, joined.
// Each names the law, the seed, the sizes and, where there is one, the
// coordinate.
func Check(d distance.Distance, opts ...Options) error {
	c, err := newChecker(d, opts)
	if err != nil {
		return err
	}
	var errs []error
	for _, l := range c.laws() {
		errs = append(errs, c.run(l)...)
	}
	return errors.Join(errs...)
}

// Run is Check with one subtest a law.
func Run(t *testing.T, d distance.Distance, opts ...Options) {
	t.Helper()
	c, err := newChecker(d, opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range c.laws() {
		t.Run(l.name, func(t *testing.T) {
			for _, err := range c.run(l) {
				t.Error(err)
			}
		})
	}
}

// Bench times d with both gradients at n = m = 64 and 256 points of dimension
// 128 and reports allocations.
func Bench(b *testing.B, d distance.Distance) {
	c, err := newChecker(d, nil)
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{64, 256} {
		x, y := c.pair(Size{n, n, 128}, false)
		b.Run(fmt.Sprintf("%dx%d", n, 128), func(b *testing.B) {
			gx, gy := make([]float64, len(x.X)), make([]float64, len(y.X))
			ws := new(distance.Workspace)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.Eval(ws, gx, gy, x, y); err != nil && !errors.Is(err, distance.ErrNotConverged) {
					b.Fatal(err)
				}
			}
		})
	}
}

// law is one property, tested at one size.
type law struct {
	name    string
	applies func(distance.Properties) bool
	check   func(c *checker, s Size) error
}

// checker is one call of Check.
type checker struct {
	d     distance.Distance
	props distance.Properties
	opt   Options
	sizes []Size
	unit  float64 // a millionth of the largest value met: the floor of comparisons
}

func newChecker(d distance.Distance, opts []Options) (*checker, error) {
	if len(opts) > 1 {
		return nil, fmt.Errorf("distancetest: %d Options, want at most one", len(opts))
	}
	c := &checker{d: d}
	if len(opts) == 1 {
		c.opt = opts[0]
	}
	if c.opt.Seed == 0 {
		c.opt.Seed = 1
	}
	if p, ok := d.(distance.Propertied); ok {
		c.props = p.Properties()
	}
	if c.opt.Properties != nil {
		c.props = *c.opt.Properties
	}
	sizes := c.opt.Sizes
	if len(sizes) == 0 {
		sizes = defaultSizes
	}
	for _, s := range sizes {
		if min(s.N, s.M) >= c.props.MinN && (s.N == s.M || !c.props.EqualN) {
			c.sizes = append(c.sizes, s)
		}
	}
	if len(c.sizes) == 0 {
		return nil, fmt.Errorf("distancetest: none of the sizes %v suits MinN %d, EqualN %v", sizes, c.props.MinN, c.props.EqualN)
	}
	c.unit = c.typical()
	return c, nil
}

// typical returns a millionth of the largest value at all sizes.
func (c *checker) typical() (unit float64) {
	for _, s := range c.sizes {
		x, y := c.pair(s, false)
		_ = guard(func() error { // the laws will meet what goes wrong here
			v, err := c.d.Eval(nil, nil, nil, x, y)
			if v = math.Abs(v); err == nil && v < math.MaxFloat64 {
				unit = max(unit, 1e-6*v)
			}
			return nil
		})
	}
	return unit
}

// laws returns the laws that apply.
func (c *checker) laws() []law {
	var out []law
	for _, l := range slices.Concat(contractLaws, valueLaws, optionalLaws) {
		if l.applies == nil || l.applies(c.props) {
			out = append(out, l)
		}
	}
	return out
}

// run tests one law at every size.
func (c *checker) run(l law) (errs []error) {
	for _, s := range c.sizes {
		if err := guard(func() error { return l.check(c, s) }); err != nil {
			errs = append(errs, fmt.Errorf("law %q broken, seed %d, %v: %w", l.name, c.opt.Seed, s, err))
		}
	}
	return errs
}

func (c *checker) valueTol() float64 {
	if c.opt.Tol > 0 {
		return c.opt.Tol
	}
	return max(1e-9, c.props.Tol)
}

func (c *checker) gradTol() float64 {
	if c.opt.Tol > 0 {
		return c.opt.Tol
	}
	return max(1e-6, c.props.Tol)
}
