// Package distancetest tests implementations of distance.Distance. A user's
// whole test of an own distance is
//
//	func TestMine(t *testing.T) { distancetest.Run(t, Mine{}) }
//
// Kernels, costs and dependences of one's own have CheckKernel, CheckCost and
// CheckDependence.
//
// # Laws
//
// Every Distance is held to the contract of the interface:
//
//	gradient           agrees with finite differences
//	overwrite          gradients replace what the slices held
//	nil gradients      change neither the value nor the other gradient
//	inputs unchanged   samples stay as they are
//	stride             what lies between rows is neither read nor written
//	guard cells        nothing is written beside the gradients
//	workspace          the same bits come from any workspace (not with WarmStart)
//	workspace balance  as many frames are left as entered
//	concurrent use     goroutines with other samples get the same bits
//	no allocation      after the first call
//	bad arguments      NaN, infinities, wrong sizes and weights give errors
//	weights            are refused, or they change the value
//	extremes           equal, huge and tiny points give finite numbers or an error, soon
//	permutation        of the rows permutes the gradient (not if Paired)
//	descent            a small step against the gradient lowers the value
//	freeze             changes nothing at the samples that it was done for
//	reference          Options.Reference gives the same
//	plan               has the weights as marginals, and the value of Eval (Planner)
//	weight gradient    agrees with finite differences (WeightGradienter)
//	pool               gives for each division what Eval gives (Pooler)
//
// A Distance that declares distance.Properties is held to these too: symmetry,
// nonnegative, identity (Definite), triangle (Root), translation, rotation,
// row scale, homogeneous, splitting and zero weight (both Weighted).
//
// Most are tested at sizes of up to 12 points; gradient, overwrite and
// permutation at 33×17×9 and 65×70×20 as well.
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

// large reports whether the size is for one try of a law, not several.
func (s Size) large() bool { return min(s.N, s.M) > 16 }

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

	// Skip names laws that are not tested, as listed in the package page: "no
	// allocation" for a distance whose library allocates.
	Skip []string
}

// wideSizes are for faults beyond the first block of a loop: three laws are
// tested there, by default.
var wideSizes = []Size{{33, 17, 9}, {65, 70, 20}}

var defaultSizes = []Size{{5, 7, 3}, {8, 8, 4}, {12, 9, 2}, {6, 6, 1}, {3, 5, 8}, {1, 1, 2}, {1, 4, 3}, {4, 1, 2}}

// Check runs every law that applies to d and returns all violations, joined.
// Each names the law, the seed, the sizes and, where there is one, the
// coordinate.
func Check(d distance.Distance, opts ...Options) error {
	c, err := newChecker(d, opts)
	if err != nil {
		return err
	}
	return errors.Join(c.all()...)
}

// all tests every law that applies.
func (c *checker) all() (errs []error) {
	for _, l := range c.laws() {
		errs = append(errs, c.run(l)...)
	}
	return errs
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
	wide    bool // tested at wideSizes too
}

// checker is one call of Check.
type checker struct {
	d     distance.Distance
	props distance.Properties
	opt   Options
	sizes []Size
	wide  []Size
	unit  float64 // a millionth of the largest value met: the floor of comparisons
}

func newChecker(d distance.Distance, opts []Options) (*checker, error) {
	if d == nil {
		return nil, errors.New("distancetest: the distance is nil")
	}
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
	if err := checkNames(c.opt.Skip); err != nil {
		return nil, err
	}
	sizes := c.opt.Sizes
	if len(sizes) == 0 {
		sizes = defaultSizes
		c.wide = c.suited(wideSizes)
	}
	c.sizes = c.suited(sizes)
	if len(c.sizes) == 0 {
		return nil, fmt.Errorf("distancetest: none of the sizes %v suits MinN %d, EqualN %v", sizes, c.props.MinN, c.props.EqualN)
	}
	c.unit = c.typical()
	return c, nil
}

// suited returns the sizes that the properties allow.
func (c *checker) suited(sizes []Size) (out []Size) {
	for _, s := range sizes {
		if min(s.N, s.M) >= c.props.MinN && (s.N == s.M || !c.props.EqualN) {
			out = append(out, s)
		}
	}
	return out
}

// checkNames returns an error for a name that no law has.
func checkNames(names []string) error {
	for _, name := range names {
		if !slices.ContainsFunc(allLaws(), func(l law) bool { return l.name == name }) {
			return fmt.Errorf("distancetest: Options.Skip has %q, and no law is called that", name)
		}
	}
	return nil
}

func allLaws() []law { return slices.Concat(contractLaws, valueLaws, optionalLaws) }

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
	for _, l := range allLaws() {
		if (l.applies == nil || l.applies(c.props)) && !slices.Contains(c.opt.Skip, l.name) {
			out = append(out, l)
		}
	}
	return out
}

// run tests one law at every size.
func (c *checker) run(l law) (errs []error) {
	sizes := c.sizes
	if l.wide {
		sizes = slices.Concat(sizes, c.wide)
	}
	for _, s := range sizes {
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
