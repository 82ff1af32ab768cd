package metrics

import (
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/internal/finite"
)

// Outputs is what a classifier says about N samples.
type Outputs struct {
	N, Classes int
	Logits     []float32 // row-major N×Classes
	Labels     []int     // the true class of each sample, in [0, Classes)
}

// Row returns the logits of sample i, sharing memory with o.
func (o Outputs) Row(i int) []float32 {
	return o.Logits[i*o.Classes : (i+1)*o.Classes : (i+1)*o.Classes]
}

// Check returns an error unless o has at least one sample and one class
// (ErrEmpty), as many logits and labels as these say (ErrShape), finite logits
// (ErrNotFinite) and labels in range (ErrLabel). Every function of this package
// that takes Outputs returns these errors.
func (o Outputs) Check() error { return o.check("logits") }

func (o Outputs) check(what string) error {
	if err := o.checkLogits(what); err != nil {
		return err
	}
	return checkLabels(what, o.Labels, o.N, o.Classes)
}

func (o Outputs) checkLogits(what string) error {
	if o.N < 1 || o.Classes < 1 {
		return fmt.Errorf("metrics: %w: %s are %d×%d", ErrEmpty, what, o.N, o.Classes)
	}
	return checkMatrix(what, o.Logits, o.N, o.Classes)
}

func checkMatrix(what string, x []float32, n, d int) error {
	if len(x)%d != 0 || len(x)/d != n { // n·d may overflow
		return fmt.Errorf("metrics: %w: %d %s for %d×%d", ErrShape, len(x), what, n, d)
	}
	if i := finite.First(x); i >= 0 {
		return fmt.Errorf("metrics: %w: %s of sample %d, element %d is %v", ErrNotFinite, what, i/d, i%d, x[i])
	}
	return nil
}

// maxClasses bounds what is allocated before a label is read.
const maxClasses = 1 << 24

func checkLabels(what string, labels []int, n, classes int) error {
	if len(labels) != n {
		return fmt.Errorf("metrics: %w: %s: %d labels for %d samples", ErrShape, what, len(labels), n)
	}
	if classes < 0 || classes > maxClasses {
		return fmt.Errorf("metrics: %w: %s: %d classes, want at most %d", ErrRange, what, classes, maxClasses)
	}
	for i, y := range labels {
		if y < 0 || y >= classes {
			return fmt.Errorf("metrics: %w: %s: sample %d has label %d of %d classes", ErrLabel, what, i, y, classes)
		}
	}
	return nil
}

func checkScores(what string, x []float64) error {
	if len(x) == 0 {
		return fmt.Errorf("metrics: %w: %s", ErrEmpty, what)
	}
	if i := finite.First(x); i >= 0 {
		return fmt.Errorf("metrics: %w: %s, element %d is %v", ErrNotFinite, what, i, x[i])
	}
	return nil
}

// checkUnit returns an error unless 0 ≤ v ≤ 1.
func checkUnit(what string, v float64) error {
	if !(v >= 0 && v <= 1) {
		return fmt.Errorf("metrics: %w: %s is %v, want 0 to 1", ErrRange, what, v)
	}
	return nil
}

// surprisals is −log softmax of one row. Taking the largest logit out of the
// sum leaves log1p of what remains, so a probability close to one keeps its
// digits: a loss of 1e-30 is not rounded to 0.
type surprisals struct {
	s    []float64 // sᵢ = −log pᵢ ≥ 0
	top  int       // the first class with the largest logit
	rest float64   // log Σ_{i≠top} exp(zᵢ − z_top); −Inf for a single class
}

func (u *surprisals) set(row []float32) {
	if cap(u.s) < len(row) {
		u.s = make([]float64, len(row))
	}
	u.s = u.s[:len(row)]
	u.top = argmax(row)
	u.rest = logRest(row, u.top)
	lse := math.Log1p(math.Exp(u.rest))
	for i, v := range row {
		u.s[i] = float64(row[u.top]) - float64(v) + lse
	}
}

// logRest returns log Σ_{i≠top} exp(zᵢ − z_top).
func logRest(row []float32, top int) float64 {
	second := math.Inf(-1)
	for i, v := range row {
		if i != top {
			second = max(second, float64(v))
		}
	}
	if math.IsInf(second, -1) {
		return second
	}
	var sum float64
	for i, v := range row {
		if i != top {
			sum += math.Exp(float64(v) - second)
		}
	}
	return second - float64(row[top]) + math.Log(sum)
}

// logOneMinus returns log(1 − pᵢ); every class but top has pᵢ ≤ ½.
func (u *surprisals) logOneMinus(i int) float64 {
	if i == u.top {
		return u.rest + u.logTop()
	}
	return math.Log1p(-math.Exp(-u.s[i]))
}

// entropy returns −Σ p log p, a sum of terms ≥ 0.
func (u *surprisals) entropy() float64 {
	var h float64
	for _, s := range u.s {
		h += math.Exp(-s) * s
	}
	return h
}

func (u *surprisals) logTop() float64 { return -u.s[u.top] }

// argmax returns the first position of the largest element.
func argmax(row []float32) int {
	best := 0
	for i, v := range row {
		if v > row[best] {
			best = i
		}
	}
	return best
}
