package dataset

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"gonum.org/v1/gonum/mat"
)

func npyFile(t *testing.T, name, descr, shape string, numbers any) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, npy("{'descr': '"+descr+"', 'fortran_order': False, 'shape': "+shape+", }", numbers), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestVectors(t *testing.T) {
	x := npyFile(t, "x.npy", "<f4", "(3, 2)", []float32{1, 2, 3, 4, 5, 6})
	d := must[*Set](t)(Vectors(x, VectorOptions{Labels: npyFile(t, "y.npy", "<i8", "(3, 1)", []int64{2, 0, 1})}))
	featuretest.RunDataset(t, d)
	equal(t, "labels", allLabels(t, d), []string{"2", "0", "1"})
	table := write(t, t.TempDir(), "y.csv", "who,class\nann,b\nbob,a\nann,b\n")
	d = must[*Set](t)(Vectors(x, VectorOptions{Labels: table, Label: "class", Identity: "who"}))
	featuretest.RunDataset(t, d)
	equal(t, "labels", allLabels(t, d), []string{"b", "a", "b"})
	equal(t, "identities", allIdentities(d), []string{"ann", "bob", "ann"})
	e := must[*Encoding](t)(LearnScale(d))
	scaled := must[*Set](t)(e.Apply(d))
	featuretest.RunDataset(t, scaled)
	r := float32(math.Sqrt(1.5)) // of 1, 3, 5: mean 3, variance 8/3
	equal(t, "scaled", scaled.floats, []float32{-r, -r, 0, 0, r, r})
	equal(t, "labels", allLabels(t, scaled), []string{"b", "a", "b"})
}

func TestVectorsErrors(t *testing.T) {
	x := npyFile(t, "x.npy", "<f4", "(2, 2)", []float32{1, 2, 3, 4})
	y := npyFile(t, "y.npy", "<i8", "(2,)", []int64{0, 1})
	dir := t.TempDir()
	for _, c := range []struct {
		x    string
		o    VectorOptions
		want error
		says []string
	}{
		{npyFile(t, "x.npy", "<f4", "(2, 2)", []float32{1, 2, float32(math.NaN()), 4}), VectorOptions{Labels: y}, feature.ErrNotFinite, []string{"x.npy", "row 1, element 0"}},
		{npyFile(t, "x.npy", "<f4", "(4,)", []float32{1, 2, 3, 4}), VectorOptions{Labels: y}, feature.ErrShape, []string{"x.npy", "[4]"}},
		{npyFile(t, "x.npy", "<f4", "(0, 4)", []float32{}), VectorOptions{Labels: y}, feature.ErrShape, []string{"[0 4]"}},
		{x, VectorOptions{Labels: npyFile(t, "y.npy", "<i8", "(3,)", []int64{0, 1, 0})}, feature.ErrShape, []string{"y.npy", "3 labels of 2"}},
		{x, VectorOptions{Labels: npyFile(t, "y.npy", "<f4", "(2,)", []float32{0, .5})}, feature.ErrLabel, []string{"y.npy", "element 1 is 0.5"}},
		{x, VectorOptions{Labels: npyFile(t, "y.npy", "<i8", "(2,)", []int64{0, -1})}, feature.ErrLabel, []string{"element 1 is -1"}},
		{x, VectorOptions{Labels: y, Classes: []string{"one"}}, feature.ErrLabel, []string{"element 1 is 1"}},
		{x, VectorOptions{Labels: write(t, dir, "a.csv", "y\na\n"), Label: "y"}, feature.ErrShape, []string{"a.csv", "1 labels of 2"}},
		{x, VectorOptions{Labels: write(t, dir, "b.csv", "y,id\na,p\na,\n"), Label: "y", Identity: "id"}, ErrIdentity, []string{"b.csv", "row 2 (line 3)", `column "id"`}},
		{x, VectorOptions{Labels: write(t, dir, "c.csv", "y\na\nb\n"), Label: "z"}, ErrColumn, []string{`"z"`}},
	} {
		_, err := Vectors(c.x, c.o)
		wantError(t, err, c.want, c.says...)
	}
}

func TestMatrix(t *testing.T) {
	x := mat.NewDense(2, 3, []float64{1, 2, 3, 4, 5, 6})
	d := must[*Set](t)(FromMatrix(x.T(), Samples{Labels: []int{1, 0, 1}, Classes: []string{"a", "b"}}))
	featuretest.RunDataset(t, d)
	equal(t, "sample", d.floats, []float32{1, 4, 2, 5, 3, 6})
	back, labels, err := ToMatrix(d)
	if err != nil || !mat.Equal(back, x.T()) || !slices.Equal(labels, d.labels) {
		t.Errorf("%v, %v, %v", back, labels, err)
	}
	_, err = FromMatrix(mat.NewDense(1, 2, []float64{0, 1e300}), Samples{Labels: []int{0}})
	wantError(t, err, feature.ErrNotFinite, "row 0, element 1")
	_, err = FromMatrix(nil, Samples{})
	wantError(t, err, feature.ErrParameter)
	_, err = FromMatrix(x, Samples{Labels: []int{0}})
	wantError(t, err, feature.ErrShape)
}

func TestEmbed(t *testing.T) {
	m, d := featuretest.NewMLP(4, 6, 3, 1), featuretest.NewBlobs(10, 4, 3, 1, 1, 2)
	e := must[*Set](t)(Embed(t.Context(), m, m.Spec().Features, d, 3))
	featuretest.RunDataset(t, e)
	out, labels, err := feature.Predict(t.Context(), m, d, []string{m.Spec().Features}, 10)
	if err != nil || !slices.Equal(e.labels, labels) || len(e.floats) != 60 {
		t.Fatal(err)
	}
	for i, v := range out[0].Data { // batches of another size may round otherwise
		if math.Abs(float64(v-e.floats[i])) > 1e-6 {
			t.Errorf("element %d is %v, want %v", i, e.floats[i], v)
		}
	}
	equal(t, "identities", allIdentities(e), allIdentities(d))
	if _, err = Embed(t.Context(), m, "nothing", d, 3); err == nil {
		t.Error("a tap that the model does not have")
	}
}
