package metrics

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

func log32(p float64) float32 { return float32(math.Log(p)) }

// Probabilities .7 .2 .1, label 0 and then label 2; the float32 logits carry an
// error of 1e-7.
var seventy = outputs(3, []int{0, 2},
	log32(0.7), log32(0.2), log32(0.1),
	log32(0.7), log32(0.2), log32(0.1))

func TestPerSampleClosedForms(t *testing.T) {
	const tol = 5e-7
	ln := math.Log
	for _, c := range []struct {
		what string
		f    func(Outputs) ([]float64, error)
		want [2]float64
	}{
		{"cross-entropy", Outputs.CrossEntropies, [2]float64{-ln(.7), -ln(.1)}},
		{"confidence", Outputs.Confidences, [2]float64{.7, .7}},
		{"margin", Outputs.LogitMargins, [2]float64{ln(.7 / .3), ln(.1 / .9)}},
		{"entropy", Outputs.Entropies, [2]float64{-.7*ln(.7) - .2*ln(.2) - .1*ln(.1), -.7*ln(.7) - .2*ln(.2) - .1*ln(.1)}},
		{"modified entropy", Outputs.ModifiedEntropies, [2]float64{
			-.3*ln(.7) - .2*ln(.8) - .1*ln(.9),
			-.9*ln(.1) - .7*ln(.3) - .2*ln(.8)}},
	} {
		got := must(c.f(seventy))
		near(t, c.what+" 0", got[0], c.want[0], tol)
		near(t, c.what+" 1", got[1], c.want[1], tol)
	}
	near(t, "mean", must(seventy.MeanCrossEntropy()), -(ln(.7)+ln(.1))/2, tol)
}

func TestTinyAndHugeLosses(t *testing.T) {
	o := outputs(2, []int{0, 0, 1, 0, 1}, 100, 0, 101, 0, 3e38, -3e38, 0, 0, 3e38, -3e38)
	ce := must(o.CrossEntropies())
	near(t, "exp(-100)", ce[0]/math.Exp(-100), 1, 1e-15)
	near(t, "exp(-101)", ce[1]/math.Exp(-101), 1, 1e-15)
	near(t, "6e38", ce[2]/6e38, 1, 1e-6)
	near(t, "tie", ce[3], math.Ln2, 1e-16)
	margin := must(o.LogitMargins())
	near(t, "margin of two classes is their difference", margin[0], 100, 1e-13)
	near(t, "margin at a tie", margin[3], 0, 1e-16)
	for _, f := range []func(Outputs) ([]float64, error){Outputs.Confidences, Outputs.Entropies, Outputs.ModifiedEntropies, Outputs.LogitMargins} {
		if err := checkScores("values", must(f(o))); err != nil {
			t.Error(err)
		}
	}
}

// The textbook formulas, where they are exact enough.
func TestPerSampleAgainstTextbook(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		c := 2 + r.IntN(6)
		row := make([]float32, c)
		var z float64
		for j := range row {
			row[j] = float32(3 * r.NormFloat64())
			z += math.Exp(float64(row[j]))
		}
		y := r.IntN(c)
		var entropy, modified, top float64
		p := func(j int) float64 { return math.Exp(float64(row[j])) / z }
		for j := range row {
			entropy -= p(j) * math.Log(p(j))
			top = max(top, p(j))
			if j == y {
				modified -= (1 - p(j)) * math.Log(p(j))
			} else {
				modified -= p(j) * math.Log(1-p(j))
			}
		}
		o := outputs(c, []int{y}, row...)
		near(t, "entropy", must(o.Entropies())[0], entropy, 1e-12)
		near(t, "modified", must(o.ModifiedEntropies())[0], modified, 1e-9)
		near(t, "confidence", must(o.Confidences())[0], top, 1e-14)
		near(t, "loss", must(o.CrossEntropies())[0], -math.Log(p(y)), 1e-12)
	}
}

func TestSingleClass(t *testing.T) {
	o := outputs(1, []int{0}, 5)
	near(t, "loss", must(o.CrossEntropies())[0], 0, 0)
	near(t, "confidence", must(o.Confidences())[0], 1, 0)
	near(t, "entropy", must(o.Entropies())[0], 0, 0)
	for _, f := range []func(Outputs) ([]float64, error){Outputs.LogitMargins, Outputs.ModifiedEntropies} {
		if _, err := f(o); !errors.Is(err, ErrOneClass) {
			t.Errorf("got %v, want ErrOneClass", err)
		}
	}
}

func TestDivergences(t *testing.T) {
	ln := math.Log
	kl := .5*ln(.5/.9) + .5*ln(.5/.1)
	js := .5*(.5*ln(.5/.7)+.5*ln(.5/.3)) + .5*(.9*ln(.9/.7)+.1*ln(.1/.3))
	a := outputs(2, nil, log32(.5), log32(.5), 0, 800)
	b := outputs(2, nil, log32(.9), log32(.1), 800, 0)
	a.N, b.N = 2, 2
	near(t, "JS", must(a.JS(b)), (js+math.Ln2)/2, 1e-7)
	near(t, "JS is symmetric", must(b.JS(a)), (js+math.Ln2)/2, 1e-7)
	near(t, "KL", must(a.KL(b)), (kl+800)/2, 1e-6)
	near(t, "KL of equals", must(a.KL(a)), 0, 0)
	near(t, "JS of equals", must(a.JS(a)), 0, 0)
	far := outputs(2, nil, 0, 740)
	opposite := outputs(2, nil, 0, -740)
	far.N, opposite.N = 1, 1
	near(t, "JS where the ratio overflows", must(far.JS(opposite)), math.Ln2, 1e-15)
	if _, err := five.JS(seventy); !errors.Is(err, ErrShape) {
		t.Errorf("JS of 5×3 and 2×3: got %v", err)
	}
}
