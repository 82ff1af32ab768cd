package dlfd_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/metrics"
)

func TestAuditOfAModelThatMemorized(t *testing.T) {
	m, data := memorized(t)
	test := featuretest.NewBlobs(300, 6, 3, 1.2, 7, 9)
	a, err := dlfd.Audit(context.Background(), m, dlfd.AuditData{Retain: data.Retain, Forget: data.Forget, Test: test, Member: data.Forget, NonMember: test}, &dlfd.AuditOptions{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string][2]float64{
		"retain accuracy": {a.RetainAccuracy, accuracy(t, m, data.Retain)},
		"forget accuracy": {a.ForgetAccuracy, accuracy(t, m, data.Forget)},
		"test accuracy":   {a.TestAccuracy, accuracy(t, m, test)},
		"forgetting":      {a.ForgettingScore, 2 * math.Abs(a.Published-.5)},
		"NoMUS":           {a.NoMUS, (a.TestAccuracy + 1 - a.ForgettingScore) / 2},
		"balanced NoMUS":  {a.BalancedNoMUS, (a.TestAccuracy + 1 - 2*math.Abs(a.LossAttack.BalancedAccuracy-.5)) / 2},
	} {
		if math.Abs(v[0]-v[1]) > 1e-12 {
			t.Errorf("%s is %v, want %v", name, v[0], v[1])
		}
	}
	if a.LossAttack.AUC < .55 || a.LossAttack.AUCInterval.Lo > a.LossAttack.AUC || a.LossAttack.AUCInterval.Hi < a.LossAttack.AUC {
		t.Errorf("attack %+v", a.LossAttack)
	}
	if s := a.Scores(); s != (metrics.Scores{Retain: a.RetainAccuracy, Forget: a.ForgetAccuracy, Test: a.TestAccuracy, AUC: a.LossAttack.AUC}) {
		t.Errorf("scores %+v", s)
	}
}

func accuracy(t *testing.T, m feature.Model, d feature.Dataset) float64 {
	t.Helper()
	b, err := feature.ReadAll(d)
	if err != nil {
		t.Fatal(err)
	}
	out := []feature.Tensor{feature.NewTensor(d.Len(), d.Classes())}
	if err := m.Forward(context.Background(), b.X, []string{"logits"}, out); err != nil {
		t.Fatal(err)
	}
	right := 0
	for i, label := range b.Labels {
		best := 0
		for c, v := range out[0].Row(i) {
			if v > out[0].Row(i)[best] {
				best = c
			}
		}
		if best == label {
			right++
		}
	}
	return float64(right) / float64(d.Len())
}

func TestAuditNamesTheEmptySet(t *testing.T) {
	m := featuretest.NewMLP(6, 8, 3, 1)
	d := featuretest.NewBlobs(30, 6, 3, 1, 7, 1)
	_, err := dlfd.Audit(context.Background(), m, dlfd.AuditData{Retain: d, Forget: d, Test: d, Member: d}, &dlfd.AuditOptions{Seed: 1})
	if !errors.Is(err, dlfd.ErrEmpty) || err.Error() != "dlfd: audit: dataset is empty: non-members" {
		t.Errorf("error %v", err)
	}
}

// A NaN in any set is told before any work, whether or not the run would have
// come across it.
func TestNaNInAnySet(t *testing.T) {
	for _, which := range []string{"retain", "forget", "holdout"} {
		sets := map[string]*featuretest.Blobs{
			"retain": featuretest.NewBlobs(30, 6, 3, 1, 7, 1), "forget": featuretest.NewBlobs(12, 6, 3, 1, 7, 2), "holdout": featuretest.NewBlobs(12, 6, 3, 1, 7, 3),
		}
		sets[which].X.Data[20] = float32(math.NaN())
		for _, d := range []dlfd.Unlearner{dlfd.Align{}, dlfd.DLFD{}} {
			m := featuretest.NewMLP(6, 8, 3, 1)
			before := weights(t, m)
			data := dlfd.Data{Retain: sets["retain"], Forget: sets["forget"], Holdout: sets["holdout"]}
			_, err := d.Unlearn(context.Background(), m, data, &dlfd.Options{Seed: 1, BatchSize: 4})
			if !errors.Is(err, feature.ErrNotFinite) || !strings.Contains(err.Error(), which+": ") || m.Calls != 0 {
				t.Errorf("%s, NaN in %s: %v", dlfd.NameOf(d), which, err)
			}
			for i, v := range weights(t, m) {
				if v != before[i] {
					t.Fatalf("%s, NaN in %s: the weights changed", dlfd.NameOf(d), which)
				}
			}
		}
	}
}

// single hides that a model can be copied.
type single struct{ feature.Trainable }

// auditable is a small request with all that an audit can have.
func auditable(t *testing.T) (*featuretest.MLP, dlfd.AuditData, dlfd.AuditOptions) {
	t.Helper()
	m, data := memorized(t)
	test := featuretest.NewBlobs(200, 6, 3, 1.2, 7, 9)
	opt := dlfd.AuditOptions{Seed: 1, Original: &dlfd.Reference{Model: m}, Training: &dlfd.Training{Rate: .01, BatchSize: 16}}
	for seed := range uint64(3) {
		r := featuretest.NewMLP(6, 64, 3, 20+seed)
		if _, err := train.Fit(context.Background(), r, data.Retain, &train.Options{Epochs: 60, Optimizer: train.Adam{Rate: .01}, Seed: seed}); err != nil {
			t.Fatal(err)
		}
		opt.Retrained = append(opt.Retrained, dlfd.Reference{Model: r})
	}
	return m, dlfd.AuditData{Retain: data.Retain, Forget: data.Forget, Test: test, Member: data.Forget, NonMember: test}, opt
}

// A copy is trained where the model can be copied; where not, the model itself, and
// the figures are the same bits and the weights put back.
func TestAuditLeavesTheWeights(t *testing.T) {
	m, data, opt := auditable(t)
	before := weights(t, m)
	var texts []string
	for _, model := range []feature.Trainable{m, single{m}} {
		a, err := dlfd.Audit(context.Background(), model, data, &opt)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
		if !slices.Equal(before, weights(t, m)) {
			t.Fatal("the audit changed the weights")
		}
	}
	if texts[0] != texts[1] {
		t.Errorf("the audit of a model that cannot be copied differs:\n%s\n%s", texts[0], texts[1])
	}
}

// The weights are put back after errors, cancellation and panics too.
func TestAuditRestoresWhateverHappens(t *testing.T) {
	m, data, opt := auditable(t)
	opt.Original, opt.Retrained = nil, nil
	before := weights(t, m)
	audit := func(ctx context.Context, data dlfd.AuditData) (panicked any, err error) {
		defer func() { panicked = recover() }()
		_, err = dlfd.Audit(ctx, single{m}, data, &opt)
		return nil, err
	}
	m.FailAfter = m.Calls + 7
	if _, err := audit(context.Background(), data); !errors.Is(err, featuretest.ErrBroken) {
		t.Errorf("a broken model gives %v", err)
	}
	m.FailAfter = 0
	ctx, cancel := context.WithCancel(context.Background())
	later := data
	later.Retain = &hooked{Blobs: data.Retain.(*featuretest.Blobs), after: 20, do: cancel}
	if _, err := audit(ctx, later); !errors.Is(err, context.Canceled) {
		t.Errorf("a canceled audit gives %v", err)
	}
	later.Retain = &hooked{Blobs: data.Retain.(*featuretest.Blobs), after: 20, do: func() { panic("user code") }}
	if panicked, err := audit(context.Background(), later); panicked != "user code" {
		t.Errorf("error %v, panic %v", err, panicked)
	}
	if !slices.Equal(before, weights(t, m)) {
		t.Error("the weights are not the old ones")
	}
}

// hooked does something at a read.
type hooked struct {
	*featuretest.Blobs
	after int
	do    func()
}

func (d *hooked) Read(index []int, x []float32, labels []int) error {
	if d.after--; d.after == 0 {
		d.do()
	}
	return d.Blobs.Read(index, x, labels)
}

// What has been said of the references need not be measured again.
func TestAuditTakesWhatIsKnownOfReferences(t *testing.T) {
	m, data, opt := auditable(t)
	a, err := dlfd.Audit(context.Background(), m, data, &opt)
	if err != nil {
		t.Fatal(err)
	}
	known := opt
	known.Original = &dlfd.Reference{Model: opt.Original.Model, Audited: stored(t, a.References.Original)}
	known.Retrained = nil
	for i, r := range opt.Retrained {
		known.Retrained = append(known.Retrained, dlfd.Reference{Model: r.Model, Audited: stored(t, a.References.Retrained[i])})
	}
	b, err := dlfd.Audit(context.Background(), m, data, &known)
	if err != nil {
		t.Fatal(err)
	}
	if b.Work.Backward*3 > a.Work.Backward {
		t.Errorf("%d samples ran backward, %d where the references were audited too", b.Work.Backward, a.Work.Backward)
	}
	a.Work, b.Work = dlfd.Ledger{}, dlfd.Ledger{}
	one, _ := json.Marshal(a)
	other, _ := json.Marshal(b)
	if string(one) != string(other) {
		t.Errorf("with known references the audit differs:\n%s\n%s", one, other)
	}
	data.Test = featuretest.NewBlobs(199, 6, 3, 1.2, 7, 9)
	if _, err := dlfd.Audit(context.Background(), m, data, &known); !errors.Is(err, dlfd.ErrParameter) {
		t.Errorf("audits of references on other data are taken: %v", err)
	}
}

// stored writes and reads an audit.
func stored(t *testing.T, a *dlfd.Audited) *dlfd.Audited {
	t.Helper()
	text, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	b := new(dlfd.Audited)
	if err := json.Unmarshal(text, b); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAuditBitsDoNotDependOnGOMAXPROCS(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	_, data, opt := auditable(t)
	opt.Retrained = opt.Retrained[:1]
	m := featuretest.NewMLP(6, 64, 3, 5)
	var first string
	for _, procs := range []int{1, 2, 4} {
		runtime.GOMAXPROCS(procs)
		a, err := dlfd.Audit(context.Background(), m, data, &opt)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = string(text)
		} else if first != string(text) {
			t.Errorf("GOMAXPROCS %d: %s\nand at 1: %s", procs, text, first)
		}
	}
}

// The work of an audit is counted.
func TestAuditCountsItsWork(t *testing.T) {
	m, data, opt := auditable(t)
	opt.Original, opt.Retrained = nil, nil
	m.Ran, m.RanBack = 0, 0
	a, err := dlfd.Audit(context.Background(), single{m}, data, &opt)
	if err != nil {
		t.Fatal(err)
	}
	if a.Work.Forward != m.Ran || a.Work.Backward != m.RanBack || a.Work.Backward == 0 {
		t.Errorf("%+v is told, %d forward and %d backward were run", a.Work, m.Ran, m.RanBack)
	}
	// Four epochs at two rates of 120 samples in batches of 16, and 40 steps at two rates.
	if want := 2*4*8 + 2*40; a.Work.Steps != want {
		t.Errorf("%d steps, want %d", a.Work.Steps, want)
	}
}

func TestAuditOptionsOutOfRange(t *testing.T) {
	m, data, _ := auditable(t)
	for name, c := range map[string]struct {
		opt  dlfd.AuditOptions
		want error
	}{
		"negative rate":       {dlfd.AuditOptions{Training: &dlfd.Training{Rate: -1}}, dlfd.ErrParameter},
		"infinite rate":       {dlfd.AuditOptions{Training: &dlfd.Training{Rate: math.Inf(1)}}, dlfd.ErrParameter},
		"negative batch":      {dlfd.AuditOptions{Training: &dlfd.Training{BatchSize: -1}}, dlfd.ErrParameter},
		"no such tap":         {dlfd.AuditOptions{Tap: "nowhere"}, feature.ErrNoTap},
		"original, no model":  {dlfd.AuditOptions{Original: &dlfd.Reference{}}, dlfd.ErrParameter},
		"retrained, no model": {dlfd.AuditOptions{Retrained: []dlfd.Reference{{}}}, dlfd.ErrParameter},
		"other classes":       {dlfd.AuditOptions{Retrained: []dlfd.Reference{{Model: featuretest.NewMLP(6, 8, 4, 1)}}}, feature.ErrShape},
		"other inputs":        {dlfd.AuditOptions{Original: &dlfd.Reference{Model: featuretest.NewMLP(5, 8, 3, 1)}}, feature.ErrShape},
	} {
		if _, err := dlfd.Audit(context.Background(), m, data, &c.opt); !errors.Is(err, c.want) || !strings.HasPrefix(err.Error(), "dlfd: audit: ") {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// A training that diverges leaves its curve out and says so.
func TestAuditOfATrainingThatDiverges(t *testing.T) {
	m, data, opt := auditable(t)
	opt.Original, opt.Retrained, opt.Training = nil, nil, &dlfd.Training{Rate: 1e30}
	before := weights(t, m)
	a, err := dlfd.Audit(context.Background(), single{m}, data, &opt)
	if err != nil {
		t.Fatal(err)
	}
	if a.Resurgence != nil || a.Relearning != nil || !slices.Equal(before, weights(t, m)) {
		t.Errorf("resurgence %+v, relearning %+v", a.Resurgence, a.Relearning)
	}
	for _, what := range []string{"resurgence at rate 1e+30", "resurgence at rate 1e+29", "relearning at rate 1e+30"} {
		if !slices.ContainsFunc(a.NotJudged, func(s string) bool { return strings.HasPrefix(s, what) }) {
			t.Errorf("%q is not among %q", what, a.NotJudged)
		}
	}
}

// Without retrained models the verdict rests on what is left, and says so.
func TestVerdictWithoutRetrainedModels(t *testing.T) {
	c := theSetup()
	for name, m := range map[string]feature.Model{"original": c.original, "retrained": c.retrained[0]} {
		a, err := dlfd.Audit(context.Background(), m, c.request.AuditData, &dlfd.AuditOptions{Seed: 1, Original: c.opt.Original, Training: c.opt.Training})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %v; lacks %q; SMI %.3f, two-sample %+v", name, a.Judgment, a.Judgment.Lacks, *a.SMI, *a.TwoSample)
		if passes := a.Judgment.Verdict == metrics.WithinBand; passes != (name == "retrained") {
			t.Errorf("the %s model gets %v", name, a.Judgment)
		}
		if len(a.Judgment.Lacks) == 0 || !strings.Contains(a.Judgment.Lacks[0], "no retrained model") {
			t.Errorf("the verdict does not say what it lacks: %q", a.Judgment.Lacks)
		}
	}
}

// KLoM needs models of other seeds, and tells the original from retrained models.
func TestKLoMOfSiblings(t *testing.T) {
	if testing.Short() {
		t.Skip("trains six models")
	}
	m, data, opt := auditable(t)
	opt.Training = nil
	opt.Siblings = []feature.Model{m, m}
	for k := range uint64(3) {
		r := featuretest.NewMLP(6, 64, 3, 40+k)
		if _, err := train.Fit(context.Background(), r, data.Retain, &train.Options{Epochs: 60, Optimizer: train.Adam{Rate: .01}, Seed: k}); err != nil {
			t.Fatal(err)
		}
		opt.Retrained = append(opt.Retrained, dlfd.Reference{Model: r})
	}
	a, err := dlfd.Audit(context.Background(), m, data, &opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("KLoM %+v, floor %v", a.KLoM, *a.KLoM.Floor)
	if a.KLoM.P95 < *a.KLoM.Floor || a.KLoM.Unlearned != 3 || a.KLoM.Retrained != 6 {
		t.Errorf("KLoM %+v, floor %v", a.KLoM, *a.KLoM.Floor)
	}
}

// A class that goes as a whole comes back by a few images where the features still
// know it: the original had only its last layer's row of the class taken away.
func TestPrototypesOfAClass(t *testing.T) {
	all, unseen := featuretest.NewBlobs(600, 20, 3, 1.2, 7, 1), featuretest.NewBlobs(600, 20, 3, 1.2, 7, 2)
	r, err := dlfd.NewRequest(all, func(i int) bool { return all.Labels[i] == 1 }, unseen)
	if err != nil {
		t.Fatal(err)
	}
	m := trainNet(1, all)
	for i, p := range m.Spec().Params {
		if headOnly(p) && p.Kind == feature.Bias {
			b := make([]float32, 3)
			must(m.GetParam(i, b))
			b[1] = -1e3
			must(m.SetParam(i, b))
		}
	}
	a, err := dlfd.Audit(context.Background(), m, r.AuditData, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := a.Prototypes
	if p == nil {
		t.Fatal(a.NotJudged)
	}
	t.Logf("%+v", p)
	if !slices.Equal(p.Classes, []int{1}) || p.Shots != 10 || p.Judged != 90 || p.Before != 0 || p.After < .8 {
		t.Errorf("prototypes %+v", p)
	}
	if a.ForgetAccuracy != 0 || a.Judgment.Verdict == metrics.WithinBand {
		t.Errorf("forget accuracy %v, %v", a.ForgetAccuracy, a.Judgment)
	}
}

// A large audit takes memory in proportion to the samples: no matrix of all pairs,
// which of 30,000 samples would be 240,000 bytes a sample.
func TestLargeAudit(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	const n = 30_000
	m := featuretest.NewMLP(6, 16, 3, 1)
	set := func(seed uint64) *featuretest.Blobs { return featuretest.NewBlobs(n, 6, 3, 1.2, 7, seed) }
	data := dlfd.AuditData{Retain: set(1), Forget: set(2), Test: set(3)}
	data.Member, data.NonMember = data.Forget, data.Test
	opt := &dlfd.AuditOptions{Original: &dlfd.Reference{Model: featuretest.NewMLP(6, 16, 3, 2)}, Retrained: []dlfd.Reference{{Model: featuretest.NewMLP(6, 16, 3, 3)}}}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	if _, err := dlfd.Audit(context.Background(), m, data, opt); err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	perSample := float64(after.TotalAlloc-before.TotalAlloc) / n
	t.Logf("%d samples a set: %v for the model, the original and a retrained one, %.0f bytes a sample allocated in all", n, took, perSample)
	if perSample > 160_000 {
		t.Errorf("%.0f bytes a sample", perSample)
	}
}
