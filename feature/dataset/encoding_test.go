package dataset

import (
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
)

const staff = `id,age,pay,floor,city,left,split
ann,30,1.5,7,Oslo,no,retain
bob,40,2.5,8,Rome,no,retain
cem,,3.5,7.0,Oslo,yes,retain
dan,50,-4,8,,no,retain
eve,50,1e3,9.00,Rome,yes,retain
fay,20,7,7,Bern,no,forget
`

func staffOptions() EncodingOptions {
	return EncodingOptions{
		Label: "left", Identity: "id", Numeric: []string{"age", "pay"}, Categorical: []string{"floor", "city"},
		Where: map[string][]string{"split": {"retain"}}, Impute: ImputeMedian, Indicators: true,
	}
}

// The numbers were computed by NumPy: x[~isnan(x)].mean(), .std(), median, and
// ((x - mean) / std).astype(float32), with Python 3 and NumPy.
func TestEncoding(t *testing.T) {
	file := write(t, t.TempDir(), "staff.csv", staff)
	e := must[*Encoding](t)(LearnEncoding(file, staffOptions()))
	equal(t, "names", e.Names(), []string{
		"age", "age (missing)", "pay", "pay (missing)", "floor=7", "floor=8", "floor=9", "floor (missing)",
		"city=Bern", "city=Oslo", "city=Rome", "city (missing)",
	})
	equal(t, "classes", e.Classes, []string{"no", "yes"})
	for i, want := range [][2]float64{{42.5, 8.2915619758885}, {200.7, 399.658429161703}} {
		if c := e.Columns[i]; math.Abs(c.Mean-want[0]) > 1e-12 || math.Abs(c.Std-want[1]) > 1e-12 {
			t.Errorf("column %q: mean %v, std %v, want %v", c.Name, c.Mean, c.Std, want)
		}
	}
	d := must[*Set](t)(e.Read(file, &RowOptions{Where: map[string][]string{"split": {"retain"}}}))
	featuretest.RunDataset(t, d)
	age := []float32{-1.507556676864624, -0.30151134729385376, 0.30151134729385376, 0.9045340418815613, 0.9045340418815613}
	pay := []float32{-0.4984256327152252, -0.4959234893321991, -0.493421345949173, -0.5121873617172241, 1.999957799911499}
	hot := [][]float32{{1, 0, 0, 0, 0, 1, 0, 0}, {0, 1, 0, 0, 0, 0, 1, 0}, {1, 0, 0, 0, 0, 1, 0, 0}, {0, 1, 0, 0, 0, 1, 0, 1}, {0, 0, 1, 0, 0, 0, 1, 0}}
	for i := range d.Len() {
		x, _ := readOne(t, d, i)
		equal(t, d.Path(i), x[4:], hot[i])
		if math.Abs(float64(x[0]-age[i])) > 1e-6 || math.Abs(float64(x[2]-pay[i])) > 1e-6 || x[1] != float32(ifTrue(i == 2)) || x[3] != 0 {
			t.Errorf("row %d: %v, want age %v and pay %v", i, x, age[i], pay[i])
		}
	}
	equal(t, "labels", allLabels(t, d), []string{"no", "no", "yes", "no", "yes"})
	equal(t, "identities", allIdentities(d), []string{"ann", "bob", "cem", "dan", "eve"})
	equal(t, "imputed", d.Imputed(), []Imputed{{"age", 1}, {"city", 1}})
	if d.Path(4) != file+"#5" {
		t.Errorf("path %q", d.Path(4))
	}
}

// Of a table with other columns in another order, in other spellings and lines.
func TestEncodingOfAnotherTable(t *testing.T) {
	dir := t.TempDir()
	e := must[*Encoding](t)(LearnEncoding(write(t, dir, "staff.csv", staff), staffOptions()))
	path := filepath.Join(dir, "e.json")
	if err := e.Save(path); err != nil {
		t.Fatal(err)
	}
	again := must[*Encoding](t)(LoadEncoding(path))
	other := write(t, dir, "other.csv", "\ufeffmore,left,city,floor,pay,age,id\r\"a,\rb\",yes,Rome,08,+200.7,42.50,gus\r")
	d, same := must[*Set](t)(again.Read(other, nil)), must[*Set](t)(e.Read(other, nil))
	x, label := readOne(t, d, 0)
	y, _ := readOne(t, same, 0)
	equal(t, "sample", x, []float32{0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0})
	equal(t, "sample of what was saved", x, y)
	if label != 1 || d.Identity(0) != "gus" || d.Imputed() != nil {
		t.Errorf("label %d, identity %q, imputed %v", label, d.Identity(0), d.Imputed())
	}
}

