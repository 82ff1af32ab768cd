package dlfd

import (
	"context"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/metrics"
)

// prototypeShots is the most members of a class that are put into the last layer.
const prototypeShots = 10

// prototypes puts some members of each class of which nothing is retained into the
// last layer and judges the others.
func (a *audit) prototypes(ctx context.Context, member metrics.Features) error {
	gone := a.goneClasses()
	if len(gone) == 0 {
		return nil
	}
	head, err := a.head(ctx, member.Dim)
	if err != nil {
		return err
	}
	if head == nil {
		a.leftOut("prototypes of classes %v: the last layer is not a linear layer on the features with weights that can be read", gone)
		return nil
	}
	var shots, judged []int
	for _, c := range gone {
		items := positionsByClass(member)[c]
		n := min(prototypeShots, len(items)/2)
		shots, judged = append(shots, items[:n]...), append(judged, items[n:]...)
	}
	if len(shots) == 0 {
		a.leftOut("prototypes of classes %v: there are %d members of these classes", gone, len(judged))
		return nil
	}
	return a.relearnPrototypes(*head, gone, selectFeatures(member, shots), selectFeatures(member, judged))
}

func (a *audit) relearnPrototypes(head metrics.Head, gone []int, shots, judged metrics.Features) (err error) {
	p := &Prototypes{Classes: gone, Shots: shots.N, Judged: judged.N}
	if p.Before, err = head.Accuracy(judged); err != nil {
		return err
	}
	next, err := head.Relearn(shots)
	if err != nil {
		return err
	}
	if p.After, err = next.Accuracy(judged); err != nil {
		return err
	}
	p.Regained = p.After - p.Before
	a.Prototypes = p
	return nil
}

// goneClasses returns the classes that members have and retained samples have not.
func (a *audit) goneClasses() []int {
	var gone []int
	for c := range a.out[memberSet].Classes {
		if slices.Contains(a.out[memberSet].Labels, c) && !slices.Contains(a.out[retainSet].Labels, c) {
			gone = append(gone, c)
		}
	}
	return gone
}

// headAgrees is how far, relative to the largest logit, the logits of a model may be
// from those of what is taken for its last layer: float32 sums of some thousand
// products are that near.
const headAgrees = 1e-3

// head returns the last layer of the model: the last matrix of classes×dim and the
// bias behind it, if these give the logits of some members. It returns nil if not.
func (a *audit) head(ctx context.Context, dim int) (*metrics.Head, error) {
	m, ok := feature.As[feature.Trainable](a.model)
	if !ok {
		return nil, nil
	}
	spec := m.Spec()
	classes := spec.Classes()
	h := &metrics.Head{Classes: classes, Dim: dim, Weights: make([]float64, classes*dim), Bias: make([]float64, classes)}
	found := false
	for i, p := range spec.Params {
		to := h.Weights
		switch {
		case p.Kind == feature.Weight && slices.Equal(p.Shape, []int{classes, dim}):
			found = true
		case found && p.Kind == feature.Bias && slices.Equal(p.Shape, []int{classes}):
			to = h.Bias
		default:
			continue
		}
		w := make([]float32, len(to))
		if err := m.GetParam(i, w); err != nil {
			return nil, err
		}
		for j, v := range w {
			to[j] = float64(v)
		}
	}
	if !found {
		return nil, nil
	}
	agrees, err := a.gives(ctx, h)
	if !agrees || err != nil {
		return nil, err
	}
	return h, nil
}

// gives reports whether a head gives the logits of some members.
func (a *audit) gives(ctx context.Context, h *metrics.Head) (bool, error) {
	d, err := sample(a.data.Member, 32)
	if err != nil {
		return false, err
	}
	out, _, err := feature.Predict(ctx, a.model, d, []string{a.opt.Tap, a.model.Spec().Logits}, 32)
	if err != nil {
		return false, err
	}
	var off, top float64
	for i := range d.Len() {
		for c, z := range out[1].Row(i) {
			sum := h.Bias[c]
			for j, v := range out[0].Row(i) {
				sum += h.Weights[c*h.Dim+j] * float64(v)
			}
			off, top = max(off, math.Abs(sum-float64(z))), max(top, math.Abs(float64(z)))
		}
	}
	return off <= headAgrees*top, nil
}
