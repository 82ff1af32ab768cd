package receipt

import (
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"slices"
)

const statementType = "https://in-toto.io/Statement/v1"

// Subject is one of the things that a statement speaks of: "model" and, one for each
// file of external data, "model external data". File names are not told.
type Subject struct {
	Name   string `json:"name"`
	Digest struct {
		SHA256 Hash `json:"sha256"`
	} `json:"digest"`
}

// Names of subjects.
const (
	modelName    = "model"
	externalName = "model external data"
)

// statement is an in-toto Statement v1.
type statement struct {
	Type          string          `json:"_type"`
	Subject       []Subject       `json:"subject"`
	PredicateType string          `json:"predicateType"`
	Predicate     json.RawMessage `json:"predicate"`
}

func newStatement(m Model, predicateType string, predicate any) ([]byte, error) {
	s := statement{Type: statementType, PredicateType: predicateType, Subject: m.subjects()}
	var err error
	if s.Predicate, err = json.Marshal(predicate); err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	return json.Marshal(s)
}

func (m Model) subjects() []Subject {
	all := make([]Subject, 1+len(m.External))
	all[0].Name, all[0].Digest.SHA256 = modelName, m.File
	for i, h := range m.External {
		all[i+1].Name, all[i+1].Digest.SHA256 = externalName, h
	}
	if len(m.External) > 1 { // names of subjects are unique
		for i := range m.External {
			all[i+1].Name = fmt.Sprintf("%s %d", externalName, i+1)
		}
	}
	return all
}

// Statement returns the statement that r is about the new model, for Seal. An error
// wraps ErrParameter if r lacks something, or ErrOptions.
func (r *Receipt) Statement(m Model) ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	return newStatement(m, PredicateType, r)
}

// Opened is a receipt as it was read.
type Opened struct {
	*Receipt
	Model  Model // the new model
	Hash   Hash  // of the file
	Signed bool  // a signature was verified
}

// Open reads the file of a receipt and verifies its signature. Errors wrap ErrFormat,
// ErrOptions, ErrUnsigned, ErrOtherKey or ErrAltered.
func Open(file []byte, key *ecdsa.PublicKey) (*Opened, error) {
	return open(file, func(e *envelope, named *Hash) error { return e.verify(key, named) })
}

// OpenUnverified is Open without a look at signatures: whoever had the file in hands
// may have written it.
func OpenUnverified(file []byte) (*Opened, error) {
	return open(file, nil)
}

func open(file []byte, verify func(*envelope, *Hash) error) (*Opened, error) {
	e, err := unseal(file)
	if err != nil {
		return nil, err
	}
	s := new(statement)
	if err := json.Unmarshal(e.Payload, s); err != nil {
		return nil, fmt.Errorf("receipt: %w: statement: %w", ErrFormat, err)
	}
	if s.Type != statementType || s.PredicateType != PredicateType || len(s.Subject) == 0 {
		return nil, fmt.Errorf("receipt: %w: a statement %q with a predicate %q about %d subjects", ErrFormat, s.Type, s.PredicateType, len(s.Subject))
	}
	o := &Opened{Receipt: new(Receipt), Hash: sumBytes(file)}
	if err := json.Unmarshal(s.Predicate, o.Receipt); err != nil {
		return nil, fmt.Errorf("receipt: %w: predicate: %w", ErrFormat, err)
	}
	for i, sub := range s.Subject {
		if i == 0 {
			o.Model.File = sub.Digest.SHA256
		} else {
			o.Model.External = append(o.Model.External, sub.Digest.SHA256)
		}
	}
	if err := o.CheckOptions(); err != nil {
		return nil, err // before the signature, which would say less
	}
	if verify != nil {
		if err := verify(e, o.Key); err != nil {
			return nil, err
		}
		o.Signed = true
	}
	return o, o.check()
}

// CheckModel returns an error wrapping ErrModel unless the files of the model at path
// are those that the receipt is about.
func (o *Opened) CheckModel(path string) error {
	return o.Model.compare(path, ErrModel)
}

// CheckInput returns an error wrapping ErrInput unless the files of the model at path
// are those that the run began with.
func (o *Opened) CheckInput(path string) error {
	return Model{o.Input.Model, o.Input.External}.compare(path, ErrInput)
}

func (m Model) compare(path string, sentinel error) error {
	got, err := SumModel(path)
	switch {
	case err != nil:
		return fmt.Errorf("receipt: %w", err)
	case got.File != m.File:
		return fmt.Errorf("receipt: %w: the file has SHA-256 %s, the receipt %s", sentinel, got.File, m.File)
	case len(got.External) != len(m.External):
		return fmt.Errorf("receipt: %w: it has external data in %d files, in the receipt %d", sentinel, len(got.External), len(m.External))
	}
	for i, h := range got.External {
		if h != m.External[i] {
			return fmt.Errorf("receipt: %w: file %d of %d with external data has SHA-256 %s, the receipt %s", sentinel, i+1, len(m.External), h, m.External[i])
		}
	}
	return nil
}

// CheckTrace returns an error wrapping ErrTrace unless text is the content of the
// trace's file.
func (r *Receipt) CheckTrace(text []byte) error {
	if r.Trace == nil {
		return fmt.Errorf("receipt: %w: the receipt names no trace", ErrTrace)
	}
	if sum := sumBytes(text); sum != *r.Trace {
		return fmt.Errorf("receipt: %w: the file has SHA-256 %s, the receipt %s", ErrTrace, sum, *r.Trace)
	}
	return nil
}

// CheckChain returns an error wrapping ErrChain unless the receipts, the oldest first,
// are a whole chain: the first names none before it, every other one the one before,
// began with the model which that one is about, and has another request.
func CheckChain(chain []*Opened) error {
	var ids []string
	for i, o := range chain {
		id := o.Request.ID
		switch previous := o.Input.Previous; {
		case slices.Contains(ids, id):
			return fmt.Errorf("receipt: %w: request %s stands in it twice", ErrChain, id)
		case i == 0 && previous != nil:
			return fmt.Errorf("receipt: %w: request %s, the first, names a receipt before it (%s), which is not there", ErrChain, id, *previous)
		case i == 0:
		case previous == nil:
			return fmt.Errorf("receipt: %w: request %s, number %d, names none before it", ErrChain, id, i+1)
		case *previous != chain[i-1].Hash:
			return fmt.Errorf("receipt: %w: request %s, number %d, names receipt %s before it, and there is %s of request %s", ErrChain, id, i+1, *previous, chain[i-1].Hash, ids[i-1])
		case !sameModel(chain[i-1].Model, Model{o.Input.Model, o.Input.External}):
			return fmt.Errorf("receipt: %w: request %s began with model %s, and request %s ended with %s", ErrChain, id, o.Input.Model, ids[i-1], chain[i-1].Model.File)
		}
		ids = append(ids, id)
	}
	return nil
}

func sameModel(a, b Model) bool { return a.File == b.File && slices.Equal(a.External, b.External) }
