package baseline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// Sequential runs another method as often as there are requests, one after the
// other on the same model, as requests arrive in use: the forget set is divided into
// parts, and each request forgets one of them and retains, beside the retain set,
// the parts that come later. Where the forget set is feature.Identified, a person is
// in one part; parts have like numbers of persons, or else of samples of each class.
//
// The result is that of the last request, with the trace, the scores and the ledger
// of all; its Stop is the first that is not dlfd.Completed, and a note says how each
// ended. If a request fails, the model gets the weights
// from before the first. Each request after the first draws from a seed of its own.
//
// With Options.Checkpoint, each request has a file of its own, whose name ends in its
// number; all stay until the last request is done.
type Sequential struct {
	// Of is the method. It is required.
	Of dlfd.Unlearner `json:"-"`
	// Parts is the number of requests. If it is zero, 2 is used.
	Parts int
}

func (q Sequential) with(of dlfd.Unlearner) decorator { q.Of = of; return q }
func (q Sequential) inner() dlfd.Unlearner            { return q.Of }

// Name implements dlfd.Namer.
func (q Sequential) Name() string { return nameOf(q.Of) + ", sequential" }

// Needs implements dlfd.Needer.
func (q Sequential) Needs() dlfd.Needs {
	needs := dlfd.NeedsOf(q.Of)
	needs.Forget = true
	return needs
}

// Unlearn implements dlfd.Unlearner. It reads what Of reads, and Forget. Cost: that
// of Of for each part.
func (q Sequential) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (res *dlfd.Result, err error) {
	if q.Parts = cmp.Or(q.Parts, 2); q.Parts < 1 {
		return nil, fmt.Errorf("%s: %w: Parts %d", q.Name(), dlfd.ErrParameter, q.Parts)
	}
	requests, err := q.divide(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", q.Name(), err)
	}
	old, err := feature.Snapshot(m)
	if err != nil {
		return nil, err
	}
	returned := false
	defer func() {
		if !returned { // a panic is on its way
			_ = old.Restore(m) // whose error would hide it
		}
	}()
	res, err = q.run(ctx, m, requests, options(opt))
	returned = true
	if err != nil {
		return nil, errors.Join(err, old.Restore(m))
	}
	if err := q.remove(options(opt).Checkpoint); err != nil {
		res.Notes = append(res.Notes, fmt.Sprintf("The file of a checkpoint could not be removed: %v.", err))
	}
	return res, nil
}

// divide returns the requests.
func (q Sequential) divide(data dlfd.Data) ([]dlfd.Data, error) {
	if data.Retain == nil || data.Retain.Len() == 0 {
		return nil, fmt.Errorf("%w: retain", dlfd.ErrEmpty)
	}
	if data.Forget == nil || data.Forget.Len() == 0 {
		return nil, fmt.Errorf("%w: forget", dlfd.ErrEmpty)
	}
	part, err := deal(data.Forget, q.Parts)
	if err != nil {
		return nil, err
	}
	requests := make([]dlfd.Data, q.Parts)
	for k := range requests {
		now, _, err := feature.Partition(data.Forget, func(i int) bool { return part[i] == k })
		if err != nil {
			return nil, err
		}
		later, _, err := feature.Partition(data.Forget, func(i int) bool { return part[i] > k })
		if err != nil {
			return nil, err
		}
		if now.Len() == 0 {
			return nil, fmt.Errorf("%w: part %d of %d of the forget set, which has %d samples, is empty", dlfd.ErrEmpty, k, q.Parts, data.Forget.Len())
		}
		retain := data.Retain
		if later.Len() > 0 {
			if retain, err = feature.Concat(data.Retain, later); err != nil {
				return nil, err
			}
		}
		requests[k] = dlfd.Data{Retain: retain, Forget: now, Holdout: data.Holdout}
	}
	return requests, nil
}

// deal returns the part of each sample: persons are dealt in turns, and so are the
// samples of each class without a person, beginning with the part after that with
// which the class before began.
func deal(d feature.Dataset, parts int) ([]int, error) {
	labels, err := feature.Labels(d)
	if err != nil {
		return nil, err
	}
	persons, byClass := make(map[string]int), make(map[int]int)
	identified, _ := feature.As[feature.Identified](d)
	part := make([]int, len(labels))
	for i, label := range labels {
		if identified != nil && identified.Identity(i) != "" {
			id := identified.Identity(i)
			if _, seen := persons[id]; !seen {
				persons[id] = len(persons)
			}
			part[i] = persons[id] % parts
			continue
		}
		part[i] = (label + byClass[label]) % parts
		byClass[label]++
	}
	return part, nil
}

