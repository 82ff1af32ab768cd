package baseline_test

import (
	"context"
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
)

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

// Features that are not finite have no nearest centroid.
func TestDUCKRefusesNaN(t *testing.T) {
	m, d := trainedOn(t)
	m.P[1][0] = float32(math.NaN())
	if _, err := (baseline.DUCK{}).Unlearn(context.Background(), m, d, nil); !errors.Is(err, dlfd.ErrDiverged) {
		t.Errorf("error %v", err)
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
	if want := fmt.Sprintf("30 held-out samples went from %.4g to %.4g.", start, end); len(res.Notes) == 0 || !strings.HasSuffix(res.Notes[0], want) {
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
