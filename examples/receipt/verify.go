package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/dlfd-go/unlearn/dlfd/receipt"
)

// open reads a receipt, and verifies its signature if there is a key.
func open(path, key string) (*receipt.Opened, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if key == "" {
		return receipt.OpenUnverified(text)
	}
	public, err := receipt.ReadPublicKey(key)
	if err != nil {
		return nil, err
	}
	return receipt.Open(text, public)
}

// verify checks all that was asked for, in the order of the cost, and ends with the
// first that is wrong.
func verify(ctx context.Context, f *flags, w io.Writer) error {
	o, err := open(f.receipt, f.key)
	if err != nil {
		return err
	}
	if o.Signed {
		fmt.Fprintln(w, "right: signature")
	} else {
		fmt.Fprintln(w, "not checked: signature; without -key, anybody may have written this receipt")
	}
	for _, c := range []struct {
		name, given string
		check       func() error
	}{
		{"outcome and verdict", "always", o.CheckOutcome},
		{"ledger", f.ledger, func() error { return checkLedger(o, f) }},
		{"new model", f.model, func() error { return o.CheckModel(f.model) }},
		{"model before", f.input, func() error { return o.CheckInput(f.input) }},
		{"trace", f.trace, func() error { return checkTrace(o, f.trace) }},
		{"chain", f.chain.String(), func() error { return checkChain(o, f) }},
		{"secret", f.secret, func() error { _, err := readSecret(o, f.secret); return err }},
		{"proof", f.proof, func() error { return checkProof(o, f) }},
		{"data for -audit", both(f.secret, f.audit), func() error { return checkData(o, f, f.audit) }},
		{"figures", f.audit, func() error { return checkAudit(ctx, o, f, w) }},
		{"data for -replay", both(f.secret, f.data), func() error { return checkData(o, f, f.data) }},
		{"replay", f.replay, func() error { return checkReplay(ctx, o, f) }},
		{"nothing forgotten earlier is back", both(f.chain.String(), f.audit+f.data), func() error { return checkReturned(o, f, w) }},
	} {
		if c.given == "" {
			continue
		}
		if err := c.check(); err != nil {
			return err
		}
		fmt.Fprintln(w, "right:", c.name)
	}
	fmt.Fprintf(w, "request %s: %s; verdict: %s\n", o.Request.ID, o.Request.Outcome, o.Audit.Verdict)
	return outcome(o, f)
}

// The errors of a receipt that is right, and whose outcome is not that of -forgotten.
var (
	errNotForgotten = errors.New("the receipt is right, and does not say that the samples are forgotten")
	errCannotTell   = errors.New("the receipt is right, and says that it cannot be told whether the samples are forgotten")
)

func outcome(o *receipt.Opened, f *flags) error {
	switch {
	case !f.forgotten || o.Request.Outcome == receipt.Forgotten:
		return nil
	case o.Request.Outcome == receipt.CannotTell:
		return errCannotTell
	}
	return fmt.Errorf("%w: outcome %q", errNotForgotten, o.Request.Outcome)
}

// checkLedger reads the ledger and looks for the receipt.
func checkLedger(o *receipt.Opened, f *flags) error {
	k, err := receipt.ReadLedgerKey(f.ledger + ".key")
	if err != nil {
		return err
	}
	text, err := os.ReadFile(f.ledger)
	if err != nil {
		return err
	}
	l, err := receipt.ReadLedger(text, k)
	if err != nil {
		return err
	}
	return l.CheckReceipt(o)
}

// both is empty unless both texts are given.
func both(a, b string) string {
	if a == "" {
		return ""
	}
	return b
}

func checkTrace(o *receipt.Opened, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return o.CheckTrace(text)
}

// checkChain opens the receipts before.
func checkChain(o *receipt.Opened, f *flags) error {
	var all []*receipt.Opened
	for _, path := range f.chain {
		before, err := open(path, f.key)
		if err != nil {
			return fmt.Errorf("-chain %s: %w", path, err)
		}
		all = append(all, before)
	}
	return receipt.CheckChain(append(all, o))
}

// checkReturned looks for what earlier requests forgot among the data to retain. It
// needs their secrets, beside their receipts under the names of receipt.PathsOf.
func checkReturned(o *receipt.Opened, f *flags, w io.Writer) error {
	dir := f.data
	if f.audit != "" {
		dir = f.audit
	}
	d, err := load(o.Receipt, f, dir)
	if err != nil {
		return err
	}
	for _, path := range f.chain {
		before, err := open(path, f.key)
		if err != nil {
			return err
		}
		secret := receipt.PathsOf(strings.TrimSuffix(path, ".unlearn.intoto.json")).Secret
		s, err := readSecret(before, secret)
		if errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(w, "not checked: request %s: %s is not there\n", before.Request.ID, secret)
			continue
		}
		if err == nil {
			err = s.CheckReturned(d.parts[0].contents(before.Data.Leaves)) // retain is first
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func checkProof(o *receipt.Opened, f *flags) error {
	text, err := os.ReadFile(f.proof)
	if err != nil {
		return err
	}
	p := new(receipt.Proof)
	if err := json.Unmarshal(text, p); err != nil {
		return fmt.Errorf("-proof %s: %w", f.proof, err)
	}
	photo, err := os.Open(f.inclusion)
	if err != nil {
		return err
	}
	defer photo.Close()
	return p.Check(o.Receipt, photo)
}

func readSecret(o *receipt.Opened, path string) (*receipt.Secret, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return receipt.ReadSecret(text, o.Receipt)
}

// checkData compares the content of every set with the receipt.
func checkData(o *receipt.Opened, f *flags, dir string) error {
	s, err := readSecret(o, f.secret)
	if err != nil {
		return err
	}
	d, err := load(o.Receipt, f, dir)
	if err != nil {
		return err
	}
	for _, p := range d.parts {
		if err := o.CheckData(p.name, s.Key, p.contents(o.Data.Leaves)); err != nil {
			return err
		}
	}
	return nil
}

// prove writes the proof for one photo.
func prove(f *flags, w io.Writer) error {
	o, err := open(f.receipt, f.key)
	if err != nil {
		return err
	}
	s, err := readSecret(o, f.secret)
	if err != nil {
		return err
	}
	if o.Data.Leaves != receipt.OfFiles {
		return errors.New("the receipt has hashes of decoded samples, not of files: a photo cannot be proved")
	}
	sum, err := receipt.SumFile(f.inclusion)
	if err != nil {
		return err
	}
	p, err := s.Prove(sum, o.Data.Classes)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		return err
	}
	if err := receipt.WriteFile(f.proof, append(text, '\n')); err != nil {
		return err
	}
	fmt.Fprintf(w, "photo %d of %d of request %s; the proof is in %s\n", p.Index+1, p.Count, o.Request.ID, f.proof)
	return nil
}

// page prints a receipt in plain words.
func page(f *flags, w io.Writer) error {
	o, err := open(f.receipt, f.key)
	if err != nil {
		return err
	}
	_, err = w.Write(o.Page())
	return err
}
