package experiment

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// Experiment says what is compared.
type Experiment struct {
	Tasks   []*Task
	Methods []Method
	Seeds   Seeds
	// Distances are columns of the tables: each is taken, class by class, between the
	// features of up to 256 forgotten samples and as many unseen ones. Those of a
	// retrained model say what there is to expect.
	Distances []Distance
	// Version is what results depend on beside all else, such as the version of the
	// program. It goes into the manifest as it is.
	Version string
	// Deep is the number of runs of each method on a task, and of original models, whose
	// audits train copies of the model, to see whether what was forgotten comes back
	// (resurgence and relearning). That takes eight epochs over what is retained, more
	// than most methods. If it is zero, all are audited so; below zero, none.
	Deep int
	// Swap is the number of runs of each method on a task that are done a second time
	// with samples of Unseen in the place of the forget set, as many of each class: models
	// that were trained on them, one for each original model of these runs, have to forget
	// them, and the forget set is what no model has seen. An attack that tells the two sets
	// apart by what they are, and not by what was trained on, is right as often in one run
	// as it is wrong in the other. If it is zero, all runs are done twice; below zero, none.
	// Tasks with a given original model are left out, as nobody trained its
	// counterpart. Reference: Tu, Hu, Ma, arXiv 2404.11577.
	Swap int
	// NoFloors keeps New from adding to Methods the floors that are not among them,
	// baseline.ShortRetrain and baseline.ShrinkPerturb with their defaults.
	NoFloors bool

	fleet bool // see NewFleet
}

// Distance is a column with a distance between features.
type Distance struct {
	Name     string
	Distance distance.Distance
}

// Method is one row of a table: a method with one choice of its settings.
type Method struct {
	// Name tells the methods of an experiment apart. If it is empty, that of the
	// Unlearner is used.
	Name string
	// Group is what several settings of one method have in common: they are the
	// points of one front. If it is empty, it is Name up to the first colon.
	Group string
	// Unlearner is the method. Its type and its fields go into the manifest, but for what
	// functions and pointers lead to, which should show in Name.
	Unlearner dlfd.Unlearner
	// Floor marks a method that others must beat. ShortRetrain and ShrinkPerturb are
	// floors in any case, unless Experiment.NoFloors is set.
	Floor bool
}

// Seeds says how many seeds there are of each kind. All are derived from First, by
// purpose and number.
type Seeds struct {
	First uint64 `json:"first"`
	// Training is the number of original models of each task, and Unlearning the
	// number of runs of each method on each of them. If either is zero, 1 is
	// used. On a task with given models there is one original, and there are
	// Training·Unlearning runs on it.
	Training   int `json:"training"`
	Unlearning int `json:"unlearning"`
	// Evaluation is the number of audits of each model, which differ in the matching
	// and resampling of attacks alone. If it is zero, 1 is used.
	Evaluation int `json:"evaluation"`
	// Retrained is the number of retrained models of each task, at least 2. If it is
	// zero, it is Training, or 3 if that is larger. Given models are what they are.
	Retrained int `json:"retrained"`
}

func (s Seeds) resolve() (Seeds, error) {
	s.Training, s.Unlearning, s.Evaluation = cmp.Or(s.Training, 1), cmp.Or(s.Unlearning, 1), cmp.Or(s.Evaluation, 1)
	s.Retrained = cmp.Or(s.Retrained, max(3, s.Training))
	if min(s.Training, s.Unlearning, s.Evaluation) < 1 || s.Retrained < 2 {
		return s, fmt.Errorf("%w: %+v", dlfd.ErrParameter, s)
	}
	return s, nil
}

func (s Seeds) original(t int) uint64      { return rng.Seed(s.First, "training", t) }
func (s Seeds) retraining(k int) uint64    { return rng.Seed(s.First, "retraining", k) }
func (s Seeds) unlearning(t, u int) uint64 { return rng.Seed(s.First, "unlearning", t, u) }
func (s Seeds) evaluation(e int) uint64    { return rng.Seed(s.First, "evaluation", e) }

// Manifest says all that results depend on.
type Manifest struct {
	Tasks   []taskEntry   `json:"tasks"`
	Methods []methodEntry `json:"methods"`
	Seeds   Seeds         `json:"seeds"` // as resolved
	// Distances are their names, types and settings.
	Distances []string `json:"distances,omitempty"`

	Deep    int    `json:"deep"`
	Swap    any    `json:"swap"` // true: all runs; false: none; else their number
	Version string `json:"version,omitempty"`
	// Kernels is feature.Kernels: others round in other places.
	Kernels string `json:"kernels"`
	// Fleet is true of a plan of NewFleet.
	Fleet bool `json:"fleet,omitempty"`
}

