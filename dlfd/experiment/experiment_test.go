package experiment_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/dlfd/experiment"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/train"
)

// tiny is a task that takes milliseconds: three overlapping clouds, of which an MLP
// learns 60 points by heart.
func tiny(name string) *experiment.Task {
	return &experiment.Task{
		Name:   name,
		Train:  featuretest.NewBlobs(60, 4, 3, 1.5, 1, 2),
		Forget: func(i int) bool { return i < 15 },
		Unseen: featuretest.NewBlobs(40, 4, 3, 1.5, 1, 3),
		Test:   featuretest.NewBlobs(60, 4, 3, 1.5, 1, 4),
		Recipe: experiment.Recipe{
			Fresh:  func(seed uint64) (feature.Trainable, error) { return featuretest.NewMLP(4, 8, 3, seed), nil },
			Epochs: 6, BatchSize: 10, Optimizer: train.SGD{Rate: .1, Momentum: .9},
		},
	}
}

func small() experiment.Experiment {
	return experiment.Experiment{
		Tasks: []*experiment.Task{tiny("blobs"), tiny("blobs too")},
		Methods: []experiment.Method{
			{Unlearner: baseline.FineTune{}},
			{Name: "NegGrad+:beta=1", Unlearner: baseline.NegGradPlus{Beta: 1}},
		},
		Seeds:    experiment.Seeds{First: 1, Training: 2, Evaluation: 2, Retrained: 3},
		NoFloors: true,
	}
}

func plan(t *testing.T, e experiment.Experiment) *experiment.Plan {
	t.Helper()
	p, err := experiment.New(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func digest(t *testing.T, p *experiment.Plan, dirs ...string) string {
	t.Helper()
	r, err := p.Merge(dirs...)
	if err != nil {
		t.Fatal(err)
	}
	return r.Digest
}

func run(t *testing.T, p *experiment.Plan, dir string, runner experiment.Runner) {
	t.Helper()
	if err := p.Run(t.Context(), dir, &experiment.RunOptions{Runner: runner}); err != nil {
		t.Fatal(err)
	}
}

func TestWorkersAndShardsChangeNothing(t *testing.T) {
	p := plan(t, small())
	alone := t.TempDir()
	run(t, p, alone, experiment.Local{Workers: 1})
	want := digest(t, p, alone)
	four := t.TempDir()
	run(t, plan(t, small()), four, experiment.Local{Workers: 4})
	if got := digest(t, p, four); got != want {
		t.Errorf("4 workers give %s, 1 gives %s", got, want)
	}
	var apart []string
	together := t.TempDir()
	for i := range 8 {
		apart = append(apart, t.TempDir())
		run(t, p, apart[i], experiment.Index{I: i, Of: 8})
		run(t, p, together, experiment.Index{I: i, Of: 8})
	}
	if got := digest(t, p, apart...); got != want {
		t.Errorf("8 shards in folders of their own give %s, one process gives %s", got, want)
	}
	if got := digest(t, p, together); got != want {
		t.Errorf("8 shards in one folder give %s, one process gives %s", got, want)
	}
	if _, err := p.Merge(apart[1:]...); !errors.Is(err, experiment.ErrMissing) || !strings.Contains(err.Error(), "the first is job") {
		t.Errorf("without a shard: %v", err)
	}
}

// stopAfter cancels a run when so many jobs were begun.
type stopAfter struct {
	experiment.Runner
	jobs int64
}

var errStop = errors.New("stop")

func (s stopAfter) Run(ctx context.Context, n int, do func(context.Context, int) error) error {
	var begun atomic.Int64
	return s.Runner.Run(ctx, n, func(ctx context.Context, i int) error {
		if begun.Add(1) > s.jobs {
			return errStop
		}
		return do(ctx, i)
	})
}

func TestResume(t *testing.T) {
	p, dir, whole := plan(t, small()), t.TempDir(), t.TempDir()
	run(t, p, whole, experiment.Local{})
	for _, jobs := range []int64{5, 8} {
		err := p.Run(t.Context(), dir, &experiment.RunOptions{Runner: stopAfter{experiment.Local{Workers: 2}, jobs}})
		if !errors.Is(err, errStop) {
			t.Fatal(err)
		}
	}
	found := make(map[experiment.State]int)
	err := p.Run(t.Context(), dir, &experiment.RunOptions{Observer: func(e experiment.Event) { found[e.State]++ }})
	if err != nil {
		t.Fatal(err)
	}
	if found[experiment.Found] < 3 || found[experiment.Found]+found[experiment.Finished] != len(p.Jobs()) || found[experiment.Running] == 0 {
		t.Errorf("of %d jobs: %v", len(p.Jobs()), found)
	}
	if a, b := digest(t, p, dir), digest(t, p, whole); a != b {
		t.Errorf("resumed %s, in one go %s", a, b)
	}
}

// TestWeightsMadeAgain removes the models, which results refer to by checksum.
func TestWeightsMadeAgain(t *testing.T) {
	p, dir := plan(t, small()), t.TempDir()
	run(t, p, dir, nil)
	want := digest(t, p, dir)
	if err := os.RemoveAll(filepath.Join(dir, "models")); err != nil {
		t.Fatal(err)
	}
	removed := 0
	for _, j := range p.Jobs() {
		if j.Kind == experiment.JudgeMethod && j.Method == "FineTune" {
			removed += removeResult(t, dir, j.Index)
		}
	}
	run(t, p, dir, nil)
	if got := digest(t, p, dir); got != want || removed != 4 {
		t.Errorf("%d results removed: %s, before %s", removed, got, want)
	}
}

func removeResult(t *testing.T, dir string, job int) int {
	t.Helper()
	path := resultOf(t, dir, job)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	return 1
}

func resultOf(t *testing.T, dir string, job int) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "results", fmt.Sprintf("%05d-*.json", job)))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	return files[0]
}

