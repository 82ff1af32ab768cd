package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/onnx"
	"github.com/dlfd-go/unlearn/feature/train"
)

// loading says how a model is read.
func (f *flags) loading(run bool) *onnx.Options {
	return &onnx.Options{Logits: f.logits, Input: slices.Clone(f.input), RunOnly: run}
}

// run is a run with its models and images.
type run struct {
	*flags
	model      *onnx.Model
	data       *data
	references []*reference
	hash       string          // of the model's file, before anything else
	weights    feature.Weights // of the model as it was read
	stdout     io.Writer
	chain      chain
}

// unlearn is the whole run.
func unlearn(ctx context.Context, f *flags, stdout, stderr io.Writer) error {
	r := run{flags: f, stdout: stdout}
	if err := r.open(); err != nil {
		return err
	}
	if err := r.look(ctx); err != nil {
		return err
	}
	receipt, err := newReceipt(f, r.data)
	if err != nil {
		return err
	}
	receipt.ModelHash, receipt.References = r.hash, r.references
	if receipt.WeightsHash, err = hashWeights(r.weights); err != nil {
		return err
	}
	if receipt.Before, err = audit(ctx, r.model, r.data, f.seed, nil); err != nil {
		return err
	}
	if err := judgeReferences(ctx, r.references, r.data, f.seed); err != nil {
		return err
	}
	before, err := r.model.Clone()
	if err != nil {
		return err
	}
	if receipt.Result, err = forget(ctx, r.model, r.data, f, stderr); err != nil {
		return err
	}
	if receipt.After, err = audit(ctx, r.model, r.data, f.seed, &dlfd.Reference{Model: before, Audited: receipt.Before}, r.references...); err != nil {
		return err
	}
	if err := r.judgePast(ctx, before); err != nil {
		return err
	}
	return r.finish(receipt)
}

// open checks the files and reads models and images.
func (r *run) open() (err error) {
	if err := checkFiles(r.flags); err != nil {
		return err
	}
	if r.hash, err = hashFile(r.flags.model); err != nil {
		return err
	}
	if r.model, err = onnx.Load(r.flags.model, r.loading(false)); err != nil {
		return err
	}
	s := r.model.Spec()
	if n := len(s.Heads); n > 0 {
		return fmt.Errorf("%s: each of the %d numbers of %q is a label by itself (a sigmoid, multi-label), and a folder gives an image one label; -logits %q takes them as classes of one softmax", r.flags.model, n, s.Logits, s.Logits)
	}
	if s.Classes() < 2 {
		return fmt.Errorf("%s: %q is one number, and a classifier has one for each of two classes or more; -logits names another tensor", r.flags.model, s.Logits)
	}
	if r.weights, err = feature.Snapshot(r.model); err != nil {
		return err
	}
	if err := r.tryExternal(); err != nil {
		return err
	}
	if r.references, err = openReferences(r.flags, s); err != nil {
		return err
	}
	for _, note := range r.model.Notes() {
		fmt.Fprintln(r.stdout, "note:", note)
	}
	if r.data, err = load(r.flags, s); err != nil {
		return err
	}
	return r.loadPast(s)
}

// tryExternal refuses to write beside a model that keeps weights in other files:
// there they would be replaced too.
func (r *run) tryExternal() error {
	sum, err := written(r.model)
	if err != nil || sum != "" {
		return err
	}
	from, err := os.Stat(filepath.Dir(r.flags.model))
	if err != nil {
		return err
	}
	to, err := os.Stat(filepath.Dir(r.out))
	if err == nil && os.SameFile(from, to) {
		err = fmt.Errorf("-model keeps weights in files beside it, so -out %s must be in another folder", r.out)
	}
	return err
}

// look shows what the folders hold and whether the model knows it, before any work
// is done.
func (r *run) look(ctx context.Context) error {
	if err := r.train(ctx); err != nil {
		return err
	}
	o, err := predictions(ctx, r.model, r.data.retain.set)
	if err != nil {
		return err
	}
	confusion, err := o.Confusion()
	if err != nil {
		return err
	}
	if err := r.data.show(r.stdout, confusion); err != nil {
		return err
	}
	if err := guard(confusion, r.data.retain.set.ClassNames(), r.force, r.stdout); err != nil {
		return err
	}
	if err := r.checkReturned(); err != nil {
		return err
	}
	if err := r.checkLedger(); err != nil {
		return err
	}
	return checkOverlap(r.data, r.overlap, dlfd.Kind(r.asked.scenario), r.stdout)
}

