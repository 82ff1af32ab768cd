package receipt

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/dlfd-go/unlearn/dlfd"
)

// PredicateType is the type of a Receipt in a statement.
const PredicateType = "https://github.com/dlfd-go/unlearn/attestation/unlearning/v1"

// The names of the sets.
const (
	Retain  = "retain"
	Forget  = "forget"
	Holdout = "holdout"
	Test    = "test"
)

// Receipt is the predicate of a statement: what was asked, what was done, and what
// came out.
type Receipt struct {
	Request Request     `json:"request"`
	Input   Input       `json:"input"`
	Data    Data        `json:"data"`
	Method  Method      `json:"method"`
	Tool    Tool        `json:"tool"`
	Ledger  dlfd.Ledger `json:"ledger"`
	Audit   Audit       `json:"audit"`
	Overlap Overlap     `json:"overlap"`
	// Earlier says how the model treats what earlier requests had to forget; nil where it
	// was not judged.
	Earlier *Earlier `json:"earlier,omitempty"`
	// Trace is the SHA-256 of the file that has the course of the run, if there is one.
	Trace  *Hash    `json:"trace_sha256,omitempty"`
	Limits []string `json:"limits"` // what the receipt does not prove
	// Key is the KeyID of the key that NewBundle signed with. It tells a receipt that was
	// changed from one that somebody else signed, and proves nothing by itself.
	Key *Hash `json:"key_sha256,omitempty"`
}

// Request is what was asked. ID and Received are chosen by who runs the request; an
// ID must not name a person.
type Request struct {
	ID       string   `json:"id"`       // 1 to 64 of A–Z, a–z, 0–9, dot, dash, underscore
	Received string   `json:"received"` // a date such as 2026-11-26
	Scenario Scenario `json:"scenario"`
	Outcome  Outcome  `json:"outcome"`
	Persons  int      `json:"persons,omitempty"` // to be forgotten; 0: not known, or not asked for persons
	Secret   Hash     `json:"secret_sha256"`     // of the file of the Secret
}

// Scenario is the kind of a request, as methods and audits read it.
type Scenario = dlfd.Kind

// The kinds.
const (
	Sample     = dlfd.KindSample
	Person     = dlfd.KindPerson // or several persons; Request.Persons is how many
	Class      = dlfd.KindClass
	Mislabeled = dlfd.KindMislabeled
)

// Outcome is what became of a request.
type Outcome string

// The outcomes.
const (
	Forgotten    Outcome = "forgotten"
	NotForgotten Outcome = "not forgotten"
	CannotTell   Outcome = "cannot tell" // the run ended, and the audit does not show whether the samples are forgotten
	Refused      Outcome = "refused"
)

// OutcomeOf is the outcome of a run that ended and was audited: NotForgotten where not
// all steps were taken, the method says that they did not do, or the verdict is
// under-unlearned or hidden; CannotTell where the verdict is that, or there is none; and
// else Forgotten.
func OutcomeOf(result *dlfd.Result, a Audit) Outcome {
	switch {
	case result.Stop != dlfd.Completed && result.Stop != dlfd.ScoreMet, a.Failed():
		return NotForgotten
	case !a.tells():
		return CannotTell
	}
	return Forgotten
}

// Input is what the run began with. Model is taken before anything is written.
type Input struct {
	Model    Hash   `json:"model_sha256"`
	External []Hash `json:"external_sha256,omitempty"` // of its other files; see SumModel
	// Previous is the SHA-256 of the file of the receipt before, in a chain.
	Previous *Hash `json:"previous_receipt_sha256,omitempty"`
}

// Data are the sets; Retain and Forget are always there.
type Data struct {
	Leaves  string `json:"leaves"` // OfSamples or OfFiles
	Classes int    `json:"classes"`
	Retain  *Set   `json:"retain"`
	Forget  *Set   `json:"forget"`
	Holdout *Set   `json:"holdout,omitempty"`
	Test    *Set   `json:"test,omitempty"`
	// Reading says how files become what the model is given, as far as a
	// recomputation must know it.
	Reading map[string]string `json:"reading,omitempty"`
}

// Set is one of the sets.
type Set struct {
	Count    int   `json:"count"`
	PerClass []int `json:"per_class,omitempty"` // left out with more than MaxClasses classes
	Root     Hash  `json:"root"`                // of the Tree
}

// MaxClasses is the largest number of classes whose counts a receipt has, one by
// one.
const MaxClasses = 64

// set returns the set of a name, nil if there is none.
func (d *Data) set(name string) *Set {
	return map[string]*Set{Retain: d.Retain, Forget: d.Forget, Holdout: d.Holdout, Test: d.Test}[name]
}

