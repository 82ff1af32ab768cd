package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"html"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/metrics"
)

// dump names a folder into which the pages of the tests are written, to be looked at.
var dump = flag.String("dump", "", "folder for the pages of the tests")

func pageOf(t *testing.T, r *Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	if b.Len() > MaxSize {
		t.Errorf("page of %d bytes", b.Len())
	}
	if *dump != "" {
		name := strings.NewReplacer("/", "-", " ", "-").Replace(t.Name())
		if err := os.WriteFile(filepath.Join(*dump, name+".html"), b.Bytes(), 0o644); err != nil {
			t.Error(err)
		}
	}
	return b.String()
}

var pictures = regexp.MustCompile(`(?s)<svg.*?</svg>`)

// tags and their attributes, whose values stand in double quotes everywhere.
var (
	tags       = regexp.MustCompile(`<[a-zA-Z](?:[^>"]|"[^"]*")*>`)
	attributes = regexp.MustCompile(`\s([a-zA-Z-]+)="([^"]*)"`)
)

// elements that a page may have, inside pictures and outside.
var (
	drawn   = strings.Fields("svg rect path text title g use")
	written = strings.Fields("html head meta title style body header h1 bdi div p span ul li dl dt dd nav a main section h2 h3 table caption thead tbody tr th td data small abbr figure details summary footer")
)

// checkPage finds what no page may have: broken pictures, elements or attributes that
// come from texts, addresses, and numbers that are none.
func checkPage(t *testing.T, s string) {
	t.Helper()
	for _, svg := range pictures.FindAllString(s, -1) {
		d := xml.NewDecoder(strings.NewReader(svg))
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%v in %.300q", err, svg)
			}
			if e, ok := token.(xml.StartElement); ok {
				checkElement(t, e)
			}
		}
	}
	outside := pictures.ReplaceAllString(s, "")
	for _, m := range regexp.MustCompile(`<([a-zA-Z0-9]+)`).FindAllStringSubmatch(outside, -1) {
		if !slices.Contains(written, m[1]) {
			t.Errorf("element %q", m[0])
		}
	}
	for _, tag := range tags.FindAllString(s, -1) {
		for _, m := range attributes.FindAllStringSubmatch(tag, -1) {
			if strings.HasPrefix(m[1], "on") || m[1] == "src" || m[1] == "style" || m[1] == "href" && !strings.HasPrefix(m[2], "#") {
				t.Errorf("attribute %.200q", m[0])
			}
		}
	}
	style := s[:strings.Index(s, "</style>")]
	for _, bad := range []string{"url(", "@import"} {
		if strings.Contains(style, bad) {
			t.Errorf("style has %q", bad)
		}
	}
	for _, bad := range []string{"NaN", "Inf<", "Inf ", "+Inf", "ZgotmplZ", "<no value>", "%!"} {
		if strings.Contains(s, bad) {
			i := strings.Index(s, bad)
			t.Errorf("page has %q: %.200q", bad, s[max(0, i-100):])
		}
	}
}

func checkElement(t *testing.T, e xml.StartElement) {
	t.Helper()
	if !slices.Contains(drawn, e.Name.Local) {
		t.Errorf("element %s in a picture", e.Name.Local)
	}
	said := false
	for _, a := range e.Attr {
		said = said || a.Name.Local == "aria-label" && a.Value != "" || a.Name.Local == "aria-hidden"
		if a.Name.Local == "href" && !strings.HasPrefix(a.Value, "#front-") {
			t.Errorf("href %q", a.Value)
		}
	}
	if e.Name.Local == "svg" && !said {
		t.Error("picture without a label")
	}
}

func TestPages(t *testing.T) {
	for _, n := range []int{0, 1, 8, 40} {
		for _, k := range []int{0, 1, 10, 300} {
			if testing.Short() && n+k != 1 && n+k != 18 {
				continue
			}
			t.Run(fmt.Sprintf("%d methods %d classes", n, k), func(t *testing.T) {
				s := pageOf(t, sample(n, k, uint64(n*1000+k)))
				checkPage(t, s)
				for _, id := range []string{"methods", "losses", "attack", "resurgence", "depth", "persons"} {
					if !strings.Contains(s, `<section id="`+id+`"`) {
						t.Errorf("no section %s", id)
					}
				}
				if got := strings.Contains(s, `<section id="maps"`); got != (k > 0) {
					t.Errorf("maps of %d classes: %v", k, got)
				}
			})
		}
	}
}