func TestEncodingTellsColumnsApart(t *testing.T) {
	file := write(t, t.TempDir(), "t.csv", "a,b,c,y\n1,x,5,0\n2.5,z,5,1\n")
	e := must[*Encoding](t)(LearnEncoding(file, EncodingOptions{Label: "y", Unknown: true}))
	equal(t, "names", e.Names(), []string{"a", "b=x", "b=z", "b (unknown)", "c"})
	if c := e.Columns[2]; !c.Constant || c.Mean != 5 || c.Std != 1 {
		t.Errorf("a constant column: %+v", c)
	}
	d := must[*Set](t)(e.Read(write(t, t.TempDir(), "u.csv", "a,b,c,y\n1,new,7,0\n"), nil))
	x, _ := readOne(t, d, 0)
	equal(t, "unknown category", x, []float32{-1, 0, 0, 1, 2})
	raw := must[*Encoding](t)(LearnEncoding(file, EncodingOptions{Label: "y", Numeric: []string{"a"}, Raw: true}))
	x, _ = readOne(t, must[*Set](t)(raw.Read(file, nil)), 1)
	equal(t, "raw", x, []float32{2.5})
}

func TestImputation(t *testing.T) {
	file := write(t, t.TempDir(), "t.csv", "a,b,y\n1,u,0\n1,v,0\n9,v,1\n3,w,1\n?,?,1\n")
	for impute, want := range map[Imputation]string{ImputeMean: "3.5", ImputeMedian: "2", ImputeMostFrequent: "1"} {
		e := must[*Encoding](t)(LearnEncoding(file, EncodingOptions{Label: "y", Missing: []string{"?"}, Impute: impute, Raw: true}))
		if got := *e.Columns[0].Fill; got != want || *e.Columns[1].Fill != "v" {
			t.Errorf("imputation %d: %q and %q, want %q and %q", impute, got, *e.Columns[1].Fill, want, "v")
		}
	}
}

func TestEncodingErrors(t *testing.T) {
	learn := func(text string, o EncodingOptions) error {
		_, err := LearnEncoding(write(t, t.TempDir(), "t.csv", text), o)
		return err
	}
	y := EncodingOptions{Label: "y"}
	wantError(t, learn("a,y\n1,0\nx,1\n", y), ErrFormat, "t.csv: row 2 (line 3)", `column "a"`, `"x"`)
	wantError(t, learn("a,y\n1,0\n,1\n", EncodingOptions{Label: "y", Numeric: []string{"b"}}), ErrColumn, `"b"`)
	wantError(t, learn("a,y\n1e999,0\n", y), feature.ErrNotFinite, "row 1 (line 2)", `column "a"`)
	wantError(t, learn("a,y\n1,0\n0x1p4,1\n", EncodingOptions{Label: "y", Numeric: []string{"a"}}), ErrFormat, "row 2 (line 3)", `"0x1p4"`)
	wantError(t, learn("a,y\nNaN,0\n", EncodingOptions{Label: "y", Numeric: []string{"a"}}), feature.ErrNotFinite, "row 1 (line 2)", `column "a"`)
	wantError(t, learn("a,y\n7,0\n07,1\n", EncodingOptions{Label: "y", Categorical: []string{"a"}}), ErrFormat, "row 2 (line 3)", `column "a"`, "two spellings")
	wantError(t, learn("a,y\n,0\n,1\n", y), ErrEmpty, `column "a"`)
	wantError(t, learn("y\n1\n", y), ErrColumn, "no column is left")
	wantError(t, learn("a,y\n1,1\n", EncodingOptions{Label: "y", Indicators: true}), feature.ErrParameter)
	wantError(t, learn("a,y\n1,1\n", EncodingOptions{Label: "y", Numeric: []string{"a"}, Ignore: []string{"a"}}), feature.ErrParameter, `"a"`)
	wantError(t, learn("a,y\n-1e308,1\n1e308,0\n", y), feature.ErrNotFinite, `column "a"`)
	wantError(t, learn("\xff\xfea\x00", y), ErrFormat, "UTF-16")
	wantError(t, learn("a,y\n1,0\n2\n", y), ErrFormat, "row 2 (line 3)", "number of fields")

	e := must[*Encoding](t)(LearnEncoding(write(t, t.TempDir(), "t.csv", "a,b,id,y\n1,u,p,0\n2,v,q,1\n"), EncodingOptions{Label: "y", Identity: "id"}))
	for _, c := range []struct {
		row    string
		want   error
		column string
	}{
		{",u,p,0", ErrFormat, "a"}, {"x,u,p,0", ErrFormat, "a"}, {"1,w,p,0", ErrFormat, "b"}, {"1,,p,0", ErrFormat, "b"},
		{"1,u,,0", ErrIdentity, "id"}, {"1,u,p,2", feature.ErrLabel, "y"}, {"1,u,p,", feature.ErrLabel, "y"}, {"1e300,u,p,1", feature.ErrNotFinite, "a"},
	} {
		_, err := e.Read(write(t, t.TempDir(), "u.csv", "a,b,id,y\n\n"+c.row+"\n"), nil)
		wantError(t, err, c.want, "u.csv: row 1 (line 3)", `column "`+c.column+`"`)
	}
	_, err := e.Read(write(t, t.TempDir(), "u.csv", "a,id,y\n"), nil)
	wantError(t, err, ErrEmpty)
	_, err = e.Read(write(t, t.TempDir(), "u.csv", "a,id,y\n1,p,0\n"), nil)
	wantError(t, err, ErrColumn, `"b"`)
}

