package feature_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// mixed are a softmax of three, a sigmoid and a softmax of two.
func mixed() feature.Heads {
	return feature.Heads{{Name: "tilt", Width: 3}, {Name: "glasses", Kind: feature.SigmoidHead, Width: 1}, {Name: "smile", Width: 2}}
}

func mixedTargets() []feature.Target {
	return []feature.Target{{Name: "tilt", Classes: 3, ClassNames: []string{"left", "none", "right"}}, {Name: "glasses", Classes: 2}, {Name: "smile", Classes: 2}}
}

func randomTensor(seed uint64, shape ...int) feature.Tensor {
	t, r := feature.NewTensor(shape...), rng.Stream(seed, "tensor")
	for i := range t.Data {
		t.Data[i] = float32(2 * r.NormFloat64())
	}
	return t
}

// TestOneHeadIsTheFunction wants the bits of the functions for a single label.
func TestOneHeadIsTheFunction(t *testing.T) {
	z, target, labels := randomTensor(1, 7, 5), randomTensor(2, 7, 5), []int{0, 1, 2, 3, 4, 0, 2}
	for _, h := range []feature.Heads{nil, {{Width: 5}}} {
		a, b := randomTensor(3, 7, 5), randomTensor(3, 7, 5) // the cotangents are added to
		x, errX := feature.CrossEntropy(z, a, labels, .7)
		y, errY := h.CrossEntropy(z, b, labels, .7)
		if errX != nil || errY != nil || x != y || !slices.Equal(a.Data, b.Data) {
			t.Errorf("%v: cross-entropy %v, want %v (%v, %v)", h, y, x, errX, errY)
		}
		p, q := make([]float64, 7), make([]float64, 7)
		if errX, errY = feature.CrossEntropies(p, z, labels), h.CrossEntropies(q, z, labels); errX != nil || errY != nil || !slices.Equal(p, q) {
			t.Errorf("%v: cross-entropies %v, want %v (%v, %v)", h, q, p, errX, errY)
		}
		x, errX = feature.KLDivergence(z, feature.Tensor{}, target, 2, .7)
		y, errY = h.KLDivergence(z, feature.Tensor{}, target, 2, .7)
		if errX != nil || errY != nil || x != y {
			t.Errorf("%v: divergence %v, want %v (%v, %v)", h, y, x, errX, errY)
		}
	}
}

// TestHeadsAgainstTorch has the losses and gradients of torch 1.13 in float64:
// binary_cross_entropy_with_logits of two labels, and the mean of cross_entropy of
// three classes, binary_cross_entropy_with_logits, and cross_entropy of two classes.
func TestHeadsAgainstTorch(t *testing.T) {
	for _, c := range []struct {
		heads  feature.Heads
		z      []float32
		labels [][]int
		loss   float64
		grad   []float64
	}{
		{feature.Sigmoids(2), []float32{.5, -1.25, 3, .75, -2.5, 0}, [][]int{{1, 0}, {0, 1}, {1, 1}}, 1.2389168896777694,
			[]float64{-.0629234448, .0371166898, .158762354, -.0534702168, -.154023637, -.0833333333}},
		{mixed(), []float32{.5, -1.25, 2, .25, 1, -1, 3, .75, -.5, -1.5, .5, .25}, [][]int{{2, 0, 1}, {0, 1, 0}}, .9316667117527487,
			[]float64{.0294700304, .00512112339, -.0345911537, .0936960835, .146799513, -.146799513, -.0199009353, .0154689943, .00443194106, -.136262413, -.0729705832, .0729705832}},
	} {
		var targets []feature.Target
		for _, h := range c.heads {
			targets = append(targets, feature.Target{Classes: h.Classes()})
		}
		var labels []int
		for _, v := range c.labels {
			k, err := feature.CombineLabels(targets, v)
			if err != nil {
				t.Fatal(err)
			}
			labels = append(labels, k)
		}
		z := feature.Tensor{Shape: []int{len(labels), len(c.z) / len(labels)}, Data: c.z}
		g := feature.NewTensor(z.Shape...)
		loss, err := c.heads.CrossEntropy(z, g, labels, 1)
		if err != nil || math.Abs(loss-c.loss) > 1e-14 {
			t.Errorf("loss %v, torch says %v (%v)", loss, c.loss, err)
		}
		for i, v := range g.Data {
			if math.Abs(float64(v)-c.grad[i]) > 3e-8 { // float32, of numbers up to .16
				t.Errorf("gradient %d is %v, torch says %v", i, v, c.grad[i])
			}
		}
	}
}