// train trains before anything else, if that is asked for.
func (r *run) train(ctx context.Context) error {
	if r.fit == 0 {
		return nil
	}
	all, err := feature.Concat(r.data.retain.set, r.data.forget.set)
	if err != nil {
		return err
	}
	_, err = train.Fit(ctx, r.model, all, &train.Options{Epochs: r.fit, Optimizer: train.Adam{Rate: 1e-3}})
	return err
}

// finish shows what came out, and writes it if it is worth it.
func (r *run) finish(receipt *receipt) error {
	showJudges(r.stdout, r.data)
	if err := showAudits(r.stdout, receipt); err != nil {
		return err
	}
	for _, note := range receipt.Result.Notes {
		fmt.Fprintln(r.stdout, "note:", note)
	}
	ended := verdict(receipt, r.stdout)
	changed, err := r.changed()
	if err != nil {
		return err
	}
	if !changed {
		return fmt.Errorf("%w: nothing was changed, and nothing was written", errNotForgotten)
	}
	if err := broken(receipt, r.model.Spec().Classes()); err != nil && !r.force {
		return err
	}
	signed, err := r.attest(receipt, ended)
	if err != nil {
		return err
	}
	if err := r.write(receipt); err != nil {
		return err
	}
	fmt.Fprintf(r.stdout, "%s and %s are written\n", r.out, r.receipt)
	if err := signed.write(r.out, r.asked.private, r.stdout); err != nil {
		return fmt.Errorf("%s is written, and its receipt for others is not: %w", r.out, err)
	}
	if err := r.enter(); err != nil {
		return fmt.Errorf("%s and its receipt are written, and the ledger is not: %w", r.out, err)
	}
	return ended
}

// write writes the model and its receipt. The receipt is on disk under another name
// before the model is replaced, so that only two renames lie between a model that
// the old receipt tells of and one that the new receipt does.
func (r *run) write(receipt *receipt) error {
	var b bytes.Buffer
	err := r.model.Write(&b)
	if errors.Is(err, onnx.ErrExternal) {
		return r.writeExternal(receipt)
	}
	if err != nil {
		return err
	}
	sum := hash(b.Bytes())
	m, err := onnx.Read(&b, r.loading(false))
	if err != nil {
		return err
	}
	beside, err := r.prepare(receipt, m, sum)
	if err != nil {
		return err
	}
	if err := r.model.Save(r.out); err != nil {
		return errors.Join(err, beside.discard())
	}
	return beside.commit()
}

// prepare writes the receipt under another name.
func (r *run) prepare(receipt *receipt, m *onnx.Model, sum string) (*replacement, error) {
	if err := receipt.describe(m, sum); err != nil {
		return nil, err
	}
	text, err := receipt.text()
	if err != nil {
		return nil, err
	}
	return prepare(r.receipt, text)
}

// writeExternal writes a model with weights in files beside it, whose bytes are
// known when they are there.
func (r *run) writeExternal(receipt *receipt) error {
	if err := r.model.Save(r.out); err != nil {
		return err
	}
	sum, err := hashFile(r.out)
	if err != nil {
		return err
	}
	m, err := onnx.Load(r.out, r.loading(false))
	if err != nil {
		return err
	}
	beside, err := r.prepare(receipt, m, sum)
	if err != nil {
		return fmt.Errorf("%s is written, and its receipt is not: %w", r.out, err)
	}
	return beside.commit()
}

// changed reports whether the file to write differs from the one that was read.
func (r *run) changed() (bool, error) {
	sum, err := written(r.model)
	if err != nil || sum != "" {
		return sum != r.hash, err
	}
	now, err := feature.Snapshot(r.model)
	if err != nil {
		return false, err
	}
	return !slices.EqualFunc(now, r.weights, slices.Equal[[]float32]), nil
}
