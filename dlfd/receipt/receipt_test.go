package receipt_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/dlfd/receipt"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/metrics"
)

// photos is a dataset whose samples have files.
type photos struct {
	*featuretest.Blobs
	set, dir string
}

// newPhotos draws photos and writes their files.
func newPhotos(t *testing.T, set string, n int, seed uint64) photos {
	t.Helper()
	p := photos{featuretest.NewBlobs(n, 4, 3, 1, 1, seed), set, t.TempDir()}
	for i := range p.Len() {
		if err := errors.Join(os.MkdirAll(filepath.Dir(p.Path(i)), 0o755), os.WriteFile(p.Path(i), p.content(i), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p photos) Path(i int) string {
	return filepath.Join(p.dir, "person-"+p.Persons[i], fmt.Sprintf("%s-%03d.png", p.set, i))
}

// content are the bytes of photo i.
func (p photos) content(i int) []byte {
	return fmt.Appendf(nil, "photo %d of %s: %v", i, p.set, p.X.Row(i))
}

// made is a request that was carried out.
type made struct {
	retain, forget, holdout photos
	key                     receipt.Key
	facts                   receipt.Facts
	sources                 receipt.Sources
	result                  *dlfd.Result
	before, after           string // model files
	private                 *ecdsa.PrivateKey
	bundle                  *receipt.Bundle
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// weights writes the weights of a model into a file.
func weights(t *testing.T, m feature.Trainable) string {
	t.Helper()
	w, err := feature.Snapshot(m)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "m.model")
	if err := os.WriteFile(name, fmt.Append(nil, w), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// carryOut carries out a request on blobs, for real, and makes its receipt.
func carryOut(t *testing.T, id string, previous *receipt.Opened) *made {
	t.Helper()
	d := &made{retain: newPhotos(t, "kept", 60, 2), forget: newPhotos(t, "gone", 21, 3), holdout: newPhotos(t, "unseen", 24, 4), private: newKey(t)}
	m := featuretest.NewMLP(4, 8, 3, 5)
	d.before = weights(t, m)
	opt := &dlfd.Options{Seed: 7}
	u := baseline.NegGradPlus{Descent: baseline.Descent{Epochs: 2, Rate: .01}}
	before := audited(t, m, d)
	var err error
	if d.result, err = u.Unlearn(t.Context(), m, dlfd.Data{Retain: d.retain, Forget: d.forget, Holdout: d.holdout}, opt); err != nil {
		t.Fatal(err)
	}
	d.after = weights(t, m)
	audit, err := receipt.NewAudit(audited(t, m, d), before, []*dlfd.Audited{before, before}, 7)
	if err != nil {
		t.Fatal(err)
	}
	if d.key, err = receipt.NewKey(); err != nil {
		t.Fatal(err)
	}
	input, err := receipt.SumModel(d.before)
	if err != nil {
		t.Fatal(err)
	}
	_, trace, err := receipt.TraceText(d.result)
	if err != nil {
		t.Fatal(err)
	}
	d.facts = receipt.Facts{
		ID: id, Received: "2026-11-26", Scenario: receipt.Person, Outcome: receipt.OutcomeOf(d.result, audit), Input: receipt.Input{Model: input.File},
		Leaves: receipt.OfFiles, Classes: 3, Result: d.result, Options: opt, Audit: audit, Trace: &trace,
	}
	if previous != nil {
		d.facts.Input.Previous, d.facts.Input.Model = &previous.Hash, previous.Model.File
	}
	d.sources = receipt.Sources{Retain: receipt.Files(d.retain), Forget: receipt.Files(d.forget), Holdout: receipt.Files(d.holdout)}
	d.seal(t, d.private)
	return d
}

func audited(t *testing.T, m feature.Model, d *made) *dlfd.Audited {
	t.Helper()
	a, err := dlfd.Audit(t.Context(), m, dlfd.AuditData{Retain: d.retain, Forget: d.forget, Test: d.holdout, Member: d.forget, NonMember: d.holdout}, &dlfd.AuditOptions{Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// seal makes the files, with the key or unsigned.
func (d *made) seal(t *testing.T, key *ecdsa.PrivateKey) {
	t.Helper()
	r, s, err := receipt.New(d.key, d.sources, d.facts)
	if err != nil {
		t.Fatal(err)
	}
	m, err := receipt.SumModel(d.after)
	if err == nil {
		d.bundle, err = receipt.NewBundle(r, s, m, d.result, key)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (d *made) open(t *testing.T) *receipt.Opened {
	t.Helper()
	o, err := receipt.Open(d.bundle.Receipt, &d.private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (d *made) secret(t *testing.T) *receipt.Secret {
	t.Helper()
	s, err := receipt.ReadSecret(d.bundle.Secret, d.open(t).Receipt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestUntouched verifies all of a receipt that nobody changed.
func TestUntouched(t *testing.T) {
	d := carryOut(t, "R-1", nil)
	o, s := d.open(t), d.secret(t)
	for what, err := range map[string]error{
		"model": o.CheckModel(d.after), "input": o.CheckInput(d.before), "trace": o.CheckTrace(d.bundle.Trace), "options": o.CheckOptions(),
		"chain": receipt.CheckChain([]*receipt.Opened{o}), "retain": o.CheckData(receipt.Retain, d.key, d.sources.Retain),
		"forget": o.CheckData(receipt.Forget, d.key, d.sources.Forget), "returned": s.CheckReturned(d.sources.Retain),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i := range d.forget.Len() {
		sum, err := receipt.Sum(bytes.NewReader(d.forget.content(i)))
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.Prove(sum, 3)
		if err == nil {
			err = p.Check(o.Receipt, bytes.NewReader(d.forget.content(i)))
		}
		if err != nil || p.Index != i || p.Label != d.forget.Label(i) {
			t.Errorf("photo %d: %+v, %v", i, p, err)
		}
	}
	if !o.Signed || o.Data.Retain.Count != 60 || !slices.Equal(o.Data.Forget.PerClass, []int{7, 7, 7}) || o.Ledger.Steps == 0 || o.Method.Seed != 7 || !strings.Contains(string(o.Method.Options), `"Epochs":2`) {
		t.Errorf("receipt %+v", o.Receipt)
	}
	if n := len(d.bundle.Receipt); n >= receipt.MaxSize || n < 2000 {
		t.Errorf("the receipt has %d bytes", n)
	}
	t.Logf("receipt %d bytes, page %d", len(d.bundle.Receipt), len(d.bundle.Page))
}

// edit changes the statement in an envelope and leaves the signature.
func edit(t *testing.T, file []byte, old, new string) []byte {
	t.Helper()
	var e map[string]any
	if err := json.Unmarshal(file, &e); err != nil {
		t.Fatal(err)
	}
	payload, err := base64.StdEncoding.DecodeString(e["payload"].(string))
	if err != nil || !bytes.Contains(payload, []byte(old)) {
		t.Fatalf("no %q in the statement: %v", old, err)
	}
	e["payload"] = base64.StdEncoding.EncodeToString(bytes.Replace(payload, []byte(old), []byte(new), 1))
	file, err = json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestEveryFailure changes one thing at a time: each has an error and a message of its
// own.
func TestEveryFailure(t *testing.T) {
	d := carryOut(t, "R-1", nil)
	o, s, pub := d.open(t), d.secret(t), &d.private.PublicKey
	opened := func(file []byte, k *ecdsa.PublicKey) error { _, err := receipt.Open(file, k); return err }
	sum, err := receipt.Sum(bytes.NewReader(d.forget.content(0)))
	if err != nil {
		t.Fatal(err)
	}
	proof, err := s.Prove(sum, 3)
	if err != nil {
		t.Fatal(err)
	}
	longer := *proof
	longer.Count++
	unsigned := *d
	unsigned.seal(t, nil)
	again := o.Audit
	again.Figures = slices.Clone(again.Figures)
	again.Figures[0].Value += .01
	compared := func(a receipt.Audit) error { _, err := o.Audit.Compare(a, 0); return err }
	_, otherSecret := receipt.ReadSecret(append(d.bundle.Secret, ' '), o.Receipt)
	_, noProof := s.Prove(receipt.Hash{}, 3)
	second := carryOut(t, "R-2", o)
	third := carryOut(t, "R-3", second.open(t))
	if err := os.WriteFile(d.forget.Path(5), append(d.forget.content(5), 'x'), 0o644); err != nil {
		t.Fatal(err)
	}
	said := make(map[string]string)
	for _, c := range []struct {
		name string
		err  error
		want error
		text string
	}{
		{"changed photo in the data", o.CheckData(receipt.Forget, d.key, d.sources.Forget), receipt.ErrData, "forget, 21 samples"},
		{"changed photo with a proof", proof.Check(o.Receipt, strings.NewReader("another")), receipt.ErrInclusion, "sample 0 of 21"},
		{"photo of somebody else", noProof, receipt.ErrInclusion, "none of 21 samples of request R-1"},
		{"changed option", opened(edit(t, d.bundle.Receipt, `"Epochs":2`, `"Epochs":3`), pub), receipt.ErrOptions, "NegGrad"},
		{"changed figure", opened(edit(t, d.bundle.Receipt, `"seed":7`, `"seed":8`), pub), receipt.ErrAltered, "not valid under key"},
		{"other key", opened(d.bundle.Receipt, &newKey(t).PublicKey), receipt.ErrOtherKey, "names key"},
		{"unsigned", opened(unsigned.bundle.Receipt, pub), receipt.ErrUnsigned, "not signed"},
		{"swapped model", o.CheckModel(d.before), receipt.ErrModel, o.Model.File.String()},
		{"swapped input", o.CheckInput(d.after), receipt.ErrInput, o.Input.Model.String()},
		{"trace of another run", o.CheckTrace(second.bundle.Receipt), receipt.ErrTrace, "SHA-256"},
		{"secret of another request", otherSecret, receipt.ErrSecret, "R-1"},
		{"dropped link", receipt.CheckChain([]*receipt.Opened{o, third.open(t)}), receipt.ErrChain, "R-3, number 2"},
		{"dropped first link", receipt.CheckChain([]*receipt.Opened{second.open(t)}), receipt.ErrChain, "R-2, the first"},
		{"second that names none", receipt.CheckChain([]*receipt.Opened{o, carryOut(t, "R-6", nil).open(t)}), receipt.ErrChain, "R-6, number 2, names none"},
		{"other model between", receipt.CheckChain([]*receipt.Opened{o, carryOut(t, "R-5", &receipt.Opened{Hash: o.Hash}).open(t)}), receipt.ErrChain, "R-5 began with model 0000"},
		{"proof for another count", longer.Check(o.Receipt, bytes.NewReader(d.forget.content(0))), receipt.ErrInclusion, "sample 0 of 22"},
		{"link given twice", receipt.CheckChain([]*receipt.Opened{o, o}), receipt.ErrChain, "R-1 stands in it twice"},
		{"person back in retain", s.CheckReturned(both(second.sources.Retain, carryOut(t, "R-4", nil).sources.Forget)), receipt.ErrReturned, "request R-1: samples 21, persons 21, of 81 samples; the first is sample 60"},
		{"figure that is not so", compared(again), receipt.ErrAudit, "retain accuracy"},
		{"no figures", compared(receipt.Audit{}), receipt.ErrAudit, "no figures"},
		{"other file", opened([]byte("{}"), pub), receipt.ErrFormat, "not a receipt"},
	} {
		if c.err == nil || !errors.Is(c.err, c.want) || !strings.Contains(c.err.Error(), c.text) {
			t.Errorf("%s: error %v, want %v and %q", c.name, c.err, c.want, c.text)
			continue
		}
		if text, ok := strings.CutPrefix(c.err.Error(), "receipt: "); !ok || strings.Contains(text, ": receipt: ") {
			t.Errorf("%s: the package is not named once: %v", c.name, c.err)
		}
		if before, ok := said[c.err.Error()]; ok {
			t.Errorf("%s and %s say the same", c.name, before)
		}
		said[c.err.Error()] = c.name
	}
	chain := []*receipt.Opened{o, second.open(t), third.open(t)}
	for _, order := range [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		err := receipt.CheckChain([]*receipt.Opened{chain[order[0]], chain[order[1]], chain[order[2]]})
		if right := order == [3]int{0, 1, 2}; errors.Is(err, receipt.ErrChain) == right || right && err != nil {
			t.Errorf("chain in order %v: %v", order, err)
		}
	}
	if o, err := receipt.OpenUnverified(unsigned.bundle.Receipt); err != nil || o.Signed || !bytes.Contains(o.Page(), []byte("not signed")) {
		t.Errorf("an unsigned receipt, not verified: %v", err)
	}
}

// both is one set of contents after the other.
func both(a, b receipt.Contents) receipt.Contents {
	return func(yield func(receipt.Content, error) bool) {
		for _, all := range []receipt.Contents{a, b} {
			for c, err := range all {
				if !yield(c, err) {
					return
				}
			}
		}
	}
}

// TestReturnedPerson has another photo of a person who had to be forgotten.
func TestReturnedPerson(t *testing.T) {
	d := carryOut(t, "R-1", nil)
	back := newPhotos(t, "later", 4, 99)
	back.Persons[2] = d.forget.Persons[3]
	err := d.secret(t).CheckReturned(receipt.Samples(back))
	if !errors.Is(err, receipt.ErrReturned) || !strings.Contains(err.Error(), "samples 0, persons 1, of 4 samples; the first is sample 2") || strings.Contains(err.Error(), back.Persons[2]) {
		t.Errorf("error %v", err)
	}
}

// TestRefusedFacts has what no receipt is made of.
func TestRefusedFacts(t *testing.T) {
	d := carryOut(t, "R-1", nil)
	forgotten := func(verdict string) func(*receipt.Facts) {
		return func(f *receipt.Facts) { f.Outcome, f.Audit.Verdict = receipt.Forgotten, verdict }
	}
	for name, c := range map[string]struct {
		change func(*receipt.Facts)
		want   error
	}{
		"id":                  {func(f *receipt.Facts) { f.ID = "ann@example.org" }, receipt.ErrParameter},
		"received":            {func(f *receipt.Facts) { f.Received = "yesterday" }, receipt.ErrParameter},
		`scenario "whatever"`: {func(f *receipt.Facts) { f.Scenario = "whatever" }, receipt.ErrParameter},
		`kind "class", and`:   {func(f *receipt.Facts) { r := *f.Result; r.Kind, f.Result = dlfd.KindClass, &r }, receipt.ErrParameter},
		"outcome":             {func(f *receipt.Facts) { f.Outcome = "" }, receipt.ErrParameter},
		"leaves":              {func(f *receipt.Facts) { f.Leaves = "" }, receipt.ErrParameter},
		"result":              {func(f *receipt.Facts) { f.Result = nil }, receipt.ErrParameter},
		"hidden":              {forgotten(metrics.Hidden.String()), receipt.ErrOutcome},
		`"cannot tell"`:       {forgotten(metrics.CannotTell.String()), receipt.ErrOutcome},
		"not judged":          {forgotten(receipt.NoVerdict), receipt.ErrOutcome},
	} {
		f := d.facts
		c.change(&f)
		if _, _, err := receipt.New(d.key, d.sources, f); !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := receipt.NewAudit(nil, nil, nil, 1); !errors.Is(err, receipt.ErrParameter) {
		t.Errorf("no audit: %v", err)
	}
}

// TestOutcomeOf has each reason why a run did not forget, or may not have.
func TestOutcomeOf(t *testing.T) {
	within := metrics.WithinBand.String()
	for _, c := range []struct {
		stop    dlfd.Stop
		verdict string
		want    receipt.Outcome
	}{
		{dlfd.Completed, within, receipt.Forgotten}, {dlfd.ScoreMet, within, receipt.Forgotten}, {dlfd.Completed, metrics.OverUnlearned.String(), receipt.Forgotten},
		{dlfd.Completed, metrics.CannotTell.String(), receipt.CannotTell}, {dlfd.ScoreMet, receipt.NoVerdict, receipt.CannotTell},
		{dlfd.Completed, metrics.Hidden.String(), receipt.NotForgotten}, {dlfd.Completed, metrics.UnderUnlearned.String(), receipt.NotForgotten},
		{dlfd.NothingToForget, within, receipt.NotForgotten}, {dlfd.NothingDone, metrics.CannotTell.String(), receipt.NotForgotten},
		{dlfd.BudgetSpent, within, receipt.NotForgotten}, {dlfd.TaskHarmed, within, receipt.NotForgotten}, {dlfd.NotForgotten, within, receipt.NotForgotten},
	} {
		got := receipt.OutcomeOf(&dlfd.Result{Stop: c.stop}, receipt.Audit{Verdict: c.verdict})
		r := receipt.Receipt{Request: receipt.Request{Outcome: got}, Audit: receipt.Audit{Verdict: c.verdict}}
		if err := r.CheckOutcome(); got != c.want || err != nil {
			t.Errorf("%s, %s: %s, want %s; %v", c.stop, c.verdict, got, c.want, err)
		}
	}
}

func TestTestResult(t *testing.T) {
	d := carryOut(t, "R-1", nil)
	o := d.open(t)
	for _, c := range []struct {
		verdict string
		outcome receipt.Outcome
		want    string
	}{
		{metrics.WithinBand.String(), receipt.Forgotten, receipt.Passed},
		{metrics.CannotTell.String(), receipt.CannotTell, receipt.Warned},
		{metrics.OverUnlearned.String(), receipt.Forgotten, receipt.Warned},
		{metrics.UnderUnlearned.String(), receipt.Forgotten, receipt.Failed},
		{metrics.Hidden.String(), receipt.Forgotten, receipt.Failed},
		{metrics.WithinBand.String(), receipt.NotForgotten, receipt.Failed},
		{receipt.NoVerdict, receipt.Refused, receipt.Failed},
	} {
		r := *o.Receipt
		r.Audit.Verdict, r.Request.Outcome = c.verdict, c.outcome
		text, err := (&receipt.Opened{Receipt: &r, Model: o.Model, Hash: o.Hash}).TestResult()
		if err != nil || !bytes.Contains(text, []byte(`"result":"`+c.want+`"`)) || !bytes.Contains(text, []byte(o.Hash.String())) || !bytes.Contains(text, []byte(receipt.TestPredicateType)) {
			t.Errorf("%s, %s: no %s in %s, %v", c.verdict, c.outcome, c.want, text, err)
		}
	}
}