// TestHeadGradients compares with differences: in float32 logits of size 2, steps of
// 2⁻⁶ are exact, and the error of third order is 1e-5.
func TestHeadGradients(t *testing.T) {
	h := mixed()
	labels := []int{0, 5, 11, 7}
	target := randomTensor(5, 4, 6)
	for name, loss := range map[string]func(z, cot feature.Tensor) (float64, error){
		"cross-entropy": func(z, cot feature.Tensor) (float64, error) { return h.CrossEntropy(z, cot, labels, 1.5) },
		"divergence":    func(z, cot feature.Tensor) (float64, error) { return h.KLDivergence(z, cot, target, 2, 1.5) },
	} {
		z, g := randomTensor(4, 4, 6), feature.NewTensor(4, 6)
		if _, err := loss(z, g); err != nil {
			t.Fatal(err)
		}
		for i, v := range z.Data {
			const step = 1. / 64
			z.Data[i] = v + step
			hi, errHi := loss(z, feature.Tensor{})
			up := float64(z.Data[i])
			z.Data[i] = v - step
			lo, errLo := loss(z, feature.Tensor{})
			want := (hi - lo) / (up - float64(z.Data[i]))
			z.Data[i] = v
			if errHi != nil || errLo != nil || math.Abs(want-float64(g.Data[i])) > 2e-5 {
				t.Errorf("%s: gradient %d is %v, differences say %v (%v, %v)", name, i, g.Data[i], want, errHi, errLo)
			}
		}
	}
}

// TestHeadsAreAJointSoftmax wants the loss of one softmax over all combinations,
// whose logits are sums of one logit of each head: the probability of a combination
// is a product, so that its loss is the sum of the heads' losses.
func TestHeadsAreAJointSoftmax(t *testing.T) {
	h, z := mixed(), randomTensor(6, 12, 6)
	joint, labels := feature.NewTensor(12, 12), make([]int, 12)
	for i := range 12 {
		labels[i] = i
		row := z.Row(i)
		for k := range 12 { // (a·2 + b)·2 + c
			joint.Row(i)[k] = row[k/4] + row[3]*float32(k/2%2) + row[4+k%2]
		}
	}
	want, errA := feature.CrossEntropy(joint, feature.Tensor{}, labels, 1)
	got, errB := h.CrossEntropy(z, feature.Tensor{}, labels, 3)
	if errA != nil || errB != nil || math.Abs(got-want) > 1e-6 { // of sums in float32
		t.Errorf("three times the mean is %v, the joint loss %v (%v, %v)", got, want, errA, errB)
	}
}

