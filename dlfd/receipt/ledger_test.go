package receipt_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/receipt"
	"github.com/dlfd-go/unlearn/metrics"
)

// ledgerOf has two requests, and is read back from its text.
func ledgerOf(t *testing.T, k receipt.Key) (l *receipt.Ledger, first, second *made) {
	t.Helper()
	first = carryOut(t, "R-1", nil)
	second = carryOut(t, "R-2", first.open(t))
	l, err := receipt.NewLedger(k, must(receipt.SumModel(first.before)))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []*made{first, second} {
		if err := l.Add(d.open(t), d.sources.Forget); err != nil {
			t.Fatal(err)
		}
	}
	if l, err = receipt.ReadLedger(must(l.Text()), k); err != nil {
		t.Fatal(err)
	}
	return l, first, second
}

func TestLedger(t *testing.T) {
	k := must(receipt.NewKey())
	l, first, second := ledgerOf(t, k)
	o := second.open(t)
	e := l.Entries[1]
	if len(l.Entries) != 2 || e.ID != "R-2" || e.Number != 2 || e.Receipt != o.Hash || e.Model.File != o.Model.File || len(e.Samples) != 21 || len(e.Persons) != 21 || e.Scenario != receipt.Person {
		t.Errorf("entry %+v", e)
	}
	if was := l.Was("R-1"); was == nil || was.Hi <= was.Lo || l.Was("R-9") != nil {
		t.Errorf("was %v", was)
	}
	backwards := func(yield func(receipt.Content, error) bool) {
		var all []receipt.Content
		for c := range first.sources.Forget {
			all = append(all, c)
		}
		slices.Reverse(all)
		for _, c := range all {
			if !yield(c, nil) {
				return
			}
		}
	}
	for _, err := range []error{l.CheckModel(second.after), l.CheckFirst(first.before), l.CheckNew("R-3"), l.CheckReturned(first.sources.Retain), l.CheckPast("R-1", backwards), l.CheckReceipt(o)} {
		if err != nil {
			t.Error(err)
		}
	}
	text := string(must(l.Text()))
	for i := range first.forget.Len() { // nobody is named, and no plain hash of a photo stands there
		sum := must(receipt.Sum(bytes.NewReader(first.forget.content(i))))
		if strings.Contains(text, `"`+first.forget.Persons[i]+`"`) || strings.Contains(text, sum.String()) || strings.Contains(text, filepath.Base(first.forget.Path(i))) {
			t.Fatalf("photo %d is named in the ledger", i)
		}
	}
	if strings.Contains(text, k.String()) {
		t.Error("the ledger has its key")
	}
	other, _, _ := ledgerOf(t, must(receipt.NewKey()))
	if other.Entries[0].Samples[0] == l.Entries[0].Samples[0] || other.Entries[0].Persons[0] == l.Entries[0].Persons[0] {
		t.Error("two keys give one mark")
	}
}

// TestEveryLedgerFailure changes one thing at a time: each has an error and a message of
// its own.
func TestEveryLedgerFailure(t *testing.T) {
	k := must(receipt.NewKey())
	l, first, second := ledgerOf(t, k)
	text := must(l.Text())
	lines := bytes.SplitAfter(text, []byte("\n"))
	read := func(text []byte, k receipt.Key) error { _, err := receipt.ReadLedger(text, k); return err }
	short, err := receipt.ReadLedger(slices.Concat(lines[0], lines[1]), k)
	if err != nil {
		t.Fatal(err)
	}
	person := newPhotos(t, "later", 4, 99)
	person.Persons[2] = first.forget.Persons[3]
	fewer := carryOut(t, "R-3", second.open(t))
	said := make(map[string]string)
	for _, c := range []struct {
		name string
		err  error
		want error
		text string
	}{
		{"other key", read(text, must(receipt.NewKey())), receipt.ErrLedgerKey, "the ledger has key"},
		{"changed first line", read(bytes.Replace(text, []byte(l.First.File.String()), []byte(l.Entries[0].Model.File.String()), 1), k), receipt.ErrLedger, "the first line does not have its HMAC"},
		{"changed request", read(bytes.Replace(text, []byte(`"2026-11-26"`), []byte(`"2026-11-27"`), 1), k), receipt.ErrLedger, "request R-1 does not have its HMAC"},
		{"dropped request", read(slices.Concat(lines[0], lines[2]), k), receipt.ErrLedgerGap, "number 2 follows number 0"},
		{"request twice in the file", read(slices.Concat(lines[0], lines[1], lines[1]), k), receipt.ErrLedgerGap, "number 1 follows number 1"},
		{"dropped last request", short.CheckModel(first.before), receipt.ErrLedgerModel, "ends with request R-1, number 1"},
		{"swapped model", l.CheckModel(first.before), receipt.ErrLedgerModel, "ends with request R-2, number 2"},
		{"other first model", l.CheckFirst(second.after), receipt.ErrLedgerModel, l.First.File.String()},
		{"request given twice", l.CheckNew("R-2"), receipt.ErrLedgerTwice, "request R-2 is number 2 of 2"},
		{"person back in retain", l.CheckReturned(receipt.Samples(person)), receipt.ErrReturned, "request R-1: samples 0, persons 1, of 4 samples; the first is sample 2"},
		{"photo back in retain", l.CheckReturned(both(first.sources.Retain, receipt.Files(first.forget))), receipt.ErrReturned, "request R-2: samples 21, persons 21, of 81 samples; the first is sample 60"},
		{"samples of another request", l.CheckPast("R-1", first.sources.Retain), receipt.ErrPast, "of 60 here 60 are others, and 21 are missing"},
		{"request that is not there", l.CheckPast("R-9", first.sources.Forget), receipt.ErrPast, "no request R-9"},
		{"receipt of another run", l.CheckReceipt(carryOut(t, "R-2", first.open(t)).open(t)), receipt.ErrLedgerGap, "request R-2 has receipt"},
		{"receipt that is not there", l.CheckReceipt(fewer.open(t)), receipt.ErrLedgerGap, "none of 2 is request R-3"},
		{"receipt of another model", l.Add(carryOut(t, "R-4", &receipt.Opened{Hash: first.open(t).Hash}).open(t), first.sources.Forget), receipt.ErrLedgerModel, "request R-4 began with model"},
		{"receipt of other data", l.Add(fewer.open(t), first.sources.Retain), receipt.ErrData, "had 21 samples to forget, and here are 60"},
		{"receipt twice", l.Add(first.open(t), first.sources.Forget), receipt.ErrLedgerTwice, "request R-1 is number 1 of 2"},
		{"empty file", read(nil, k), receipt.ErrFormat, "it is empty"},
		{"other file", read([]byte("{}\n"), k), receipt.ErrFormat, "line 1"},
		{"no JSON", read(append(slices.Clone(text), "x\n"...), k), receipt.ErrFormat, "line 4"},
	} {
		if c.err == nil || !errors.Is(c.err, c.want) || !strings.Contains(c.err.Error(), c.text) {
			t.Errorf("%s: error %v, want %v and %q", c.name, c.err, c.want, c.text)
			continue
		}
		if text, ok := strings.CutPrefix(c.err.Error(), "receipt: "); !ok || strings.Contains(text, ": receipt: ") || strings.Contains(text, first.forget.Persons[3]) {
			t.Errorf("%s: the package is not named once, or a person is: %v", c.name, c.err)
		}
		if before, ok := said[c.err.Error()]; ok {
			t.Errorf("%s and %s say the same", c.name, before)
		}
		said[c.err.Error()] = c.name
	}
	if len(l.Entries) != 2 || string(must(l.Text())) != string(text) {
		t.Error("a refused request changed the ledger")
	}
}

