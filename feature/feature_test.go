package feature_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
)

func TestTensorViews(t *testing.T) {
	x := feature.NewTensor(3, 2, 2)
	for i := range x.Data {
		x.Data[i] = float32(i)
	}
	if x.Rows() != 3 || x.RowLen() != 4 || !slices.Equal(x.Row(1), []float32{4, 5, 6, 7}) {
		t.Errorf("rows %d of %d, row 1 is %v", x.Rows(), x.RowLen(), x.Row(1))
	}
	s := x.Slice(1, 3)
	s.Data[0] = -1
	if !slices.Equal(s.Shape, []int{2, 2, 2}) || x.Data[4] != -1 {
		t.Errorf("slice has shape %v and does not share memory: %v", s.Shape, x.Data[4])
	}
	c := x.Clone()
	c.Data[0], c.Shape[0] = 9, 9
	if x.Data[0] != 0 || x.Shape[0] != 3 {
		t.Error("a clone shares memory")
	}
	if err := x.Check([]int{2, 2}); err != nil {
		t.Error(err)
	}
	for _, bad := range []feature.Tensor{{}, feature.NewTensor(0, 2, 2), feature.NewTensor(3, 4), {Shape: []int{1, 2, 2}, Data: make([]float32, 3)}} {
		if err := bad.Check([]int{2, 2}); !errors.Is(err, feature.ErrShape) {
			t.Errorf("tensor of shape %v: %v", bad.Shape, err)
		}
	}
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		x.Data[6] = float32(v)
		if err := x.CheckFinite(); !errors.Is(err, feature.ErrNotFinite) || err.Error() == "" {
			t.Errorf("%v: %v", v, err)
		}
	}
}

