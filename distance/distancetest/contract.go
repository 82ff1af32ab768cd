package distancetest

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

	"github.com/dlfd-go/unlearn/distance"
)

// contractLaws hold for every Distance.
var contractLaws = []law{
	{name: "gradient", check: gradientLaw, wide: true},
	{name: "overwrite", check: overwriteLaw, wide: true},
	{name: "nil gradients", check: nilLaw},
	{name: "inputs unchanged", check: unchangedLaw},
	{name: "stride", check: strideLaw},
	{name: "guard cells", check: guardLaw},
	{name: "workspace", applies: func(p distance.Properties) bool { return !p.WarmStart }, check: workspaceLaw},
	{name: "workspace balance", check: balanceLaw},
	{name: "concurrent use", check: concurrentLaw},
	{name: "no allocation", check: allocLaw},
	{name: "bad arguments", check: badArgumentsLaw},
	{name: "weights", check: weightsLaw},
	{name: "extremes", check: extremesLaw},
}

// overwriteLaw: gradients replace what the slices held.
func overwriteLaw(c *checker, s Size) error {
	x, y := c.pair(s, false)
	r, err := eval(c.d, nil, x, y)
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(r.gx, math.IsNaN); i >= 0 {
		return fmt.Errorf("gx was filled with NaN, which is still there at row %d, coordinate %d", i/s.Dim, i%s.Dim)
	}
	if i := slices.IndexFunc(r.gy, math.IsNaN); i >= 0 {
		return fmt.Errorf("gy was filled with NaN, which is still there at row %d, coordinate %d", i/s.Dim, i%s.Dim)
	}
	again := result{gx: slices.Repeat([]float64{1}, len(r.gx)), gy: slices.Repeat([]float64{1}, len(r.gy))}
	if _, err := c.d.Eval(nil, again.gx, again.gy, x, y); err != nil {
		return err
	}
	return sameBits(result{r.value, again.gx, again.gy}, r, s.Dim)
}

// sameBits compares two evaluations bit by bit.
func sameBits(got, want result, dim int) error {
	if math.Float64bits(got.value) != math.Float64bits(want.value) {
		return fmt.Errorf("the value differs: %v, then %v", want.value, got.value)
	}
	for k, pair := range [2][2][]float64{{got.gx, want.gx}, {got.gy, want.gy}} {
		for i, v := range pair[0] {
			if w := pair[1][i]; math.Float64bits(v) != math.Float64bits(w) {
				return fmt.Errorf("%s differs at row %d, coordinate %d: %v, then %v", [2]string{"gx", "gy"}[k], i/dim, i%dim, w, v)
			}
		}
	}
	return nil
}

// nilLaw: the value and each gradient are the same whether or not the others
// are asked for, up to rounding.
func nilLaw(c *checker, s Size) error {
	return c.variants(s, func(d distance.Distance, x, y distance.Sample) error {
		r, err := eval(d, nil, x, y)
		if err != nil {
			return err
		}
		if err := c.nils(d, nil, r, x, y, 1e-12); err != nil {
			return err
		}
		// Once more from memory in which the last call has left its numbers.
		tol := 1e-12
		if c.props.WarmStart {
			tol = c.gradTol()
		}
		if err := c.nils(d, new(distance.Workspace), r, x, y, tol); err != nil {
			return fmt.Errorf("with a used workspace: %w", err)
		}
		return nil
	})
}

// nils compares r with the evaluations in which a gradient is nil.
func (c *checker) nils(d distance.Distance, ws *distance.Workspace, r result, x, y distance.Sample, tol float64) error {
	none, err := d.Eval(ws, nil, nil, x, y)
	if err != nil {
		return err
	}
	gx, gy := nans(len(r.gx)), nans(len(r.gy))
	onlyx, err := d.Eval(ws, gx, nil, x, y)
	if err != nil {
		return err
	}
	onlyy, err := d.Eval(ws, nil, gy, x, y)
	if err != nil {
		return err
	}
	for _, v := range []float64{none, onlyx, onlyy} {
		if err := closeTo("value with a nil gradient", v, r.value, 1e-3, tol); err != nil {
			return err
		}
	}
	if err := closeVec("gx with nil gy", gx, r.gx, x.Dim, 1e-3, tol); err != nil {
		return err
	}
	return closeVec("gy with nil gx", gy, r.gy, x.Dim, 1e-3, tol)
}

// unchangedLaw: the samples are as they were.
func unchangedLaw(c *checker, s Size) error {
	return c.variants(s, func(d distance.Distance, x, y distance.Sample) error {
		x0, y0 := clone(x), clone(y)
		if _, err := eval(d, nil, x, y); err != nil {
			return err
		}
		if !slices.Equal(x.X, x0.X) || !slices.Equal(y.X, y0.X) {
			return fmt.Errorf("the points were changed")
		}
		if !slices.Equal(x.W, x0.W) || !slices.Equal(y.W, y0.W) {
			return fmt.Errorf("the weights were changed")
		}
		if !slices.Equal(x.Labels, x0.Labels) || !slices.Equal(y.Labels, y0.Labels) {
			return fmt.Errorf("the labels were changed")
		}
		return nil
	})
}

