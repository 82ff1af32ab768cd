package experiment_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/experiment"
	"github.com/dlfd-go/unlearn/feature"
)

// TestStages: where shares do one stage after the other, every process does its own jobs
// alone, and the digest is that of one process.
func TestStages(t *testing.T) {
	p, alone, dir := plan(t, small()), t.TempDir(), t.TempDir()
	run(t, p, alone, nil)
	begun, share := 0, 0
	for stage := 1; stage <= experiment.Stages; stage++ {
		only := func(j experiment.Job) bool { return j.Kind.Stage() == stage }
		var own []int // jobs of the stage
		for _, j := range p.Jobs() {
			if only(j) {
				own = append(own, j.Index)
			}
		}
		for i := range 3 {
			err := p.Run(t.Context(), dir, &experiment.RunOptions{Runner: experiment.Index{I: i, Of: 3}, Only: only, Observer: func(e experiment.Event) {
				if e.State != experiment.Started {
					return
				}
				begun++
				if at := slices.Index(own, e.Job.Index); at < 0 || at%3 != i {
					t.Errorf("share %d of stage %d does %v", i, stage, e.Job)
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			share++
		}
	}
	if begun != len(p.Jobs()) {
		t.Errorf("%d jobs were begun in %d shares, and there are %d", begun, share, len(p.Jobs()))
	}
	if got, want := digest(t, p, dir), digest(t, p, alone); got != want {
		t.Errorf("digest %s, of one process %s", got, want)
	}
}

// TestFrom: what other folders have is not done again, weights that only they have are
// read there, and nothing is written there.
func TestFrom(t *testing.T) {
	e := small()
	e.Tasks = e.Tasks[:1]
	p, alone := plan(t, e), t.TempDir()
	run(t, p, alone, nil)
	first, last := t.TempDir(), t.TempDir()
	half := func(j experiment.Job) bool { return j.Kind.Stage() < 3 }
	if err := p.Run(t.Context(), first, &experiment.RunOptions{Only: half}); err != nil {
		t.Fatal(err)
	}
	before := names(t, first)
	kinds := make(map[experiment.State]int)
	count := func(e experiment.Event) { kinds[e.State]++ }
	if err := p.Run(t.Context(), last, &experiment.RunOptions{From: []string{first}, Observer: func(e experiment.Event) {
		count(e)
		if e.State == experiment.Started && half(e.Job) {
			t.Errorf("%v is done again", e.Job)
		}
	}}); err != nil {
		t.Fatal(err)
	}
	if n := len(p.Jobs()); kinds[experiment.Found]+kinds[experiment.Finished] != n || kinds[experiment.Found] == 0 {
		t.Errorf("of %d jobs: %v", n, kinds)
	}
	if after := names(t, first); !slices.Equal(before, after) {
		t.Errorf("the other folder had %d files and has %d", len(before), len(after))
	}
	if got, want := digest(t, p, first, last), digest(t, p, alone); got != want {
		t.Errorf("digest %s, of one process %s", got, want)
	}
	err := p.Run(t.Context(), t.TempDir(), &experiment.RunOptions{From: []string{t.TempDir()}})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder without a manifest: %v", err)
	}
	other := small()
	other.Version = "2"
	err = plan(t, other).Run(t.Context(), t.TempDir(), &experiment.RunOptions{From: []string{first}})
	if !errors.Is(err, experiment.ErrForeign) {
		t.Errorf("a folder of another experiment: %v", err)
	}
}

// names lists all files below a folder.
func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, _ fs.DirEntry, err error) error {
		all = append(all, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestFleet trains a fleet in two shares. Its models are those that an experiment with
// the same first seed trains for itself, and audits with them say the same.
func TestFleet(t *testing.T) {
	e := small()
	e.Tasks, e.Swap = e.Tasks[:1], -1
	own, dir := plan(t, e), t.TempDir()
	run(t, own, dir, nil)
	fleet, err := experiment.NewFleet(t.Context(), e.Tasks[0], e.Seeds, "")
	if err != nil {
		t.Fatal(err)
	}
	var dirs []string
	for i := range 2 {
		dirs = append(dirs, t.TempDir())
		run(t, fleet, dirs[i], experiment.Index{I: i, Of: 2})
	}
	r, err := fleet.Merge(dirs...)
	if err != nil || len(fleet.Jobs()) != 3 || r.Tables() != nil {
		t.Fatalf("%d jobs, %v", len(fleet.Jobs()), err)
	}
	if _, err := r.Report(t.Context(), "blobs"); !errors.Is(err, dlfd.ErrParameter) {
		t.Errorf("report of a fleet: %v", err)
	}
	models, err := experiment.LoadFleet(t.Context(), tiny("blobs"), dirs...)
	if err != nil || len(models) != 3 {
		t.Fatalf("%d models, %v", len(models), err)
	}
	e.Tasks[0].Retrained = models
	with, withDir := plan(t, e), t.TempDir()
	run(t, with, withDir, nil)
	if got, want := gaps(t, with, withDir), gaps(t, own, dir); !maps.Equal(got, want) {
		t.Errorf("gaps with the fleet %v, with models of the experiment's own %v", got, want)
	}
}

// gaps returns the gap of each row of the first table.
func gaps(t *testing.T, p *experiment.Plan, dir string) map[string]experiment.Value {
	t.Helper()
	r, err := p.Merge(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]experiment.Value)
	for _, row := range r.Tables()[0].Rows {
		all[row.Name] = row.Gap
	}
	return all
}

func TestWrongFleets(t *testing.T) {
	fleet, err := experiment.NewFleet(t.Context(), tiny("blobs"), experiment.Seeds{Retrained: 2}, "")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	run(t, fleet, dir, experiment.Index{I: 0, Of: 2})
	if _, err := experiment.LoadFleet(t.Context(), tiny("blobs"), dir); !errors.Is(err, experiment.ErrMissing) {
		t.Errorf("half a fleet: %v", err)
	}
	run(t, fleet, dir, nil)
	other := tiny("blobs")
	other.Recipe.Epochs++
	if _, err := experiment.LoadFleet(t.Context(), other, dir); !errors.Is(err, experiment.ErrForeign) {
		t.Errorf("another recipe: %v", err)
	}
	if _, err := experiment.LoadFleet(t.Context(), tiny("blobs")); !errors.Is(err, dlfd.ErrParameter) {
		t.Errorf("no folder: %v", err)
	}
	if _, err := experiment.LoadFleet(t.Context(), tiny("blobs"), t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty folder: %v", err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "models")); err != nil {
		t.Fatal(err)
	}
	if _, err := experiment.LoadFleet(t.Context(), tiny("blobs"), dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no weights: %v", err)
	}
	e := small()
	whole := t.TempDir()
	if err := plan(t, e).Run(t.Context(), whole, &experiment.RunOptions{Only: func(experiment.Job) bool { return false }}); err != nil {
		t.Fatal(err)
	}
	if _, err := experiment.LoadFleet(t.Context(), tiny("blobs"), whole); !errors.Is(err, experiment.ErrForeign) {
		t.Errorf("the folder of an experiment: %v", err)
	}
	if _, err := experiment.NewFleet(t.Context(), nil, experiment.Seeds{}, ""); !errors.Is(err, dlfd.ErrParameter) {
		t.Errorf("no task: %v", err)
	}
	without := tiny("given")
	without.Recipe.Fresh = nil
	without.Retrained = make([]feature.Trainable, 2)
	if _, err := experiment.NewFleet(t.Context(), without, experiment.Seeds{}, ""); !errors.Is(err, dlfd.ErrParameter) {
		t.Errorf("no recipe: %v", err)
	}
}
