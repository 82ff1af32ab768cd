package receipt

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// FuzzOpen reads envelopes of any content: what is read without an error has all that
// its methods need.
func FuzzOpen(f *testing.F) {
	options := json.RawMessage(`{"Epochs":1}`)
	r := &Receipt{
		Request: Request{ID: "R", Received: "2026-11-26", Scenario: Sample, Outcome: Forgotten},
		Data:    Data{Leaves: OfFiles, Classes: 2, Retain: &Set{Count: 2}, Forget: &Set{Count: 1, PerClass: []int{1, 0}}},
		Method:  Method{Name: "Align", Options: options, Hash: sumBytes(options)}, Limits: Limits(),
		Audit: Audit{Figures: []Figure{{Metric: "loss attack AUC", Value: .5, Interval: &[2]float64{.4, .6}}}},
	}
	text, err := r.Statement(Model{External: make([]Hash, 2)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[{}],"predicateType":"` + PredicateType + `","predicate":null}`))
	f.Fuzz(func(t *testing.T, statement []byte) {
		file, err := Seal(statement, nil)
		if errors.Is(err, ErrSize) {
			return
		}
		o, err := OpenUnverified(file)
		if err != nil {
			return
		}
		o.Page()
		if _, err := o.TestResult(); err != nil {
			t.Error(err)
		}
		p := Proof{Set: Forget, Count: o.Data.Forget.Count}
		if err := p.Check(o.Receipt, strings.NewReader("photo")); !errors.Is(err, ErrInclusion) {
			t.Errorf("an empty proof: %v", err)
		}
	})
}

// FuzzExternalFiles reads model files of any content.
func FuzzExternalFiles(f *testing.F) {
	f.Add(field(7, field(5, entry("location", "a.bin")...)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		names, err := externalFiles(data)
		if err != nil && !errors.Is(err, ErrFormat) {
			t.Error(err)
		}
		if len(names) > len(data) {
			t.Errorf("%d names in %d bytes", len(names), len(data))
		}
	})
}
