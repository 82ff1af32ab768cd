package baseline

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// UNSIR makes noise that the model gets as wrong as can be, impairs the model by
// training on that noise, and repairs it on the retain set (Tarun, Chundawat, Mandal,
// Kankanhalli, TNNLS 2023, arXiv 2111.08947).
//
//  1. Noise N starts normal with deviation 1 in the units of the model, and Steps steps
//     of Adam descend on −CE(f(N), label) + Penalty·‖N‖₂. For a class that the retain
//     set has none of, the paper's case, there are PerClass noises with its label. For
//     other forget samples, where a class is not forgotten as a whole, there is one
//     noise for each, with the sample's label.
//  2. Impair: one pass of Adam over the noises and PerRetainClass samples of every
//     class of the retain set, together.
//  3. Repair: one pass of Adam over these retain samples.
//
// Noise is no image and has no pixel box. What the model has learned of whole classes is
// impaired, also of those that the retain set shares, and repaired there. The Limit is
// looked at when all is done, as the second part is meant to do harm.
type UNSIR struct {
	Limit
	// Steps is the number of steps for the noise. If it is zero, 40 is used, as in the
	// released code.
	Steps int
	// StepSize is the rate of Adam for the noise, in model units. If it is zero, .1 is
	// used, as in the released code.
	StepSize float64
	// Penalty is λ. If it is zero, or dlfd.Off, there is none; the released code, where it
	// weighs the square of the norm, takes .1.
	Penalty float64
	// PerClass is the number of noises for a class that goes as a whole. If it is zero,
	// 256 is used.
	PerClass int
	// PerRetainClass is the most retain samples of a class, drawn at random. If it is
	// zero, 1000 is used, as in the released code.
	PerRetainClass int
	// Impair and Repair are the rates of Adam. If they are zero, .001 and .001 are used:
	// after the published .02 and .01 the retain loss of a net of five layers on
	// Fashion-MNIST, which was .07, is .44, beyond the Limit.
	Impair, Repair float64
}

// Name implements dlfd.Namer.
func (UNSIR) Name() string { return "UNSIR" }

// Needs implements dlfd.Needer.
func (UNSIR) Needs() dlfd.Needs { return dlfd.Needs{Retain: true, Forget: true, Resumes: true} }

// Unlearn implements dlfd.Unlearner. It reads Retain and Forget. Cost: Steps+1 forward
// and backward passes a noise, two a retain sample that is drawn, and two looks of the
// Limit.
func (u UNSIR) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, u.Name(), m, data, opt, u.Needs(), func(ctx context.Context, s *dlfd.Session) error {
		u, err := u.resolve()
		if err != nil {
			return err
		}
		s.Result.Settings = u
		h, err := u.watch(ctx, s)
		if err != nil {
			return err
		}
		retain, whole, err := u.divide(s)
		if err != nil {
			return err
		}
		noise, err := u.noise(ctx, s, whole)
		if err != nil {
			return fmt.Errorf("noise: %w", err)
		}
		if err := u.train(ctx, s, noise, retain); err != nil {
			return err
		}
		return h.look(ctx)
	})
}

func (u UNSIR) resolve() (_ UNSIR, err error) {
	u.Steps, u.StepSize = cmp.Or(u.Steps, 40), cmp.Or(u.StepSize, .1)
	u.Penalty = cmp.Or(u.Penalty, dlfd.Off)
	u.PerClass, u.PerRetainClass = cmp.Or(u.PerClass, 256), cmp.Or(u.PerRetainClass, 1000)
	u.Impair, u.Repair = cmp.Or(u.Impair, .001), cmp.Or(u.Repair, .001)
	if u.Steps < 1 || !positive(u.StepSize) || !positive(u.Penalty) && u.Penalty != dlfd.Off {
		return u, fmt.Errorf("%w: Steps %d, StepSize %v, Penalty %v", dlfd.ErrParameter, u.Steps, u.StepSize, u.Penalty)
	}
	if u.PerClass < 1 || u.PerClass > train.MaxBatch || u.PerRetainClass < 1 || !positive(u.Impair) || !positive(u.Repair) {
		return u, fmt.Errorf("%w: PerClass %d (at most %d), PerRetainClass %d, Impair %v, Repair %v", dlfd.ErrParameter, u.PerClass, train.MaxBatch, u.PerRetainClass, u.Impair, u.Repair)
	}
	u.Limit, err = u.Limit.resolve()
	return u, err
}

