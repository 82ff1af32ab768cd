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

	// Recipe says how models are trained.
	Recipe Recipe
	// Given has models that were trained elsewhere. If it is nil, the original and
	// the retrained models are trained by the Recipe.
	Given *Given
}

// Recipe says how the models of a task are trained: the original on all of Train,
// the retrained ones on what is retained.
type Recipe struct {
	// Fresh returns a model with fresh weights. It is required unless models are
	// given; without it, methods that need fresh weights are left out.
	Fresh func(seed uint64) (feature.Trainable, error) `json:"-"`
	// Epochs is the number of passes of a training. Given models were trained for
	// so many; 0 says that this is not known.
	Epochs int
	// BatchSize is that of training and of unlearning. If it is zero, 32 is used.
	BatchSize int
	// Optimizer moves the parameters. If it is nil, that of train.Options is used.
	Optimizer train.Optimizer
	// Schedule scales the learning rate. If it is nil, train.Cosine is used.
	Schedule train.Schedule `json:"-"`
}

// Given has models that were trained elsewhere. They must be feature.Cloner.
type Given struct {
	Original  feature.Trainable
	Retrained []feature.Trainable // at least two, trained without what must go
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
	case t.Given == nil && (t.Recipe.Fresh == nil || t.Recipe.Epochs < 1):
		return fmt.Errorf("%w: without given models, Recipe.Fresh and Recipe.Epochs are required", dlfd.ErrParameter)
	case t.Recipe.Epochs < 0 || t.Recipe.BatchSize < 0:
		return fmt.Errorf("%w: Recipe.Epochs %d, Recipe.BatchSize %d", dlfd.ErrParameter, t.Recipe.Epochs, t.Recipe.BatchSize)
	case t.Given != nil && (t.Given.Original == nil || len(t.Given.Retrained) < 2):
		return fmt.Errorf("%w: given are %d retrained models; an original and at least two retrained ones are required", dlfd.ErrParameter, len(t.Given.Retrained))
	}
	return nil
}

// problem is a task with what follows from it.
type problem struct {
	*Task
	request dlfd.Data
	judge   dlfd.AuditData
}

// pose divides the data. As packs have splits of their own, forget accuracy is
// that of the whole forget set, and test accuracy that of Test.
func (t *Task) pose() (*problem, error) {
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
	return p, nil
}

// fresh returns a model that weights can be restored into.
func (p *problem) fresh() (feature.Trainable, error) {
	if p.Recipe.Fresh != nil {
		return p.Recipe.Fresh(0)
	}
	return clone(p.Given.Original)
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
	Models   []string        `json:"given_sha256,omitempty"`

	Retain, Forget, Unseen, Test int // samples
}

func (p *problem) entry(ctx context.Context) (e taskEntry, err error) {
	e = taskEntry{Name: p.Name, Retain: p.request.Retain.Len(), Forget: p.request.Forget.Len(), Unseen: p.Unseen.Len(), Test: p.judge.Test.Len()}
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
	if e.Data, err = p.dataDigest(ctx); err != nil || p.Given == nil {
		return e, err
	}
	for _, m := range append([]feature.Trainable{p.Given.Original}, p.Given.Retrained...) {
		w, err := feature.Snapshot(m)
		if err != nil {
			return e, fmt.Errorf("given model: %w", err)
		}
		h := sha256.New()
		for _, v := range w {
			writeFloats(h, v)
		}
		e.Models = append(e.Models, hex.EncodeToString(h.Sum(nil)))
	}
	return e, nil
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
			writeFloats(h, b.X.Data)
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
