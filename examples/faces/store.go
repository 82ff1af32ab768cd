package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dlfd-go/unlearn/feature"
)

// result is the content of result.json. Equal seeds give equal bytes.
type result struct {
	Settings settings         `json:"settings"`
	Classes  []string         `json:"classes,omitempty"` // of one label
	Labels   []feature.Target `json:"labels,omitempty"`  // of several
	Splits   []size           `json:"splits"`
	Pixels   feature.Pixels   `json:"normalized_by"`
	Runs     []seedRun        `json:"runs"`
}

// timing is the content of timing.json, in seconds.
type timing struct {
	Total float64              `json:"total"`
	Seeds []map[string]float64 `json:"seeds"` // by method
}

// tryFolder makes the folder of the results and tells whether a file can be
// written there, before any work is done.
func tryFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("-out: %w", err)
	}
	f, err := os.CreateTemp(dir, ".try*")
	if err != nil {
		return fmt.Errorf("-out: %w", err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// store writes the models of the last run, and the results of all, into dir. Each
// file is replaced as a whole or not at all, and result.json comes last: it speaks
// of models that are there.
func store(dir string, p *pack, set settings, runs []seedRun, total time.Duration) error {
	last := runs[len(runs)-1]
	for _, o := range last.Models {
		if err := o.model.Save(filepath.Join(dir, modelFile(o.Method, last.Seed))); err != nil {
			return err
		}
	}
	var sheet bytes.Buffer
	if err := contactSheet(&sheet, 4, 12, p.retain, p.forget, p.test, p.unseen); err != nil {
		return err
	}
	if err := replace(filepath.Join(dir, "faces.png"), sheet.Bytes()); err != nil {
		return err
	}
	if err := replaceJSON(filepath.Join(dir, "timing.json"), spent(runs, total)); err != nil {
		return err
	}
	return replaceJSON(filepath.Join(dir, "result.json"), result{set, p.retain.ClassNames(), feature.TargetsOf(p.retain), p.sizes(), p.retain.Pixels(), runs})
}

func spent(runs []seedRun, total time.Duration) timing {
	t := timing{Total: total.Seconds()}
	for _, r := range runs {
		by := make(map[string]float64)
		for _, o := range r.Models {
			by[o.Method] = o.seconds
		}
		t.Seeds = append(t.Seeds, by)
	}
	return t
}

// modelFile is the name of the file of a model, such as
// dlfd-released-seed1.safetensors.
func modelFile(method string, seed uint64) string {
	name := strings.ReplaceAll(strings.ToLower(method), " ", "-")
	return fmt.Sprintf("%s-seed%d.safetensors", strings.ReplaceAll(name, "+", "-plus"), seed)
}

func replaceJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		return err
	}
	return replace(path, append(text, '\n'))
}

// replace writes a file beside path, brings it to disk, and renames it.
func replace(path string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".tmp*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(content)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