func TestForeign(t *testing.T) {
	p, dir := plan(t, small()), t.TempDir()
	run(t, p, dir, nil)
	other := small()
	other.Seeds.First = 2
	q := plan(t, other)
	if err := q.Run(t.Context(), dir, nil); !errors.Is(err, experiment.ErrForeign) {
		t.Errorf("run in the folder of another experiment: %v", err)
	}
	if _, err := q.Merge(dir); !errors.Is(err, experiment.ErrForeign) {
		t.Errorf("merge of another experiment: %v", err)
	}
	path := resultOf(t, dir, 20)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, changed := range map[string]string{
		"a changed figure":   strings.Replace(string(text), `"test_accuracy": 0`, `"test_accuracy": 1`, 1),
		"another manifest":   strings.Replace(string(text), p.Digest(), q.Digest(), 1),
		"another job":        strings.Replace(string(text), `"index": 20`, `"index": 21`, 1),
		"a file that is cut": string(text[:len(text)/2]),
	} {
		if changed == string(text) {
			t.Errorf("%s: the test changes nothing", name)
		}
		if err := os.WriteFile(path, []byte(changed), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Merge(dir); !errors.Is(err, experiment.ErrForeign) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(path, text, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "results", "99999-more.json"), text, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Merge(dir); !errors.Is(err, experiment.ErrForeign) {
		t.Errorf("a result of no job: %v", err)
	}
}

// TestDecoratorsInTheManifest: what a decorator runs, which its JSON does not show, makes
// a difference, and where a function lies in memory does not.
func TestDecoratorsInTheManifest(t *testing.T) {
	digests := make(map[string]bool)
	for _, u := range []dlfd.Unlearner{
		baseline.Rewind{Of: baseline.SCRUB{}}, baseline.Rewind{Of: baseline.SCRUB{Alpha: .5}}, baseline.Rewind{Of: baseline.NegGrad{}},
		baseline.Retrain{Schedule: train.Cosine}, baseline.Retrain{}, baseline.Retrain{Schedule: train.Constant},
	} {
		e := small()
		e.Methods = []experiment.Method{{Name: "mine", Unlearner: u}}
		digests[plan(t, e).Digest()] = true
	}
	if len(digests) != 5 { // the two schedules are functions
		t.Errorf("6 methods have %d digests", len(digests))
	}
}

// TestDigestOfTheManifest changes all that results depend on, one after the other.
func TestDigestOfTheManifest(t *testing.T) {
	base := plan(t, small()).Digest()
	if again := plan(t, small()).Digest(); again != base {
		t.Errorf("equal experiments have digests %s and %s", base, again)
	}
	for name, change := range map[string]func(*experiment.Experiment){
		"a sample":   func(e *experiment.Experiment) { e.Tasks[0].Train.(*featuretest.Blobs).X.Data[7]++ },
		"a label":    func(e *experiment.Experiment) { e.Tasks[0].Test.(*featuretest.Blobs).Labels[7] ^= 1 },
		"what goes":  func(e *experiment.Experiment) { e.Tasks[0].Forget = func(i int) bool { return i < 16 } },
		"epochs":     func(e *experiment.Experiment) { e.Tasks[1].Recipe.Epochs++ },
		"a rate":     func(e *experiment.Experiment) { e.Tasks[1].Recipe.Optimizer = train.SGD{Rate: .2} },
		"a rule":     func(e *experiment.Experiment) { e.Tasks[1].Recipe.Optimizer = train.Adam{Rate: .1} },
		"a setting":  func(e *experiment.Experiment) { e.Methods[1].Unlearner = baseline.NegGradPlus{Beta: .2} },
		"a method":   func(e *experiment.Experiment) { e.Methods = e.Methods[:1] },
		"seeds":      func(e *experiment.Experiment) { e.Seeds.Unlearning = 2 },
		"a deep one": func(e *experiment.Experiment) { e.Deep = 1 },
		"no swap":    func(e *experiment.Experiment) { e.Swap = -1 },
		"one swap":   func(e *experiment.Experiment) { e.Swap = 1 },
		"version":    func(e *experiment.Experiment) { e.Version = "2" },
		"a given":    func(e *experiment.Experiment) { e.Tasks[0].Original = featuretest.NewMLP(4, 8, 3, 1) },
		"floors":     func(e *experiment.Experiment) { e.NoFloors = false },
		"the labels": func(e *experiment.Experiment) { e.Tasks[0].Settings = "expression" },
	} {
		e := small()
		change(&e)
		if plan(t, e).Digest() == base {
			t.Errorf("%s makes no difference", name)
		}
	}
}

// failing returns an error, as a method does that does not fit a model.
type failing struct{ Err error }

func (f failing) Unlearn(context.Context, feature.Trainable, dlfd.Data, *dlfd.Options) (*dlfd.Result, error) {
	return nil, f.Err
}

func TestFailuresAreOutcomes(t *testing.T) {
	e := small()
	e.Tasks = e.Tasks[:1]
	e.Methods = append(e.Methods,
		experiment.Method{Name: "fails", Unlearner: failing{errors.New("no such layer")}},
		experiment.Method{Name: "diverges", Unlearner: failing{dlfd.ErrDiverged}},
	)
	p, dir := plan(t, e), t.TempDir()
	run(t, p, dir, nil)
	r, err := p.Merge(dir)
	if err != nil {
		t.Fatal(err)
	}
	table := r.Tables()[0]
	rows := make(map[string]experiment.Row)
	for _, row := range table.Rows {
		rows[row.Name] = row
	}
	if row := rows["fails"]; row.Standing != experiment.Unjudged || row.Stops[experiment.Failed] != 2 || len(row.Failures) != 1 {
		t.Errorf("a method that fails: %+v", row)
	}
	row := rows["diverges"]
	if row.Stops[experiment.Diverged] != 2 || row.Gap != rows["Original"].Gap {
		t.Errorf("a method that diverges has gap %v, the original model %v", row.Gap, rows["Original"].Gap)
	}
	var text strings.Builder
	if err := table.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "fails: no such layer") || !strings.Contains(text.String(), "2× diverged") {
		t.Error(text.String())
	}
	t.Log(text.String())
}

// blowUp makes weights that are finite and logits that are not.
type blowUp struct{}

func (blowUp) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, "blow up", m, data, opt, dlfd.Needs{}, func(_ context.Context, s *dlfd.Session) error {
		last := len(s.Model.Spec().Params) - 2
		return feature.UpdateParam(s.Model, last, make([]float32, feature.Size(s.Model.Spec().Params[last].Shape)), func(w []float32) {
			for k := range w {
				w[k] = math.MaxFloat32 * float32(1-2*(k%2))
			}
		})
	})
}

