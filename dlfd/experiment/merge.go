package experiment

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dlfd-go/unlearn/dlfd"
)

// Results has the outcomes of all jobs of an experiment.
type Results struct {
	// Digest covers the manifest and every outcome, and no time.
	Digest   string
	Outcomes []*Outcome      // by job
	Wall     []time.Duration // by job; zero where no time was measured

	plan *Plan
}

// Merge reads the results in one or more folders. Errors wrap ErrMissing, with the
// number of jobs without a result and the first of them, or ErrForeign: for a
// manifest that is not p's, a file in the folder of results that no job of p
// writes, one that was changed, and two that say different things of one job.
func (p *Plan) Merge(dirs ...string) (*Results, error) {
	r, missing, err := p.merge(dirs)
	if err == nil && len(missing) > 0 {
		err = p.missing(missing)
	}
	if err != nil {
		return nil, fmt.Errorf("experiment: merge: %w", err)
	}
	return r, nil
}

// Partial is Merge while runs of methods are still missing: it returns the results that
// are there, without a digest, and the outcomes of the others have the Stop NotDone.
// Models and their audits must be complete. Tables are those of different seeds for
// different methods then; differences are taken over the seeds that both have.
func (p *Plan) Partial(dirs ...string) (*Results, error) {
	r, missing, err := p.merge(dirs)
	for _, j := range missing {
		if err == nil && !j.Kind.ofMethod() {
			err = p.missing(missing)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("experiment: partial: %w", err)
	}
	if len(missing) > 0 {
		r.Digest = ""
	}
	return r, nil
}

func (p *Plan) missing(all []Job) error {
	return fmt.Errorf("%w: %d of %d jobs, the first is job %d, %v", ErrMissing, len(all), len(p.jobs), all[0].Index, all[0])
}

func (p *Plan) merge(dirs []string) (r *Results, missing []Job, err error) {
	if len(dirs) == 0 {
		return nil, nil, fmt.Errorf("%w: no folder", dlfd.ErrParameter)
	}
	for _, dir := range dirs {
		if err := p.refuseForeign(dir); err != nil {
			return nil, nil, err
		}
	}
	r = &Results{plan: p}
	h := sha256.New()
	fmt.Fprintln(h, p.digest)
	for _, j := range p.jobs {
		res, err := p.readOne(dirs, j)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, j)
			res = &result{Outcome: &Outcome{Stop: NotDone}}
		case err != nil:
			return nil, nil, err
		}
		r.Outcomes, r.Wall = append(r.Outcomes, res.Outcome), append(r.Wall, res.wall)
		fmt.Fprintln(h, res.digest)
	}
	r.Digest = hex.EncodeToString(h.Sum(nil))
	return r, missing, nil
}

// readOne reads the result of a job from the folders that have it.
func (p *Plan) readOne(dirs []string, j Job) (found *result, err error) {
	for _, dir := range dirs {
		res, err := p.read(dir, j)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, err
		case found != nil && found.digest != res.digest:
			return nil, fmt.Errorf("%s: %w: another folder has another outcome of the same job", p.resultPath(dir, j), ErrForeign)
		default:
			found = res
		}
	}
	if found == nil {
		return nil, fs.ErrNotExist
	}
	return found, nil
}

// refuseForeign looks at the manifest of a folder and at the names of its results.
func (p *Plan) refuseForeign(dir string) error {
	text, err := p.manifestText()
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "manifest.json")
	if old, err := os.ReadFile(path); err != nil {
		return err
	} else if string(old) != string(text) {
		return foreignManifest(path)
	}
	entries, err := os.ReadDir(filepath.Join(dir, "results"))
	if err != nil {
		return err
	}
	known := make(map[string]bool)
	for _, j := range p.jobs {
		known[j.file()+".json"] = true
	}
	for _, e := range entries {
		if !known[e.Name()] && !strings.HasPrefix(e.Name(), ".") { // a killed process leaves hidden files
			return fmt.Errorf("%s: %w: no job has this file", filepath.Join(dir, "results", e.Name()), ErrForeign)
		}
	}
	return nil
}
