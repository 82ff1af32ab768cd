package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/dlfd-go/unlearn/dlfd"
	signed "github.com/dlfd-go/unlearn/dlfd/receipt"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/dataset"
	"github.com/dlfd-go/unlearn/feature/onnx"
)

// chain is the ledger of the requests so far, and what is judged again.
type chain struct {
	ledger *signed.Ledger // nil without -ledger
	key    signed.Key
	past   []dlfd.Past
	first  *onnx.Model // nil: not given
	drift  *dlfd.Drifted
}

// openLedger reads the ledger, or makes one that begins with the model.
func (q *request) openLedger(model string) (c chain, err error) {
	if q.ledger == "" {
		return c, nil
	}
	text, err := os.ReadFile(q.ledger)
	if errors.Is(err, fs.ErrNotExist) {
		return q.newLedger(model)
	}
	if err != nil {
		return c, fmt.Errorf("-ledger: %w", err)
	}
	if c.key, err = signed.ReadLedgerKey(q.ledger + ".key"); err != nil {
		return c, fmt.Errorf("-ledger: %w", err)
	}
	if c.ledger, err = signed.ReadLedger(text, c.key); err != nil {
		return c, fmt.Errorf("-ledger %s: %w", q.ledger, err)
	}
	err = c.ledger.CheckModel(model)
	if err == nil {
		err = c.ledger.CheckNew(q.id)
	}
	if err != nil {
		return c, fmt.Errorf("-ledger %s: %w", q.ledger, err)
	}
	return c, nil
}

// newLedger makes one, with the key that is there, as of a run that failed, or a new one.
func (q *request) newLedger(model string) (c chain, err error) {
	if len(q.past) > 0 {
		return c, fmt.Errorf("-past: there is no ledger %s yet, and so no earlier request", q.ledger)
	}
	c.key, err = signed.ReadLedgerKey(q.ledger + ".key")
	if errors.Is(err, fs.ErrNotExist) {
		c.key, err = signed.NewKey()
		if err == nil {
			err = signed.WriteLedgerKey(q.ledger+".key", c.key)
		}
	}
	if err != nil {
		return c, fmt.Errorf("-ledger: %w", err)
	}
	m, err := signed.SumModel(model)
	if err == nil {
		c.ledger, err = signed.NewLedger(c.key, m)
	}
	return c, err
}

// loadPast reads the ledger, the images of earlier requests and the first model, and
// checks that they are what the ledger says.
func (r *run) loadPast(s feature.Spec) (err error) {
	if r.chain, err = r.asked.openLedger(r.flags.model); err != nil || r.chain.ledger == nil {
		return err
	}
	if err := tryWrite(r.asked.ledger); err != nil {
		return fmt.Errorf("-ledger: %w", err)
	}
	for _, text := range r.asked.past {
		id, dir, _ := strings.Cut(text, "=")
		p := &part{name: "past " + id, dir: dir}
		o := dataset.FolderOptions{Classes: r.data.retain.set.ClassNames(), Image: r.image(s)}
		if r.person != nil {
			o.Identity = r.who
		}
		if err := p.read(&o, r.flags); err != nil {
			return fmt.Errorf("-past %s: %w", text, err)
		}
		if err := r.chain.ledger.CheckPast(id, signed.Files(p.set)); err != nil {
			return fmt.Errorf("-past %s: %w", text, err)
		}
		r.chain.past = append(r.chain.past, dlfd.Past{ID: id, Forget: p.set, Was: r.chain.ledger.Was(id)})
	}
	if r.asked.first == "" {
		return nil
	}
	if err := r.chain.ledger.CheckFirst(r.asked.first); err != nil {
		return fmt.Errorf("-first: %w", err)
	}
	r.chain.first, err = onnx.Load(r.asked.first, r.loading(true))
	return err
}

// checkLedger refuses data to retain in which something is that an earlier request had to
// forget.
func (r *run) checkLedger() error {
	if r.chain.ledger == nil {
		return nil
	}
	if err := r.chain.ledger.CheckReturned(signed.Files(r.data.retain.set)); err != nil {
		return fmt.Errorf("-retain: %w", err)
	}
	return nil
}

// judgePast judges earlier requests on the model as it is now.
func (r *run) judgePast(ctx context.Context, before feature.Model) (err error) {
	c := &r.chain
	if c.ledger == nil {
		return nil
	}
	if isEmpty(r.data.judge.Test) {
		fmt.Fprintln(r.stdout, "note: earlier requests are not judged again: there is no unseen image to compare with")
		return nil
	}
	var first feature.Model
	switch {
	case c.first != nil:
		first = c.first
	case len(c.ledger.Entries) == 0:
		first = before
	}
	if c.drift, err = dlfd.Drift(ctx, r.model, first, dlfd.DriftData{Unseen: r.data.judge.Test, Past: c.past}, &dlfd.DriftOptions{Seed: r.seed}); err != nil {
		return err
	}
	r.showDrift(c.drift)
	return nil
}

func isEmpty(d feature.Dataset) bool { return d == nil || d.Len() == 0 }

// showDrift prints what has become of earlier requests.
func (r *run) showDrift(d *dlfd.Drifted) {
	fmt.Fprintf(r.stdout, "the ledger has %s; judged again on the new model: %d\n", count(len(r.chain.ledger.Entries), "earlier request"), len(d.Past))
	for _, p := range d.Past {
		fmt.Fprintf(r.stdout, "request %s: accuracy on its %s %.3f, loss attack AUC %s\n", p.ID, count(p.Samples, "image"), p.Accuracy, strength(p.Attack))
	}
	if d.JS != nil {
		fmt.Fprintf(r.stdout, "distance to the first model: divergence of outputs %.4f nats, accuracy on unseen images %.3f (first %.3f)", *d.JS, d.Accuracy, *d.First)
		if d.CKA != nil {
			fmt.Fprintf(r.stdout, ", CKA of features %.3f", *d.CKA)
		}
		fmt.Fprintln(r.stdout)
	}
	for _, text := range d.NotJudged {
		fmt.Fprintln(r.stdout, "cannot be judged:", text)
	}
	for _, text := range d.Advice {
		fmt.Fprintln(r.stdout, "it is time to retrain:", text)
	}
}

// earlier is what the receipt says of earlier requests.
func (c *chain) earlier() *signed.Earlier {
	if c.ledger == nil || c.drift == nil {
		return nil
	}
	return &signed.Earlier{Requests: len(c.ledger.Entries), Drift: c.drift}
}

// enter adds the request to the ledger, when its receipt is written.
func (r *run) enter() error {
	c := &r.chain
	if c.ledger == nil {
		return nil
	}
	text, err := os.ReadFile(signed.PathsOf(r.out).Receipt)
	if err != nil {
		return err
	}
	o, err := signed.OpenUnverified(text)
	if err != nil {
		return err
	}
	if err := c.ledger.Add(o, signed.Files(r.data.forget.set)); err != nil {
		return err
	}
	if text, err = c.ledger.Text(); err != nil {
		return err
	}
	if err := signed.WriteFile(r.asked.ledger, text); err != nil {
		return err
	}
	fmt.Fprintf(r.stdout, "%s has %s now; keep %s.key apart from it\n", r.asked.ledger, count(len(c.ledger.Entries), "request"), r.asked.ledger)
	return nil
}