func TestWhatCannotBeAudited(t *testing.T) {
	e := small()
	e.Tasks = e.Tasks[:1]
	e.Methods = append(e.Methods, experiment.Method{Name: "blow up", Unlearner: blowUp{}})
	p, dir := plan(t, e), t.TempDir()
	run(t, p, dir, nil)
	r, err := p.Merge(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range r.Tables()[0].Rows {
		if row.Name == "blow up" && (row.Stops[experiment.Failed] != 2 || row.Gap.N != 0 || len(row.Failures) == 0 || !strings.Contains(row.Failures[0], "finite")) {
			t.Errorf("%+v", row)
		}
	}
}

func TestTrainingFailureEndsTheRun(t *testing.T) {
	e := small()
	e.Tasks[0].Recipe.Fresh = func(seed uint64) (feature.Trainable, error) {
		m := featuretest.NewMLP(4, 8, 3, seed)
		m.NaNAfter = 3
		return m, nil
	}
	err := plan(t, e).Run(t.Context(), t.TempDir(), nil)
	if !errors.Is(err, dlfd.ErrDiverged) || !strings.Contains(err.Error(), "blobs: train") {
		t.Error(err)
	}
}

func TestCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := plan(t, small()).Run(ctx, t.TempDir(), &experiment.RunOptions{Observer: func(e experiment.Event) {
		if e.State == experiment.Running {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestReport: the page is written whole with the weights, and says what it lacks
// without.
func TestReport(t *testing.T) {
	p, dir := plan(t, small()), t.TempDir()
	run(t, p, dir, nil)
	r, err := p.Merge(dir)
	if err != nil {
		t.Fatal(err)
	}
	page, err := r.Report(t.Context(), "blobs", dir)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(page.Losses); n != 4 || page.Attack == nil || page.Maps == nil || len(page.Depth) != 1 || len(page.Resurgence) != 2 || len(page.Relearning) != 2 || page.Classes == nil || len(page.Fronts) != 2 || len(page.Trace) != 1 {
		t.Errorf("%d models with losses; %+v", n, page)
	}
	if err := page.WriteHTML(io.Discard); err != nil {
		t.Error(err)
	}
	without, err := r.Report(t.Context(), "blobs", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if len(without.Losses) != 0 || len(without.NotJudged) != len(page.NotJudged)+4 || len(without.Resurgence) != 2 {
		t.Errorf("without weights: %d models with losses, left out %+v", len(without.Losses), without.NotJudged)
	}
	if err := without.WriteHTML(io.Discard); err != nil {
		t.Error(err)
	}
	if _, err := r.Report(t.Context(), "faces", dir); !errors.Is(err, dlfd.ErrParameter) {
		t.Errorf("a task that is not there: %v", err)
	}
}

// given returns a task whose models were trained elsewhere.
func given(t *testing.T) *experiment.Task {
	t.Helper()
	task := tiny("given")
	_, kept, err := feature.Partition(task.Train, task.Forget)
	if err != nil {
		t.Fatal(err)
	}
	for k, d := range []feature.Dataset{task.Train, kept, kept} {
		m := featuretest.NewMLP(4, 8, 3, uint64(k))
		if _, err := train.Fit(t.Context(), m, d, &train.Options{Epochs: 6, BatchSize: 10}); err != nil {
			t.Fatal(err)
		}
		task.Retrained = append(task.Retrained, m)
	}
	task.Original, task.Retrained = task.Retrained[0], task.Retrained[1:]
	task.Recipe.Fresh, task.Recipe.Epochs = nil, 0
	return task
}

// TestGivenModels: nothing is trained and no set is exchanged, the given models stay as
// they are, and all runs start from the one original.
func TestGivenModels(t *testing.T) {
	e := small()
	e.Tasks, e.Seeds.Unlearning = []*experiment.Task{given(t)}, 2
	before, err := feature.Snapshot(e.Tasks[0].Original)
	if err != nil {
		t.Fatal(err)
	}
	p, dir := plan(t, e), t.TempDir()
	kinds := make(map[experiment.Kind]int)
	for _, j := range p.Jobs() {
		kinds[j.Kind]++
	}
	want := map[experiment.Kind]int{experiment.JudgeRetrained: 2, experiment.JudgeBand: 2, experiment.JudgeOriginal: 1, experiment.JudgeMethod: 8}
	if !maps.Equal(kinds, want) {
		t.Errorf("jobs %v, want %v", kinds, want)
	}
	run(t, p, dir, experiment.Local{Workers: 4})
	after, err := feature.Snapshot(e.Tasks[0].Original)
	if err != nil || !slices.EqualFunc(before, after, slices.Equal[[]float32]) {
		t.Errorf("the given model has changed: %v", err)
	}
	r, err := p.Merge(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range r.Tables()[0].Rows[2:] {
		if row.Gap.N != 4 || row.Share.N != 0 || row.Passes.N != 4 {
			t.Errorf("%s: gap over %d runs, passes over %d, share of a retraining over %d; want 4, 4 and 0", row.Name, row.Gap.N, row.Passes.N, row.Share.N)
		}
	}
}

func TestWrongExperiments(t *testing.T) {
	for name, change := range map[string]func(*experiment.Experiment){
		"no task":       func(e *experiment.Experiment) { e.Tasks = nil },
		"nil task":      func(e *experiment.Experiment) { e.Tasks[0] = nil },
		"two of a name": func(e *experiment.Experiment) { e.Tasks[1].Name = e.Tasks[0].Name },
		"no recipe":     func(e *experiment.Experiment) { e.Tasks[0].Recipe.Fresh = nil },
		"one retrained": func(e *experiment.Experiment) {
			e.Tasks[0].Retrained = []feature.Trainable{featuretest.NewMLP(4, 8, 3, 1)}
		},
		"no unseen":      func(e *experiment.Experiment) { e.Tasks[0].Unseen = nil },
		"nothing goes":   func(e *experiment.Experiment) { e.Tasks[0].Forget = func(int) bool { return false } },
		"no method":      func(e *experiment.Experiment) { e.Methods[0].Unlearner = nil },
		"methods of one": func(e *experiment.Experiment) { e.Methods[0].Name = e.Methods[1].Name },
		"negative seeds": func(e *experiment.Experiment) { e.Seeds.Training = -1 },
		"one to retrain": func(e *experiment.Experiment) { e.Seeds.Retrained = 1 },
		"nil distance":   func(e *experiment.Experiment) { e.Distances = []experiment.Distance{{Name: "x"}} },
		"a taken column": func(e *experiment.Experiment) {
			e.Distances = []experiment.Distance{{Name: "AUC", Distance: distance.MMD{}}}
		},
		"negative epochs":  func(e *experiment.Experiment) { e.Tasks[0].Recipe.Epochs = -1 },
		"negative batches": func(e *experiment.Experiment) { e.Tasks[0].Recipe.BatchSize = -1 },
	} {
		e := small()
		change(&e)
		if _, err := experiment.New(t.Context(), e); err == nil || !strings.HasPrefix(err.Error(), "experiment: ") || strings.Count(err.Error(), "experiment:") > 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
	p := plan(t, small())
	for _, r := range []experiment.Runner{experiment.Local{Workers: -1}, experiment.Index{I: 2, Of: 2}, experiment.Index{}} {
		if err := p.Run(t.Context(), t.TempDir(), &experiment.RunOptions{Runner: r}); !errors.Is(err, dlfd.ErrParameter) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if _, err := p.Merge(); !errors.Is(err, dlfd.ErrParameter) {
		t.Errorf("no folder: %v", err)
	}
}

// TestSeedsVaryApart: of the four kinds of seeds each changes what it should alone.
func TestSeedsVaryApart(t *testing.T) {
	e := small()
	e.Tasks = e.Tasks[:1]
	e.Seeds.Unlearning = 2
	p, dir := plan(t, e), t.TempDir()
	run(t, p, dir, nil)
	r, err := p.Merge(dir)
	if err != nil {
		t.Fatal(err)
	}
	of := make(map[[3]any]*experiment.Outcome)
	for _, j := range p.Jobs() {
		of[[3]any{string(j.Kind) + j.Method, j.Model, j.Run}] = r.Outcomes[j.Index]
	}
	a, b, c := of[[3]any{"methodFineTune", 0, 0}], of[[3]any{"methodFineTune", 0, 1}], of[[3]any{"methodFineTune", 1, 0}]
	if a.Weights == b.Weights || a.Weights == c.Weights || a.Weights == of[[3]any{"train original", 0, 0}].Weights {
		t.Error("two runs, or the runs on two originals, end with the same weights")
	}
	if of[[3]any{"train original", 0, 0}].Weights == of[[3]any{"train original", 1, 0}].Weights {
		t.Error("two originals have the same weights")
	}
	// Seeds of evaluation share the model: accuracies agree, drawn figures do not.
	x, y := a.Audits[0], a.Audits[1]
	if x.TestAccuracy != y.TestAccuracy || x.LogisticAttack == y.LogisticAttack {
		t.Errorf("two audits of a model: test accuracy %v and %v, logistic attack %+v and %+v", x.TestAccuracy, y.TestAccuracy, x.LogisticAttack, y.LogisticAttack)
	}
}

// TestPartial: tables of what is there, which needs all models and their audits.
func TestPartial(t *testing.T) {
	p, dir := plan(t, small()), t.TempDir()
	run(t, p, dir, nil)
	want := digest(t, p, dir)
	if r, err := p.Partial(dir); err != nil || r.Digest != want {
		t.Fatalf("of all results: %v", err)
	}
	for _, j := range p.Jobs() {
		if j.Kind == experiment.JudgeMethod && j.Method == "FineTune" && j.Model == 1 || j.Kind == experiment.SwapMethod {
			removeResult(t, dir, j.Index)
		}
	}
	r, err := p.Partial(dir)
	if err != nil || r.Digest != "" {
		t.Fatalf("digest %q, %v", r.Digest, err)
	}
	for _, row := range r.Tables()[0].Rows[2:] {
		if want := 2 - row.Stops[experiment.NotDone]; row.Gap.N != want || row.Passes.N != want || (row.Name == "FineTune") != (want == 1) {
			t.Errorf("%s: gap over %d seeds, passes over %d, stops %v", row.Name, row.Gap.N, row.Passes.N, row.Stops)
		}
	}
	if _, err := r.Report(t.Context(), "blobs", dir); err != nil {
		t.Error(err)
	}
	for _, j := range p.Jobs() {
		if j.Kind == experiment.JudgeBand {
			removeResult(t, dir, j.Index)
			break
		}
	}
	if _, err := p.Partial(dir); !errors.Is(err, experiment.ErrMissing) {
		t.Errorf("without an audit of a retrained model: %v", err)
	}
}

// TestChoose: a choice has the smallest mean gap of its group over the tasks.
func TestChoose(t *testing.T) {
	e := small()
	e.Methods = append(e.Methods,
		experiment.Method{Name: "NegGrad+:beta=.1", Unlearner: baseline.NegGradPlus{Beta: .1}},
		experiment.Method{Name: "fails:always", Unlearner: failing{errors.New("no such layer")}},
	)
	p, dir := plan(t, e), t.TempDir()
	run(t, p, dir, nil)
	r, err := p.Merge(dir)
	if err != nil {
		t.Fatal(err)
	}
	gaps := make(map[string]float64)
	for _, table := range r.Tables() {
		for _, row := range table.Rows {
			gaps[row.Name] += row.Gap.Mean / 2
		}
	}
	choices, err := r.Choose(1)
	if err != nil || len(choices) != 2 {
		t.Fatal(choices, err)
	}
	c := choices[1]
	if c.Group != "NegGrad+" || c.Settings != 2 || c.Eligible != 2 || c.Gap != min(gaps["NegGrad+:beta=1"], gaps["NegGrad+:beta=.1"]) || c.Gap != gaps[c.Method] {
		t.Errorf("%+v of %v", c, gaps)
	}
	if _, err := r.Choose(-1); !errors.Is(err, dlfd.ErrParameter) {
		t.Error(err)
	}
}
