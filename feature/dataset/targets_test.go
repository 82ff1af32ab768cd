package dataset

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
)

const faces = `path,identity,smile,glasses,tilt,split,age
img/0.png,ann,yes,0,left,retain,10
img/1.png,ann,no,0,none,retain,20
img/2.png,bob,yes,1,right,forget,30
img/3.png,cem,no,1.0,none,test,40
`

var faceTargets = []string{"smile", "glasses", "tilt"}

// vectors returns the labels of all samples.
func vectors(t *testing.T, d feature.Dataset) [][]int {
	t.Helper()
	labels, err := feature.Labels(d)
	if err != nil {
		t.Fatal(err)
	}
	return must[[][]int](t)(feature.Vectors(feature.TargetsOf(d), labels))
}

func checkFaces(t *testing.T, d *Set, want ...[]int) {
	t.Helper()
	featuretest.RunDataset(t, d)
	if got := vectors(t, d); !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("labels %v, want %v", got, want)
	}
	for i, names := range [][]string{{"no", "yes"}, {"0", "1"}, {"left", "none", "right"}} {
		target := feature.TargetsOf(d)[i]
		equal(t, target.Name, target.ClassNames, names)
	}
}

func TestTargets(t *testing.T) {
	file := peopleTable(t, faces)
	all := must[*Set](t)(CSV(file, &CSVOptions{Path: "path", Targets: faceTargets, Identity: "identity"}))
	checkFaces(t, all, []int{1, 0, 0}, []int{0, 0, 1}, []int{1, 1, 2}, []int{0, 1, 1})
	if name := all.ClassName(all.Label(2)); name != "smile=yes, glasses=1, tilt=right" || all.Classes() != 12 || all.ClassNames() != nil {
		t.Errorf("%q of %d combinations, names %q", name, all.Classes(), all.ClassNames())
	}
	smile, err := feature.OneLabel(all, 0)
	if err != nil {
		t.Fatal(err)
	}
	one := must[*Set](t)(CSV(file, &CSVOptions{Path: "path", Label: "smile"}))
	for i := range 4 {
		_, a := readOne(t, smile, i)
		_, b := readOne(t, one, i)
		if a != b {
			t.Errorf("sample %d: the label is %d, that of the column alone %d", i, a, b)
		}
	}
	test := must[*Set](t)(CSV(file, &CSVOptions{Path: "path", Targets: faceTargets, Where: map[string][]string{"split": {"test"}}}))
	checkFaces(t, test, []int{0, 1, 1})
	reversed := must[*Set](t)(CSV(file, &CSVOptions{Path: "path", Targets: faceTargets, TargetClasses: map[string][]string{"smile": {"yes", "no"}}}))
	if v := vectors(t, reversed); v[0][0] != 0 || v[1][0] != 1 {
		t.Errorf("labels %v", v)
	}
	if err := feature.CheckClasses(all, reversed); !errors.Is(err, feature.ErrClasses) || !strings.Contains(err.Error(), `"smile"`) {
		t.Error(err)
	}
}

func TestTargetsOfRows(t *testing.T) {
	file := write(t, t.TempDir(), "rows.csv", faces)
	e := must[*Encoding](t)(LearnEncoding(file, EncodingOptions{Targets: faceTargets, Identity: "identity", Ignore: []string{"path", "split"}}))
	equal(t, "numbers", e.Names(), []string{"age"})
	saved := filepath.Join(t.TempDir(), "encoding.json")
	if err := e.Save(saved); err != nil {
		t.Fatal(err)
	}
	e = must[*Encoding](t)(LoadEncoding(saved))
	d := must[*Set](t)(e.Read(file, nil))
	checkFaces(t, d, []int{1, 0, 0}, []int{0, 0, 1}, []int{1, 1, 2}, []int{0, 1, 1})

	x := npyFile(t, "x.npy", "<f4", "(4, 2)", make([]float32, 8))
	v := must[*Set](t)(Vectors(x, VectorOptions{Labels: file, Targets: faceTargets, Identity: "identity"}))
	checkFaces(t, v, []int{1, 0, 0}, []int{0, 0, 1}, []int{1, 1, 2}, []int{0, 1, 1})
	scale := must[*Encoding](t)(LearnScale(v))
	checkFaces(t, must[*Set](t)(scale.Apply(v)), []int{1, 0, 0}, []int{0, 0, 1}, []int{1, 1, 2}, []int{0, 1, 1})
}

func TestTargetErrors(t *testing.T) {
	missing := peopleTable(t, "path,smile,glasses\nimg/0.png,yes,0\nimg/1.png,,1\nimg/2.png,no,0\n")
	constant := peopleTable(t, "path,smile,glasses\nimg/0.png,yes,0\nimg/1.png,yes,1\n")
	file := peopleTable(t, faces)
	for _, c := range []struct {
		file string
		o    CSVOptions
		want error
		says string
	}{
		{missing, CSVOptions{Targets: []string{"smile", "glasses"}}, feature.ErrLabel, `row 2 (line 3): label out of range: label "smile" is missing`},
		{constant, CSVOptions{Targets: []string{"smile", "glasses"}}, feature.ErrLabel, `column "smile" has the classes ["yes"]`},
		{file, CSVOptions{Targets: []string{"smile", "beard"}}, ErrColumn, "beard"},
		{file, CSVOptions{Targets: []string{"smile"}}, feature.ErrParameter, "two or more"},
		{file, CSVOptions{Targets: []string{"smile", "smile"}}, feature.ErrParameter, "named twice"},
		{file, CSVOptions{Targets: faceTargets, Label: "smile"}, feature.ErrParameter, "neither Label"},
		{file, CSVOptions{Targets: faceTargets, TargetClasses: map[string][]string{"age": {"1", "2"}}}, feature.ErrParameter, `"age"`},
		{file, CSVOptions{Targets: faceTargets, TargetClasses: map[string][]string{"tilt": {"left", "none"}}}, feature.ErrLabel, `label "tilt": "right"`},
		{file, CSVOptions{Label: "smile", TargetClasses: map[string][]string{"tilt": {"left"}}}, feature.ErrParameter, "without Targets"},
	} {
		c.o.Path = "path"
		_, err := CSV(c.file, &c.o)
		wantError(t, err, c.want, c.says)
	}
	x := feature.NewTensor(1, 2)
	two := []feature.Target{{Name: "a", Classes: 2}, {Name: "b", Classes: 2}}
	for _, s := range []Samples{
		{X: x, Labels: []int{0}, Targets: two[:1]},
		{X: x, Labels: []int{0}, Targets: two, Classes: []string{"x"}},
		{X: x, Labels: []int{0}, Targets: []feature.Target{{Classes: 2, ClassNames: []string{"x"}}, two[0]}},
	} {
		_, err := Memory(s)
		wantError(t, err, ErrFormat)
	}
	_, err := Memory(Samples{X: x, Labels: []int{4}, Targets: two})
	wantError(t, err, feature.ErrLabel, "label 4 of 4")
}
