package experiment

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
)

// Task is a request to forget, on which methods are compared.
type Task struct {
	// Name tells the tasks of an experiment apart. It stands in file names.
	Name string
	// Settings, as JSON, go into the manifest: what a reader must know to make
	// the task again. Nil is nothing. The data have a digest there anyway.
	Settings any

	// Train is what the original model was trained on, and Forget says which of
	// its samples must go.
	Train  feature.Dataset
	Forget func(i int) bool
	// Unseen are samples like those of Train that no model was trained on. One
	// half of them steers the methods, the other judges; see dlfd.NewRequest.
	Unseen feature.Dataset
	// Test has the samples of the test accuracy. If it is nil, that is the half of
	// Unseen that judges.
	Test feature.Dataset

	// AllowOverlap is that of dlfd.Options: true where persons of whom something
	// must go stay in what is retained, or where samples occur twice.
	AllowOverlap bool

	// Recipe says how models are trained.
	Recipe Recipe
	// Original, where not nil, was trained elsewhere; otherwise original models are
	// trained by the Recipe. It must be a feature.Cloner.
	Original feature.Trainable
	// Retrained, where not empty, are at least two models that were trained elsewhere
	// without what must go; otherwise they are trained by the Recipe.
	Retrained []feature.Trainable
}

// Recipe says how the models of a task are trained: the original on all of Train,
// the retrained ones on what is retained.
type Recipe struct {
	// Fresh returns a model with fresh weights. It is required unless all models
	// are given. Methods that begin with fresh weights get them from it too, if it is
	// there.
	Fresh func(seed uint64) (feature.Trainable, error) `json:"-"`
	// Epochs is the number of passes of a training. If all models are given, they
	// were trained for so many; 0 says that this is not known.
	Epochs int
	// BatchSize is that of training and of unlearning. If it is zero, 32 is used.
	BatchSize int
	// Optimizer moves the parameters. If it is nil, that of train.Options is used.
	Optimizer train.Optimizer
	// Schedule scales the learning rate. If it is nil, train.Cosine is used.
	Schedule train.Schedule `json:"-"`
	// Audit is the training that audits imitate, to see whether what was forgotten
	// comes back. If it is nil, it follows from BatchSize, and from Optimizer where
	// that is a train.SGD or a train.Adam; see dlfd.Training.
	Audit *dlfd.Training
}

// retrain is the method that trains by the recipe.
func (r Recipe) retrain() baseline.Retrain {
	schedule := r.Schedule
	if schedule == nil {
		schedule = train.Cosine
	}
	return baseline.Retrain{Fresh: r.Fresh, Epochs: r.Epochs, Optimizer: r.Optimizer, Schedule: schedule}
}

func (t *Task) check() error {
	switch {
	case t == nil || t.Name == "":
		return fmt.Errorf("%w: a task without a name", dlfd.ErrParameter)
	case t.Train == nil || t.Forget == nil || t.Unseen == nil:
		return fmt.Errorf("%w: Train, Forget and Unseen are required", dlfd.ErrParameter)
	case (t.Original == nil || len(t.Retrained) == 0) && (t.Recipe.Fresh == nil || t.Recipe.Epochs < 1):
		return fmt.Errorf("%w: where models are not given, Recipe.Fresh and Recipe.Epochs are required", dlfd.ErrParameter)
	case len(t.Retrained) == 1:
		return fmt.Errorf("%w: 1 retrained model is given; two at least make a band", dlfd.ErrParameter)
	case t.Recipe.Epochs < 0 || t.Recipe.BatchSize < 0:
		return fmt.Errorf("%w: Recipe.Epochs %d, Recipe.BatchSize %d", dlfd.ErrParameter, t.Recipe.Epochs, t.Recipe.BatchSize)
	}
	return nil
}

// problem is a task with what follows from it.
type problem struct {
	*Task
	request dlfd.Data
	judge   dlfd.AuditData
	// The same with Unseen in the place of the forget set; see Experiment.Swap.
	swapped        dlfd.Data
	swappedJudge   dlfd.AuditData
	swappedTrained feature.Dataset // what the model to unlearn was trained on
}