// Every section is shown where its data are there, and only there.
func TestSectionsAreOptional(t *testing.T) {
	whole := sample(4, 5, 1)
	count := func(r *Report) int { return strings.Count(pageOf(t, r), "<section id=") }
	if n := count(&Report{}); n != 0 {
		t.Errorf("an empty report has %d sections", n)
	}
	checkPage(t, pageOf(t, &Report{}))
	all := count(whole)
	v := reflect.ValueOf(whole).Elem()
	sections := 0
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if name == "Title" || name == "Verdict" || name == "Facts" {
			continue
		}
		sections++
		one := &Report{Title: "one"}
		reflect.ValueOf(one).Elem().Field(i).Set(v.Field(i))
		if n := count(one); n != 1 {
			t.Errorf("%s alone gives %d sections", name, n)
		}
		checkPage(t, pageOf(t, one))
		without := *whole
		reflect.ValueOf(&without).Elem().Field(i).SetZero()
		if n := count(&without); n != all-1 {
			t.Errorf("without %s: %d sections of %d", name, n, all)
		}
	}
	if sections != all {
		t.Errorf("%d sections of %d", all, sections)
	}
}

// Sections that are there but empty break nothing.
func TestEmptyParts(t *testing.T) {
	r := &Report{Table: &Table{}, Fronts: []Front{{Method: "m"}}, Losses: []Losses{{Model: "m"}}, Attack: &Attack{Curves: []ROC{{Model: "m"}}},
		Resurgence: []Plot{{}}, Relearning: []Plot{{Lines: []Curve{{Model: "m"}}}}, Classes: &Classes{}, Maps: &Maps{Maps: []Map{{}}}, Depth: []Depth{{}}, Persons: &Persons{},
		Trace: []Plot{{Lines: []Curve{{Model: "m", X: []float64{1}, Y: []float64{0}}}}}}
	checkPage(t, pageOf(t, r))
	r = &Report{Table: &Table{Columns: []Column{{Name: "test"}}, Rows: []Row{{Name: "m", Figures: make([]Value, 1)}}},
		Fronts: []Front{{Method: "m", Points: make([]FrontPoint, 3)}}, Classes: &Classes{Names: []string{"c"}, Models: []ClassAccuracy{{Accuracy: make([]Value, 1)}}},
		Depth: []Depth{{Layers: []string{"l"}, Lines: []DepthLine{{Values: make([]Value, 1)}}}}, Persons: &Persons{Samples: make([]Person, 1)}}
	s := pageOf(t, r)
	checkPage(t, s)
	if !strings.Contains(s, "<td>"+missing+"</td>") {
		t.Error("a missing figure is not shown as such")
	}
}

// numbers returns the numbers of a JSON document in the shortest form.
func numbers(t *testing.T, r *Report) map[string]bool {
	t.Helper()
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(&b)
	d.UseNumber()
	all := make(map[string]bool)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if n, ok := token.(json.Number); ok {
			v, err := n.Float64()
			if err != nil {
				t.Fatal(err)
			}
			all[exact(v)] = true
		}
	}
}

func TestNumbersOfAllFormatsAgree(t *testing.T) {
	r := sample(6, 10, 3)
	known := numbers(t, r)
	s := pageOf(t, r)
	shown := make(map[string]bool)
	for _, m := range regexp.MustCompile(`<data value="([^"]*)">([^<]*)</data>`).FindAllStringSubmatch(s, -1) {
		value := html.UnescapeString(m[1])
		shown[value] = true
		if !known[value] {
			t.Errorf("the page shows %s, which is not in the JSON", value)
		}
		checkRounded(t, value, html.UnescapeString(m[2]))
	}
	if len(shown) < 300 {
		t.Errorf("%d numbers on the page", len(shown))
	}
	for _, row := range r.Table.Rows {
		for _, v := range append([]Value{row.Gap, row.Bands, row.Passes, row.Share, row.Less}, row.Figures...) {
			if v.N > 0 && !shown[exact(v.Mean)] {
				t.Errorf("%s: %v of the JSON is not on the page", row.Name, v.Mean)
			}
		}
	}
	var b bytes.Buffer
	if err := r.WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range lines[1:] {
		for _, at := range []int{4, 5, 7, 8} {
			if line[at] != "" && line[at] != "0" && !known[line[at]] {
				t.Errorf("line %d: %s is not in the JSON", i+2, line[at])
			}
		}
	}
	inCSV := make(map[string]bool)
	for _, line := range lines {
		inCSV[line[4]] = true
	}
	for v := range shown {
		if !inCSV[v] {
			t.Errorf("%s of the page is not in the CSV", v)
		}
	}
}

