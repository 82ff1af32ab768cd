package baseline_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/train"
)

// trainedOn returns an MLP that knows the blobs of three(), and the data.
func trainedOn(t *testing.T) (*featuretest.MLP, dlfd.Data) {
	t.Helper()
	m, d := featuretest.NewMLP(4, 12, 3, 1), three()
	all, err := feature.Concat(d.Retain, d.Forget)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := train.Fit(context.Background(), m, all, &train.Options{Epochs: 20, BatchSize: 16}); err != nil {
		t.Fatal(err)
	}
	return m, d
}

func three() dlfd.Data {
	return dlfd.Data{
		Retain:  featuretest.NewBlobs(60, 4, 3, .7, 7, 1),
		Forget:  featuretest.NewBlobs(24, 4, 3, .7, 7, 2),
		Holdout: featuretest.NewBlobs(30, 4, 3, .7, 7, 3),
	}
}

func runOn(t *testing.T, u dlfd.Unlearner, m feature.Trainable, d dlfd.Data, opt dlfd.Options) *dlfd.Result {
	t.Helper()
	res, err := u.Unlearn(context.Background(), m, d, &opt)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// taps returns the hidden activations and the logits for all samples.
func taps(t *testing.T, m *featuretest.MLP, x feature.Tensor) (hidden, logits feature.Tensor) {
	t.Helper()
	hidden, logits = feature.NewTensor(x.Rows(), m.Hidden), feature.NewTensor(x.Rows(), m.Out)
	if err := m.Forward(context.Background(), x, []string{"hidden", "logits"}, []feature.Tensor{hidden, logits}); err != nil {
		t.Fatal(err)
	}
	return hidden, logits
}

// softmax returns the distribution of a row of logits.
func softmax(z []float32) []float64 {
	p := make([]float64, len(z))
	var sum float64
	for i, v := range z {
		p[i] = math.Exp(float64(v))
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

// loss returns the mean cross-entropy.
func loss(t *testing.T, m *featuretest.MLP, x feature.Tensor, labels []int) float64 {
	t.Helper()
	_, z := taps(t, m, x)
	var sum float64
	for i, y := range labels {
		sum -= math.Log(softmax(z.Row(i))[y])
	}
	return sum / float64(len(labels))
}

func blobs(d feature.Dataset) *featuretest.Blobs { return d.(*featuretest.Blobs) }

// fisherMLP is the mean of squared gradients of log p(label) of an MLP in closed form:
// with e = onehot − p and δ = (1−h²)·W₂ᵀe, they are δ·xᵀ, δ, e·hᵀ and e.
func fisherMLP(t *testing.T, m *featuretest.MLP, d *featuretest.Blobs) [4][]float64 {
	h, z := taps(t, m, d.X)
	var f [4][]float64
	for i := range f {
		f[i] = make([]float64, len(m.P[i]))
	}
	n := float64(d.Len())
	for s, y := range d.Labels {
		e := softmax(z.Row(s))
		for o := range e {
			if e[o] = -e[o]; o == y {
				e[o]++
			}
			f[3][o] += e[o] * e[o] / n
			for k, v := range h.Row(s) {
				g := e[o] * float64(v)
				f[2][o*m.Hidden+k] += g * g / n
			}
		}
		for k, v := range h.Row(s) {
			var back float64
			for o := range e {
				back += float64(m.P[2][o*m.Hidden+k]) * e[o]
			}
			back *= 1 - float64(v)*float64(v)
			f[1][k] += back * back / n
			for j, x := range d.X.Row(s) {
				g := back * float64(x)
				f[0][k*m.In+j] += g * g / n
			}
		}
	}
	return f
}

func TestSSDInClosedForm(t *testing.T) {
	const alpha, lambda = 1.3, .9
	m, d := trainedOn(t)
	f, r := fisherMLP(t, m, blobs(d.Forget)), fisherMLP(t, m, blobs(d.Retain))
	old, err := feature.Snapshot(m)
	if err != nil {
		t.Fatal(err)
	}
	res := runOn(t, baseline.SSD{Alpha: alpha, Lambda: lambda, Limit: baseline.Limit{Harm: dlfd.Off}}, m, d, dlfd.Options{})
	dampened, kept := 0, 0
	for i := range old {
		for j, w := range old[i] {
			all := (24*f[i][j] + 60*r[i][j]) / 84
			if math.Abs(f[i][j]/(alpha*all)-1) < 1e-4 { // float32 may fall on either side
				continue
			}
			factor := 1.
			if f[i][j] > alpha*all {
				factor = min(1, lambda*all/f[i][j])
				dampened++
			} else {
				kept++
			}
			if got, want := float64(m.P[i][j]), factor*float64(w); math.Abs(got-want) > 1e-5*math.Abs(float64(w)) { // squares of float32
				t.Errorf("parameter %d, element %d is %v, want %v", i, j, got, want)
			}
		}
	}
	if dampened < 5 || kept < 5 {
		t.Errorf("%d weights dampened, %d kept: the test shows nothing", dampened, kept)
	}
	if want := (dlfd.Ledger{Forward: 84, Backward: 84, Steps: 4}); res.Ledger != want {
		t.Errorf("ledger %+v, want %+v", res.Ledger, want)
	}
}

// At a rate near 0 what has changed at the end is what was drawn anew: of each matrix
// three tenths, those in which the two gradients differ least.
func TestMSGDrawsAnewWhatItSays(t *testing.T) {
	m, d := trainedOn(t)
	keep, lose := gradient(t, m, d.Retain), gradient(t, m, d.Forget)
	old, err := feature.Snapshot(m)
	if err != nil {
		t.Fatal(err)
	}
	runOn(t, baseline.MSG{Descent: baseline.Descent{Rate: 1e-30}}, m, d, dlfd.Options{})
	for i := range old {
		var want []int
		if i%2 == 0 { // a matrix
			for j := range old[i] {
				want = append(want, j)
			}
			slices.SortFunc(want, func(a, b int) int {
				return cmp.Compare(math.Abs(float64(keep[i][a]-lose[i][a])), math.Abs(float64(keep[i][b]-lose[i][b])))
			})
			want = want[:int(math.Round(.3*float64(len(want))))]
			slices.Sort(want)
		}
		var got []int
		for j, w := range m.P[i] {
			if w != old[i][j] {
				got = append(got, j)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("parameter %d: elements %v were drawn anew, want %v", i, got, want)
		}
	}
}

// One step is w − rate·(s·∇CE + 5e-4·w), where s is 1 for what was drawn anew and Damp
// for everything else.
func TestMSGDamps(t *testing.T) {
	const rate, scale = .1, .25
	m, d := trainedOn(t)
	old, err := feature.Snapshot(m)
	if err != nil {
		t.Fatal(err)
	}
	u := baseline.MSG{Descent: baseline.Descent{Epochs: 1, Rate: 1e-30}, Damp: scale}
	runOn(t, u, m, d, dlfd.Options{BatchSize: 60})
	drawn, err := feature.Snapshot(m)
	if err != nil {
		t.Fatal(err)
	}
	g := gradient(t, m, d.Retain)
	if err := old.Restore(m); err != nil {
		t.Fatal(err)
	}
	u.Rate = rate
	runOn(t, u, m, d, dlfd.Options{BatchSize: 60})
	for i := range old {
		for j, w := range drawn[i] {
			s := scale
			if w != old[i][j] {
				s = 1
			}
			want := float64(w) - rate*(s*float64(g[i][j])+5e-4*float64(w))
			if math.Abs(float64(m.P[i][j])-want) > 1e-6 { // float32 sums of 60 terms near 1
				t.Fatalf("parameter %d, element %d is %v, want %v", i, j, m.P[i][j], want)
			}
		}
	}
}

// meanOf returns the mean hidden activations of a class.
func meanOf(h feature.Tensor, labels []int, class int) []float64 {
	mean, n := make([]float64, h.RowLen()), 0.
	for i, y := range labels {
		if y == class {
			n++
			for k, v := range h.Row(i) {
				mean[k] += float64(v)
			}
		}
	}
	for k := range mean {
		mean[k] /= n
	}
	return mean
}

// distances returns for each sample the cosine distance to the nearest centroid of
// another class.
func distances(h feature.Tensor, labels []int, centroid [][]float64) []float64 {
	var all []float64
	for i, y := range labels {
		least := math.Inf(1)
		for c, m := range centroid {
			var xx, yy, xy float64
			for k, v := range h.Row(i) {
				xx, yy, xy = xx+float64(v)*float64(v), yy+m[k]*m[k], xy+float64(v)*m[k]
			}
			if c != y {
				least = min(least, 1-xy/math.Sqrt(xx*yy))
			}
		}
		all = append(all, least)
	}
	return all
}

func sum(v []float64) (s float64) {
	for _, x := range v {
		s += x
	}
	return s
}

func TestDUCKMovesFeaturesToWrongCentroids(t *testing.T) {
	m, d := trainedOn(t)
	retain, forget := blobs(d.Retain), blobs(d.Forget)
	h, _ := taps(t, m, retain.X)
	var centroid [][]float64
	for c := range 3 {
		centroid = append(centroid, meanOf(h, retain.Labels, c))
	}
	h, _ = taps(t, m, forget.X)
	before := sum(distances(h, forget.Labels, centroid))
	res := runOn(t, baseline.DUCK{LambdaForget: 5, Target: 1e-9, Epochs: 20, Rate: .01, Limit: baseline.Limit{Harm: dlfd.Off}}, m, d, dlfd.Options{BatchSize: 12})
	h, _ = taps(t, m, forget.X)
	after := sum(distances(h, forget.Labels, centroid))
	if after > .8*before {
		t.Errorf("distances to wrong centroids went from %v to %v", before, after)
	}
	if first, last := res.Trace[0].ForgetTerm, res.Trace[len(res.Trace)-1].ForgetTerm; last > .8*first {
		t.Errorf("the forget term went from %v to %v", first, last)
	}
}

// The first step of Adam is rate·sign(g) against the gradient g of λᶠ·mean(1 − cos) +
// λʳ·CE(z/T), told by differences in each weight.
func TestDUCKGradient(t *testing.T) {
	const rate = 1e-3
	u := baseline.DUCK{LambdaForget: .8, LambdaRetain: 1.7, Temperature: 3, Target: 1e-9, Epochs: 1, Rate: rate}
	m, d := trainedOn(t)
	retain, forget := blobs(d.Retain), blobs(d.Forget)
	h, _ := taps(t, m, retain.X)
	centroid := [][]float64{meanOf(h, retain.Labels, 0), meanOf(h, retain.Labels, 1), meanOf(h, retain.Labels, 2)}
	objective := func() float64 { // goals stay the nearest for steps as short as these
		h, _ := taps(t, m, forget.X)
		_, z := taps(t, m, retain.X)
		for i := range z.Data {
			z.Data[i] /= 3
		}
		var ce float64
		for i, y := range retain.Labels {
			ce -= math.Log(softmax(z.Row(i))[y]) / 60
		}
		return .8*sum(distances(h, forget.Labels, centroid))/24 + 1.7*ce
	}
	var slopes [][]float64
	for i := range m.P {
		slopes = append(slopes, nil)
		for j, w := range m.P[i] {
			at := func(h float32) float64 {
				m.P[i][j] = w + h
				defer func() { m.P[i][j] = w }()
				return objective()
			}
			slopes[i] = append(slopes[i], (at(.003)-at(-.003))/.006)
		}
	}
	old, err := feature.Snapshot(m)
	if err != nil {
		t.Fatal(err)
	}
	runOn(t, u, m, d, dlfd.Options{BatchSize: 60})
	checked := 0
	for i := range old {
		for j, w := range old[i] {
			if math.Abs(slopes[i][j]) < 1e-3 { // rounding of float32 and curvature: 1e-4
				continue
			}
			checked++
			if moved := float64(m.P[i][j] - w); math.Abs(moved+math.Copysign(rate, slopes[i][j])) > 1e-3*rate {
				t.Errorf("parameter %d, element %d moved by %v along a slope of %v", i, j, moved, slopes[i][j])
			}
		}
	}
	if checked < 60 {
		t.Errorf("%d of 99 weights have a slope that can be told", checked)
	}
}

// A class that goes as a whole has target 0, a sample of a shared class the accuracy on
// the holdout set; the run ends when the target is met.
func TestDUCKTarget(t *testing.T) {
	m, d := trainedOn(t)
	_, z := taps(t, m, blobs(d.Holdout).X)
	right := 0.
	for i, y := range blobs(d.Holdout).Labels {
		if p := softmax(z.Row(i)); p[y] == slices.Max(p) {
			right++
		}
	}
	want := right / 30 // every class is shared
	for _, whole := range []bool{false, true} {
		m, d := trainedOn(t)
		if whole { // class 2 goes: a third of the forget samples
			two, _, err := feature.Partition(d.Retain, func(i int) bool { return blobs(three().Retain).Labels[i] != 2 })
			if err != nil {
				t.Fatal(err)
			}
			d.Retain, want = two, want*2/3
		}
		res := runOn(t, baseline.DUCK{Epochs: 40, Rate: .01, Limit: baseline.Limit{Harm: dlfd.Off}}, m, d, dlfd.Options{BatchSize: 12})
		got := res.Settings.(baseline.DUCK).Target
		if math.Abs(got-want) > 1e-12 {
			t.Errorf("whole %v: target %v, want %v", whole, got, want)
		}
		if res.Stop != dlfd.ScoreMet || res.Ledger.Steps%2 != 0 || res.Ledger.Steps >= 200 { // a look each 2 steps
			t.Errorf("whole %v: %q after %d steps", whole, res.Stop, res.Ledger.Steps)
		}
	}
}

// ratio is the mean of ‖f(x) − f(x+ξ)‖/‖ξ‖ over samples and 50 noises of each.
func ratio(t *testing.T, m *featuretest.MLP, x feature.Tensor, sigma float64) float64 {
	r := rand.New(rand.NewPCG(1, 2))
	_, clean := taps(t, m, x)
	var sum float64
	for range 50 {
		moved, in := x.Clone(), make([]float64, x.Rows())
		for i := range x.Rows() {
			for k := range moved.Row(i) {
				v := sigma * r.NormFloat64()
				moved.Row(i)[k] += float32(v)
				in[i] += v * v
			}
		}
		_, z := taps(t, m, moved)
		for i := range in {
			var out float64
			for k, v := range z.Row(i) {
				out += math.Pow(float64(v-clean.Row(i)[k]), 2)
			}
			sum += math.Sqrt(out/in[i]) / float64(50*len(in))
		}
	}
	return sum
}

// JiT smooths, and does so without labels and without a retain set.
func TestJiT(t *testing.T) {
	m, d := trainedOn(t)
	old, _ := trainedOn(t)
	u := baseline.JiT{Epochs: 3, Rate: .2}
	before := ratio(t, m, blobs(d.Forget).X, .5)
	res := runOn(t, u, m, d, dlfd.Options{BatchSize: 8})
	if after := ratio(t, m, blobs(d.Forget).X, .5); after > .9*before {
		t.Errorf("the local Lipschitz ratio went from %v to %v", before, after)
	}
	if first := res.Trace[0].Loss; math.Abs(first/before-1) > .25 { // 8 of 24 samples
		t.Errorf("the first step reports a ratio of %v, all samples have %v", first, before)
	}
	start, end := loss(t, old, blobs(d.Holdout).X, blobs(d.Holdout).Labels), loss(t, m, blobs(d.Holdout).X, blobs(d.Holdout).Labels)
	if want := fmt.Sprintf("30 held-out samples went from %.4g to %.4g.", start, end); len(res.Notes) != 1 || !strings.HasSuffix(res.Notes[0], want) {
		t.Errorf("notes %q, want %q", res.Notes, want)
	}
	after, err := feature.Snapshot(m)
	if err != nil {
		t.Fatal(err)
	}
	other := *blobs(d.Forget)
	other.Labels = make([]int, 24)
	res = runOn(t, u, old, dlfd.Data{Forget: &other}, dlfd.Options{BatchSize: 8})
	if !reflect.DeepEqual(after, feature.Weights(old.P[:])) || len(res.Notes) != 1 {
		t.Errorf("labels or the retain set make a difference, or notes are missing: %q", res.Notes)
	}
}

// One step of ReGUn on everything moves along the gradient of CE(retain) +
// λ·mean KL(q ‖ p), told by differences in each weight.
func TestReGUnGradient(t *testing.T) {
	const rate, lambda = .1, .7
	for _, pooled := range []bool{false, true} {
		m, d := trainedOn(t)
		retain, forget, holdout := blobs(d.Retain), blobs(d.Forget), blobs(d.Holdout)
		forget.X, forget.Labels = forget.X.Slice(0, 23), forget.Labels[:23] // classes of unequal size
		_, z := taps(t, m, holdout.X)
		q, pool := [3][3]float64{}, [3]float64{}
		for i, y := range holdout.Labels {
			for k, p := range softmax(z.Row(i)) {
				q[y][k] += p / 10
			}
		}
		for _, y := range forget.Labels {
			for k := range pool {
				pool[k] += q[y][k] / 23
			}
		}
		objective := func() float64 {
			_, z := taps(t, m, forget.X)
			var kl float64
			for i, y := range forget.Labels {
				p, target := softmax(z.Row(i)), q[y]
				if pooled {
					target = pool
				}
				for k := range p {
					kl += target[k] * math.Log(target[k]/p[k]) / 23
				}
			}
			return loss(t, m, retain.X, retain.Labels) + lambda*kl
		}
		want := make([][]float64, 4)
		for i := range m.P {
			for j, w := range m.P[i] {
				at := func(h float32) float64 {
					m.P[i][j] = w + h
					defer func() { m.P[i][j] = w }()
					return objective()
				}
				const h = .02 // errors of fourth order: 1e-6; of float32: 1e-5
				want[i] = append(want[i], float64(w)-rate*((8*(at(h)-at(-h))-(at(2*h)-at(-2*h)))/(12*h)+5e-4*float64(w)))
			}
		}
		runOn(t, baseline.ReGUn{Descent: baseline.Descent{Epochs: 1, Rate: rate}, Lambda: lambda, PerClass: !pooled}, m, d, dlfd.Options{BatchSize: 60})
		for i := range m.P {
			for j, w := range m.P[i] {
				if math.Abs(float64(w)-want[i][j]) > 1e-5 {
					t.Errorf("pooled %v: parameter %d, element %d is %v, want %v", pooled, i, j, w, want[i][j])
				}
			}
		}
	}
}

// A class without held-out samples has no reference.
func TestReGUnNeedsEveryClass(t *testing.T) {
	m, d := trainedOn(t)
	var err error
	if d.Holdout, _, err = feature.Partition(d.Holdout, func(i int) bool { return i%3 != 1 }); err != nil {
		t.Fatal(err)
	}
	if _, err := (baseline.ReGUn{}).Unlearn(context.Background(), m, d, nil); !errors.Is(err, dlfd.ErrParameter) {
		t.Errorf("error %v", err)
	}
}

// BoundaryShrink trains the wrong labels in: the loss of the right ones rises.
func TestBoundaryShrinkForgets(t *testing.T) {
	m, d := trainedOn(t)
	f := blobs(d.Forget)
	before := loss(t, m, f.X, f.Labels)
	res := runOn(t, baseline.BoundaryShrink{Rate: .02}, m, dlfd.Data{Forget: d.Forget}, dlfd.Options{BatchSize: 8})
	if after := loss(t, m, f.X, f.Labels); after < before+.2 {
		t.Errorf("the loss went from %v to %v", before, after)
	}
	if first, last := res.Trace[0].Loss, res.Trace[len(res.Trace)-1].Loss; last > first {
		t.Errorf("the loss of the wrong labels went from %v to %v", first, last)
	}
}

// UNSIR forgets a class that goes as a whole and keeps the others.
func TestUNSIRForgetsAClass(t *testing.T) {
	m, d := trainedOn(t)
	all, err := feature.Concat(d.Retain, d.Forget)
	if err != nil {
		t.Fatal(err)
	}
	labels, err := feature.Labels(all)
	if err != nil {
		t.Fatal(err)
	}
	if d.Forget, d.Retain, err = feature.Partition(all, func(i int) bool { return labels[i] == 2 }); err != nil {
		t.Fatal(err)
	}
	forget, err := feature.ReadAll(d.Forget)
	if err != nil {
		t.Fatal(err)
	}
	before := loss(t, m, forget.X, forget.Labels)
	res := runOn(t, baseline.UNSIR{PerClass: 64, Impair: .02, Repair: .05}, m, d, dlfd.Options{BatchSize: 8})
	retain, err := feature.ReadAll(d.Retain)
	if err != nil {
		t.Fatal(err)
	}
	if after, keep := loss(t, m, forget.X, forget.Labels), loss(t, m, retain.X, retain.Labels); after < before+.3 || keep > .1 {
		t.Errorf("forget loss went from %v to %v, retain loss is %v (%s, %q)", before, after, keep, res.Stop, res.Notes)
	}
	if want := (64 + 56 + 56) / 8; res.Ledger.Steps != want {
		t.Errorf("%d steps, want %d", res.Ledger.Steps, want)
	}
}

// Where the repair does not mend what was impaired, the weights are the old ones, and
// the result says so.
func TestUNSIRSaysWhenItHarms(t *testing.T) {
	m, d := trainedOn(t)
	old, err := feature.Snapshot(m)
	if err != nil {
		t.Fatal(err)
	}
	res := runOn(t, baseline.UNSIR{Impair: .5, Repair: 1e-9}, m, d, dlfd.Options{BatchSize: 8})
	if res.Stop != dlfd.TaskHarmed || len(res.Notes) == 0 || !reflect.DeepEqual(old, feature.Weights(m.P[:])) {
		t.Errorf("stop %q, notes %q", res.Stop, res.Notes)
	}
}

// Dampening that ruins the model is taken back.
func TestSSDSaysWhenItHarms(t *testing.T) {
	m, d := trainedOn(t)
	old, err := feature.Snapshot(m)
	if err != nil {
		t.Fatal(err)
	}
	res := runOn(t, baseline.SSD{Alpha: 1e-9, Lambda: 1e-9}, m, d, dlfd.Options{})
	if res.Stop != dlfd.TaskHarmed || len(res.Notes) != 2 || !reflect.DeepEqual(old, feature.Weights(m.P[:])) {
		t.Errorf("stop %q, notes %q", res.Stop, res.Notes)
	}
}

// Every method runs on normalized images and a net with batch norm, whose statistics
// those without a retain set leave alone.
func TestRivalsOnImages(t *testing.T) {
	images := func(n int, seed uint64) *featuretest.Blobs {
		b := featuretest.NewBlobs(n, 3*6*6, 3, .5, 7, seed)
		b.X.Shape = []int{n, 3, 6, 6}
		b.Scale = feature.Pixels{Mean: []float64{.5}, Std: []float64{.2}}
		for i, v := range b.X.Data { // pixels from 0 to 1
			b.X.Data[i] = min(max(v, -2.5), 2.5)
		}
		return b
	}
	for _, list := range rivals() {
		m, err := nn.ResNet(nn.ResNetConfig{Input: []int{3, 6, 6}, Classes: 3, Widths: []int{4}, Blocks: []int{1}, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		old, err := feature.Snapshot(m)
		if err != nil {
			t.Fatal(err)
		}
		d := dlfd.Data{Retain: images(24, 1), Forget: images(9, 2), Holdout: images(12, 3)}
		res := runOn(t, list[0], m, d, dlfd.Options{BatchSize: 8})
		now, err := feature.Snapshot(m)
		if err != nil {
			t.Fatal(err)
		}
		moved := map[feature.ParamKind]bool{}
		for i, p := range m.Spec().Params {
			moved[p.Kind] = moved[p.Kind] || !slices.Equal(old[i], now[i])
		}
		changed := res.Stop != dlfd.NothingDone && res.Stop != dlfd.TaskHarmed
		want := changed && !slices.Contains([]string{"SSD", "BoundaryShrink", "JiT"}, res.Method)
		if moved[feature.Weight] != changed || moved[feature.Statistic] != want {
			t.Errorf("%s: weights changed: %v; statistics changed: %v, want %v (%s, %q)", res.Method, moved[feature.Weight], moved[feature.Statistic], want, res.Stop, res.Notes)
		}
	}
}

// rivals has settings out of range for each of the methods here.
func rivals() [][]dlfd.Unlearner {
	return [][]dlfd.Unlearner{
		{baseline.UNSIR{}, baseline.UNSIR{Steps: -1}, baseline.UNSIR{Penalty: math.NaN()}, baseline.UNSIR{PerClass: -1}, baseline.UNSIR{Impair: -1}, baseline.UNSIR{Limit: baseline.Limit{Harm: -2}}},
		{baseline.SSD{}, baseline.SSD{Alpha: -1}, baseline.SSD{Lambda: math.Inf(1)}, baseline.SSD{Samples: -1}},
		{baseline.BoundaryShrink{}, baseline.BoundaryShrink{Epsilon: -1}, baseline.BoundaryShrink{Epochs: -1}, baseline.BoundaryShrink{Rate: math.NaN()}},
		{baseline.DUCK{}, baseline.DUCK{LambdaForget: -1}, baseline.DUCK{Temperature: math.Inf(1)}, baseline.DUCK{Target: 1.1}, baseline.DUCK{Epochs: -1}},
		{baseline.AMUN{}, baseline.AMUN{Radius: -1}, baseline.AMUN{Doublings: 100}, baseline.AMUN{Steps: -1}},
		{baseline.MSG{}, baseline.MSG{Share: 1.1}, baseline.MSG{Damp: -2}},
		{baseline.JiT{}, baseline.JiT{Sigma: -1}, baseline.JiT{Samples: -1}, baseline.JiT{Rate: math.NaN()}},
		{baseline.ReGUn{}, baseline.ReGUn{Lambda: -1}, baseline.ReGUn{Descent: baseline.Descent{Rate: -1}}},
	}
}

func TestRivalSettings(t *testing.T) {
	for _, list := range rivals() {
		m, d := trainedOn(t)
		res := runOn(t, list[0], m, d, dlfd.Options{})
		text, err := json.Marshal(res.Settings)
		if err != nil {
			t.Fatal(err)
		}
		again := reflect.New(reflect.TypeOf(list[0]))
		if err := json.Unmarshal(text, again.Interface()); err != nil || !reflect.DeepEqual(again.Elem().Interface(), res.Settings) {
			t.Errorf("%s reads back as %+v: %v", text, again.Elem(), err)
		}
		for _, u := range list[1:] {
			if _, err := u.Unlearn(context.Background(), m, d, nil); !errors.Is(err, dlfd.ErrParameter) {
				t.Errorf("%T %+v: %v", u, u, err)
			}
		}
	}
}