func TestPixels(t *testing.T) {
	if m, s := (feature.Pixels{}).Channel(2); m != 0 || s != 1 {
		t.Errorf("zero Pixels: %v, %v", m, s)
	}
	if m, s := (feature.Pixels{Mean: []float64{.5}, Std: []float64{.2}}).Channel(2); m != .5 || s != .2 {
		t.Errorf("one entry: %v, %v", m, s)
	}
	three := feature.Pixels{Mean: []float64{.1, .2, .3}, Std: []float64{1, 2, 3}}
	if m, s := three.Channel(2); m != .3 || s != 3 {
		t.Errorf("three entries: %v, %v", m, s)
	}
	if err := three.Check(3); err != nil {
		t.Error(err)
	}
	if err := three.Check(1); !errors.Is(err, feature.ErrShape) {
		t.Errorf("three entries for one channel: %v", err)
	}
	for _, bad := range []feature.Pixels{{Std: []float64{0}}, {Std: []float64{-1}}, {Std: []float64{math.Inf(1)}}, {Mean: []float64{math.NaN()}}} {
		if err := bad.Check(1); !errors.Is(err, feature.ErrNotFinite) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// Closed forms: two equal logits have loss log 2 and gradient (½−1, ½)/n.
func TestCrossEntropyInClosedForm(t *testing.T) {
	z := feature.Tensor{Shape: []int{2, 2}, Data: []float32{1, 1, 1000, -1000}}
	cot := feature.NewTensor(2, 2)
	got, err := feature.CrossEntropy(z, cot, []int{0, 0}, 3)
	if err != nil || math.Abs(got-3*math.Ln2/2) > 1e-12 {
		t.Errorf("loss %v, %v; want %v", got, err, 3*math.Ln2/2)
	}
	if want := []float32{-.75, .75, 0, 0}; !slices.Equal(cot.Data, want) {
		t.Errorf("cotangent %v, want %v", cot.Data, want)
	}
	one := make([]float64, 2)
	if err := feature.CrossEntropies(one, z, []int{0, 1}); err != nil || math.Abs(one[0]-math.Ln2) > 1e-12 || one[1] != 2000 {
		t.Errorf("losses %v, %v", one, err)
	}
}

func TestLossGradients(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	z, target := feature.NewTensor(4, 5), feature.NewTensor(4, 5)
	for i := range z.Data {
		z.Data[i], target.Data[i] = float32(2*r.NormFloat64()), float32(2*r.NormFloat64())
	}
	for name, loss := range map[string]func(cot feature.Tensor) (float64, error){
		"cross-entropy": func(cot feature.Tensor) (float64, error) {
			return feature.CrossEntropy(z, cot, []int{3, 0, 4, 1}, .7)
		},
		"divergence": func(cot feature.Tensor) (float64, error) {
			return feature.KLDivergence(z, cot, target, 3, .7)
		},
	} {
		cot := feature.NewTensor(4, 5)
		cot.Data[0] = 1 // gradients are added
		if _, err := loss(cot); err != nil {
			t.Fatal(err)
		}
		cot.Data[0]--
		const h = 1.0 / 1024 // exact in float32 beside numbers near 1
		for i := range z.Data {
			z.Data[i] += h
			up, _ := loss(feature.Tensor{})
			z.Data[i] -= 2 * h
			down, _ := loss(feature.Tensor{})
			z.Data[i] += h
			// Truncation is h²/6 times a third derivative below 1, rounding 2⁻²⁴.
			if got := (up - down) / (2 * h); math.Abs(got-float64(cot.Data[i])) > 1e-6 {
				t.Errorf("%s: logit %d: difference quotient %v, gradient %v", name, i, got, cot.Data[i])
			}
		}
	}
}

func TestKLDivergenceOfEqualLogitsIsZero(t *testing.T) {
	z := feature.Tensor{Shape: []int{1, 3}, Data: []float32{1, -40, 3}}
	shifted := feature.Tensor{Shape: []int{1, 3}, Data: []float32{6, -35, 8}}
	cot := feature.NewTensor(1, 3)
	v, err := feature.KLDivergence(z, cot, shifted, 2, 1)
	if err != nil || math.Abs(v) > 1e-12 || slices.ContainsFunc(cot.Data, func(g float32) bool { return math.Abs(float64(g)) > 1e-7 }) {
		t.Errorf("%v, %v, gradient %v", v, err, cot.Data)
	}
	// KL(½,½ ‖ ¾,¼) = ½ log(4/3).
	p, q := feature.NewTensor(1, 2), feature.Tensor{Shape: []int{1, 2}, Data: []float32{float32(math.Log(3)), 0}}
	if v, err = feature.KLDivergence(q, feature.Tensor{}, p, 1, 1); err != nil || math.Abs(v-.5*math.Log(4./3)) > 1e-7 {
		t.Errorf("%v, %v; want %v", v, err, .5*math.Log(4./3))
	}
}

func TestLossErrors(t *testing.T) {
	z := feature.NewTensor(2, 3)
	if _, err := feature.CrossEntropy(z, feature.Tensor{}, []int{0, 3}, 1); !errors.Is(err, feature.ErrLabel) {
		t.Errorf("label 3 of 3: %v", err)
	}
	if _, err := feature.CrossEntropy(z, feature.Tensor{}, []int{0}, 1); !errors.Is(err, feature.ErrShape) {
		t.Errorf("one label for two rows: %v", err)
	}
	if _, err := feature.CrossEntropy(z, feature.NewTensor(1, 3), []int{0, 1}, 1); !errors.Is(err, feature.ErrShape) {
		t.Errorf("short cotangent: %v", err)
	}
	if _, err := feature.KLDivergence(z, feature.Tensor{}, feature.NewTensor(2, 4), 1, 1); !errors.Is(err, feature.ErrShape) {
		t.Errorf("target of other shape: %v", err)
	}
	if _, err := feature.KLDivergence(z, feature.Tensor{}, z, 0, 1); err == nil {
		t.Error("temperature 0 was accepted")
	}
	if err := feature.Softmax(make([]float32, 5), z); !errors.Is(err, feature.ErrShape) {
		t.Errorf("short softmax: %v", err)
	}
}

func TestSoftmax(t *testing.T) {
	z := feature.Tensor{Shape: []int{2, 2}, Data: []float32{float32(math.Log(3)), 0, -500, 500}}
	if err := feature.Softmax(z.Data, z); err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{.75, .25, 0, 1} {
		if math.Abs(float64(z.Data[i])-want) > 1e-7 {
			t.Errorf("element %d is %v, want %v", i, z.Data[i], want)
		}
	}
}

func TestBatches(t *testing.T) {
	d := featuretest.NewBlobs(10, 2, 3, 1, 1, 1)
	order := func(src rand.Source) (all []int, sizes []int) {
		for b, err := range feature.Batches(d, 4, src) {
			if err != nil {
				t.Fatal(err)
			}
			for i, k := range b.Index {
				if b.Labels[i] != d.Labels[k] || !slices.Equal(b.X.Row(i), d.X.Row(k)) {
					t.Fatalf("sample %d is not what the batch holds", k)
				}
			}
			all, sizes = append(all, b.Index...), append(sizes, len(b.Labels))
		}
		return all, sizes
	}
	plain, sizes := order(nil)
	if !slices.Equal(plain, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}) || !slices.Equal(sizes, []int{4, 4, 2}) {
		t.Errorf("without a source: order %v, sizes %v", plain, sizes)
	}
	a, _ := order(rand.NewPCG(1, 1))
	b, _ := order(rand.NewPCG(1, 1))
	c, _ := order(rand.NewPCG(2, 1))
	if !slices.Equal(a, b) || slices.Equal(a, c) || slices.Equal(a, plain) {
		t.Errorf("orders %v, %v, %v", a, b, c)
	}
	slices.Sort(a)
	if !slices.Equal(a, plain) {
		t.Errorf("a shuffled pass visits %v", a)
	}
	for _, err := range feature.Batches(d, 0, nil) {
		if err == nil {
			t.Error("batch size 0 was accepted")
		}
	}
}

func TestSubsetAndConcat(t *testing.T) {
	a, b := featuretest.NewBlobs(5, 2, 3, 1, 1, 1), featuretest.NewBlobs(4, 2, 3, 1, 1, 2)
	sub, err := feature.Subset(a, []int{4, 0})
	if err != nil {
		t.Fatal(err)
	}
	all, err := feature.Concat(sub, b)
	if err != nil {
		t.Fatal(err)
	}
	got, err := feature.ReadAll(all)
	if err != nil || all.Len() != 6 {
		t.Fatal(all.Len(), err)
	}
	want := slices.Concat(a.X.Row(4), a.X.Row(0), b.X.Data)
	if !slices.Equal(got.X.Data, want) || got.Labels[0] != a.Labels[4] || got.Labels[5] != b.Labels[3] {
		t.Errorf("read %v, want %v", got.X.Data, want)
	}
	if id := feature.IdentityOf(all, 1); id != a.Persons[0] {
		t.Errorf("identity %q, want %q", id, a.Persons[0])
	}
	if id := feature.IdentityOf(all, 2); id != b.Persons[0] {
		t.Errorf("identity %q, want %q", id, b.Persons[0])
	}
	if _, err := feature.Subset(a, []int{5}); err == nil {
		t.Error("a subset past the end was accepted")
	}
	if _, err := feature.Concat(a, featuretest.NewBlobs(4, 3, 3, 1, 1, 2)); !errors.Is(err, feature.ErrShape) {
		t.Errorf("parts of different shape: %v", err)
	}
	other := featuretest.NewBlobs(4, 2, 3, 1, 1, 2)
	other.Scale.Mean = []float64{.5}
	if _, err := feature.Concat(a, other); err == nil {
		t.Error("parts of different normalization were accepted")
	}
	if err := all.Read([]int{6}, make([]float32, 2), make([]int, 1)); err == nil {
		t.Error("a read past the end was accepted")
	}
}

func TestPredictAgreesWithForward(t *testing.T) {
	m, d := featuretest.NewMLP(4, 6, 3, 1), featuretest.NewBlobs(11, 4, 3, 1, 1, 1)
	got, labels, err := feature.Predict(context.Background(), m, d, []string{"logits", "hidden"}, 4)
	if err != nil || !slices.Equal(labels, d.Labels) {
		t.Fatal(labels, err)
	}
	want := []feature.Tensor{feature.NewTensor(11, 3), feature.NewTensor(11, 6)}
	if err := m.Forward(context.Background(), d.X, []string{"logits", "hidden"}, want); err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if !slices.Equal(got[i].Data, want[i].Data) {
			t.Errorf("tap %d differs", i)
		}
	}
	if _, _, err := feature.Predict(context.Background(), m, d, []string{"nowhere"}, 4); !errors.Is(err, feature.ErrNoTap) {
		t.Errorf("unknown tap: %v", err)
	}
}

func TestSnapshotRestores(t *testing.T) {
	m := featuretest.NewMLP(4, 6, 3, 1)
	w, err := feature.Snapshot(m)
	if err != nil {
		t.Fatal(err)
	}
	before := slices.Clone(m.P[2])
	if err := feature.UpdateParam(m, 2, make([]float32, len(m.P[2])), func(w []float32) { w[3] = 7 }); err != nil || m.P[2][3] != 7 {
		t.Fatal("update did not reach the model", err)
	}
	if err := w.Restore(m); err != nil || !slices.Equal(before, m.P[2]) {
		t.Error("restore did not bring the weights back", err)
	}
	if err := w[:3].Restore(m); !errors.Is(err, feature.ErrShape) {
		t.Errorf("short snapshot: %v", err)
	}
}