// checkRounded compares a number with what the reader sees, whose last digit may be
// off by rounding.
func checkRounded(t *testing.T, value, seen string) {
	t.Helper()
	v, err := strconv.ParseFloat(value, 64)
	if err != nil {
		t.Fatal(err)
	}
	scale := 1.0
	for suffix, f := range map[string]float64{"k": 1e3, "M": 1e6, "G": 1e9, " %": .01} {
		if rest, ok := strings.CutSuffix(seen, suffix); ok {
			seen, scale = rest, f
		}
	}
	got, err := strconv.ParseFloat(seen, 64)
	if err != nil {
		t.Errorf("%s is shown as %q", value, seen)
		return
	}
	if diff := math.Abs(got*scale - v); diff > .00051 && diff > .051*math.Abs(v) {
		t.Errorf("%s is shown as %s", value, seen)
	}
}

func TestEqualReportsGiveEqualBytes(t *testing.T) {
	a, b := sample(8, 10, 5), sample(8, 10, 5)
	for name, write := range map[string]func(r *Report, w io.Writer) error{"HTML": (*Report).WriteHTML, "JSON": (*Report).WriteJSON, "CSV": (*Report).WriteCSV} {
		var x, y, again bytes.Buffer
		if err := errors.Join(write(a, &x), write(b, &y), write(a, &again)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(x.Bytes(), y.Bytes()) || !bytes.Equal(x.Bytes(), again.Bytes()) {
			t.Errorf("%s differs", name)
		}
	}
	if !reflect.DeepEqual(a, b) {
		t.Error("writing changed the report")
	}
}

func TestJSONReadsBack(t *testing.T) {
	r := sample(5, 4, 6)
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var back Report
	d := json.NewDecoder(&b)
	d.DisallowUnknownFields()
	if err := d.Decode(&back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(r, &back) {
		t.Error("the JSON reads back as another report")
	}
}

func TestTableOrder(t *testing.T) {
	v := func(x float64) Value { return Value{Mean: x, SE: .001, N: 5} }
	r := &Report{Table: &Table{Band: v(.02), Rows: []Row{
		{Name: "zeta", Gap: v(.001)}, {Name: "far", Gap: v(.3)}, {Name: "failed"}, {Name: "alpha", Gap: v(.019), Standing: "best; 1× stopped"}, {Name: "Original", Role: Original, Gap: v(.4)},
		{Name: "near", Gap: v(.03), Tied: true}, {Name: "Retrained", Role: Retrained, Gap: v(.02)}, {Name: "short", Role: Floor, Gap: v(.05), Standing: "behind"}}}}
	var names, standings []string
	for _, row := range r.Table.sorted() {
		names = append(names, row.Name)
		standings = append(standings, r.Table.standing(row))
	}
	if want := []string{"Retrained", "Original", "alpha", "zeta", "near", "short", "far", "failed"}; !slices.Equal(names, want) {
		t.Errorf("rows %q, want %q", names, want)
	}
	want := []string{"reference", "reference", "inside the band; 1× stopped", "inside the band", "tied with the best", "floor; behind", "outside the band", "not judged"}
	if !slices.Equal(standings, want) {
		t.Errorf("standings %q, want %q", standings, want)
	}
	checkPage(t, pageOf(t, r))
}

func TestNumberThatIsNone(t *testing.T) {
	r := sample(4, 3, 7)
	for i := range r.Maps.Maps {
		r.Maps.Maps[i].Points = r.Maps.Maps[i].Points[:5]
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		places := 0
		each(reflect.ValueOf(r).Elem(), "", func(place string, v reflect.Value) {
			if v.Kind() != reflect.Float64 || !firstOf(place) {
				return
			}
			places++
			old := v.Float()
			v.SetFloat(bad)
			for _, write := range []func(io.Writer) error{r.WriteHTML, r.WriteJSON, r.WriteCSV} {
				var b bytes.Buffer
				if err := write(&b); !errors.Is(err, metrics.ErrNotFinite) || !strings.Contains(err.Error(), ": "+place+": ") || b.Len() > 0 {
					t.Errorf("%s is %v: %v, %d bytes", place, bad, err, b.Len())
				}
			}
			v.SetFloat(old)
		})
		if places < 60 {
			t.Errorf("%d places", places)
		}
	}
}

// firstOf keeps a walk short: of long lists the first element stands for all.
func firstOf(place string) bool {
	for _, m := range regexp.MustCompile(`\[(\d+)\]`).FindAllStringSubmatch(place, -1) {
		if m[1] != "0" && m[1] != "1" {
			return false
		}
	}
	return true
}

// each visits every leaf of a value.
func each(v reflect.Value, place string, visit func(place string, v reflect.Value)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			each(v.Elem(), place, visit)
		}
	case reflect.Slice:
		if k := v.Type().Elem().Kind(); k == reflect.Float64 && v.Len() > 2 {
			v = v.Slice(0, 2)
		}
		for i := range v.Len() {
			each(v.Index(i), field(place, fmt.Sprintf("[%d]", i)), visit)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			each(v.Field(i), field(place, v.Type().Field(i).Name), visit)
		}
	default:
		visit(place, v)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		want  error
		place string
		spoil func(r *Report)
	}{
		{metrics.ErrRange, "Verdict.Finding", func(r *Report) { r.Verdict.Finding = "fine" }},
		{metrics.ErrShape, "Table.Rows[1].Figures has 1 elements, want 4", func(r *Report) { r.Table.Rows[1].Figures = make([]Value, 1) }},
		{metrics.ErrRange, `Table.Utility is "speed"`, func(r *Report) { r.Table.Utility = "speed" }},
		{metrics.ErrRange, "Table.Rows[0].Gap.N: value out of range: -1", func(r *Report) { r.Table.Rows[0].Gap.N = -1 }},
		{metrics.ErrRange, "Table.Band.SE: value out of range: -1", func(r *Report) { r.Table.Band.SE = -1 }},
		{metrics.ErrRange, "Persons.Samples[2].Score.Interval: value out of range: from 2 to 1", func(r *Report) { r.Persons.Samples[2].Score.Interval = &metrics.Interval{Lo: 2, Hi: 1} }},
		{metrics.ErrShape, "Attack.Curves[0].TPR", func(r *Report) { r.Attack.Curves[0].TPR = nil }},
		{metrics.ErrRange, "Attack.Curves[1] at 2", func(r *Report) { r.Attack.Curves[1].TPR[2] = 1.5 }},
		{metrics.ErrRange, "Attack.Curves[1] at 3", func(r *Report) { r.Attack.Curves[1].FPR[2] = 1 }},
		{metrics.ErrShape, "Resurgence[1].Lines[0].Y", func(r *Report) { r.Resurgence[1].Lines[0].Y = nil }},
		{metrics.ErrShape, "Relearning[0].Lines[0].SE", func(r *Report) { r.Relearning[0].Lines[0].SE = make([]float64, 1) }},
		{metrics.ErrRange, "Relearning[0].Lines[0] has 3 standard errors over 1 seeds", func(r *Report) { r.Relearning[0].Lines[0].Seeds = 1 }},
		{metrics.ErrRange, "Relearning[0].Lines[1].SE[0] is -1", func(r *Report) { r.Relearning[0].Lines[1].SE[0] = -1 }},
		{metrics.ErrRange, "Trace[0].Lines[0].X falls from 1999 to 0 at 1", func(r *Report) { r.Trace[0].Lines[0].X[0] = 1999; r.Trace[0].Lines[0].X[1] = 0 }},
		{metrics.ErrShape, "Classes.Forget", func(r *Report) { r.Classes.Forget = make([]bool, 1) }},
		{metrics.ErrShape, "Classes.Models[1].Accuracy", func(r *Report) { r.Classes.Models[1].Accuracy = nil }},
		{metrics.ErrLabel, "Maps.Maps[1].Points[3].Class is 3 of 3 classes", func(r *Report) { r.Maps.Maps[1].Points[3].Class = 3 }},
		{metrics.ErrShape, "Depth[0].Lines[1].Values", func(r *Report) { r.Depth[0].Lines[1].Values = nil }},
	} {
		r := sample(4, 3, 8)
		c.spoil(r)
		for _, write := range []func(io.Writer) error{r.WriteHTML, r.WriteJSON, r.WriteCSV} {
			if err := write(io.Discard); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.place) || strings.Count(err.Error(), "report: ") != 1 {
				t.Errorf("%s: %v", c.place, err)
			}
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestWriteErrorsArePassedOn(t *testing.T) {
	r := sample(2, 2, 9)
	for _, write := range []func(io.Writer) error{r.WriteHTML, r.WriteJSON, r.WriteCSV} {
		if err := write(brokenWriter{}); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("error %v", err)
		}
	}
}

// A page that would be too large shows less, and one that is too large even then is
// refused.
func TestSize(t *testing.T) {
	if testing.Short() {
		t.Skip("makes pages of some megabytes")
	}
	r := sample(90, 300, 10)
	s := pageOf(t, r)
	checkPage(t, s)
	if !strings.Contains(s, "Without a panel here, for lack of room") {
		t.Error("nothing says what was left out")
	}
	for range 3000 {
		r.Table.Rows = append(r.Table.Rows, r.Table.Rows[0])
	}
	if err := r.WriteHTML(io.Discard); !errors.Is(err, metrics.ErrRange) {
		t.Errorf("error %v", err)
	}
}
