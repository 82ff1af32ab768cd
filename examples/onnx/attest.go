package main

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/dlfd-go/unlearn/dlfd"
	signed "github.com/dlfd-go/unlearn/dlfd/receipt"
)

// request is what a signed receipt says of a request, as the flags give it.
type request struct {
	id, received, scenario string
	key, previous          string // files
	ledger, first          string // files
	past                   texts  // ID=DIR
	private                *ecdsa.PrivateKey
	before                 *signed.Hash   // of the file of previous
	secret                 *signed.Secret // of previous; nil if it is not there
}

// read reads the files that the flags name, before anything slow is done.
func (q *request) read() (err error) {
	if q.received == "" {
		q.received = time.Now().Format(time.DateOnly)
	}
	if err := (signed.Request{ID: q.id, Received: q.received, Scenario: signed.Scenario(q.scenario)}).Check(); err != nil {
		return err
	}
	if q.key != "" {
		if q.private, err = signed.ReadPrivateKey(q.key); err != nil {
			return fmt.Errorf("-key: %w", err)
		}
	}
	if q.previous == "" {
		return nil
	}
	text, err := os.ReadFile(q.previous)
	if err != nil {
		return fmt.Errorf("-previous: %w", err)
	}
	o, err := signed.OpenUnverified(text)
	if err != nil {
		return fmt.Errorf("-previous %s: %w", q.previous, err)
	}
	q.before = &o.Hash
	text, err = os.ReadFile(signed.PathsOf(strings.TrimSuffix(q.previous, ".unlearn.intoto.json")).Secret)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		q.secret, err = signed.ReadSecret(text, o.Receipt)
	}
	return err
}

// checkReturned refuses data to retain in which something is that the request before
// had to forget, as far as its secret is there.
func (r *run) checkReturned() error {
	if r.asked.secret == nil {
		return nil
	}
	if err := r.asked.secret.CheckReturned(signed.Files(r.data.retain.set)); err != nil {
		return fmt.Errorf("-retain: %w", err)
	}
	return nil
}

// attestation is a receipt that lacks the hash of the new model.
type attestation struct {
	receipt *signed.Receipt
	secret  *signed.Secret
	result  *dlfd.Result
}

// attest makes the receipt that a third party can check, before the model is written.
func (r *run) attest(done *receipt, ended error) (*attestation, error) {
	input, err := signed.SumModel(r.flags.model)
	if err != nil {
		return nil, err
	}
	var retrained []*dlfd.Audited
	for _, ref := range r.references {
		retrained = append(retrained, ref.Audit)
	}
	audit, err := signed.NewAudit(done.After, done.Before, retrained, r.seed)
	if err != nil {
		return nil, err
	}
	_, trace, err := signed.TraceText(done.Result)
	if err != nil {
		return nil, err
	}
	key, err := signed.NewKey()
	if err != nil {
		return nil, err
	}
	a := &attestation{result: done.Result}
	a.receipt, a.secret, err = signed.New(key, r.contents(), signed.Facts{
		ID: r.asked.id, Received: r.asked.received, Scenario: signed.Scenario(r.asked.scenario), Outcome: outcomeOf(ended),
		Input:  signed.Input{Model: input.File, External: input.External, Previous: r.asked.before},
		Leaves: signed.OfFiles, Classes: r.model.Spec().Classes(), Reading: r.reading(),
		Result: done.Result, Options: &dlfd.Options{Seed: r.seed, Budget: dlfd.Budget{Time: r.limit}}, Audit: audit, Trace: &trace, Earlier: r.chain.earlier(),
	})
	return a, err
}

// outcomeOf is the outcome of a run that ended with the error of verdict.
func outcomeOf(ended error) signed.Outcome {
	switch {
	case ended == nil:
		return signed.Forgotten
	case errors.Is(ended, errCannotTell):
		return signed.CannotTell
	}
	return signed.NotForgotten
}

// contents are the files of the sets.
func (r *run) contents() signed.Sources {
	of := make(map[string]signed.Contents)
	for _, p := range r.data.parts {
		of[p.name] = signed.Files(p.set)
	}
	return signed.Sources{Retain: of["retain"], Forget: of["forget"], Holdout: of["holdout"], Test: of["test"]}
}

// reading says how files become what the model is given, for examples/receipt. Names
// of classes and the expression for persons may name somebody: only that they were
// given is told.
func (r *run) reading() map[string]string {
	input := shape(r.model.Spec().Input)
	said := map[string]string{"input": input.String(), "mean": r.mean.String(), "std": r.std.String(), "logits": r.logits}
	for name, on := range map[string]bool{"bgr": r.bgr, "identity": r.person != nil, "classes": r.classes != nil, "skip-unreadable": r.skip} {
		if on {
			said[name] = "true"
		}
	}
	if r.fit > 0 {
		said["fit"] = fmt.Sprint(r.fit)
	}
	for name, value := range said {
		if value == "" {
			delete(said, name)
		}
	}
	return said
}

// write seals the receipt of the model that is now at out, and writes it.
func (a *attestation) write(out string, key *ecdsa.PrivateKey, w io.Writer) error {
	m, err := signed.SumModel(out)
	if err != nil {
		return err
	}
	b, err := signed.NewBundle(a.receipt, a.secret, m, a.result, key)
	if err != nil {
		return err
	}
	p := signed.PathsOf(out)
	if err := b.Write(p); err != nil {
		return err
	}
	how := "unsigned: -key signs it"
	if key != nil {
		id, err := signed.KeyID(&key.PublicKey)
		if err != nil {
			return err
		}
		how = "signed with key " + id.String()
	}
	fmt.Fprintf(w, "%s is the receipt for others, %s; %s says the same in words\n", p.Receipt, how, p.Page)
	fmt.Fprintf(w, "outcome in the receipt: %s; verdict of the audit: %s\n", a.receipt.Request.Outcome, a.receipt.Audit.Verdict)
	fmt.Fprintf(w, "%s is for the one who asked: it proves that a photo was in the request; do not publish it\n", p.Secret)
	return nil
}

// tryAttestation tells whether the files of a receipt can be written. Without
// overwrite it refuses to replace a receipt and its secret, which cannot be made again.
func tryAttestation(out string, overwrite bool) error {
	p := signed.PathsOf(out)
	var all error
	for _, path := range []string{p.Receipt, p.Secret} {
		if _, err := os.Lstat(path); err == nil && !overwrite {
			return fmt.Errorf("%s is there, of an earlier run; take another name, or -overwrite", path)
		}
	}
	for _, path := range []string{p.Receipt, p.TestResult, p.Page, p.Trace, p.Secret} {
		all = errors.Join(all, tryWrite(path))
	}
	return all
}
