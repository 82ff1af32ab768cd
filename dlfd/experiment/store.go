package experiment

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/internal/atomicfile"
	"github.com/dlfd-go/unlearn/metrics"
)

// Reasons for the end of a run that dlfd.Result does not have.
const (
	// Diverged: Unlearn found a loss or a weight that was not finite, and left the model
	// as it was. That was judged.
	Diverged dlfd.Stop = "diverged"
	// Failed: any other error, or that of an audit of what the method left, which
	// Outcome.Failure has. There are no audits.
	Failed dlfd.Stop = "failed"
	// NotDone: the run is missing; see Plan.Partial.
	NotDone dlfd.Stop = "not done"
)

// Outcome is what a job found. Fields that do not concern its kind are zero.
type Outcome struct {
	Settings json.RawMessage `json:"settings,omitempty"` // of the method, as resolved
	Stop     dlfd.Stop       `json:"stop,omitempty"`
	Failure  string          `json:"failure,omitempty"`
	Best     int             `json:"best,omitempty"` // see dlfd.Result
	Steps    int             `json:"steps,omitempty"`
	Notes    []string        `json:"notes,omitempty"`
	Scores   []dlfd.Score    `json:"scores,omitempty"`
	Ledger   dlfd.Ledger     `json:"ledger"` // without time
	// Losses has the mean training loss of up to 32 equal parts of the run.
	Losses []float64 `json:"losses,omitempty"`
	// Weights is the SHA-256 of the file of weights that a training or a method ended
	// with. The file is kept for trainings, and for the first run of each method on
	// the first original model.
	Weights string `json:"weights_sha256,omitempty"`
	// Audits has one audit for each seed of evaluation.
	Audits []*dlfd.Audited `json:"audits,omitempty"`
	// Distances has those of Experiment.Distances, by name.
	Distances map[string]float64 `json:"distances,omitempty"`
	// Gaps has, for each seed of evaluation, the gap to each retrained model, or to
	// each of the others.
	Gaps [][]metrics.Gap `json:"gaps,omitempty"`
}

// resultFile is the content of the file of a job.
type resultFile struct {
	Manifest string          `json:"manifest_sha256"`
	Job      Job             `json:"job"`
	Outcome  json.RawMessage `json:"outcome"`
	Digest   string          `json:"outcome_sha256"`
	Wall     time.Duration   `json:"wall_ns,omitempty"`
}

// result is a finished job.
type result struct {
	*Outcome
	digest string
	wall   time.Duration
}

func (p *Plan) resultPath(dir string, j Job) string {
	return filepath.Join(dir, "results", j.file()+".json")
}

func (p *Plan) weightsPath(dir string, j Job) string {
	return filepath.Join(dir, "models", j.file()+".safetensors")
}

// prepare makes the folders and writes the manifest, or compares it with the one
// that is there.
func (p *Plan) prepare(dir string) error {
	for _, sub := range []string{"results", "models"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o777); err != nil {
			return err
		}
	}
	text, err := p.manifestText()
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "manifest.json")
	old, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return writeFile(path, text)
	case err != nil:
		return err
	case !bytes.Equal(old, text):
		return foreignManifest(path)
	}
	return nil
}

func (p *Plan) manifestText() ([]byte, error) {
	text, err := json.MarshalIndent(p.manifest, "", "\t")
	return append(text, '\n'), err
}

func foreignManifest(path string) error {
	return fmt.Errorf("%s: %w: it is of other tasks, methods, seeds or data; give another folder", path, ErrForeign)
}

func writeFile(path string, text []byte) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

// write stores the outcome of a job and returns it as it will be read.
func (p *Plan) write(dir string, j Job, o *Outcome, wall time.Duration) (*result, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	f := resultFile{Manifest: p.digest, Job: j, Outcome: text, Digest: hex.EncodeToString(sum[:]), Wall: wall}
	whole, err := json.MarshalIndent(f, "", "\t")
	if err != nil {
		return nil, err
	}
	if err := writeFile(p.resultPath(dir, j), append(whole, '\n')); err != nil {
		return nil, err
	}
	return &result{o, f.Digest, wall}, nil
}

// read returns the outcome of a job, or an error that wraps fs.ErrNotExist where it
// is not there and ErrForeign where it is not what write wrote.
func (p *Plan) read(dir string, j Job) (*result, error) {
	path := p.resultPath(dir, j)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var f resultFile
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, ErrForeign, err)
	}
	want := j
	want.task, want.method = 0, 0
	if f.Manifest != p.digest || f.Job != want {
		return nil, fmt.Errorf("%s: %w: it has job %d of manifest %.12s…; this is job %d of %.12s…", path, ErrForeign, f.Job.Index, f.Manifest, j.Index, p.digest)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, f.Outcome); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, ErrForeign, err)
	}
	if sum := sha256.Sum256(compact.Bytes()); hex.EncodeToString(sum[:]) != f.Digest {
		return nil, fmt.Errorf("%s: %w: the outcome has SHA-256 %x and not %s", path, ErrForeign, sum, f.Digest)
	}
	var o Outcome
	if err := json.Unmarshal(f.Outcome, &o); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, ErrForeign, err)
	}
	return &result{&o, f.Digest, f.Wall}, nil
}
