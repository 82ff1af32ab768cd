package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/examples/drawnfaces"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/dataset"
)

// side is the height and the width of the images, in pixels.
const side = drawnfaces.Side

// parts holds the four person-disjoint splits of a face data set.
type parts struct{ retain, forget, test, unseen *dataset.Set }

// pack is the data of the experiment, normalized by the training samples.
type pack struct {
	parts
	training feature.Dataset // retain and forget
	// request is what a method is given: it is steered by one half of unseen.
	request dlfd.Data
	// judge is what models are judged on: the halves that steer nobody.
	judge dlfd.AuditData
}

// load reads the pack that the flags ask for, or draws the faces.
func load(f flags, set settings) (*pack, error) {
	if f.data == "" {
		d, err := draw(*set.Drawn, f.label)
		if err != nil {
			return nil, err
		}
		return newPack(parts{d.Retain, d.Forget, d.Test, d.Unseen})
	}
	p, err := readFaces(f.data, f.label)
	if err != nil {
		return nil, err
	}
	return newPack(p)
}

// draw draws faces with the expression as the label, or with several labels.
func draw(c drawnfaces.Crowd, label string) (drawnfaces.Splits, error) {
	if label == "" {
		return drawnfaces.Draw(c)
	}
	return drawnfaces.DrawLabels(c, strings.Split(label, ",")...)
}

// readFaces reads the four splits of a folder with metadata.csv.
func readFaces(dir, label string) (p parts, err error) {
	var targets []string
	if strings.Contains(label, ",") {
		targets, label = strings.Split(label, ","), ""
	}
	for _, split := range []struct {
		set  *(*dataset.Set)
		name string
	}{{&p.retain, "retain"}, {&p.forget, "forget"}, {&p.test, "test"}, {&p.unseen, "unseen"}} {
		*split.set, err = dataset.CSV(filepath.Join(dir, "metadata.csv"), &dataset.CSVOptions{
			Image: dataset.ImageOptions{Size: [2]int{side, side}, Channels: 1},
			Path:  "path", Identity: "identity", Label: label, Targets: targets,
			Where: map[string][]string{"split": {split.name}, "holdout": {"0"}},
		})
		if err != nil {
			return p, fmt.Errorf("split %s: %w", split.name, err)
		}
	}
	return p, nil
}

// newPack normalizes the splits and cuts the halves.
func newPack(p parts) (*pack, error) {
	training, err := feature.Concat(p.retain, p.forget)
	if err != nil {
		return nil, err
	}
	pixels, err := dataset.ComputePixels(training)
	if err != nil {
		return nil, err
	}
	for _, set := range []*(*dataset.Set){&p.retain, &p.forget, &p.test, &p.unseen} {
		if *set, err = (*set).Normalize(pixels); err != nil {
			return nil, err
		}
	}
	k := &pack{parts: p}
	if k.training, err = feature.Concat(p.retain, p.forget); err != nil {
		return nil, err
	}
	req, err := dlfd.NewRequest(k.training, func(i int) bool { return i >= p.retain.Len() }, p.unseen)
	if err != nil {
		return nil, err
	}
	// The pack has a test split of its own, and the accuracy is that of a whole split.
	k.request, k.judge = req.Data, req.AuditData
	k.judge.Forget, k.judge.Test = p.forget, p.test
	return k, nil
}

// String describes the pack in two lines.
func (k *pack) String() string {
	var b strings.Builder
	for i, s := range k.sizes() {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s %d (%d persons)", s.Split, s.Samples, s.Persons)
	}
	return b.String() + "\n" + k.describe()
}

// size is how much there is of a split.
type size struct {
	Split   string `json:"split"`
	Samples int    `json:"samples"`
	Persons int    `json:"persons"`
}

func (k *pack) sizes() []size {
	var all []size
	for _, s := range []struct {
		name string
		set  feature.Dataset
	}{{"retain", k.retain}, {"forget", k.forget}, {"test", k.test}, {"unseen", k.unseen}} {
		all = append(all, size{s.name, s.set.Len(), len(feature.Identities(s.set))})
	}
	return all
}