// pose divides the data. As packs have splits of their own, forget accuracy is
// that of the whole forget set, and test accuracy that of Test.
func (t *Task) pose(swap bool) (*problem, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	req, err := dlfd.NewRequest(t.Train, t.Forget, t.Unseen)
	if err != nil {
		return nil, err
	}
	p := &problem{Task: t, request: req.Data, judge: req.AuditData}
	p.judge.Forget = req.Data.Forget
	if t.Test != nil {
		p.judge.Test = t.Test
	}
	if !swap || t.Original != nil {
		return p, nil
	}
	return p, p.swap()
}

// data returns what a kind of job forgets, and what it judges on.
func (p *problem) data(k Kind) (dlfd.Data, dlfd.AuditData) {
	if k.swapped() {
		return p.swapped, p.swappedJudge
	}
	return p.request, p.judge
}

// fresh returns a model that weights can be restored into.
func (p *problem) fresh() (feature.Trainable, error) {
	if p.Recipe.Fresh != nil {
		return p.Recipe.Fresh(0)
	}
	return clone(p.Original)
}

func clone(m feature.Trainable) (feature.Trainable, error) {
	c, ok := feature.As[feature.Cloner](m)
	if !ok {
		return nil, fmt.Errorf("%w: a given %T is no feature.Cloner", dlfd.ErrParameter, m)
	}
	return c.Clone()
}

// retrainPasses is the number of samples that pass forward and backward in a
// training on what is retained; 0 if it is not known.
func (p *problem) retrainPasses() int64 {
	return 2 * int64(p.Recipe.Epochs) * int64(p.request.Retain.Len())
}

// taskEntry is what the manifest says of a task.
type taskEntry struct {
	Name     string          `json:"name"`
	Settings json.RawMessage `json:"settings,omitempty"`
	Recipe   json.RawMessage `json:"recipe"`
	Data     string          `json:"data_sha256"`

	Original  string   `json:"original_sha256,omitempty"` // of given models
	Retrained []string `json:"retrained_sha256,omitempty"`

	Samples      map[string]int `json:"samples"` // by set
	AllowOverlap bool           `json:"allow_overlap,omitempty"`
}

func (p *problem) entry(ctx context.Context) (e taskEntry, err error) {
	e = taskEntry{Name: p.Name, AllowOverlap: p.AllowOverlap, Samples: map[string]int{
		"retain": p.request.Retain.Len(), "forget": p.request.Forget.Len(), "unseen": p.Unseen.Len(), "test": p.judge.Test.Len(),
	}}
	if p.Settings != nil {
		if e.Settings, err = json.Marshal(p.Settings); err != nil {
			return e, fmt.Errorf("settings: %w", err)
		}
	}
	recipe := struct {
		Recipe
		Rule string // of the optimizer
	}{p.Recipe, fmt.Sprintf("%T", p.Recipe.Optimizer)}
	if e.Recipe, err = json.Marshal(recipe); err != nil {
		return e, fmt.Errorf("recipe: %w", err)
	}
	if e.Data, err = p.dataDigest(ctx); err != nil {
		return e, err
	}
	if p.Original != nil {
		if e.Original, err = modelDigest(p.Original); err != nil {
			return e, err
		}
	}
	for _, m := range p.Retrained {
		sum, err := modelDigest(m)
		if err != nil {
			return e, err
		}
		e.Retrained = append(e.Retrained, sum)
	}
	return e, nil
}

// modelDigest covers all parameters.
func modelDigest(m feature.Trainable) (string, error) {
	w, err := feature.Snapshot(m)
	if err != nil {
		return "", fmt.Errorf("given model: %w", err)
	}
	h := sha256.New()
	for _, v := range w {
		if err := writeFloats(h, v); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// dataDigest covers every sample, its label and its identity, in all sets.
func (p *problem) dataDigest(ctx context.Context) (string, error) {
	h := sha256.New()
	for _, d := range []feature.Dataset{p.request.Retain, p.request.Forget, p.Unseen, p.judge.Test} {
		fmt.Fprintln(h, d.Len(), d.Shape(), d.Classes())
		for b, err := range feature.Batches(d, 256, nil) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return "", err
			}
			if err := writeFloats(h, b.X.Data); err != nil {
				return "", err
			}
			for k, i := range b.Index {
				fmt.Fprintf(h, "%d %q\n", b.Labels[k], feature.IdentityOf(d, i))
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// writeFloats writes little-endian float32. Errors are those of w; a hash has none.
func writeFloats(w io.Writer, v []float32) error {
	buf := make([]byte, 0, 4*len(v))
	for _, x := range v {
		buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(x))
	}
	_, err := w.Write(buf)
	return err
}
