package baseline_test

import (
	"cmp"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
)

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
