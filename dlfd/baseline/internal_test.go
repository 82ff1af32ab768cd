package baseline

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/train"
)

// newStep returns a step of m on all samples of d.
func newStep(t *testing.T, m feature.Trainable, d feature.Dataset) *dlfd.Step {
	t.Helper()
	stepper, err := train.NewStepper(m, train.SGD{Rate: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := feature.ReadAll(d)
	if err != nil {
		t.Fatal(err)
	}
	return &dlfd.Step{Step: &train.Step{Stepper: stepper, Batch: b}}
}

func probabilities(row []float32, temperature float64) []float64 {
	p := make([]float64, len(row))
	var sum float64
	for j, v := range row {
		p[j] = math.Exp(float64(v) / temperature)
		sum += p[j]
	}
	for j := range p {
		p[j] /= sum
	}
	return p
}

// divergence is T²·KL(teacher ‖ model) by its definition.
func divergence(t *testing.T, m feature.Model, target *teacher, d feature.Dataset, temperature float64) float64 {
	t.Helper()
	out, labels, err := feature.Predict(context.Background(), m, d, []string{"logits"}, 8)
	if err != nil {
		t.Fatal(err)
	}
	var sum float64
	for i := range labels {
		p, q := probabilities(target.logits.Row(i), temperature), probabilities(out[0].Row(i), temperature)
		for j := range p {
			sum += temperature * temperature * p[j] * math.Log(p[j]/q[j])
		}
	}
	return sum / float64(len(labels))
}

func crossEntropy(t *testing.T, m feature.Model, d feature.Dataset) float64 {
	t.Helper()
	out, labels, err := feature.Predict(context.Background(), m, d, []string{"logits"}, 8)
	if err != nil {
		t.Fatal(err)
	}
	var sum float64
	for i, label := range labels {
		sum -= math.Log(probabilities(out[0].Row(i), 1)[label])
	}
	return sum / float64(len(labels))
}

// The gradients of both turns of SCRUB, and of BadTeacher, are those of the losses by
// their definitions.
func TestDistillationGradients(t *testing.T) {
	d := featuretest.NewBlobs(12, 4, 3, 1, 7, 1)
	other := featuretest.NewMLP(4, 6, 3, 9)
	target, err := newTeacher(context.Background(), other, d, 5)
	if err != nil {
		t.Fatal(err)
	}
	c := SCRUB{Alpha: .3, Gamma: .7, Temperature: 3}
	m := featuretest.NewMLP(4, 6, 3, 1)
	for _, f := range []struct {
		name     string
		gradient func(context.Context, *dlfd.Step) error
		loss     func() float64
	}{
		{"away", c.away(target), func() float64 { return -divergence(t, m, target, d, 3) }},
		{"back", c.back(target), func() float64 { return .3*divergence(t, m, target, d, 3) + .7*crossEntropy(t, m, d) }},
		{"without the divergence", SCRUB{Alpha: dlfd.Off, Gamma: .7, Temperature: 3}.back(target), func() float64 { return .7 * crossEntropy(t, m, d) }},
	} {
		step := newStep(t, m, d)
		if err := f.gradient(context.Background(), step); err != nil {
			t.Fatal(err)
		}
		if loss := f.loss(); math.Abs(step.Point.Loss-loss) > 1e-5 {
			t.Errorf("%s: loss %v, want %v", f.name, step.Point.Loss, loss)
		}
		checkDirections(t, f.name, m, step.Gradients(), f.loss)
	}
}

// checkDirections compares a gradient with central differences of the loss along
// random directions. Logits are rounded to 2⁻²⁴ of numbers near 1, which a step of .01
// makes an error of 1e-5 in a slope; the third derivative adds 1e-4.
func checkDirections(t *testing.T, name string, m *featuretest.MLP, g [][]float32, loss func() float64) {
	t.Helper()
	const h = .01
	r := rand.New(rand.NewPCG(1, 2))
	for range 4 {
		old, err := feature.Snapshot(m)
		if err != nil {
			t.Fatal(err)
		}
		direction := feature.NewGradients(m.Spec())
		var slope float64
		for i := range direction {
			for j := range direction[i] {
				direction[i][j] = float32(r.NormFloat64())
				slope += float64(direction[i][j]) * float64(g[i][j])
			}
		}
		at := func(x float32) float64 {
			for i := range old {
				for j := range old[i] {
					m.P[i][j] = old[i][j] + x*direction[i][j]
				}
			}
			return loss()
		}
		want := (at(h) - at(-h)) / (2 * h)
		if err := old.Restore(m); err != nil {
			t.Fatal(err)
		}
		if math.Abs(slope-want) > 2e-3*max(1, math.Abs(want)) {
			t.Errorf("%s: slope %v, differences give %v", name, slope, want)
		}
	}
}

// The step of Surgery is the solution of its problem: of all steps that are as long and
// raise the forget loss as much, none costs the retain set less.
func TestSurgeryIsOptimal(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	random := func() [][]float32 {
		g := [][]float32{make([]float32, 5), make([]float32, 3)}
		for _, v := range g {
			for j := range v {
				v[j] = float32(r.NormFloat64())
			}
		}
		return g
	}
	kinds := map[string]int{}
	for range 400 {
		retain, forget := random(), random()
		mix := 4*r.Float64() - 2 // all angles between the two
		for i, v := range forget {
			for j := range v {
				v[j] += float32(mix) * retain[i][j]
			}
		}
		o := &operation{forgetting: .05 + .9*r.Float64(), retain: retain}
		rr, ff, rf := dot(retain, retain), dot(forget, forget), dot(retain, forget)
		step := [][]float32{slices.Clone(forget[0]), slices.Clone(forget[1])}
		o.combine(step)
		for _, v := range step { // δ is the descent along the gradient
			for j := range v {
				v[j] = -v[j]
			}
		}
		asked := o.forgetting * math.Sqrt(rr*ff) // Forgetting·R·‖f‖ at rate 1
		cost, gain := dot(step, retain), dot(step, forget)
		tolerance := 1e-4 * math.Sqrt(rr) * max(math.Sqrt(rr), math.Sqrt(ff)) // of float32 after cancellation
		if length := math.Sqrt(dot(step, step) / rr); math.Abs(length-1) > 1e-3 {
			t.Fatalf("the step has %v times its length", length)
		}
		// The best cost at the gain that is asked for, in the plane of r and f: the angle
		// of δ with f is given, and the one with r is as large as can be.
		toRetain, toForget := math.Acos(rf/math.Sqrt(rr*ff)), math.Acos(o.forgetting)
		best := rr * math.Cos(min(toRetain+toForget, math.Pi))
		switch {
		case toRetain+toForget >= math.Pi:
			kinds["descent"]++
			if math.Abs(cost+rr) > tolerance || gain < asked-tolerance {
				t.Errorf("descent alone: cost %v of %v, gain %v, asked %v", cost, -rr, gain, asked)
			}
		case best <= 0:
			kinds["both"]++
			if math.Abs(cost-best) > tolerance || math.Abs(gain-asked) > tolerance {
				t.Errorf("cost %v, best %v; gain %v, asked %v", cost, best, gain, asked)
			}
		default:
			kinds["hard"]++
			if math.Abs(cost) > tolerance || gain <= 0 || o.hard != 1 {
				t.Errorf("hard: cost %v, want 0; gain %v; told %d times", cost, gain, o.hard)
			}
		}
	}
	if len(kinds) < 3 || min(kinds["descent"], kinds["both"], kinds["hard"]) < 20 {
		t.Errorf("cases: %v", kinds)
	}
}

func TestSurgeryWithoutAngle(t *testing.T) {
	o := operation{forgetting: .5}
	for _, c := range [][5]float64{{0, 0, 4, 1, 0}, {4, 0, 0, 1, 0}, {4, 4, 4, 0, 0}} {
		if a, b, _, _ := o.weights(c[0], c[1], c[2]); a != c[3] || b != c[4] {
			t.Errorf("products %v: weights %v and %v, want %v and %v", c[:3], a, b, c[3], c[4])
		}
	}
}

func TestLayerNumbers(t *testing.T) {
	param := func(kind feature.ParamKind, shape ...int) feature.Param {
		return feature.Param{Kind: kind, Shape: shape}
	}
	number, count := layerNumbers(feature.Spec{Params: []feature.Param{
		param(feature.Bias, 3), // before any weight
		param(feature.Weight, 4, 3), param(feature.Bias, 4), param(feature.Weight, 4), param(feature.Bias, 4), param(feature.Statistic, 4), param(feature.Statistic, 4),
		param(feature.Weight, 2, 4, 3, 3), param(feature.Bias, 2),
	}})
	if want := []int{0, 0, 0, 0, 0, 0, 0, 1, 1}; !slices.Equal(number, want) || count != 2 {
		t.Errorf("%v, %d layers; want %v, 2", number, count, want)
	}
}

// Every label is wrong, and every wrong one comes up as often as another.
func TestRelabel(t *testing.T) {
	d := featuretest.NewBlobs(3000, 2, 4, 1, 7, 1)
	w, err := relabel(d, 4, 1)
	if err != nil {
		t.Fatal(err)
	}
	var counts [4][4]int
	for i := range d.Len() {
		counts[d.Label(i)][w.Label(i)]++
	}
	for i, row := range counts {
		for j, n := range row {
			if i == j && n != 0 || i != j && math.Abs(float64(n)-250) > 5*math.Sqrt(250) { // five standard deviations
				t.Errorf("label %d became %d %d times of 750", i, j, n)
			}
		}
	}
	featuretest.RunDataset(t, w)
	if _, ok := feature.As[feature.Identified](w); !ok {
		t.Error("the identities are lost")
	}
	if _, err := relabel(featuretest.NewBlobs(3, 2, 1, 1, 7, 1), 4, 1); err == nil {
		t.Error("no error where there is no wrong label")
	}
}

// The teacher of BadTeacher is the model itself on retain samples, and another on
// forget samples; the model stays as it is.
func TestTwoTeachers(t *testing.T) {
	retain, forget := featuretest.NewBlobs(10, 4, 3, 1, 7, 1), featuretest.NewBlobs(6, 4, 3, 1, 7, 2)
	m := featuretest.NewMLP(4, 6, 3, 1)
	old, err := feature.Snapshot(m)
	if err != nil {
		t.Fatal(err)
	}
	_, err = dlfd.Run(context.Background(), "test", m, dlfd.Data{Retain: retain, Forget: forget}, nil, dlfd.Needs{}, func(ctx context.Context, s *dlfd.Session) error {
		both, err := twoTeachers(ctx, s, retain)
		if err != nil {
			return err
		}
		for i := range old {
			if !slices.Equal(old[i], m.P[i]) {
				t.Errorf("parameter %d changed", i)
			}
		}
		for i, d := range []feature.Dataset{retain, forget} {
			own, _, err := feature.Predict(ctx, m, d, []string{"logits"}, 4)
			if err != nil {
				return err
			}
			part := both.logits.Slice(10*i, 10*i+d.Len())
			if !slices.Equal(part.Data, own[0].Data) {
				t.Errorf("set %d: the outputs are not those of its teacher", i)
			}
			if err := feature.Reinitialize(m, nil, s.Seed("fresh weights")); err != nil { // the second teacher
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestErrorsMatchClasses(t *testing.T) {
	// Class 0: 3 of 6 forget samples wrong, 1 of 2 held-out ones; class 1: 1 of 2 and
	// 0 of 10; class 2 has no held-out samples.
	f, h, ok := matchedErrors(tally{{6, 3}, {2, 1}, {5, 5}}, tally{{2, 1}, {10, 0}, {0, 0}})
	if !ok || f != 4./8 || h != (6*.5+0)/8 {
		t.Errorf("%v, %v, %v; want .5, .375", f, h, ok)
	}
	if _, _, ok := matchedErrors(tally{{1, 0}, {0, 0}}, tally{{0, 0}, {1, 0}}); ok {
		t.Error("no class has both, and there are errors")
	}
	for _, c := range []struct {
		row  []float32
		k    int
		want bool
	}{{[]float32{1, 2, 2}, 1, true}, {[]float32{1, 2, 2}, 2, false}, {[]float32{float32(math.NaN()), 2}, 1, false}} {
		if got := isLargest(c.row, c.k); got != c.want {
			t.Errorf("isLargest(%v, %d) is %v", c.row, c.k, got)
		}
	}
}

func TestDealKeepsPersonsTogether(t *testing.T) {
	d := featuretest.NewBlobs(24, 2, 3, 1, 7, 1)
	for i := range d.Persons {
		d.Persons[i] = string(rune('a' + i/4)) // six persons
	}
	part, err := deal(d, 2)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range part {
		if p != i/4%2 {
			t.Errorf("sample %d of person %s is in part %d", i, d.Persons[i], p)
		}
	}
	clear(d.Persons) // unknown
	if part, err = deal(d, 2); err != nil {
		t.Fatal(err)
	}
	var counts [2][3]int
	for i, p := range part {
		counts[p][d.Labels[i]]++
	}
	if counts != [2][3]int{{4, 4, 4}, {4, 4, 4}} {
		t.Errorf("samples by part and class: %v", counts)
	}
}

// Fresh norms are those of a new model, and the other weights are not drawn anew.
func TestInsertFreshNorms(t *testing.T) {
	b := nn.NewBuilder(3, 3, 6, 6)
	x := b.Input()
	for _, name := range []string{"a", "b"} {
		x = b.ReLU(b.Conv(name, x, nn.Conv{Out: 4, Kernel: 3, Pad: 1, Bias: true}))
	}
	m, err := b.Build(b.Linear("out", b.Flatten(x), 3))
	if err != nil {
		t.Fatal(err)
	}
	old, err := feature.Snapshot(m)
	if err != nil {
		t.Fatal(err)
	}
	images := featuretest.NewBlobs(24, 3*6*6, 3, 1, 7, 1)
	images.X.Shape = []int{24, 3, 6, 6}
	_, err = dlfd.Run(context.Background(), "test", m, dlfd.Data{Retain: images}, nil, dlfd.Needs{Retain: true}, func(ctx context.Context, s *dlfd.Session) error {
		if _, err := insertFreshNorms(ctx, s); err != nil {
			return err
		}
		w, err := feature.Snapshot(s.Model)
		if err != nil {
			return err
		}
		constants := map[float32]int{}
		for i, p := range s.Model.Spec().Params {
			own := slices.IndexFunc(m.Spec().Params, func(q feature.Param) bool { return q.Name == p.Name })
			switch {
			case own < 0 && slices.Equal(w[i], slices.Repeat(w[i][:1], len(w[i]))):
				constants[w[i][0]]++
			case own < 0:
				t.Errorf("parameter %q is %v", p.Name, w[i])
			case slices.ContainsFunc(old[own], func(v float32) bool { return v != 0 }) && !sameSigns(w[i], old[own]):
				t.Errorf("parameter %q was drawn anew", p.Name) // an insertion may scale it
			}
		}
		if constants[0] != 4 || constants[1] != 4 { // shift and mean, scale and variance of two norms
			t.Errorf("norms are %v", constants)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func sameSigns(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Signbit(float64(x)) == math.Signbit(float64(y)) })
}

// A patient limit lets a loss above it pass, but not one beyond repair.
func TestPatientLimit(t *testing.T) {
	m := featuretest.NewMLP(4, 6, 3, 1)
	old, err := feature.Snapshot(m)
	if err != nil {
		t.Fatal(err)
	}
	d := featuretest.NewBlobs(20, 4, 3, 1, 7, 1)
	res, err := dlfd.Run(context.Background(), "test", m, dlfd.Data{Retain: d}, nil, dlfd.Needs{Retain: true}, func(ctx context.Context, s *dlfd.Session) error {
		h, err := Limit{Harm: .1}.watch(ctx, s)
		if err != nil {
			return err
		}
		h.patient, s.Steps = true, 100
		for i, bias := range []float32{5, 500} { // of one class: the others lose about as much
			m.P[3][0] = bias
			s.Step(dlfd.Point{})
			if err := h.look(ctx); err != nil {
				return err
			}
			if ended := s.Spent(); ended != (i == 1) {
				t.Errorf("with a bias of %v the run is ended: %v", bias, ended)
			}
		}
		return nil
	})
	if err != nil || res.Stop != dlfd.TaskHarmed || !slices.Equal(m.P[3], old[3]) {
		t.Errorf("%v, %+v", err, res)
	}
}
