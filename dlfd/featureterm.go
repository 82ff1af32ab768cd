package dlfd

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/feature"
)

// featureTerm pulls the features of forget samples to those that holdout samples of
// the same class had when they were last seen.
type featureTerm struct {
	weight float64
	of     distance.Distance // class by class
	ws     distance.Workspace
	seen   []seenFeatures // holdout samples, the last seen at the end
}

// seenFeatures are the features of a holdout sample at its last visit.
type seenFeatures struct {
	Index, Label int
	X            []float32
}

// seenMost is the number of holdout samples that are remembered. The features of
// earlier ones are those of a model of long ago.
const seenMost = 512

// newFeatureTerm returns nil where d is.
func newFeatureTerm(d distance.Distance, weight float64) *featureTerm {
	if d == nil {
		return nil
	}
	return &featureTerm{weight: weight, of: distance.ClassConditional{D: d}}
}

// warmStarts reports whether bits of d depend on what its workspace saw before, which
// no checkpoint has.
func warmStarts(d distance.Distance) bool {
	p, ok := d.(distance.Propertied)
	return ok && p.Properties().WarmStart
}

// visit remembers the features of a holdout batch.
func (t *featureTerm) visit(x feature.Tensor, b feature.Batch) {
	for i, k := range b.Index {
		t.seen = slices.DeleteFunc(t.seen, func(s seenFeatures) bool { return s.Index == k })
		t.seen = append(t.seen, seenFeatures{k, b.Labels[i], slices.Clone(x.Row(i))})
	}
	t.seen = slices.Delete(t.seen, 0, max(0, len(t.seen)-seenMost))
}

// gradient adds weight times the derivative of the distance in the features of a
// forget batch into cot. Classes of which no holdout sample was seen are left out. A
// distance that did not converge counts as it is.
func (t *featureTerm) gradient(x, cot feature.Tensor, f feature.Batch) error {
	to, scale := t.reference()
	if scale == 0 || !slices.ContainsFunc(f.Labels, func(l int) bool { return slices.Contains(to.Labels, l) }) {
		return nil
	}
	from := distance.FromFloat32(nil, x.Data, len(f.Labels))
	from.Labels = f.Labels
	for i := range from.X {
		from.X[i] *= scale
	}
	g := make([]float64, len(from.X))
	if _, err := t.of.Eval(&t.ws, g, nil, from, to); err != nil && !errors.Is(err, distance.ErrNotConverged) {
		return fmt.Errorf("distance of features: %w", err)
	}
	for i, v := range g {
		cot.Data[i] += float32(t.weight * scale * v)
	}
	return nil
}

// reference returns the features that were seen, scaled to a mean squared norm of 1,
// and the scale; 0 where nothing can be compared.
func (t *featureTerm) reference() (distance.Sample, float64) {
	var x []float32
	var labels []int
	for _, s := range t.seen {
		x, labels = append(x, s.X...), append(labels, s.Label)
	}
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	if sum == 0 {
		return distance.Sample{}, 0
	}
	scale := math.Sqrt(float64(len(labels)) / sum)
	to := distance.FromFloat32(nil, x, len(labels))
	to.Labels = labels
	for i := range to.X {
		to.X[i] *= scale
	}
	return to, scale
}
