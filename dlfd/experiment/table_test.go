package experiment

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/metrics"
)

// TestJackknife: for a quantity that is a sum of parts of the two models, xᵢ + xⱼ, the
// mean over pairs is 2·mean(x), and its standard error twice that of the mean.
func TestJackknife(t *testing.T) {
	x := []float64{.3, .1, .7, .25, .9}
	var pairs []float64
	for i := range x {
		for j := i + 1; j < len(x); j++ {
			pairs = append(pairs, x[i]+x[j])
		}
	}
	got, want := jackknife(pairs, len(x)), summarize(x)
	if math.Abs(got.Mean-2*want.Mean) > 1e-15 || math.Abs(got.SE-2*want.SE) > 1e-15 || got.N != 5 {
		t.Errorf("%+v, want twice %+v", got, want)
	}
	if two := jackknife([]float64{.2}, 2); two != (Value{Mean: .2, N: 1}) {
		t.Errorf("of two models: %+v", two)
	}
}

func TestSummarize(t *testing.T) {
	// Mean 2, squares 1+0+1, variance 1, standard error 1/√3.
	if v := summarize([]float64{1, 2, 3}); v.Mean != 2 || math.Abs(v.SE-1/math.Sqrt(3)) > 1e-15 || v.N != 3 {
		t.Errorf("%+v", v)
	}
	if v := summarize([]float64{4}); v != (Value{Mean: 4, N: 1}) {
		t.Errorf("%+v", v)
	}
	if v := summarize(nil); v != (Value{}) {
		t.Errorf("%+v", v)
	}
}

// tableOf makes a table of gaps by seed.
func tableOf(band float64, gaps map[string][]float64) *Table {
	t := &Table{Band: Value{Mean: band, N: 3}, Columns: []string{"AUC", "test", "retain", "forget"}}
	t.Rows = []Row{{Name: "Retrained", Standing: Reference, Gap: t.Band}, {Name: "Original", Standing: Reference}}
	seeds := make(map[string][]seedValue)
	for name, list := range gaps {
		row := Row{Name: name, Gap: summarize(list), Figures: make([]Value, 4)}
		for k, v := range list {
			seeds[name] = append(seeds[name], seedValue{k, v})
		}
		t.Rows = append(t.Rows, row)
	}
	slices.SortFunc(t.Rows[2:], func(a, b Row) int { return strings.Compare(b.Name, a.Name) }) // whatever the map had
	t.compare(seeds)
	return t
}

func (t *Table) standings() map[string]Standing {
	all := make(map[string]Standing)
	for _, row := range t.Rows {
		all[row.Name] = row.Standing
	}
	return all
}

func TestStandings(t *testing.T) {
	gaps := map[string][]float64{
		"even":   {.030, .034, .032}, // differs from steady by .002 in every seed
		"steady": {.028, .032, .030},
		"wild":   {.020, .060, .013}, // by .001 ± .013: a tie
		"far":    {.130, .132, .131},
		"fails":  nil,
	}
	table := tableOf(.01, gaps)
	want := map[string]Standing{"Retrained": Reference, "Original": Reference, "steady": First, "wild": Tied, "even": Behind, "far": Behind, "fails": Unjudged}
	for name, s := range want {
		if got := table.standings()[name]; got != s {
			t.Errorf("band .01: %s is %q, want %q", name, got, s)
		}
	}
	if table.Best != "steady" || table.Rows[len(table.Rows)-1].Name != "fails" || table.Rows[5].Name != "far" {
		t.Errorf("best %s; %+v", table.Best, table.Rows)
	}
	// Inside the band nothing is ranked: by name, and none is best.
	table = tableOf(.05, gaps)
	var names []string
	for _, row := range table.Rows[2:5] {
		names = append(names, row.Name)
		if row.Standing != Inside {
			t.Errorf("band .05: %s is %q", row.Name, row.Standing)
		}
	}
	if !slices.Equal(names, []string{"even", "steady", "wild"}) {
		t.Errorf("inside the band in the order %v", names)
	}
	if text := strings.Join(table.Sentences(), " "); !strings.Contains(text, "not ranked: even, steady, wild.") {
		t.Error(text)
	}
}

// TestOneSeedRanksNothing, but for what lies inside the band.
func TestOneSeedRanksNothing(t *testing.T) {
	got := tableOf(.02, map[string][]float64{"near": {.01}, "far": {.3}, "best": {.03}}).standings()
	if got["near"] != Inside || got["far"] != OneSeed || got["best"] != OneSeed {
		t.Error(got)
	}
}

// TestPairedDifference: what all methods have in common in a seed does not count.
func TestPairedDifference(t *testing.T) {
	a := []seedValue{{0, .1}, {1, .5}, {2, .9}, {7, 3}}
	b := []seedValue{{2, .8}, {0, 0}, {1, .4}, {5, 9}}
	if v := paired(a, b); math.Abs(v.Mean-.1) > 1e-15 || v.SE > 1e-15 || v.N != 3 {
		t.Errorf("%+v", v)
	}
}

