package synth

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/finite"
	"github.com/dlfd-go/unlearn/internal/kernel"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// Recall makes samples that a model takes for members of its classes, from the model
// alone: noise is moved, by Adam on the inputs, until the loss
//
//	CE(logits(x), class) + Statistics·R(x) + Variation·V(x) + Norm·N(x)
//
// is low. V is the mean squared difference of neighboring pixels, and N the mean square
// of the numbers. R holds the statistics of each layer on the batch against those that
// batch norm keeps of the training set: the model is run with statistics of the batch,
// giving a at a tap, and with the running ones, giving b; R is the mean of
// Σ(a − b)²/Σb² over the taps. For one channel behind a batch norm the mean of (a − b)² is
//
//	γ²·((1 − s/σ)² + (m − μ)²/σ²)
//
// for a batch with mean m and deviation s, and running μ and σ: the terms of DeepInversion,
// in units of the layer. A model without running statistics is left without R, and its
// samples are further from those that it was trained on.
//
// The samples stand in for a training set that is gone, as the Retain of an unlearning
// request. They are as good as the model's memory of it, which includes what is to be
// forgotten, and carry no more than class by class: a method that is run on them does
// more harm than on real ones. Measured in package dlfd/baseline, on a convolutional
// network: see there, RetainFree.
//
// References: Yin et al., Dreaming to Distill, CVPR 2020, arXiv 1912.08795, equations 1
// to 5; for models that recall samples of their own, Ji et al., Automatic Recall Machines,
// arXiv 2006.12323.
type Recall struct {
	// PerClass is the number of samples of every class. If it is zero, 64 is used.
	PerClass int
	// Leave, where not nil, says which classes are left out, such as one that is to be
	// forgotten as a whole.
	Leave func(class int) bool
	// BatchSize is the number of samples that are made at once, of all classes in turn;
	// R is that of a batch. If it is zero, 100 is used.
	BatchSize int
	// Steps is the number of steps for a batch. If it is zero, 300 is used.
	Steps int
	// Rate is the length of a step of Adam in pixel units, which falls to zero along a
	// cosine. If it is zero, .05 is used.
	Rate float64
	// Statistics is the weight of R. If it is zero, 1 is used; Off leaves it out.
	Statistics float64
	// Variation is the weight of V, in model units. If it is zero, .01 is used for images;
	// other samples have no neighbors. Off leaves it out.
	Variation float64
	// Norm is the weight of N, in model units: where images are normalized, that is by
	// how much they differ from the mean. If it is zero, .001 is used; Off leaves it out.
	Norm float64
	// Taps names the activations of R. If it is empty, up to 12 taps at equal distances
	// are used, the features and the logits among them.
	Taps []string
	// Pixels is the normalization of the data, by which images stay in the pixel box. The
	// zero value means plain pixels.
	Pixels feature.Pixels
	// Box bounds the result. The default keeps every pixel in [0, 1].
	Box Box
	// Seed fixes the noise, and the dropout masks of a model that has any.
	Seed uint64
}

// Samples makes the samples. Cost: for each batch and step a forward and backward pass,
// and where there are running statistics two forward passes and one backward pass more.
// Errors: ErrParameter, feature.ErrNoTap, feature.ErrNotFinite for a loss that is not
// finite, ctx's and those of the model.
func (r Recall) Samples(ctx context.Context, m feature.Differentiable) (*Recalled, error) {
	c, err := r.resolve(m.Spec())
	if err != nil {
		return nil, fmt.Errorf("synth: recall: %w", err)
	}
	d := c.empty()
	for lo, hi := 0, 0; lo < len(d.labels); lo = hi {
		if hi = lo + c.BatchSize; len(d.labels)-hi < 2 { // one sample has no statistics
			hi = len(d.labels)
		}
		if err := c.batch(ctx, m, d, lo, hi); err != nil {
			return nil, fmt.Errorf("synth: recall: samples %d to %d: %w", lo, hi-1, err)
		}
	}
	return d, nil
}

// recall is a Recall with its defaults resolved, on a model.
type recall struct {
	Recall
	spec feature.Spec
	taps []string // of R, none where that is left out, and the logits at the end
	geo  space
}

