package report

import (
	"bytes"
	"encoding/csv"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

var attacks = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, `</style></title></svg><script>`, `]]>`, `<!--`, `-->`, `&lt;&#x26;amp;`,
	"{{.}}", "=HYPERLINK(1)", "שלום עולם", "\u202Etxt.exe\u2066", "a\x00b\x1bc\u0085", "\xff\xfe broken", "\uFFFE\uFFFF\U0001FFFF", strings.Repeat("W", 10_000),
	strings.Repeat("漢字", 300), "line\nbreak\ttab", "", "   ", "e\u0301\u0301\u0301", "javascript:alert(1)", "https://example.com/x.png", "NaN’s",
}

// setTexts puts s into every text of a report that is not one of fixed words.
func setTexts(r *Report, s string) {
	each(reflect.ValueOf(r).Elem(), "", func(place string, v reflect.Value) {
		if v.Kind() == reflect.String && v.Type() == reflect.TypeFor[string]() {
			v.SetString(s)
		}
	})
}

// Every text of one page is another attack; FuzzTexts has them one by one.
func TestHostileTexts(t *testing.T) {
	r := sample(6, 12, 1)
	i := 0
	each(reflect.ValueOf(r).Elem(), "", func(place string, v reflect.Value) {
		if v.Kind() == reflect.String && v.Type() == reflect.TypeFor[string]() && place != "Table.Columns[1].Name" {
			if v.SetString(attacks[i%len(attacks)]); strings.Contains(v.String(), "NaN") {
				v.SetString("") // which checkPage looks for
			}
			i++
		}
	})
	if i < 100 {
		t.Errorf("%d texts", i)
	}
	checkPage(t, pageOf(t, r))
}

func FuzzTexts(f *testing.F) {
	for _, s := range attacks {
		f.Add(s)
	}
	r := sample(3, 3, 2)
	for i := range r.Maps.Maps {
		r.Maps.Maps[i].Points = r.Maps.Maps[i].Points[:6]
	}
	r.Fronts, r.Losses, r.Attack.Curves, r.Depth = r.Fronts[:1], r.Losses[:2], r.Attack.Curves[:1], r.Depth[:1]
	r.Trace, r.Losses[0].Retain, r.Losses[1].Retain = nil, nil, nil
	f.Fuzz(func(t *testing.T, s string) {
		setTexts(r, s)
		var b bytes.Buffer
		if err := r.WriteHTML(&b); err != nil {
			t.Fatal(err)
		}
		// The same words may stand in the text; what matters are elements and XML.
		if strings.Contains(s, "NaN") || strings.Contains(s, "Inf") || strings.Contains(s, "%!") || strings.Contains(s, "ZgotmplZ") {
			return
		}
		checkPage(t, b.String())
		b.Reset()
		if err := r.WriteCSV(&b); err != nil {
			t.Fatal(err)
		}
		if _, err := csv.NewReader(&b).ReadAll(); err != nil {
			t.Errorf("CSV of %q: %v", s, err)
		}
	})
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", "a\nb\tc": "a b c", "\u202Eabc\u202C": "abc", "\xff": "\uFFFD", "a\x00": "a ", "\uFFFF": "\uFFFD", "שלום": "שלום",
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) is %q, want %q", in, got, want)
		}
	}
	if got := name(strings.Repeat("é", 1000)); utf8.RuneCountInString(got) != maxName {
		t.Errorf("%d runes", utf8.RuneCountInString(got))
	}
	if name(" ") != "(no name)" {
		t.Error("an empty name is not told")
	}
	if got := fit(strings.Repeat("m", 100), fontSize, 80); textWidth(got, fontSize) > 80 {
		t.Errorf("%q is wider than 80 pixels", got)
	}
}

func TestFormulasInCSV(t *testing.T) {
	for in, want := range map[string]string{"=1+1": "'=1+1", "@x": "'@x", "-cmd": "'-cmd", "-1.5": "-1.5", "+3": "+3", "name": "name", "": ""} {
		if got := plain(in); got != want {
			t.Errorf("%q is written as %q, want %q", in, got, want)
		}
	}
}

func TestMeansOfRoundingNoise(t *testing.T) {
	for want, v := range map[string]Value{
		"0.000 ± 0.061": {Mean: 4.6e-18, SE: .061, N: 3}, "4.6e-18": {Mean: 4.6e-18, N: 1}, "4.6e-5 ± 1.0e-5": {Mean: 4.6e-5, SE: 1e-5, N: 3}, missing: {Mean: 3},
	} {
		if got := v.text(); got != want {
			t.Errorf("%+v is written as %q, want %q", v, got, want)
		}
	}
}

func TestFigures(t *testing.T) {
	for _, c := range []struct {
		write func(float64) string
		v     float64
		want  string
	}{
		{figure, 0, "0.000"}, {figure, .5, "0.500"}, {figure, -.0, "0.000"}, {figure, -.25, "-0.250"}, {figure, 12.34, "12.3"}, {figure, 1234.5, "1234"}, {figure, 1e20, "1.0e20"}, {figure, 1.5e-7, "1.5e-7"},
		{figure, 5e-324, "4.9e-324"}, {amount, 999, "999"}, {amount, 12345, "12.3k"}, {amount, 4e6, "4.0M"}, {amount, 7.25e9, "7.2G"}, {amount, 1e15, "1.0e15"},
		{percent, .5, "50 %"}, {percent, .015, "1.5 %"}, {percent, 0, "0 %"}, {percent, 1, "100 %"}, {percent, 1e8, "1.0e10 %"},
	} {
		if got := c.write(c.v); got != c.want {
			t.Errorf("%v is written as %q, want %q", c.v, got, c.want)
		}
	}
}