func TestFronts(t *testing.T) {
	point := func(name, group string, passes, gap, retain, test float64) Row {
		one := func(v float64) Value { return Value{Mean: v, N: 1} }
		return Row{Name: name, Group: group, Passes: one(passes), Gap: one(gap), Figures: []Value{{}, one(test), one(retain), {}}, Stops: map[dlfd.Stop]int{}}
	}
	table := Table{Columns: []string{"AUC", "test", "retain", "forget"}, Rows: []Row{
		{Standing: Reference}, {Standing: Reference},
		point("a:epochs=5", "a", 50, .01, .98, .9),
		point("a:epochs=1", "a", 10, .03, .9, .9),
		point("b", "b", 20, .04, .89, .9),        // a:epochs=1 is cheaper and better
		point("b:rate=1", "b", 60, .01, .99, .9), // dear, but the best on retain
		{Name: "fails", Group: "c", Figures: make([]Value, 4)},
	}}
	fronts := table.Fronts()
	if len(fronts) != 2 || fronts[0].Points[0].Name != "a:epochs=1" || fronts[1].Points[0].Name != "b" {
		t.Fatalf("%+v", fronts)
	}
	for _, f := range fronts {
		for _, p := range f.Points {
			if p.Dominated != (p.Name == "b") {
				t.Errorf("%s: dominated %v", p.Name, p.Dominated)
			}
		}
	}
}

func TestWriteFronts(t *testing.T) {
	table := tableOf(.01, map[string][]float64{"a": {.1, .2}, "a:epochs=5": {.05, .06}, "b": {.3, .3}})
	for i := range table.Rows {
		table.Rows[i].Group = table.Rows[i].Name[:1]
	}
	var text strings.Builder
	if err := table.WriteFronts(&text); err != nil {
		t.Fatal(err)
	}
	if got := text.String(); strings.Count(got, "\n") != 3 || !strings.Contains(got, ".150±.050") || strings.Contains(got, ".300") {
		t.Error(got)
	}
}

func TestChoiceRule(t *testing.T) {
	good, bad := Choice{Gap: .03, Deficit: .01}, Choice{Gap: .001, Deficit: .3}
	for _, c := range []struct {
		a, b Choice
		want bool
	}{
		{good, bad, true}, {bad, good, false},
		{Choice{Gap: .02, Deficit: .02}, good, true},
		{good, good, false},                       // of equals the first stays
		{Choice{Gap: .9, Deficit: .2}, bad, true}, // neither is eligible: the smaller shortfall
	} {
		if got := c.a.better(c.b, .02); got != c.want {
			t.Errorf("%+v rather than %+v: %v", c.a, c.b, got)
		}
	}
}

func TestNumbersInWords(t *testing.T) {
	for text, v := range map[string]Value{".027±.012": {Mean: .027, SE: .012, N: 5}, "-.010": {Mean: -.01, N: 1}, "1.250±.100": {Mean: 1.25, SE: .1, N: 2}, "–": {}} {
		if got := short(v); got != text {
			t.Errorf("%+v: %s, want %s", v, got, text)
		}
	}
}

func TestFileNames(t *testing.T) {
	j := Job{Index: 7, Kind: JudgeMethod, Task: "yale B/light", Method: "align:shrink=.6", Model: 1, Run: 2}
	if got, want := j.file(), "00007-yale_B_light-method-align_shrink_.6-1-2"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestCutSMI: what metrics.SMI cut at its bounds is no figure.
func TestCutSMI(t *testing.T) {
	column := Columns()[slices.IndexFunc(Columns(), func(c Column) bool { return c.Name == "SMI" })]
	for _, c := range []struct {
		value, lo, hi float64
		figure        bool
	}{
		{.7, .2, 1.1, true}, {.7, -1, 1.9, true}, {1.4, .3, 2, true}, {.7, -1, 2, false}, {-1, -1, .3, false}, {2, 1.5, 2, false},
	} {
		f := Finding{Audit: &dlfd.Audited{SMI: &metrics.Estimate{Value: c.value, Interval: metrics.Interval{Lo: c.lo, Hi: c.hi}}}}
		v, ok := column.Value(f)
		i, too := column.Interval(f)
		if ok != c.figure || too != c.figure || ok && (v != c.value || i != f.Audit.SMI.Interval) {
			t.Errorf("%+v: %v %v, %v %v", c, v, ok, i, too)
		}
	}
	if _, ok := column.Value(Finding{Audit: new(dlfd.Audited)}); ok {
		t.Error("an audit without SMI has the figure")
	}
}
