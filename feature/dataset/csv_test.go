package dataset

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
)

const people = `path,identity,age,split,holdout
img/0.png,ann,10,retain,0
img/1.png,ann,9,retain,1
img/2.png,bob,10,forget,0
img/3.png,cem,2,test,0
`

// peopleTable writes the table and its images, each of which tells its number.
func peopleTable(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	for i, name := range []string{"0", "1", "2", "3"} {
		writeImage(t, dir, "img/"+name+".png", gray(i, 2, 3))
	}
	return write(t, dir, "metadata.csv", text)
}

func TestCSV(t *testing.T) {
	file := peopleTable(t, people)
	all := must[*Set](t)(CSV(file, &CSVOptions{Path: "path", Label: "age", Identity: "identity"}))
	equal(t, "classes", all.ClassNames(), []string{"2", "9", "10"})
	equal(t, "labels", allLabels(t, all), []string{"10", "9", "10", "2"})
	equal(t, "identities", allIdentities(all), []string{"ann", "ann", "bob", "cem"})
	for i := range 4 {
		equal(t, all.Path(i), all.bytes[6*i:6*i+6], gray(i, 2, 3).Pix)
	}
	train := must[*Set](t)(CSV(file, &CSVOptions{
		Path: "path", Label: "age",
		Where: map[string][]string{"split": {"retain", "forget"}, "holdout": {"0"}},
		Keep:  func(r Row) bool { return r.Number > 1 },
	}))
	equal(t, "classes of a split", train.ClassNames(), all.ClassNames())
	equal(t, "labels of a split", allLabels(t, train), []string{"10"})
	equal(t, "pixels of a split", train.bytes, gray(2, 2, 3).Pix)
	if train.Path(0) != "img/2.png" || train.Identity(0) != "" {
		t.Errorf("path %q, identity %q", train.Path(0), train.Identity(0))
	}
}

func TestCSVGivenClasses(t *testing.T) {
	file := peopleTable(t, people)
	o := &CSVOptions{Path: "path", Label: "age", Classes: []string{"10", "9"}}
	_, err := CSV(file, o)
	wantError(t, err, feature.ErrLabel, "row 4 (line 5)", `"2" is not one of the classes ["10" "9"]`)
	o.Where = map[string][]string{"split": {"retain"}} // the unknown label is not kept
	d := must[*Set](t)(CSV(file, o))
	equal(t, "labels", allLabels(t, d), []string{"10", "9"})
	equal(t, "classes", d.ClassNames(), o.Classes)
}

