package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/dlfd/receipt"
	"github.com/dlfd-go/unlearn/dlfd/released"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/onnx"
)

// errReplay is wrapped by the error of a recomputation that gave another model.
var errReplay = errors.New("the recomputed model is not the one of the receipt")

// loading says how a model is read.
func loading(r *receipt.Receipt) (*onnx.Options, error) {
	shape, err := numbers(r.Data.Reading["input"], "x")
	o := &onnx.Options{Logits: r.Data.Reading["logits"]}
	for _, v := range shape {
		o.Input = append(o.Input, int(v))
	}
	return o, err
}

// sameKernels switches to the kernels of the receipt, if this machine has them.
func sameKernels(r *receipt.Receipt) error {
	if all := feature.KernelPaths(); !slices.Contains(all, r.Tool.Kernel) {
		return fmt.Errorf("the receipt was computed on %s, and this machine has %s", r.Tool.Kernel, strings.Join(all, ", "))
	}
	return feature.UseKernels(r.Tool.Kernel)
}

// checkAudit computes the figures again. They must be equal to the bit where nothing
// differs that they depend on, and else within a tolerance.
func checkAudit(ctx context.Context, o *receipt.Opened, f *flags, w io.Writer) error {
	if err := sameKernels(o.Receipt); err != nil {
		fmt.Fprintln(w, "note:", err)
	}
	d, err := load(o.Receipt, f, f.audit)
	if err != nil {
		return err
	}
	if d.judge.Test == nil || d.judge.Test.Len() == 0 {
		return errors.New("there is no unseen image to judge by, so there are no figures to compute")
	}
	how, err := loading(o.Receipt)
	if err != nil {
		return err
	}
	m, err := onnx.Load(f.model, how)
	if err != nil {
		return err
	}
	again, err := dlfd.Audit(ctx, m, d.judge, &dlfd.AuditOptions{Seed: o.Audit.Seed})
	if err != nil {
		return err
	}
	figures, err := receipt.NewAudit(again, nil, nil, o.Audit.Seed)
	if err != nil {
		return err
	}
	tolerance := 0.
	if differs := o.Tool.Repeats(receipt.ThisTool()); differs != "" {
		tolerance = f.tolerance
		fmt.Fprintf(w, "note: figures may differ by %v: %s\n", tolerance, differs)
	}
	missing, err := o.Audit.Compare(figures, tolerance)
	if len(missing) > 0 {
		fmt.Fprintf(w, "not checked: %s\n", strings.Join(missing, ", "))
	}
	return err
}

// checkReplay computes the new model again, with the method, options and seed of the
// receipt, and compares the bits of its files.
func checkReplay(ctx context.Context, o *receipt.Opened, f *flags) error {
	switch fit := o.Data.Reading["fit"]; {
	case o.Method.Timed:
		return errors.New("the run had a limit of time and may not repeat")
	case fit != "" && fit != "0":
		return fmt.Errorf("the model was first trained for %s epochs, which the receipt does not cover", fit)
	}
	u, err := methodOf(o.Method)
	if err != nil {
		return err
	}
	if err := errors.Join(o.CheckInput(f.replay), sameKernels(o.Receipt)); err != nil {
		return err
	}
	how, err := loading(o.Receipt)
	if err != nil {
		return err
	}
	m, err := onnx.Load(f.replay, how)
	if err != nil {
		return err
	}
	d, err := load(o.Receipt, f, f.data)
	if err != nil {
		return err
	}
	result, err := u.Unlearn(ctx, m, d.run, &dlfd.Options{Seed: o.Method.Seed, BatchSize: o.Method.BatchSize, AllowOverlap: o.Overlap != receipt.Overlap{}})
	if err != nil {
		return err
	}
	if err := sameOptions(result, o.Method); err != nil {
		return err
	}
	return sameFiles(m, o)
}

// sameFiles writes the model to a folder of its own and compares.
func sameFiles(m *onnx.Model, o *receipt.Opened) error {
	dir, err := os.MkdirTemp("", "receipt")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "m.onnx")
	if err := m.Save(path); err != nil {
		return err
	}
	if err := o.CheckModel(path); errors.Is(err, receipt.ErrModel) {
		differs := o.Tool.Repeats(receipt.ThisTool())
		if differs != "" {
			differs = "; that may be because of " + differs
		}
		return fmt.Errorf("%w%s: %w", errReplay, differs, err)
	} else {
		return err
	}
}

// methodOf makes the method of a receipt, whose options are read into its fields.
func methodOf(m receipt.Method) (dlfd.Unlearner, error) {
	known := []dlfd.Unlearner{released.Method{}}
	for _, name := range baseline.Names() {
		u, err := baseline.ByName(name)
		if err != nil {
			return nil, err
		}
		known = append(known, u)
	}
	for _, u := range known {
		if dlfd.NameOf(u) != m.Name {
			continue
		}
		var options map[string]any
		if err := json.Unmarshal(m.Options, &options); err != nil {
			return nil, err
		}
		withoutDistance(options)
		text, err := json.Marshal(options)
		if err != nil {
			return nil, err
		}
		p := reflect.New(reflect.TypeOf(u))
		if err := json.Unmarshal(text, p.Interface()); err != nil {
			return nil, fmt.Errorf("the options of %s cannot be read back, so that the run cannot be repeated: %w", m.Name, err)
		}
		return p.Elem().Interface().(dlfd.Unlearner), nil
	}
	return nil, fmt.Errorf("method %q is not repeated here, only the one of dlfd/released and those of baseline.ByName without a decorator", m.Name)
}

// withoutDistance takes out distances, which are written as the text of a Go value: the
// method then uses its own, and sameOptions tells whether that is the one.
func withoutDistance(options map[string]any) {
	delete(options, "Distance")
	for _, v := range options {
		if inner, ok := v.(map[string]any); ok {
			withoutDistance(inner)
		}
	}
}

// sameOptions returns an error unless a run was made with the options of the receipt.
func sameOptions(result *dlfd.Result, m receipt.Method) error {
	text, err := json.Marshal(result.Settings)
	if err == nil && string(text) != string(m.Options) {
		err = fmt.Errorf("the run cannot be repeated: its options were %s, and here they come out as %s", m.Options, text)
	}
	return err
}