type methodEntry struct {
	Name     string          `json:"name"`
	Group    string          `json:"group"`
	Go       string          `json:"go"`       // type and all fields
	Settings json.RawMessage `json:"settings"` // what of them is JSON
	Floor    bool            `json:"floor,omitempty"`
}

// Plan is an experiment that is ready to run. It is not modified by its methods
// and may be used by several goroutines.
type Plan struct {
	problems []*problem
	methods  []Method
	columns  []Column
	distance []Distance
	manifest Manifest
	digest   string
	jobs     []Job
	place    map[Job]int // index of a job by its key
	swap     int         // Experiment.Swap
}

// New checks an experiment and lists its jobs. Cost: all data are read once, for
// their digest. Errors wrap dlfd.ErrParameter for what is missing or named twice,
// or are those of dlfd.NewRequest and of the data.
func New(ctx context.Context, e Experiment) (*Plan, error) {
	p, err := newPlan(ctx, e)
	if err != nil {
		return nil, fmt.Errorf("experiment: %w", err)
	}
	return p, nil
}

func newPlan(ctx context.Context, e Experiment) (*Plan, error) {
	p := &Plan{place: make(map[Job]int), swap: e.Swap}
	var err error
	if p.manifest.Seeds, err = e.Seeds.resolve(); err != nil {
		return nil, err
	}
	p.manifest.Deep, p.manifest.Swap, p.manifest.Version, p.manifest.Kernels = e.Deep, swapEntry(e.Swap), e.Version, feature.Kernels()
	p.manifest.Fleet = e.fleet
	if err := p.addTasks(ctx, e.Tasks); err != nil {
		return nil, err
	}
	if err := p.addMethods(e); err != nil {
		return nil, err
	}
	if err := p.addDistances(e.Distances); err != nil {
		return nil, err
	}
	text, err := json.Marshal(p.manifest)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	p.digest = hex.EncodeToString(sum[:])
	p.addJobs()
	return p, nil
}

func (p *Plan) addTasks(ctx context.Context, tasks []*Task) error {
	if len(tasks) == 0 {
		return fmt.Errorf("%w: no task", dlfd.ErrParameter)
	}
	for _, t := range tasks {
		q, err := t.pose(p.swap >= 0)
		if err != nil {
			return fmt.Errorf("task %s: %w", taskName(t), err)
		}
		if slices.ContainsFunc(p.problems, func(o *problem) bool { return fileName(o.Name) == fileName(t.Name) }) {
			return fmt.Errorf("%w: two tasks with the name %q", dlfd.ErrParameter, t.Name)
		}
		entry, err := q.entry(ctx)
		if err != nil {
			return fmt.Errorf("task %s: %w", t.Name, err)
		}
		p.problems, p.manifest.Tasks = append(p.problems, q), append(p.manifest.Tasks, entry)
	}
	return nil
}

func taskName(t *Task) string {
	if t == nil {
		return ""
	}
	return t.Name
}

func (p *Plan) addMethods(e Experiment) error {
	methods := slices.Clone(e.Methods)
	if !e.NoFloors {
		methods = addFloors(methods)
	}
	for _, m := range methods {
		if m.Unlearner == nil {
			return fmt.Errorf("%w: method %q has no Unlearner", dlfd.ErrParameter, m.Name)
		}
		m.Name = cmp.Or(m.Name, dlfd.NameOf(m.Unlearner))
		group, _, _ := strings.Cut(m.Name, ":")
		m.Group = cmp.Or(m.Group, group)
		if m.Name == "" || slices.ContainsFunc(p.methods, func(o Method) bool { return o.Name == m.Name }) {
			return fmt.Errorf("%w: two methods with the name %q, or one without", dlfd.ErrParameter, m.Name)
		}
		settings, err := json.Marshal(m.Unlearner)
		if err != nil {
			return fmt.Errorf("method %s: %w", m.Name, err)
		}
		entry := methodEntry{Name: m.Name, Group: m.Group, Go: describe(m.Unlearner), Settings: settings, Floor: m.Floor}
		p.methods, p.manifest.Methods = append(p.methods, m), append(p.manifest.Methods, entry)
	}
	return nil
}

// address is how fmt writes functions and pointers.
var address = regexp.MustCompile(`0x[0-9a-f]+`)

// describe returns type and fields of a method, those of a method that it runs
// included, without the addresses, which differ from one program to the next.
func describe(u dlfd.Unlearner) string {
	return address.ReplaceAllString(fmt.Sprintf("%T %+v", u, u), "(pointer)")
}

// Manifest returns all that the results depend on. Callers must not modify it.
func (p *Plan) Manifest() Manifest { return p.manifest }

// Digest returns the digest of the manifest, which stands in every result.
func (p *Plan) Digest() string { return p.digest }

// Jobs returns the jobs. Job i has Index i. Callers must not modify it.
func (p *Plan) Jobs() []Job { return p.jobs }
