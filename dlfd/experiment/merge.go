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
	r, err := p.merge(dirs)
	if err != nil {
		return nil, fmt.Errorf("experiment: merge: %w", err)
	}
	return r, nil
}

func (p *Plan) merge(dirs []string) (*Results, error) {
	if len(dirs) == 0 {
		return nil, fmt.Errorf("%w: no folder", dlfd.ErrParameter)
	}
	for _, dir := range dirs {
		if err := p.refuseForeign(dir); err != nil {
			return nil, err
		}
	}
	r := &Results{plan: p}
	h := sha256.New()
	fmt.Fprintln(h, p.digest)
	var missing []Job
	for _, j := range p.jobs {
		res, err := p.readOne(dirs, j)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, j)
			continue
		case err != nil:
			return nil, err
		}
		r.Outcomes, r.Wall = append(r.Outcomes, res.Outcome), append(r.Wall, res.wall)
		fmt.Fprintln(h, res.digest)
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%w: %d of %d jobs, the first is job %d, %v", ErrMissing, len(missing), len(p.jobs), missing[0].Index, missing[0])
	}
	r.Digest = hex.EncodeToString(h.Sum(nil))
	return r, nil
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