// divide draws the retain samples that take part, and tells the classes that the
// retain set has none of.
func (u UNSIR) divide(s *dlfd.Session) (retain feature.Dataset, whole []bool, err error) {
	labels, err := feature.Labels(s.Data.Retain)
	if err != nil {
		return nil, nil, fmt.Errorf("retain: %w", err)
	}
	count := make([]int, s.Model.Spec().Classes())
	var drawn []int
	for _, i := range rng.Stream(s.Seed("retain samples"), "share").Perm(len(labels)) {
		if count[labels[i]]++; count[labels[i]] <= u.PerRetainClass {
			drawn = append(drawn, i)
		}
	}
	whole = make([]bool, len(count))
	for c, n := range count {
		whole[c] = n == 0
	}
	retain, err = feature.Subset(s.Data.Retain, drawn)
	return retain, whole, err
}

// noise makes the noises. Memory: as many samples.
func (u UNSIR) noise(ctx context.Context, s *dlfd.Session, whole []bool) (made, error) {
	forget, err := feature.Labels(s.Data.Forget)
	if err != nil {
		return made{}, err
	}
	labels := u.labels(forget, whole)
	d := made{feature.NewTensor(append([]int{len(labels)}, s.Data.Forget.Shape()...)...), labels, s.Data.Forget}
	r := rng.Stream(s.Seed("noise"), "start")
	for i := range d.x.Data {
		d.x.Data[i] = float32(r.NormFloat64())
	}
	for lo := 0; lo < len(labels); lo += s.BatchSize {
		hi := min(lo+s.BatchSize, len(labels))
		if err := u.maximize(ctx, s.Model, d.x.Slice(lo, hi), labels[lo:hi]); err != nil {
			return made{}, err
		}
	}
	return d, nil
}

// labels returns the label of each noise: PerClass for a class that goes as a whole, and
// one for each other forget sample.
func (u UNSIR) labels(forget []int, whole []bool) []int {
	var labels []int
	done := make([]bool, len(whole))
	for _, c := range forget {
		n := 1
		if whole[c] {
			if done[c] {
				continue
			}
			n, done[c] = u.PerClass, true
		}
		for range n {
			labels = append(labels, c)
		}
	}
	return labels
}

// maximize moves noises x in place, by the method of Adam (train.Adam with its defaults)
// for each number of x, in evaluation mode.
func (u UNSIR) maximize(ctx context.Context, m feature.Trainable, x feature.Tensor, labels []int) error {
	logits := []string{m.Spec().Logits}
	n := len(x.Data)
	dx, first, second := make([]float32, n), make([]float64, n), make([]float64, n)
	for t := 1; t <= u.Steps; t++ {
		clear(dx)
		err := feature.Grad(ctx, m, feature.Mode{}, x, logits, func(val, cot []feature.Tensor) error {
			loss, err := feature.CrossEntropy(val[0], cot[0], labels, -float64(len(labels)))
			if err != nil {
				return err
			}
			return finiteLoss(loss)
		}, dx, nil)
		if err != nil {
			return fmt.Errorf("step %d: %w", t, err)
		}
		addNorms(dx, x, unlessOff(u.Penalty))
		adam(x.Data, dx, first, second, u.StepSize, t)
	}
	return nil
}

// addNorms adds weight times the derivative of the Euclidean norm of each row of x into
// dx; at 0 it is zero.
func addNorms(dx []float32, x feature.Tensor, weight float64) {
	n := x.RowLen()
	zero := make([]float32, n)
	for i := range x.Rows() {
		norm := euclidean(x.Row(i), zero)
		if norm == 0 {
			continue
		}
		for k, v := range x.Row(i) {
			dx[i*n+k] += float32(weight * float64(v) / norm)
		}
	}
}

// adam moves x against the gradient g, with moments of its own, at step t, from 1
// (Kingma and Ba, arXiv 1412.6980, algorithm 1).
func adam(x, g []float32, first, second []float64, rate float64, t int) {
	const beta1, beta2, epsilon = .9, .999, 1e-8
	c1, c2 := 1-math.Pow(beta1, float64(t)), 1-math.Pow(beta2, float64(t))
	for i, v := range g {
		first[i] = beta1*first[i] + (1-beta1)*float64(v)
		second[i] = beta2*second[i] + (1-beta2)*float64(v)*float64(v)
		x[i] -= float32(rate * first[i] / c1 / (math.Sqrt(second[i]/c2) + epsilon))
	}
}

// train impairs and repairs.
func (u UNSIR) train(ctx context.Context, s *dlfd.Session, noise, retain feature.Dataset) error {
	mixed, err := feature.Concat(noise, retain)
	if err != nil {
		return err
	}
	s.Steps = s.StepsPerEpoch(mixed) + s.StepsPerEpoch(retain)
	if err := s.Descend(ctx, dlfd.Descent{On: mixed, Epochs: 1, Optimizer: train.Adam{Rate: u.Impair}}); err != nil {
		return fmt.Errorf("impair: %w", err)
	}
	if err := s.Descend(ctx, dlfd.Descent{On: retain, Epochs: 1, Optimizer: train.Adam{Rate: u.Repair}}); err != nil {
		return fmt.Errorf("repair: %w", err)
	}
	return nil
}
