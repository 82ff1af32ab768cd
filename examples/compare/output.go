package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/dlfd-go/unlearn/dlfd/experiment"
)

// write prints the tables and writes them into the folder.
func write(stdout io.Writer, dir string, r *experiment.Results) error {
	tables := r.Tables()
	for i := range tables {
		if err := tables[i].WriteText(stdout); err != nil {
			return err
		}
		fmt.Fprintln(stdout)
	}
	for name, write := range map[string]func(io.Writer) error{"results.json": r.WriteJSON, "results.csv": r.WriteCSV} {
		if err := replace(filepath.Join(dir, name), write); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(stdout, "digest %s; results.json and results.csv are in %s\n", r.Digest, dir)
	return err
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
