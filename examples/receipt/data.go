package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/receipt"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/dataset"
)

// part is one folder of images.
type part struct {
	name, dir string
	set       *dataset.Set
}

// contents are what the leaves of a receipt stand for.
func (p *part) contents(leaves string) receipt.Contents {
	if leaves == receipt.OfFiles {
		return receipt.Files(p.set)
	}
	return receipt.Samples(p.set)
}

// data are the images of a run, divided as examples/onnx divides them.
type data struct {
	parts []*part
	run   dlfd.Data
	judge dlfd.AuditData
}

// load reads the folders below dir as the receipt says that they were read.
func load(r *receipt.Receipt, f *flags, dir string) (*data, error) {
	o, err := reading(r, f)
	if err != nil {
		return nil, err
	}
	d := new(data)
	sets := make(map[string]*dataset.Set)
	for name, want := range map[string]*receipt.Set{receipt.Retain: r.Data.Retain, receipt.Forget: r.Data.Forget, receipt.Holdout: r.Data.Holdout, receipt.Test: r.Data.Test} {
		if want != nil {
			sets[name] = nil
		}
	}
	for _, name := range []string{receipt.Retain, receipt.Forget, receipt.Holdout, receipt.Test} {
		if _, there := sets[name]; !there {
			continue
		}
		p := &part{name: name, dir: filepath.Join(dir, name)}
		if _, err := os.Stat(p.dir); err != nil {
			return nil, fmt.Errorf("the receipt has a set %s: %w", name, err)
		}
		if p.set, err = dataset.Folder(p.dir, o); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		o.Classes = p.set.ClassNames() // those of retain hold for all
		sets[name] = p.set
		d.parts = append(d.parts, p)
	}
	return d, d.divide(sets, &dlfd.Demand{Kind: r.Request.Scenario})
}

// reading is how images are read.
func reading(r *receipt.Receipt, f *flags) (*dataset.FolderOptions, error) {
	o := &dataset.FolderOptions{}
	said := r.Data.Reading
	switch {
	case said["bgr"] == "true":
		return nil, errors.New("the model takes blue, green, red: that is not computed again here")
	case said["identity"] == "true" && f.identity == nil:
		return nil, errors.New("the run knew who is shown; give its -identity, which a receipt does not tell")
	case said["classes"] == "true" && f.classes == "":
		return nil, errors.New("the run had its own order of classes; give its -classes, which a receipt does not tell")
	}
	if f.identity != nil {
		o.Identity = func(path string) string {
			if m := f.identity.FindStringSubmatch(path); m != nil {
				return m[1]
			}
			return ""
		}
	}
	if f.classes != "" {
		o.Classes = strings.Split(f.classes, ",")
	}
	shape, err := numbers(said["input"], "x")
	if err != nil || len(shape) != 3 {
		return nil, fmt.Errorf("the receipt says that an image is %q, not channels x height x width: it was not written by examples/onnx", said["input"])
	}
	o.Image = dataset.ImageOptions{Channels: int(shape[0]), Size: [2]int{int(shape[1]), int(shape[2])}, SkipUnreadable: said["skip-unreadable"] == "true"}
	if o.Image.Pixels.Mean, err = numbers(said["mean"], " "); err == nil {
		o.Image.Pixels.Std, err = numbers(said["std"], " ")
	}
	return o, err
}

// numbers reads a list; an empty text is none.
func numbers(text, separator string) ([]float64, error) {
	var all []float64
	if text == "" {
		return nil, nil
	}
	for word := range strings.SplitSeq(text, separator) {
		v, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return nil, fmt.Errorf("the receipt has %q where numbers are wanted", text)
		}
		all = append(all, v)
	}
	return all, nil
}

// divide keeps apart what steers and what judges, as examples/onnx does.
func (d *data) divide(sets map[string]*dataset.Set, asked *dlfd.Demand) error {
	retain, forget := sets[receipt.Retain], sets[receipt.Forget]
	d.run = dlfd.Data{Retain: retain, Forget: forget, Demand: asked}
	first, second, err := feature.Halves(forget)
	if err != nil {
		return err
	}
	d.judge = dlfd.AuditData{Retain: retain, Forget: forget, Member: second, Demand: asked}
	holdout, test := sets[receipt.Holdout], sets[receipt.Test]
	switch {
	case test != nil:
		d.judge.Test = test
		if holdout != nil {
			d.run.Holdout = holdout
		}
	case holdout != nil:
		if d.run.Holdout, d.judge.Test, err = feature.HalvesBeside(holdout, first, second); err != nil {
			return err
		}
	}
	d.judge.NonMember = d.judge.Test
	if asked.Kind != dlfd.KindClass || d.judge.Test == nil {
		return nil
	}
	gone := make(map[int]bool) // unseen images of the class must be forgotten too
	for i := range forget.Len() {
		gone[forget.Label(i)] = true
	}
	labels, err := feature.Labels(d.judge.Test)
	if err != nil {
		return err
	}
	d.judge.NonMember, _, err = feature.Partition(d.judge.Test, func(i int) bool { return gone[labels[i]] })
	return err
}