func TestCombinationsAndVectors(t *testing.T) {
	targets := mixedTargets()
	n, err := feature.Combinations(targets)
	if err != nil || n != 12 {
		t.Fatalf("%d combinations, %v", n, err)
	}
	var last []int
	for k := range n {
		v := feature.SplitLabel(targets, k)
		if back, err := feature.CombineLabels(targets, v); back != k || err != nil || last != nil && slices.Compare(last, v) >= 0 {
			t.Errorf("%d is %v after %v, and back %d (%v)", k, v, last, back, err)
		}
		last = v
	}
	if v, err := feature.Vectors(targets, []int{0, 11}); err != nil || !slices.Equal(v[1], []int{2, 1, 1}) {
		t.Errorf("vectors %v, %v", v, err)
	}
	for what, err := range map[string]error{
		"a label of no combination": second(feature.Vectors(targets, []int{12})),
		"a label of no class":       second(feature.CombineLabels(targets, []int{0, 2, 0})),
	} {
		if !errors.Is(err, feature.ErrLabel) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, err := range map[string]error{
		"too few labels":        second(feature.CombineLabels(targets, []int{0})),
		"64 labels":             feature.Sigmoids(64).Check(64),
		"another width":         mixed().Check(7),
		"a softmax of one":      feature.Heads{{Width: 1}, {Width: 2}}.Check(3),
		"a wide sigmoid":        feature.Heads{{Kind: feature.SigmoidHead, Width: 2}}.Check(2),
		"a kind of no name":     feature.Heads{{Kind: 7, Width: 2}}.Check(2),
		"two of one name":       feature.Sigmoids(2, "a", "a").Check(2),
		"a head that is absent": second(feature.OneHead(featuretest.NewMLP(4, 3, 6, 1), 0)),
		"one label":             second(feature.OneLabel(featuretest.NewBlobs(4, 2, 2, 1, 1, 1), 0)),
	} {
		if !errors.Is(err, feature.ErrHeads) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := feature.Sigmoids(62).Check(62); err != nil && math.MaxInt > math.MaxInt32 {
		t.Errorf("62 labels: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

// headed are a model and data with three labels.
func headed() (*featuretest.MLP, *featuretest.Blobs) {
	m, d := featuretest.NewMLP(4, 5, 6, 1), featuretest.NewBlobs(24, 4, 12, .3, 1, 2)
	m.Heads, d.Multi = mixed(), mixedTargets()
	return m, d
}

func TestCheckHeads(t *testing.T) {
	m, d := headed()
	single := featuretest.NewBlobs(4, 4, 2, 1, 1, 1)
	if err := feature.CheckHeads(m.Spec(), d); err != nil || m.Spec().Classes() != 12 || m.Spec().Outputs() != 6 {
		t.Errorf("%v, %d combinations of %d logits", err, m.Spec().Classes(), m.Spec().Outputs())
	}
	one := featuretest.NewMLP(4, 5, 1, 1)
	one.Heads = feature.Sigmoids(1)
	if err := errors.Join(feature.CheckHeads(one.Spec(), single), feature.CheckHeads(featuretest.NewMLP(4, 5, 6, 1).Spec(), single)); err != nil {
		t.Error(err)
	}
	other := func(change func(t []feature.Target) []feature.Target) *featuretest.Blobs {
		_, d := headed()
		d.Multi = change(d.Multi)
		return d
	}
	for want, c := range map[string]struct {
		m *featuretest.MLP
		d feature.Dataset
	}{
		"one softmax":        {featuretest.NewMLP(4, 5, 6, 1), d},
		"1 labels":           {m, single},
		"2 labels":           {m, other(func(t []feature.Target) []feature.Target { return t[:2] })},
		"has 3 classes, hea": {m, other(func(t []feature.Target) []feature.Target { t[1].Classes = 3; return t })},
		"is label 1 of a sa": {m, other(func(t []feature.Target) []feature.Target { t[1], t[2] = t[2], t[1]; return t })},
	} {
		if err := feature.CheckHeads(c.m.Spec(), c.d); !errors.Is(err, feature.ErrHeads) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if err := feature.CheckOneHead(m.Spec()); !errors.Is(err, feature.ErrHeads) || !strings.Contains(err.Error(), `["tilt" "glasses" "smile"]`) {
		t.Error(err)
	}
	if err := feature.CheckClasses(d, other(func(t []feature.Target) []feature.Target { return t[:2] })); !errors.Is(err, feature.ErrHeads) {
		t.Error(err)
	}
	names := other(func(t []feature.Target) []feature.Target {
		t[0].ClassNames = []string{"left", "right", "none"}
		return t
	})
	if err := feature.CheckClasses(d, names); !errors.Is(err, feature.ErrClasses) {
		t.Error(err)
	}
	if _, err := feature.Concat(d, names); !errors.Is(err, feature.ErrClasses) {
		t.Error(err)
	}
}

// TestViews wants the laws of models and datasets from a head and a label alone, and
// the loss of the heads from those of the views.
func TestViews(t *testing.T) {
	m, d := headed()
	featuretest.Run(t, m, nil)
	featuretest.RunDataset(t, d)
	var sum float64
	for k := range m.Heads {
		head, errA := feature.OneHead(m, k)
		label, errB := feature.OneLabel(d, k)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		featuretest.Run(t, head, nil)
		featuretest.RunDataset(t, label)
		if err := feature.CheckHeads(head.Spec(), label); err != nil || head.Spec().Classes() != label.Classes() {
			t.Errorf("head %d: %v, %d classes, want %d", k, err, head.Spec().Classes(), label.Classes())
		}
		z, labels, err := feature.Predict(t.Context(), head, label, []string{head.Spec().Logits}, 5)
		if err != nil {
			t.Fatal(err)
		}
		loss, err := feature.CrossEntropy(z[0], feature.Tensor{}, labels, 1)
		if err != nil {
			t.Fatal(err)
		}
		sum += loss
	}
	z, labels, err := feature.Predict(t.Context(), m, d, []string{"logits"}, 5)
	if err != nil {
		t.Fatal(err)
	}
	loss, err := m.Heads.CrossEntropy(z[0], feature.Tensor{}, labels, 1)
	if err != nil || math.Abs(loss-sum/3) > 1e-14 {
		t.Errorf("the loss is %v, the mean of the heads %v (%v)", loss, sum/3, err)
	}
	if label, _ := feature.OneLabel(d, 0); !slices.Equal(feature.ClassNamesOf(label), mixedTargets()[0].ClassNames) {
		t.Errorf("classes %q", feature.ClassNamesOf(label))
	}
	if a, b, err := feature.Halves(d); err != nil || len(feature.TargetsOf(a)) != 3 || a.Len() != 12 || b.Len() != 12 {
		t.Errorf("halves: %v", err)
	}
}