func TestCSVErrors(t *testing.T) {
	const head = "path,identity,age\n"
	base := CSVOptions{Path: "path", Label: "age", Identity: "identity"}
	with := func(change func(*CSVOptions)) CSVOptions {
		o := base
		change(&o)
		return o
	}
	for name, c := range map[string]struct {
		text string
		o    CSVOptions
		want error
		says []string
	}{
		"missing image":   {head + "img/0.png,a,1\nimg/9.png,b,1\n", base, fs.ErrNotExist, []string{"row 2 (line 3)", "9.png"}},
		"missing first":   {head + "img/9.png,b,1\nimg/0.png,a,1\n", base, fs.ErrNotExist, []string{"row 1 (line 2)"}},
		"no path":         {head + ",a,1\n", base, ErrFormat, []string{"row 1 (line 2)", "empty"}},
		"empty label":     {head + "img/0.png,a,1\nimg/1.png,a,\n", base, feature.ErrLabel, []string{"row 2 (line 3)", `""`}},
		"empty identity":  {head + "img/0.png,,1\n", base, ErrIdentity, []string{"row 1 (line 2)"}},
		"duplicate":       {head + "img/0.png,a,1\nimg/./0.png,a,1\n", base, ErrFormat, []string{"row 2 (line 3)", "in row 1 already"}},
		"outside":         {head + "../x.png,a,1\n", base, ErrFormat, []string{"row 1", "leads out of"}},
		"absolute":        {head + "/etc/passwd,a,1\n", base, ErrFormat, []string{"row 1", "leads out of"}},
		"a folder":        {head + "img,a,1\n", base, nil, []string{"row 1", "image img"}},
		"path column":     {head + "x,a,1\n", with(func(o *CSVOptions) { o.Path = "file" }), ErrColumn, []string{`"file", there are ["path" "identity" "age"]`}},
		"label column":    {head + "x,a,1\n", with(func(o *CSVOptions) { o.Label = "sex" }), ErrColumn, []string{`"sex", there are`}},
		"identity column": {head + "x,a,1\n", with(func(o *CSVOptions) { o.Identity = "who" }), ErrColumn, []string{`"who"`}},
		"where column":    {head + "x,a,1\n", with(func(o *CSVOptions) { o.Where = map[string][]string{"split": nil} }), ErrColumn, []string{`"split"`}},
		"where value":     {head + "x,a,1\n", with(func(o *CSVOptions) { o.Where = map[string][]string{"age": {"1", "7"}} }), ErrEmpty, []string{`"7" in column "age", there are ["1"]`}},
		"nothing kept":    {head + "x,a,1\n", with(func(o *CSVOptions) { o.Keep = func(Row) bool { return false } }), ErrEmpty, []string{"none of 1 rows"}},
		"column in Keep":  {head + "x,a,1\n", with(func(o *CSVOptions) { o.Keep = func(r Row) bool { return r.Get("splt") == "x" } }), ErrColumn, []string{`"splt"`}},
		"column in names": {head + "x,a,1\n", with(func(o *CSVOptions) { o.NameFunc = func(r Row) string { return r.Get("nme") } }), ErrColumn, []string{`"nme"`}},
		"no label":        {head + "x,a,1\n", CSVOptions{Path: "path"}, ErrColumn, []string{"Label is not set"}},
		"options missing": {head + "x,a,1\n", CSVOptions{}, ErrColumn, []string{"Path is not set"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := CSV(peopleTable(t, c.text), &c.o)
			if c.want == nil {
				c.want = err // only the text is checked
			}
			if err == nil {
				t.Fatal("no error")
			}
			wantError(t, err, c.want, append(c.says, "metadata.csv")...)
		})
	}
	_, err := CSV(filepath.Join(t.TempDir(), "gone.csv"), nil)
	wantError(t, err, fs.ErrNotExist, "gone.csv")
}

func TestCSVClassTwice(t *testing.T) {
	_, err := CSV(peopleTable(t, people), &CSVOptions{Path: "path", Label: "age", Classes: []string{"1", "1"}})
	wantError(t, err, ErrFormat, `classes 0 and 1 are both called "1"`)
}

func TestCSVTruncatedImage(t *testing.T) {
	file := peopleTable(t, people)
	image := filepath.Join(filepath.Dir(file), "img", "2.png")
	if err := os.Truncate(image, 50); err != nil {
		t.Fatal(err)
	}
	_, err := CSV(file, &CSVOptions{Path: "path", Label: "age"})
	wantError(t, err, ErrFormat, "metadata.csv: row 3 (line 4): image img/2.png")
}

func TestJoinErrors(t *testing.T) {
	for name, c := range map[string]struct {
		other string
		j     Join
		want  error
		say   string
	}{
		"key":        {"f,who\n0.png,a\n", Join{Key: "file"}, ErrColumn, `"file", there are ["f" "who"]`},
		"on":         {"f,who\n0.png,a\n", Join{Key: "f", On: "nothing"}, ErrColumn, `"nothing"`},
		"twice":      {"f,who\nx,a\nx,b\n", Join{Key: "f"}, ErrFormat, "row 2 (line 3)"},
		"same names": {"f,age\nx,a\n", Join{Key: "f"}, ErrFormat, `both called "age"`},
		"no match":   {"f,who\nimg/1.png,a\n", Join{Key: "f"}, ErrIdentity, "row 1 (line 2)"},
	} {
		t.Run(name, func(t *testing.T) {
			file := peopleTable(t, people)
			c.j.File = write(t, filepath.Dir(file), "other.csv", c.other)
			_, err := CSV(file, &CSVOptions{Path: "path", Label: "age", Identity: "who", Join: []Join{c.j}})
			wantError(t, err, c.want, c.say)
		})
	}
}