func TestLoadEncodingErrors(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON": "a,b", "a list": "[]", "other fields": `{"columns":[{"name":"a","std":1}],"more":1}`, "no columns": "{}",
		"no deviation": `{"columns":[{"name":"a"}]}`, "twice": `{"columns":[{"name":"a","std":1},{"name":"a","std":1}]}`,
		"fill": `{"columns":[{"name":"a","categories":["x"],"fill":"y"}]}`, "indicator": `{"columns":[{"name":"a","std":1,"indicator":true}]}`,
		"number": `{"columns":[{"name":"a","std":1,"fill":"y"}]}`, "category twice": `{"columns":[{"name":"a","categories":["x","x"]}]}`,
		"label": `{"label":"y","columns":[{"name":"a","std":1}]}`, "more": `{"columns":[{"name":"a","std":1}]}{}`, "no categories": `{"columns":[{"name":"a","categories":[]}]}`,
	} {
		_, err := LoadEncoding(write(t, t.TempDir(), "e.json", text))
		if wantError(t, err, ErrFormat, "e.json"); t.Failed() {
			t.Fatal(name)
		}
	}
	_, err := LoadEncoding(filepath.Join(t.TempDir(), "none"))
	wantError(t, err, fs.ErrNotExist)
}

// One-hot columns of many categories take no memory before they are read.
func TestEncodingMemory(t *testing.T) {
	var b strings.Builder
	b.WriteString("a,y\n")
	const n = 20000
	for i := range n {
		b.WriteString("k" + strings.Repeat("x", i%3) + string(rune('a'+i%26)) + strings.Repeat("z", i/26%7) + string(rune('A'+i%17)) + "," + string(rune('0'+i%2)) + "\n")
	}
	file := write(t, t.TempDir(), "t.csv", b.String())
	var d *Set
	grown := allocated(func() {
		e := must[*Encoding](t)(LearnEncoding(file, EncodingOptions{Label: "y"}))
		d = must[*Set](t)(e.Read(file, nil))
	})
	if dense := uint64(4 * n * d.Shape()[0]); d.Shape()[0] < 1000 || grown > dense/2 {
		t.Errorf("%d bytes for %d rows of %d numbers, %d as an array", grown, n, d.Shape()[0], dense)
	}
	x, _ := readOne(t, d, n-1)
	if slices.Max(x) != 1 || slices.Index(x, 1) < 0 {
		t.Error("the last row has no category")
	}
}

func FuzzEncoding(f *testing.F) {
	f.Add(staff, false, 2)
	f.Add("left,a\nx,1\ny,2\n", true, 0)
	f.Add("left;a\nx;7.0\ny;07\n", true, 1)
	f.Fuzz(func(t *testing.T, text string, unknown bool, impute int) {
		tab, err := parseTable(strings.NewReader(text), "m.csv", TableOptions{})
		if err != nil {
			return
		}
		o := EncodingOptions{Label: "left", Unknown: unknown, Impute: Imputation(impute & 3), Indicators: impute&3 > 0}
		e, err := learn(tab, o)
		if err != nil {
			return
		}
		d, err := e.read(tab, &RowOptions{})
		if err != nil { // a field that is missing, or too large
			return
		}
		if d.Len() != len(tab.rows) || d.Shape()[0] != len(e.Names()) {
			t.Fatalf("%d samples of %v from %d rows", d.Len(), d.Shape(), len(tab.rows))
		}
		if err := featuretest.CheckDataset(d); err != nil {
			t.Fatal(err)
		}
	})
}