// strideLaw: what lies between the rows is neither read nor written.
func strideLaw(c *checker, s Size) error {
	x, y := c.pair(s, false)
	want, err := eval(c.d, nil, x, y)
	if err != nil {
		return err
	}
	wx, wy := widen(x, 3), widen(y, 1)
	got, err := eval(c.d, nil, wx, wy)
	if err != nil {
		return fmt.Errorf("with NaN between the rows: %w", err)
	}
	for _, w := range []distance.Sample{wx, wy} {
		for i := range w.N {
			if !math.IsNaN(w.X[i*w.Stride+w.Dim]) {
				return fmt.Errorf("the gap after row %d was written to", i)
			}
		}
	}
	return sameBits(got, want, s.Dim)
}

// widen returns s with gap columns of NaN after each row.
func widen(s distance.Sample, gap int) distance.Sample {
	w := distance.Sample{N: s.N, Dim: s.Dim, Stride: s.Dim + gap, W: s.W, Labels: s.Labels, X: nans(s.N * (s.Dim + gap))}
	for i := range s.N {
		copy(w.X[i*w.Stride:], s.Row(i))
	}
	return w
}

// workspaceLaw: a call gives the same bits again, from no workspace and from
// one that has seen other sizes.
func workspaceLaw(c *checker, s Size) error {
	x, y := c.pair(s, false)
	want, err := eval(c.d, nil, x, y)
	if err != nil {
		return err
	}
	ws := new(distance.Workspace)
	for _, other := range c.sizes {
		ox, oy := c.pair(other, false)
		if _, err := eval(c.d, ws, ox, oy); err != nil {
			return err
		}
	}
	for range 3 {
		got, err := eval(c.d, ws, x, y)
		if err != nil {
			return err
		}
		if err := sameBits(got, want, s.Dim); err != nil {
			return fmt.Errorf("first without, then with a used workspace: %w", err)
		}
	}
	return nil
}

// guardLaw: nothing is written beside the gradients.
func guardLaw(c *checker, s Size) error {
	x, y := c.pair(s, false)
	gx, xIntact := guarded(len(x.X))
	gy, yIntact := guarded(len(y.X))
	if _, err := c.d.Eval(nil, gx, gy, x, y); err != nil {
		return err
	}
	if err := xIntact(); err != nil {
		return fmt.Errorf("gx: %w", err)
	}
	if err := yIntact(); err != nil {
		return fmt.Errorf("gy: %w", err)
	}
	return nil
}

// balanceLaw: Eval leaves as many frames of the workspace as it enters, also
// where it returns an error.
func balanceLaw(c *checker, s Size) error {
	x, y := c.pair(s, false)
	bad := clone(x)
	bad.X[0] = math.NaN()
	ws := new(distance.Workspace)
	gx, gy := make([]float64, len(x.X)), make([]float64, len(y.X))
	calls := func() {
		_, _ = c.d.Eval(ws, gx, gy, x, y)
		_, _ = c.d.Eval(ws, gx, gy, bad, y)
	}
	first := func() *float64 {
		ws.Enter()
		defer ws.Leave()
		return &ws.Floats(8)[0]
	}
	// Once the memory has grown to its size, the outermost frame always starts
	// at the same place.
	for range 3 {
		calls()
	}
	before := first()
	calls()
	if first() != before {
		return fmt.Errorf("the call leaves fewer frames of the workspace than it enters")
	}
	ws.Enter()
	defer ws.Leave()
	own := ws.Floats(8)
	for i := range own {
		own[i] = float64(i)
	}
	calls()
	if next := ws.Floats(8); &next[0] == &own[0] {
		return fmt.Errorf("the call leaves more frames of the workspace than it enters")
	}
	for i, v := range own {
		if v != float64(i) {
			return fmt.Errorf("the call writes to memory of a frame that is not its own")
		}
	}
	return nil
}

// concurrentLaw: one Distance serves several goroutines, each with samples of
// its own.
func concurrentLaw(c *checker, s Size) error {
	const workers = 4
	var pairs [workers][2]distance.Sample
	var wants [workers]result
	for w := range workers {
		r := c.rng(s, uint64(16+w))
		x, y := c.sample(r, 0, s.N, s.Dim), c.sample(r, 1, s.M, s.Dim)
		want, err := eval(c.d, nil, x, y)
		if err != nil {
			return err
		}
		pairs[w], wants[w] = [2]distance.Sample{x, y}, want
	}
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			ws, x, y, want := new(distance.Workspace), pairs[w][0], pairs[w][1], wants[w]
			for range 3 {
				got, err := eval(c.d, ws, x, y)
				if err == nil && !c.props.WarmStart {
					err = sameBits(got, want, s.Dim)
				}
				if err != nil {
					errs[w] = err
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// allocLaw: nothing is allocated after the first calls at given sizes.
func allocLaw(c *checker, s Size) error {
	x, y := c.pair(s, false)
	gx, gy := make([]float64, len(x.X)), make([]float64, len(y.X))
	ws := new(distance.Workspace)
	var err error
	// Other goroutines may allocate meanwhile; a distance that does so itself
	// does it every time.
	var before, after runtime.MemStats
	least := uint64(math.MaxUint64)
	for round := 0; round < 200 && least > 0 && err == nil; round++ {
		runtime.ReadMemStats(&before)
		_, err = c.d.Eval(ws, gx, gy, x, y)
		runtime.ReadMemStats(&after)
		least = min(least, after.Mallocs-before.Mallocs)
	}
	if err == nil && least > 0 {
		err = fmt.Errorf("%d allocations a call with a used workspace", least)
	}
	return err
}
