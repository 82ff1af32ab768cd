package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/dataset"
	"github.com/dlfd-go/unlearn/feature/onnx"
	"github.com/dlfd-go/unlearn/feature/train"
)

// data are the images of a run.
type data struct {
	retain, forget, holdout *dataset.Set
	steer, report           feature.Dataset // halves of holdout
	member                  feature.Dataset // the half of forget that steers nothing
}

// unlearn is the whole run.
func unlearn(ctx context.Context, f flags, stdout, stderr io.Writer) error {
	m, err := onnx.Load(f.model, &onnx.Options{Logits: f.logits})
	if err != nil {
		return err
	}
	for _, note := range m.Notes() {
		fmt.Fprintln(stdout, "note:", note)
	}
	d, err := load(f, m.Spec())
	if err != nil {
		return err
	}
	if err := checkOverlap(d, f.overlap, stdout); err != nil {
		return err
	}
	if err := fit(ctx, m, d, f); err != nil {
		return err
	}
	r := receipt{Model: f.model, Out: f.out, Method: f.method, Seed: f.seed, Options: f.options(), ForgetFiles: d.forget.Len()}
	if r.Before, err = audit(ctx, m, d, f.seed); err != nil {
		return err
	}
	show(stdout, "before", r.Before)
	if r.Result, err = forget(ctx, m, d, f, stderr); err != nil {
		return err
	}
	if r.After, err = audit(ctx, m, d, f.seed); err != nil {
		return err
	}
	show(stdout, "after", r.After)
	if err := m.Save(f.out); err != nil {
		return err
	}
	if err := r.write(d); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s: %s after %d steps; %s and %s.json are written\n", r.Result.Method, r.Result.Stop, len(r.Result.Trace), f.out, f.out)
	return err
}

// load reads the three folders as the model wants images.
func load(f flags, s feature.Spec) (*data, error) {
	if len(s.Input) != 3 {
		return nil, fmt.Errorf("the model wants samples of shape %v, images are channels×height×width", s.Input)
	}
	o := dataset.FolderOptions{Image: dataset.ImageOptions{
		Channels: s.Input[0], Size: [2]int{s.Input[1], s.Input[2]}, Pixels: feature.Pixels{Mean: f.mean, Std: f.std},
	}}
	if f.classes != "" {
		o.Classes = strings.Split(f.classes, ",")
	}
	if f.identity != "" {
		person, err := regexp.Compile(f.identity)
		if err != nil || person.NumSubexp() < 1 {
			return nil, fmt.Errorf("-identity %q wants a group in parentheses (%v)", f.identity, err)
		}
		o.Identity = func(path string) string {
			if m := person.FindStringSubmatch(path); m != nil {
				return m[1]
			}
			return ""
		}
	}
	d := &data{}
	for _, part := range []struct {
		dir string
		set **dataset.Set
	}{{f.retain, &d.retain}, {f.forget, &d.forget}, {f.holdout, &d.holdout}} {
		set, err := dataset.Folder(part.dir, &o)
		if err != nil {
			return nil, err
		}
		*part.set, o.Classes = set, set.ClassNames() // those of retain hold for all
	}
	if d.retain.Classes() != s.Classes() {
		return nil, fmt.Errorf("%d classes %q for %d logits; name a class for each with -classes", d.retain.Classes(), d.retain.ClassNames(), s.Classes())
	}
	return d, d.halve()
}

// halve keeps what steers and what judges apart.
func (d *data) halve() (err error) {
	if d.steer, d.report, err = feature.Halves(d.holdout); err != nil {
		return err
	}
	_, d.member, err = feature.Halves(d.forget)
	return err
}

// checkOverlap tells who stands where nobody should.
func checkOverlap(d *data, allow bool, w io.Writer) error {
	found := 0
	for _, p := range []struct {
		name string
		a, b *dataset.Set
	}{{"retain and forget", d.retain, d.forget}, {"retain and holdout", d.retain, d.holdout}, {"forget and holdout", d.forget, d.holdout}} {
		shared, err := dataset.Overlap(p.a, p.b)
		if err != nil {
			return err
		}
		if len(shared.Identities)+len(shared.Images) > 0 {
			found++
			fmt.Fprintf(w, "overlap of %s: %d persons %.5q, %d equal images\n", p.name, len(shared.Identities), shared.Identities, len(shared.Images))
		}
	}
	if found > 0 && !allow {
		return errors.New("the sets overlap; -allow-overlap goes on all the same")
	}
	if found == 0 {
		fmt.Fprintln(w, "no person and no image stands in two sets")
	}
	return nil
}

// fit trains before anything else, if that is asked for.
func fit(ctx context.Context, m *onnx.Model, d *data, f flags) error {
	if f.fit == 0 {
		return nil
	}
	all, err := feature.Concat(d.retain, d.forget)
	if err != nil {
		return err
	}
	_, err = train.Fit(ctx, m, all, &train.Options{Epochs: f.fit, Optimizer: train.Adam{Rate: 1e-3}})
	return err
}

// forget runs the method.
func forget(ctx context.Context, m *onnx.Model, d *data, f flags, stderr io.Writer) (*dlfd.Result, error) {
	var method dlfd.Unlearner
	descent := baseline.Descent{Epochs: f.epochs, Rate: f.rate}
	switch f.method {
	case "dlfd":
		method = dlfd.Align{Epochs: f.epochs, Rate: f.rate, Shrink: f.shrink}
	case "finetune":
		method = baseline.FineTune{Descent: descent}
	case "neggrad+":
		method = baseline.NegGradPlus{Descent: descent}
	default:
		return nil, fmt.Errorf("-method %q is not dlfd, finetune or neggrad+", f.method)
	}
	bar := newBar(stderr)
	defer bar.end()
	return method.Unlearn(ctx, m, dlfd.Data{Retain: d.retain, Forget: d.forget, Holdout: d.steer}, &dlfd.Options{
		Seed: f.seed, Observer: bar.event, AllowOverlap: f.overlap, Now: time.Now,
	})
}

func audit(ctx context.Context, m feature.Model, d *data, seed uint64) (*dlfd.Audited, error) {
	return dlfd.Audit(ctx, m, dlfd.AuditData{Retain: d.retain, Forget: d.forget, Test: d.report, Member: d.member, NonMember: d.report}, seed)
}

func show(w io.Writer, when string, a *dlfd.Audited) {
	fmt.Fprintf(w, "%-6s  accuracy: retain %.3f, forget %.3f, test %.3f; attack AUC %.3f\n", when, a.RetainAccuracy, a.ForgetAccuracy, a.TestAccuracy, a.LossAttack.AUC)
}
