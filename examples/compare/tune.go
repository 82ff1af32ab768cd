package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"github.com/dlfd-go/unlearn/dlfd/experiment"
)

// tuning is the content of the file of -tune: a search for the settings of methods.
type tuning struct {
	About     string              `json:"about"`
	Rule      string              `json:"rule"` // what Results.Choose does, in words
	Margin    float64             `json:"margin"`
	Seed      uint64              `json:"seed"`
	Retrained int                 `json:"retrained"`
	Tasks     []string            `json:"tasks"`
	Settings  int                 `json:"settings"` // of each method
	Methods   map[string][]string `json:"methods"`  // texts by method
}

// readTuning reads and checks the file.
func readTuning(path string) (*tuning, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var t tuning
	if err := json.Unmarshal(text, &t); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for name, texts := range t.Methods {
		if len(texts) != t.Settings {
			return nil, fmt.Errorf("%s: %s has %d settings, and every method is to have %d", path, name, len(texts), t.Settings)
		}
	}
	return &t, nil
}

// apply makes of the flags those of the search. Other data may take the place of its
// tasks.
func (t *tuning) apply(f *flags) {
	if len(f.tasks) == 0 && f.data == "" && f.idx == "" {
		f.tasks = t.Tasks
	}
	f.seed, f.seeds, f.unlearnings, f.evaluations, f.retrains = t.Seed, 1, 1, 1, t.Retrained
	f.deep, f.swap = -1, -1
}

// all returns the settings of all methods, method by method.
func (t *tuning) all() (all []experiment.Method, err error) {
	for _, name := range slices.Sorted(maps.Keys(t.Methods)) {
		for _, text := range t.Methods[name] {
			m, err := method(text)
			if err != nil {
				return nil, err
			}
			m.Group = name
			all = append(all, m)
		}
	}
	return all, nil
}

// writeChoices prints what the search chose, and writes chosen.json.
func (t *tuning) writeChoices(stdout io.Writer, dir string, r *experiment.Results) error {
	choices, err := r.Choose(t.Margin)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s Margin %v.\n", t.Rule, t.Margin)
	tab := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "method\tchosen\tmean gap\tshort of retrained test accuracy\twithin the margin")
	for _, c := range choices {
		fmt.Fprintf(tab, "%s\t%s\t%.3f\t%.3f\t%d of %d\n", c.Group, c.Method, c.Gap, c.Deficit, c.Eligible, c.Settings)
	}
	if err := tab.Flush(); err != nil {
		return err
	}
	return replace(filepath.Join(dir, "chosen.json"), func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "\t")
		return e.Encode(choices)
	})
}