func (r Recall) resolve(spec feature.Spec) (*recall, error) {
	r.PerClass, r.BatchSize, r.Steps = cmp.Or(r.PerClass, 64), cmp.Or(r.BatchSize, 100), cmp.Or(r.Steps, 300)
	r.Rate, r.Statistics = cmp.Or(r.Rate, .05), cmp.Or(r.Statistics, 1)
	r.Variation, r.Norm = cmp.Or(r.Variation, .01), cmp.Or(r.Norm, .001)
	if r.PerClass < 1 || r.BatchSize < 2 || r.BatchSize > 1<<20 || r.Steps < 1 || !(r.Rate > 0) || math.IsInf(r.Rate, 0) {
		return nil, fmt.Errorf("%w: PerClass %d, BatchSize %d (2 to %d), Steps %d, Rate %v", ErrParameter, r.PerClass, r.BatchSize, 1<<20, r.Steps, r.Rate)
	}
	for _, v := range []float64{r.Statistics, r.Variation, r.Norm} {
		if v != Off && (!(v > 0) || math.IsInf(v, 0)) {
			return nil, fmt.Errorf("%w: Statistics %v, Variation %v, Norm %v", ErrParameter, r.Statistics, r.Variation, r.Norm)
		}
	}
	if n := spec.Batch; n != 0 {
		return nil, fmt.Errorf("%w: the model takes batches of %d samples only", feature.ErrShape, n)
	}
	s := Synthesizer{StepSize: 1, Box: r.Box}
	run, err := s.resolve(spec, Batch{Pixels: r.Pixels, X: feature.NewTensor(append([]int{0}, spec.Input...)...)})
	if err != nil {
		return nil, err
	}
	c := &recall{Recall: r, spec: spec, geo: geometry(run)}
	if r.Statistics != Off && hasStatistics(spec) && c.samples() > 1 {
		if c.taps = r.Taps; len(c.taps) == 0 {
			c.taps = spread(spec)
		}
		for _, name := range c.taps {
			if _, err := spec.Tap(name); err != nil {
				return nil, err
			}
		}
	}
	c.taps = append(slices.Clone(c.taps), spec.Logits)
	return c, nil
}

// included reports whether samples of a class are made.
func (c *recall) included(class int) bool { return c.Leave == nil || !c.Leave(class) }

// samples returns how many samples are made.
func (c *recall) samples() (n int) {
	for class := range c.spec.Classes() {
		if c.included(class) {
			n += c.PerClass
		}
	}
	return n
}

func hasStatistics(spec feature.Spec) bool {
	return slices.ContainsFunc(spec.Params, func(p feature.Param) bool { return p.Kind == feature.Statistic })
}

