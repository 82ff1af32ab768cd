package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/dlfd-go/unlearn/dlfd/experiment"
)

// write prints the tables and writes them and the pages into the folder. dirs has
// the weights.
func write(ctx context.Context, stdout io.Writer, dir string, dirs []string, r *experiment.Results) error {
	tables := r.Tables()
	for i := range tables {
		if err := tables[i].WriteText(stdout); err != nil {
			return err
		}
		if err := tables[i].WriteFronts(stdout); err != nil {
			return err
		}
		page, err := r.Report(ctx, tables[i].Task, dirs...)
		if err != nil {
			return err
		}
		name := "report.html"
		if len(tables) > 1 {
			name = "report-" + tables[i].Task + ".html"
		}
		if err := replace(filepath.Join(dir, name), page.WriteHTML); err != nil {
			return err
		}
		fmt.Fprintf(stdout, "\n%s\n\n", filepath.Join(dir, name))
	}
	for name, write := range map[string]func(io.Writer) error{"results.json": r.WriteJSON, "results.csv": r.WriteCSV} {
		if err := replace(filepath.Join(dir, name), write); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(stdout, "digest %s; results.json and results.csv are in %s\n", r.Digest, dir)
	return err
}

// show prints the tables of the results that are there.
func show(stdout io.Writer, plan *experiment.Plan, dirs []string) error {
	r, err := plan.Partial(dirs...)
	if err != nil {
		return err
	}
	for _, t := range r.Tables() {
		if err := t.WriteText(stdout); err != nil {
			return err
		}
		if err := t.WriteFronts(stdout); err != nil {
			return err
		}
		fmt.Fprintln(stdout)
	}
	return nil
}

// replace writes a file beside path and renames it.
func replace(path string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".tmp*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // an error after the rename: there is no such file
	err = write(f)
	for _, step := range []func() error{func() error { return f.Chmod(0o644) }, f.Sync, f.Close} {
		if e := step(); err == nil {
			err = e
		}
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