// Method is how it was forgotten.
type Method struct {
	Name      string          `json:"name"`
	Options   json.RawMessage `json:"options"`        // as resolved
	Hash      Hash            `json:"options_sha256"` // of Options as they stand in the statement
	Seed      uint64          `json:"seed"`
	BatchSize int             `json:"batch_size,omitempty"` // 0: the default
	Stop      dlfd.Stop       `json:"stop"`
	// Timed says that a limit of wall time was set, so that the run may not repeat.
	Timed bool `json:"timed,omitempty"`
}

// Overlap says whether anything stood in two of the sets.
type Overlap struct {
	Persons int `json:"persons"` // both in Retain and in Forget
	Samples int `json:"samples"` // in two of the sets, to the bit
}

// Earlier is what an audit says of the requests before this one; see Ledger.
type Earlier struct {
	Requests int           `json:"requests"` // in the ledger
	Drift    *dlfd.Drifted `json:"drift"`
}

// Limits returns what no receipt proves, one sentence each.
func Limits() []string {
	return []string{
		"This is evidence, not a certificate of compliance with any law.",
		"It speaks of one model file; copies, earlier versions, backups and logs are not covered.",
		"An attack that fails shows what that attack cannot see; a stronger one may see more.",
		"Who signs vouches for what was measured; only a recomputation from the data confirms the figures.",
		"Other samples of the same person that were not in the request are still known to the model.",
	}
}

var isID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// Check returns an error wrapping ErrParameter unless the id, the date and the scenario
// can stand in a receipt. What is not known before the run, it does not look at.
func (q Request) Check() error {
	_, notDate := time.Parse(time.DateOnly, q.Received)
	switch {
	case !isID.MatchString(q.ID):
		return fmt.Errorf("receipt: %w: request id %q is not 1 to 64 letters, digits, dots, dashes and underscores", ErrParameter, q.ID)
	case notDate != nil:
		return fmt.Errorf("receipt: %w: received %q is not a date such as 2026-11-26", ErrParameter, q.Received)
	case !q.Scenario.Valid():
		return fmt.Errorf("receipt: %w: scenario %q is not sample, person, class or mislabelled", ErrParameter, q.Scenario)
	}
	return nil
}

// check returns an error wrapping ErrParameter unless r can be written.
func (r *Receipt) check() error {
	if err := r.Request.Check(); err != nil {
		return err
	}
	switch {
	case !slices.Contains([]Outcome{Forgotten, NotForgotten, CannotTell, Refused}, r.Request.Outcome):
		return fmt.Errorf("receipt: %w: outcome %q", ErrParameter, r.Request.Outcome)
	case r.Data.Retain == nil || r.Data.Retain.Count < 1 || r.Data.Forget == nil || r.Data.Forget.Count < 1:
		return fmt.Errorf("receipt: %w: there are no data to retain, or none to forget", ErrParameter)
	case r.Data.Leaves != OfSamples && r.Data.Leaves != OfFiles:
		return fmt.Errorf("receipt: %w: leaves are %q", ErrParameter, r.Data.Leaves)
	case r.Method.Name == "":
		return fmt.Errorf("receipt: %w: the method has no name", ErrParameter)
	case len(r.Limits) == 0:
		return fmt.Errorf("receipt: %w: there is no text on the limits; see Limits", ErrParameter)
	}
	return r.CheckOptions()
}

// CheckOptions returns an error wrapping ErrOptions unless the options of the method
// have the hash that stands beside them.
func (r *Receipt) CheckOptions() error {
	if sum := sumBytes(r.Method.Options); sum != r.Method.Hash {
		return fmt.Errorf("receipt: %w: the options of %s have SHA-256 %s, not %s", ErrOptions, r.Method.Name, sum, r.Method.Hash)
	}
	return nil
}

// CheckOutcome returns an error wrapping ErrOutcome if the outcome is Forgotten and the
// verdict of the audit does not say so.
func (r *Receipt) CheckOutcome() error {
	if r.Request.Outcome == Forgotten && (r.Audit.Failed() || !r.Audit.tells()) {
		return fmt.Errorf("receipt: %w: the outcome is %q and the verdict %q", ErrOutcome, r.Request.Outcome, r.Audit.Verdict)
	}
	return nil
}

// CheckData returns an error wrapping ErrData unless the contents are those of the
// set of that name: a sample was changed, added, left out, moved or labelled
// otherwise. Cost: one pass over the contents.
func (r *Receipt) CheckData(set string, k Key, all Contents) error {
	want := r.Data.set(set)
	if want == nil {
		return fmt.Errorf("receipt: %w: the receipt has no set %q", ErrData, set)
	}
	t, err := NewTree(k, set, all)
	if err != nil {
		return err
	}
	switch got := t.Root(); {
	case len(t.Leaves) != want.Count:
		return fmt.Errorf("receipt: %w: %s has %d samples, the receipt %d", ErrData, set, len(t.Leaves), want.Count)
	case got != want.Root:
		return fmt.Errorf("receipt: %w: %s, %d samples: a content, a label or the order differs (root %s, not %s)", ErrData, set, want.Count, got, want.Root)
	}
	return nil
}