// spread returns up to 12 taps at equal distances, with the features and the logits.
func spread(spec feature.Spec) []string {
	const most = 10
	names := []string{spec.Features, spec.Logits}
	n := len(spec.Taps)
	for i := range min(n, most) {
		if name := spec.Taps[i*n/min(n, most)].Name; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// empty returns the dataset with its labels, classes in turn.
func (c *recall) empty() *Recalled {
	d := &Recalled{classes: c.spec.Classes(), pixels: c.Pixels}
	for range c.PerClass {
		for class := range d.classes {
			if c.included(class) {
				d.labels = append(d.labels, class)
			}
		}
	}
	d.x = feature.NewTensor(append([]int{len(d.labels)}, c.spec.Input...)...)
	return d
}

// batch makes the samples from lo up to hi.
func (c *recall) batch(ctx context.Context, m feature.Differentiable, d *Recalled, lo, hi int) error {
	x, labels := d.x.Slice(lo, hi), d.labels[lo:hi]
	noise := rng.Stream(c.Seed, "recall", lo)
	for i := range x.Data {
		x.Data[i] = float32(noise.NormFloat64())
	}
	c.box(x)
	n := len(x.Data)
	dx, first, second := make([]float32, n), make([]float32, n), make([]float32, n)
	var v recalledLoss
	for k := range c.Steps {
		clear(dx)
		var err error
		if v, err = c.loss(ctx, m, x, labels, dx); err != nil {
			return fmt.Errorf("step %d: %w", k, err)
		}
		c.inPixels(dx, x.RowLen())
		rate := c.Rate * (1 + math.Cos(math.Pi*float64(k)/float64(c.Steps))) / 2
		c.move(x, dx, first, second, kernel.Adam{LR: rate, Beta1: .9, Beta2: .999, Eps: 1e-8, Step: k + 1})
	}
	passes := int64(hi-lo) * int64(c.Steps)
	if d.Forward, d.Backward = d.Forward+passes, d.Backward+passes; len(c.taps) > 1 {
		d.Forward, d.Backward = d.Forward+2*passes, d.Backward+passes
	}
	share := float64(hi-lo) / float64(len(d.labels))
	d.Loss += share * v.cross
	d.Statistics += share * v.statistics
	return nil
}

// inPixels turns a gradient in model units into one in pixel units.
func (c *recall) inPixels(dx []float32, row int) {
	for i := range dx {
		dx[i] = float32(float64(dx[i]) / c.geo.std[i%row/c.geo.plane])
	}
}

// move takes a step of Adam in pixel units, and puts the samples into the box.
func (c *recall) move(x feature.Tensor, dx, first, second []float32, o kernel.Adam) {
	w := make([]float32, len(dx)) // the change of the pixels
	kernel.AdamStep(w, first, second, dx, o)
	row := x.RowLen()
	for i, v := range w {
		x.Data[i] += float32(float64(v) / c.geo.std[i%row/c.geo.plane])
	}
	c.box(x)
}

func (c *recall) box(x feature.Tensor) {
	row := x.RowLen()
	for i, v := range x.Data {
		ch := i % row / c.geo.plane
		x.Data[i] = min(max(v, c.geo.lo[ch]), c.geo.hi[ch])
	}
}

// recalledLoss is the loss by its terms, without their weights.
type recalledLoss struct{ cross, statistics, variation, norm float64 }

// loss returns the terms at x and adds the derivative of their weighted sum into dx.
func (c *recall) loss(ctx context.Context, m feature.Differentiable, x feature.Tensor, labels []int, dx []float32) (recalledLoss, error) {
	var v recalledLoss
	mode := feature.Mode{Train: true, Seed: c.Seed}
	of := c.taps[:len(c.taps)-1]
	a, err := c.values(x.Rows(), of)
	if err == nil && len(of) > 0 {
		err = feature.ForwardMode(ctx, m, mode, x, of, a)
	}
	if err != nil {
		return v, err
	}
	back := make([]feature.Tensor, len(of)) // derivatives in a
	err = m.Grad(ctx, x, c.taps, func(val, cot []feature.Tensor) (err error) {
		last := len(of)
		if v.cross, err = feature.CrossEntropy(val[last], cot[last], labels, 1); err != nil {
			return err
		}
		for i := range of {
			back[i] = feature.NewTensor(a[i].Shape...)
			v.statistics += mismatch(back[i].Data, cot[i].Data, a[i].Data, val[i].Data, c.Statistics/float64(last)) / float64(last)
		}
		return nil
	}, dx, nil)
	if err == nil && len(of) > 0 {
		err = feature.Grad(ctx, m, mode, x, of, func(_, cot []feature.Tensor) error {
			for i := range cot {
				copy(cot[i].Data, back[i].Data)
			}
			return nil
		}, dx, nil)
	}
	v.variation, v.norm = c.prior(x, dx)
	if sum := v.cross + v.statistics + v.variation + v.norm; err == nil && !finite.Is(sum) {
		err = fmt.Errorf("%w: the loss is %v", feature.ErrNotFinite, sum)
	}
	return v, err
}

// values returns tensors for the taps.
func (c *recall) values(rows int, taps []string) ([]feature.Tensor, error) {
	out := make([]feature.Tensor, len(taps))
	for i, name := range taps {
		t, err := c.spec.Tap(name)
		if err != nil {
			return nil, err
		}
		out[i] = feature.NewTensor(append([]int{rows}, t.Shape...)...)
	}
	return out, nil
}

// mismatch returns Σ(a − b)²/Σb², 0 where b is zero, and adds weight times its
// derivatives into da and db.
func mismatch(da, db, a, b []float32, weight float64) float64 {
	var apart, all float64
	for i, v := range b {
		d := float64(a[i]) - float64(v)
		apart += d * d
		all += float64(v) * float64(v)
	}
	if all == 0 {
		return 0
	}
	ratio := apart / all
	for i, v := range b {
		d := 2 * weight / all * (float64(a[i]) - float64(v))
		da[i] += float32(d)
		db[i] -= float32(d + 2*weight*ratio/all*float64(v))
	}
	return ratio
}