// run carries out the requests and adds up their results.
func (q Sequential) run(ctx context.Context, m feature.Trainable, requests []dlfd.Data, opt dlfd.Options) (*dlfd.Result, error) {
	sum := new(dlfd.Result)
	for k, data := range requests {
		o := opt
		if k > 0 {
			o.Seed = rng.Seed(opt.Seed, "request", k)
		}
		var spent bool
		if o.Budget, spent = remaining(opt.Budget, sum.Ledger); spent {
			sum.Stop = dlfd.BudgetSpent
			sum.Notes = append(sum.Notes, fmt.Sprintf("Requests %d to %d were not begun: the budget was spent.", k+1, q.Parts))
			break
		}
		if opt.Observer != nil {
			o.Observer = after(sum.Ledger, opt.Observer)
		}
		if o.Checkpoint.Path != "" {
			o.Checkpoint.Path, o.Checkpoint.Keep = requestFile(opt.Checkpoint.Path, k), true
		}
		res, err := decorate(ctx, q, m, data, o)
		if err != nil {
			return nil, fmt.Errorf("request %d of %d: %w", k+1, q.Parts, err)
		}
		sum = join(sum, res)
		sum.Notes = append(sum.Notes, fmt.Sprintf("Request %d of %d, %d samples: %s.", k+1, q.Parts, data.Forget.Len(), res.Stop))
	}
	return sum, nil
}

// requestFile is the checkpoint of a request.
func requestFile(path string, request int) string { return fmt.Sprintf("%s.%d", path, request+1) }

// remove removes the checkpoints of all requests, unless they are to be kept.
func (q Sequential) remove(c train.Checkpoint) error {
	if c.Path == "" || c.Keep {
		return nil
	}
	for k := range q.Parts {
		if err := os.Remove(requestFile(c.Path, k)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// after returns an observer of a run that tells another what it would be told if the
// run went on after the given work.
func after(before dlfd.Ledger, observer func(dlfd.Event)) func(dlfd.Event) {
	return func(e dlfd.Event) {
		e.Step, e.Steps, e.Ledger = e.Step+before.Steps, e.Steps+before.Steps, plus(e.Ledger, before)
		if e.Point != nil {
			p := *e.Point
			p.Step += before.Steps
			e.Point = &p
		}
		if e.Score != nil {
			v := *e.Score
			v.Step += before.Steps
			e.Score = &v
		}
		observer(e)
	}
}

// remaining returns what is left of a budget.
func remaining(b dlfd.Budget, used dlfd.Ledger) (left dlfd.Budget, spent bool) {
	left = b
	if b.Passes > 0 {
		left.Passes -= used.Forward + used.Backward
	}
	if b.Time > 0 {
		left.Time -= used.Wall
	}
	return left, b.Passes > 0 && left.Passes <= 0 || b.Time > 0 && left.Time <= 0
}

func plus(a, b dlfd.Ledger) dlfd.Ledger {
	return dlfd.Ledger{Forward: a.Forward + b.Forward, Backward: a.Backward + b.Backward, Steps: a.Steps + b.Steps, Wall: a.Wall + b.Wall}
}

// join returns the result of a request, with what the requests before it did.
func join(before, res *dlfd.Result) *dlfd.Result {
	for i := range res.Trace {
		res.Trace[i].Step += before.Ledger.Steps
	}
	for i := range res.Scores {
		res.Scores[i].Step += before.Ledger.Steps
	}
	res.Best += before.Ledger.Steps
	res.Trace, res.Scores = append(before.Trace, res.Trace...), append(before.Scores, res.Scores...)
	res.Notes, res.Overlap, res.Shared = append(before.Notes, res.Notes...), append(before.Overlap, res.Overlap...), append(before.Shared, res.Shared...)
	res.Ledger = plus(before.Ledger, res.Ledger)
	res.Retraining = retrainings(before.Retraining, res.Retraining)
	if before.Stop != "" && before.Stop != dlfd.Completed {
		res.Stop = before.Stop
	}
	return res
}

// retrainings compares the work of requests with a retraining for each of them.
func retrainings(a, b *dlfd.Retraining) *dlfd.Retraining {
	if a == nil || b == nil {
		return cmp.Or(b, a)
	}
	sum := *b
	sum.Passes += a.Passes
	sum.Share = (a.Share*float64(a.Passes) + b.Share*float64(b.Passes)) / float64(sum.Passes)
	return &sum
}
