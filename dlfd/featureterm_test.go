package dlfd

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
)

// The gradient is that of the weighted distance in the features as the model gives
// them, by finite differences; classes of which nothing was seen have none.
func TestFeatureTermGradient(t *testing.T) {
	for _, d := range []distance.Distance{distance.MMD{Kernel: distance.Energy{}}, distance.Sinkhorn{Debiased: true, Tol: 1e-10}} {
		const weight = 3
		term := newFeatureTerm(d, weight)
		h := featuretest.NewBlobs(20, 4, 3, 1, 7, 1)
		index := make([]int, 20)
		for i := range index {
			index[i] = i
			if h.Labels[i] == 2 {
				h.Labels[i] = 1
			}
		}
		term.visit(h.X, feature.Batch{X: h.X, Labels: h.Labels, Index: index})
		term.visit(h.X, feature.Batch{X: h.X, Labels: h.Labels, Index: index}) // a second visit takes the place of the first
		if len(term.seen) != 20 {
			t.Fatalf("%d samples are remembered", len(term.seen))
		}
		x := featuretest.NewBlobs(6, 4, 3, 1, 7, 2).X
		labels := []int{0, 1, 2, 0, 1, 2}
		cot := feature.NewTensor(x.Shape...)
		if err := term.gradient(x, cot, feature.Batch{Labels: labels}); err != nil {
			t.Fatal(err)
		}
		to, scale := term.reference()
		value := func(z []float64) float64 {
			v, err := distance.ClassConditional{D: d}.Eval(nil, nil, nil, distance.Sample{N: 6, Dim: 4, X: z, Labels: labels}, to)
			if err != nil {
				t.Fatal(err)
			}
			return weight * v
		}
		z := make([]float64, len(x.Data))
		for i, v := range x.Data {
			z[i] = scale * float64(v)
		}
		const step = 1e-4
		for i := range z {
			old := z[i]
			z[i] = old + scale*step
			up := value(z)
			z[i] = old - scale*step
			down := value(z)
			z[i] = old
			want := (up - down) / (2 * step)
			if got := float64(cot.Data[i]); math.Abs(got-want) > 1e-4*(1+math.Abs(want)) {
				t.Errorf("%T, element %d: %v, want %v", d, i, got, want)
			}
		}
	}
}

// Only the last samples are remembered, and nothing is done before one is.
func TestFeatureTermForgets(t *testing.T) {
	term := newFeatureTerm(distance.MMD{}, 1)
	x := featuretest.NewBlobs(600, 4, 3, 1, 7, 1)
	cot := feature.NewTensor(2, 4)
	if err := term.gradient(x.X.Slice(0, 2), cot, feature.Batch{Labels: []int{0, 1}}); err != nil || cot.Data[0] != 0 {
		t.Errorf("before anything was seen: %v, %v", err, cot.Data)
	}
	for i := range 600 {
		term.visit(x.X.Slice(i, i+1), feature.Batch{Labels: x.Labels[i : i+1], Index: []int{i}})
	}
	if len(term.seen) != seenMost || term.seen[0].Index != 600-seenMost {
		t.Errorf("%d samples are remembered, the first is %d", len(term.seen), term.seen[0].Index)
	}
}

// With the term, the features of forget samples end nearer to those of held-out ones.
func TestAlignWithADistance(t *testing.T) {
	data := Data{Retain: featuretest.NewBlobs(60, 5, 3, .6, 7, 1), Forget: featuretest.NewBlobs(24, 5, 3, .6, 7, 2), Holdout: featuretest.NewBlobs(30, 5, 3, .6, 9, 3)}
	var gap [2]float64
	for i, d := range []distance.Distance{nil, distance.MMD{Kernel: distance.Energy{}}} {
		m := featuretest.NewMLP(5, 12, 3, 1)
		a := Align{Match: Off, Epochs: 6, Always: true, Distance: d, DistanceWeight: 2 * float64(i), Rate: .05}
		res, err := a.Unlearn(context.Background(), m, data, &Options{Seed: 3, BatchSize: 8})
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(res.Settings)
		if err != nil || strings.Contains(string(text), `MMD{`) != (d != nil) {
			t.Errorf("settings %s, %v", text, err)
		}
		gap[i] = featureGap(t, m, data)
	}
	if gap[1] > .7*gap[0] {
		t.Errorf("distance of features %v with the term, %v without", gap[1], gap[0])
	}
}

func featureGap(t *testing.T, m feature.Model, data Data) float64 {
	t.Helper()
	var s [2]distance.Sample
	for i, d := range []feature.Dataset{data.Forget, data.Holdout} {
		out, labels, err := feature.Predict(context.Background(), m, d, []string{m.Spec().Features}, 16)
		if err != nil {
			t.Fatal(err)
		}
		s[i] = distance.FromFloat32(nil, out[0].Data, len(labels))
		s[i].Labels = labels
	}
	v, err := distance.ClassConditional{D: distance.MMD{Kernel: distance.Energy{}}}.Eval(nil, nil, nil, s[0], s[1])
	if err != nil {
		t.Fatal(err)
	}
	return v
}