// TestLedgerByKind has what may come back and what may not: a sample with a wrong label
// under the right one, no sample of a class, and another photo of a person of whom single
// samples went.
func TestLedgerByKind(t *testing.T) {
	k := must(receipt.NewKey())
	for _, kind := range []receipt.Scenario{receipt.Sample, receipt.Person, receipt.Class, receipt.Mislabeled} {
		d := carryOut(t, "R-1", nil)
		d.facts.Scenario = kind
		d.seal(t, d.private)
		l := must(receipt.NewLedger(k, must(receipt.SumModel(d.before))))
		if err := l.Add(d.open(t), d.sources.Forget); err != nil {
			t.Fatal(err)
		}
		relabeled, again, person, stranger := newPhotos(t, "gone", 21, 3), newPhotos(t, "gone", 21, 3), newPhotos(t, "later", 2, 98), newPhotos(t, "new", 2, 97)
		for i := range relabeled.Labels {
			relabeled.Labels[i] = (relabeled.Labels[i] + 1) % 3
		}
		person.Persons[1] = d.forget.Persons[4]
		for name, c := range map[string]struct {
			set    photos
			refuse bool
		}{
			"the samples":             {again, true},
			"the samples, relabeled":  {relabeled, kind != receipt.Mislabeled},
			"another photo of one":    {person, kind == receipt.Person || kind == receipt.Class},
			"other photos of a class": {stranger, kind == receipt.Class},
		} {
			contents := receipt.Files(c.set)
			if c.set.set == "later" {
				contents = receipt.Samples(c.set) // whose files are under the name of another
			}
			if err := l.CheckReturned(contents); errors.Is(err, receipt.ErrReturned) != c.refuse || !c.refuse && err != nil {
				t.Errorf("%s, %s: %v", kind, name, err)
			}
		}
	}
}

func TestLedgerKey(t *testing.T) {
	path, k := filepath.Join(t.TempDir(), "key"), must(receipt.NewKey())
	if err := receipt.WriteLedgerKey(path, k); err != nil {
		t.Fatal(err)
	}
	if got, err := receipt.ReadLedgerKey(path); err != nil || got != k {
		t.Errorf("%v, %v", got, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := receipt.WriteLedgerKey(path, k); err == nil {
		t.Error("a key was replaced")
	}
	for _, text := range []string{"", "12", strings.Repeat("x", 64)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := receipt.ReadLedgerKey(path); !errors.Is(err, receipt.ErrKey) {
			t.Errorf("key %q: %v", text, err)
		}
	}
}

// TestEarlierInReceipt has a receipt whose page tells of earlier requests, of as many as a
// receipt of 16 kB may have.
func TestEarlierInReceipt(t *testing.T) {
	d := carryOut(t, "R-40", nil)
	js, first := .01, .9
	drift := &dlfd.Drifted{JS: &js, First: &first, Accuracy: .8, Advice: []string{"what request R-1 had to forget is told again"}}
	for i := range 20 {
		drift.Past = append(drift.Past, dlfd.PastJudged{ID: "R-" + strings.Repeat("1", i+1), Samples: 10, Attack: metrics.Strength{AUC: .501 + float64(i)/1e3, AUCInterval: metrics.Interval{Lo: .4, Hi: .6}}})
	}
	d.facts.Earlier = &receipt.Earlier{Requests: 39, Drift: drift}
	d.seal(t, d.private)
	o := d.open(t)
	page := string(o.Page())
	for _, want := range []string{"went through 39 requests before. What 20 requests had to forget was judged again", "| R-111 | 10 | 0.503 | 0.400 to 0.600 |", "It is time to retrain the model: what request R-1 had"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
	if n := len(d.bundle.Receipt); n >= 16000 {
		t.Errorf("the receipt has %d bytes", n)
	}
}
