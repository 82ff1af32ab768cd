package experiment

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
)

// NewFleet plans the retrained models of a task and nothing else: neither methods nor
// audits. Such a fleet of reference models is what LiRA and RMIA compare with; it can be
// trained before it is known what it will judge, and LoadFleet returns it. Of seeds, First
// and Retrained are used; the models are those that an Experiment with the same First
// would train. version is that of an Experiment. Models that the task gives are left
// out. Errors are those of New.
func NewFleet(ctx context.Context, t *Task, seeds Seeds, version string) (*Plan, error) {
	p, err := newFleet(ctx, t, seeds, version)
	if err != nil {
		return nil, fmt.Errorf("experiment: fleet: %w", err)
	}
	return p, nil
}

func newFleet(ctx context.Context, t *Task, seeds Seeds, version string) (*Plan, error) {
	if t != nil {
		alone := *t
		alone.Original, alone.Retrained = nil, nil
		t = &alone
	}
	return newPlan(ctx, Experiment{
		Tasks: []*Task{t}, Seeds: Seeds{First: seeds.First, Retrained: seeds.Retrained}, Version: version,
		Deep: -1, Swap: -1, NoFloors: true, fleet: true,
	})
}

// LoadFleet returns the models that a plan of NewFleet has trained, from the folders
// that it ran in; for Task.Retrained, or for dlfd.AuditOptions. The manifest in the first
// folder says how many there are, and from which seed. t must be the task that they were
// trained for, as to data and recipe. All models are in memory at once.
//
// Errors wrap ErrForeign where a folder has something else, such as a fleet of other
// data, ErrMissing where models are, and fs.ErrNotExist where their weights are in
// none of the folders.
func LoadFleet(ctx context.Context, t *Task, dirs ...string) ([]feature.Trainable, error) {
	models, err := loadFleet(ctx, t, dirs)
	if err != nil {
		return nil, fmt.Errorf("experiment: load fleet: %w", err)
	}
	return models, nil
}

func loadFleet(ctx context.Context, t *Task, dirs []string) ([]feature.Trainable, error) {
	if len(dirs) == 0 {
		return nil, fmt.Errorf("%w: no folder", dlfd.ErrParameter)
	}
	m, err := fleetManifest(filepath.Join(dirs[0], "manifest.json"))
	if err != nil {
		return nil, err
	}
	p, err := newFleet(ctx, t, m.Seeds, m.Version)
	if err != nil {
		return nil, err
	}
	r, missing, err := p.merge(dirs)
	if err == nil && len(missing) > 0 {
		err = p.missing(missing)
	}
	if err != nil {
		return nil, err
	}
	models := make([]feature.Trainable, len(p.jobs))
	for i, j := range p.jobs {
		if models[i], err = p.problems[0].fresh(); err != nil {
			return nil, err
		}
		if err := p.loadWeights(dirs, j, r.Outcomes[i].Weights, models[i]); err != nil {
			return nil, fmt.Errorf("%v: %w", j, err)
		}
	}
	return models, nil
}

func fleetManifest(path string) (m Manifest, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("%s: %w: %w", path, ErrForeign, err)
	}
	if !m.Fleet {
		return m, fmt.Errorf("%s: %w: it is of no fleet", path, ErrForeign)
	}
	return m, nil
}
