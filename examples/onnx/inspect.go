package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/dataset"
	"github.com/dlfd-go/unlearn/feature/onnx"
)

// inspect lists what is in a file.
func inspect(f *flags, w io.Writer) error {
	opt := f.loading(true)
	if err := onnx.Check(f.inspect, opt); err != nil {
		return err
	}
	m, err := onnx.Load(f.inspect, opt)
	if err != nil {
		return err
	}
	s := m.Spec()
	var size, trainable int
	for _, p := range s.Params {
		if size += feature.Size(p.Shape); p.Trainable {
			trainable += feature.Size(p.Shape)
		}
	}
	logits := fmt.Sprintf("%d classes", s.Classes())
	if len(s.Heads) > 0 {
		logits = fmt.Sprintf("%d labels, each with a sigmoid", len(s.Heads))
	}
	fmt.Fprintf(w, "input     %v\nlogits    %q, %s\nfeatures  %q\n", s.Input, s.Logits, logits, s.Features)
	fmt.Fprintf(w, "operators")
	for _, op := range m.Operators() {
		fmt.Fprintf(w, " %s %d", op.Name, op.Count)
	}
	fmt.Fprintf(w, "\nparameters: %d with %d numbers, %d of them trainable\n", len(s.Params), size, trainable)
	for _, p := range s.Params {
		note := ""
		switch {
		case p.Kind == feature.Statistic:
			note = "  statistic, not trainable"
		case !p.Trainable:
			note = "  not trainable"
		}
		fmt.Fprintf(w, "  %-40s %v%s\n", p.Name, p.Shape, note)
	}
	fmt.Fprintf(w, "taps: %d\n", len(s.Taps))
	for _, t := range s.Taps {
		fmt.Fprintf(w, "  %-40s %v\n", t.Name, t.Shape)
	}
	for _, note := range m.Notes() {
		fmt.Fprintln(w, "note:", note)
	}
	return nil
}

// verify compares logits and input gradient with arrays in files.
func verify(ctx context.Context, f *flags, w io.Writer) error {
	var arrays []feature.Tensor
	for _, path := range f.files[1:] {
		x, err := dataset.NPY(path)
		if err != nil {
			return err
		}
		arrays = append(arrays, x)
	}
	m, err := loadFor(f, arrays[0])
	if err != nil {
		return err
	}
	x, s := arrays[0], m.Spec()
	logits, dx := []float32(nil), make([]float32, len(x.Data))
	loss := func(val, cot []feature.Tensor) error {
		logits = append(logits, val[0].Data...)
		for i, v := range val[0].Data {
			cot[0].Data[i] = 2 * v
		}
		return nil
	}
	if err := m.Grad(ctx, x, []string{s.Logits}, loss, dx, nil); err != nil {
		return err
	}
	if err := compare(w, "logits", logits, arrays[1].Data); err != nil || len(arrays) < 3 {
		return err
	}
	return compare(w, "gradient of Σ logits² in the input", dx, arrays[2].Data)
}

// loadFor loads the model of -verify. Where it leaves the shape of an input open,
// that is x's.
func loadFor(f *flags, x feature.Tensor) (*onnx.Model, error) {
	opt := f.loading(true)
	m, err := onnx.Load(f.files[0], opt)
	if err == nil || opt.Input != nil || len(x.Shape) < 2 {
		return m, err
	}
	opt.Input = x.Shape[1:]
	if m, err = onnx.Load(f.files[0], opt); err != nil {
		err = fmt.Errorf("for samples of shape %v as in %s: %w", opt.Input, f.files[1], err)
	}
	return m, err
}

// compare prints the largest difference, and as a share of the largest number.
func compare(w io.Writer, what string, got, want []float32) error {
	if len(got) != len(want) {
		return fmt.Errorf("%s: %d numbers, the file has %d", what, len(got), len(want))
	}
	diff, top := 0.0, 0.0
	for i, v := range want {
		diff = max(diff, math.Abs(float64(got[i])-float64(v)))
		top = max(top, math.Abs(float64(v)))
	}
	if top == 0 {
		return errors.New(what + ": the file holds zeros only")
	}
	fmt.Fprintf(w, "%s: largest error %.3g absolute, %.3g relative to the largest value %.3g\n", what, diff, diff/top, top)
	return nil
}
