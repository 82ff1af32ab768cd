package receipt

import (
	"encoding/json"
	"fmt"

	"github.com/dlfd-go/unlearn/dlfd"
)

// Sources are the contents of the sets of a request; Holdout and Test may be nil.
type Sources struct {
	Retain, Forget, Holdout, Test Contents
}

// Facts are what a receipt is made of, beside the data.
type Facts struct {
	ID       string // of the request; must not name a person
	Received string // a date such as 2026-11-26
	Scenario Scenario
	Outcome  Outcome
	Input    Input
	Leaves   string            // OfSamples or OfFiles: what Sources are
	Classes  int               // of the model
	Reading  map[string]string // see Data; must not name a person
	Result   *dlfd.Result      // of the method
	Options  *dlfd.Options     // that it ran with; nil means the defaults
	Audit    Audit             // see NewAudit
	Trace    *Hash             // of the trace's file; see TraceText
	Earlier  *Earlier          // nil where earlier requests were not judged
}

// New makes the receipt of a request and the secret that goes with it. Every content
// is read once. The key must be new; see NewKey.
//
// Nothing of the contents but counts and keyed roots goes into the receipt. Identities
// in Result do not either: overlaps are counted. Errors wrap ErrParameter, also where the
// Result is of another kind than the scenario, ErrOutcome where the outcome is Forgotten
// and the verdict does not say so, ErrEmpty, or are those of the contents.
func New(k Key, s Sources, f Facts) (*Receipt, *Secret, error) {
	if f.Result == nil || s.Retain == nil || s.Forget == nil {
		return nil, nil, fmt.Errorf("receipt: %w: no result, no retain set or no forget set", ErrParameter)
	}
	if kind := f.Result.Kind; kind != "" && kind != f.Scenario {
		return nil, nil, fmt.Errorf("receipt: %w: the run was a request of kind %q, and the scenario is %q", ErrParameter, kind, f.Scenario)
	}
	r := &Receipt{
		Request: Request{ID: f.ID, Received: f.Received, Scenario: f.Scenario, Outcome: f.Outcome},
		Input:   f.Input, Ledger: f.Result.Ledger, Audit: f.Audit, Trace: f.Trace, Limits: Limits(), Tool: ThisTool(),
		Overlap: Overlap{len(f.Result.Overlap), len(f.Result.Shared)}, Earlier: f.Earlier,
	}
	if err := r.CheckOutcome(); err != nil {
		return nil, nil, err
	}
	var err error
	if r.Method, err = newMethod(f.Result, f.Options); err != nil {
		return nil, nil, err
	}
	secret, err := r.addData(k, s, f)
	if err != nil {
		return nil, nil, err
	}
	if f.Scenario == Person {
		r.Request.Persons = len(secret.Persons)
	}
	text, err := secret.Text()
	if err != nil {
		return nil, nil, err
	}
	r.Request.Secret = sumBytes(text)
	return r, secret, r.check()
}

func newMethod(result *dlfd.Result, o *dlfd.Options) (Method, error) {
	if o == nil {
		o = &dlfd.Options{}
	}
	m := Method{Name: result.Method, Seed: o.Seed, BatchSize: o.BatchSize, Stop: result.Stop, Timed: o.Budget.Time > 0}
	var err error
	if m.Options, err = json.Marshal(result.Settings); err != nil {
		return m, fmt.Errorf("receipt: options of %s: %w", m.Name, err)
	}
	m.Hash = sumBytes(m.Options)
	return m, nil
}

// addData hashes the sets.
func (r *Receipt) addData(k Key, s Sources, f Facts) (*Secret, error) {
	var labels []int
	secret, err := newSecret(f.ID, k, count(s.Forget, &labels))
	if err != nil {
		return nil, err
	}
	r.Data = Data{Leaves: f.Leaves, Classes: f.Classes, Reading: f.Reading, Forget: newSet(secret.Forget, labels, f.Classes)}
	for _, part := range []struct {
		name string
		all  Contents
		set  **Set
	}{{Retain, s.Retain, &r.Data.Retain}, {Holdout, s.Holdout, &r.Data.Holdout}, {Test, s.Test, &r.Data.Test}} {
		if part.all == nil {
			continue
		}
		var labels []int
		t, err := NewTree(k, part.name, count(part.all, &labels))
		if err != nil {
			return nil, err
		}
		*part.set = newSet(t, labels, f.Classes)
	}
	return secret, nil
}

func newSet(t *Tree, labels []int, classes int) *Set {
	s := &Set{Count: len(t.Leaves), Root: t.Root()}
	if classes <= MaxClasses && len(labels) <= classes {
		s.PerClass = append(labels, make([]int, classes-len(labels))...)
	}
	return s
}

// trace is the course of a run, in a file of its own.
type trace struct {
	Trace  []dlfd.Point `json:"trace"`
	Scores []dlfd.Score `json:"scores"`
}

// TraceText returns the content of the file that has the course of a run, and its
// hash. It names no person.
func TraceText(result *dlfd.Result) ([]byte, Hash, error) {
	text, err := json.Marshal(trace{result.Trace, result.Scores})
	text = append(text, '\n')
	return text, sumBytes(text), err
}
