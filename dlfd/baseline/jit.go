package baseline

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/internal/finite"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// JiT makes the model smooth about the forget samples (Foster, Fogarty, Schoepf,
// Dugue, Öztireli, Brintrup, arXiv 2402.01401): it descends on the mean
// over forget samples x and noises ξ of
//
//	‖f(x) − f(x+ξ)‖₂ / ‖ξ‖₂,    ξ normal with standard deviation Sigma,
//
// an estimate of the local Lipschitz constant of the logits f. It uses neither
// labels nor the retain set, and nothing in it keeps the task: with too many or too long
// steps the model becomes a constant. A note says what became of the loss of held-out
// samples, where there are such. Layers are in
// evaluation mode, as statistics of forget samples alone would be statistics of
// nothing else. Images are kept in the pixel box, and ξ is what is left of the noise.
type JiT struct {
	// Sigma is in pixel units. If it is zero, .1 is used; the released code has values
	// from .01 to .5, by the network and the task.
	Sigma float64
	// Samples is the number of noises for each forget sample and step. If it is zero,
	// 25 is used, as published. (Samples+1)·BatchSize samples pass at once.
	Samples int
	// Epochs is the number of passes over the forget set. If it is zero, 1 is used, as
	// published.
	Epochs int
	// Rate is the learning rate of plain descent on the mean over a batch. If it is
	// zero, .01 is used. The .0003 of the released code is for the sum over a batch of
	// 128, .04 for its mean, and a quarter of it already destroys small networks: one of
	// five layers on Fashion-MNIST loses 33 points of test accuracy.
	Rate float64
}

// Name implements dlfd.Namer.
func (JiT) Name() string { return "JiT" }

// Needs implements dlfd.Needer.
func (JiT) Needs() dlfd.Needs { return dlfd.Needs{Forget: true, Resumes: true} }

// Unlearn implements dlfd.Unlearner. It reads the samples of Forget, and
// Holdout for the note. Cost: Samples+1 forward and backward passes a forget sample and
// epoch, and two forward passes of up to 256 held-out samples.
func (j JiT) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, j.Name(), m, data, opt, j.Needs(), func(ctx context.Context, s *dlfd.Session) error {
		j, err := j.resolve()
		if err != nil {
			return err
		}
		s.Result.Settings = j
		n, err := newNoise(s.Model.Spec(), feature.PixelsOf(s.Data.Forget), j.Sigma)
		if err != nil {
			return err
		}
		b, err := newBystanders(ctx, s)
		if err != nil {
			return err
		}
		return b.descend(ctx, dlfd.Descent{
			On: s.Data.Forget, Epochs: j.Epochs, Optimizer: train.SGD{Rate: j.Rate},
			Gradient: func(ctx context.Context, step *dlfd.Step) error {
				x := n.around(step.Batch.X, j.Samples, rng.Stream(s.Seed("noise", step.Number), "perturbations"))
				v, err := smooth(ctx, step, x, len(step.Batch.Labels))
				step.Point.Loss, step.Point.ForgetTerm = v, v
				return err
			},
		})
	})
}

func (j JiT) resolve() (JiT, error) {
	j.Sigma, j.Samples, j.Epochs, j.Rate = cmp.Or(j.Sigma, .1), cmp.Or(j.Samples, 25), cmp.Or(j.Epochs, 1), cmp.Or(j.Rate, .01)
	if !positive(j.Sigma) || j.Samples < 1 || j.Samples > 1<<16 || j.Epochs < 1 || !positive(j.Rate) {
		return j, fmt.Errorf("%w: Sigma %v, Samples %d, Epochs %d, Rate %v", dlfd.ErrParameter, j.Sigma, j.Samples, j.Epochs, j.Rate)
	}
	return j, nil
}

// noise perturbs samples by normal noise, channel by channel in model units. Images
// stay in the pixel box, as in package synth; other inputs have no box.
type noise struct {
	plane  int // numbers a channel
	sigma  []float64
	lo, hi []float64
}

func newNoise(spec feature.Spec, pixels feature.Pixels, sigma float64) (*noise, error) {
	channels, image := 1, len(spec.Input) >= 3
	if len(spec.Input) >= 2 {
		channels = spec.Input[0]
	}
	if err := pixels.Check(channels); err != nil {
		return nil, err
	}
	n := &noise{plane: feature.Size(spec.Input) / channels}
	for c := range channels {
		mean, std := pixels.Channel(c)
		lo, hi := -mean/std, (1-mean)/std
		if !image {
			lo, hi = math.Inf(-1), math.Inf(1)
		}
		n.sigma, n.lo, n.hi = append(n.sigma, sigma/std), append(n.lo, lo), append(n.hi, hi)
	}
	return n, nil
}

// around returns the rows of x and after them each row count times with noise:
// neighbor k of row i is row (1+k)·n+i of (1+count)·n.
func (n *noise) around(x feature.Tensor, count int, r *rand.Rand) feature.Tensor {
	all := feature.NewTensor(append([]int{(1 + count) * x.Rows()}, x.Shape[1:]...)...)
	copy(all.Data, x.Data)
	for k := x.Rows(); k < all.Rows(); k++ {
		row := all.Row(k)
		for i, v := range x.Row(k % x.Rows()) {
			c := i / n.plane
			moved := float64(v) + float64(n.sigma[c]*r.NormFloat64())
			row[i] = float32(min(max(moved, n.lo[c]), n.hi[c]))
		}
	}
	return all
}

// smooth accumulates the gradient of the mean over the rows behind the first n, each a
// neighbor of one of these, of ‖f(x) − f(x′)‖/‖x − x′‖, and returns it. A neighbor that
// is the sample itself counts as 0.
func smooth(ctx context.Context, step *dlfd.Step, x feature.Tensor, n int) (float64, error) {
	var mean float64
	err := step.Accumulate(ctx, feature.Mode{}, x, []string{step.Model.Spec().Logits}, func(val, cot []feature.Tensor) error {
		pairs := float64(x.Rows() - n)
		for k := n; k < x.Rows(); k++ {
			mean += lipschitz(cot[0].Row(k%n), cot[0].Row(k), val[0].Row(k%n), val[0].Row(k), euclidean(x.Row(k%n), x.Row(k)), 1/pairs) / pairs
		}
		if !finite.Is(mean) {
			return fmt.Errorf("%w: the Lipschitz ratio is %v", dlfd.ErrDiverged, mean)
		}
		return nil
	})
	return mean, err
}

// lipschitz returns ‖a − b‖/between and adds weight times its derivative into ca and
// cb. Where a and b or the inputs are equal the derivative is zero.
func lipschitz(ca, cb, a, b []float32, between, weight float64) float64 {
	out := euclidean(a, b)
	if out == 0 || between == 0 {
		return 0
	}
	scale := weight / (out * between)
	for i := range a {
		g := float32(scale * (float64(a[i]) - float64(b[i])))
		ca[i] += g
		cb[i] -= g
	}
	return out / between
}

// euclidean returns ‖a − b‖₂.
func euclidean(a, b []float32) float64 {
	var sum float64
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += d * d
	}
	return math.Sqrt(sum)
}
