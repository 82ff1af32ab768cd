package metrics

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// quarters returns outputs of four classes on multiples of ¼, which the Python
// program of the golden numbers made by the same formula.
func quarters(n, k int) Outputs {
	o := Outputs{N: n, Classes: 4}
	for i := range n {
		o.Labels = append(o.Labels, i%4)
		for j := range 4 {
			o.Logits = append(o.Logits, float32((i*7+j*13+k*5+i*j*k)%17)/4)
		}
	}
	return o
}

func mirrored(o Outputs) Outputs {
	for i := range o.N {
		row := o.Row(i)
		row[0], row[1], row[2], row[3] = row[3], row[2], row[1], row[0]
		o.Labels[i] = 3 * i % 4
	}
	return o
}

// Goldens by NumPy 1.24 and SciPy 1.10 (log_softmax, logsumexp, gumbel_r.cdf)
// from the definitions.
func TestReferencedAgainstSciPy(t *testing.T) {
	two := Referenced{quarters(6, 1), []Outputs{quarters(6, 3), quarters(6, 4)}}
	one := Referenced{two.Model, two.References[:1]}
	population := Referenced{mirrored(quarters(9, 5)), []Outputs{mirrored(quarters(9, 6)), mirrored(quarters(9, 7))}}
	original := quarters(6, 2)
	for _, c := range []struct {
		what string
		got  []float64
		want []float64
	}{
		{"LiRA, two models", must(two.LiRA()), []float64{-0.6668801862952188, 0.0038757158540138957, 0.6212173296036674, 0.17034371155571623, 0.12519584372822587, 0.1456730802868964}},
		{"LiRA, one model", must(one.LiRA()), []float64{-2.414805785600755, -0.03962092278419172, 0.30352790796680673, 1.285255820918153, 0.6025010510124142, 0.6008139417344897}},
		{"RMIA", must(two.RMIA(population)), []float64{2. / 9, 4. / 9, 5. / 9, 3. / 9, 4. / 9, 4. / 9}},
		{"IAM, two models", must(two.IAM(original)), []float64{0.8970360822560353, 0.7866086322881146, 0.06467938351197644, 0.16975708499480657, 0.12552679856148108, 0.129318348975617}},
		{"IAM, one model", must(one.IAM(original)), []float64{0.9484733618349267, 0.7557751535537918, 0.11367244349946548, 0.12081405459938344, 0.11661371093100059, 0.12362667475020206}},
	} {
		for i, want := range c.want {
			near(t, c.what, c.got[i], want, 1e-12)
		}
	}
}

// From 64 reference models on each sample has its own deviation.
func TestLiRAWithManyModels(t *testing.T) {
	r := rand.New(rand.NewPCG(12, 1))
	ref := Referenced{Model: simulated(r, 5, 1, .5, .5)}
	var margins [5][]float64
	for range 64 {
		o := simulated(r, 5, 1, .5, .5)
		o.Labels = ref.Model.Labels
		ref.References = append(ref.References, o)
		for i, v := range must(o.LogitMargins()) {
			margins[i] = append(margins[i], v)
		}
	}
	own := must(ref.Model.LogitMargins())
	for i, z := range must(ref.LiRA()) {
		sum, squares := 0.0, 0.0
		for _, v := range margins[i] {
			sum += v
			squares += v * v
		}
		near(t, "z", z, (own[i]-sum/64)/math.Sqrt((squares-sum*sum/64)/63), 1e-12)
	}
}

// A model like the references has forgotten, one like the original has not; far
// logits stay finite, and so does a set without variation.
func TestIAMAtItsEnds(t *testing.T) {
	r := rand.New(rand.NewPCG(12, 2))
	retrained, original := simulated(r, 200, .5, .5, .5), simulated(r, 200, 6, .5, .5)
	original.Labels = retrained.Labels
	for i, y := range original.Labels {
		original.Row(i)[y] += 12
	}
	forgot := mean(must(Referenced{retrained, []Outputs{retrained}}.IAM(original)))
	kept := mean(must(Referenced{original, []Outputs{retrained}}.IAM(original)))
	if !(forgot > .6 && kept < .3) {
		t.Errorf("mean completeness %.3f of a retrained model, %.3f of the original", forgot, kept)
	}
	far := retrained
	far.Logits = append([]float32{}, retrained.Logits...)
	for i := range far.Logits {
		far.Logits[i] *= 1e37
	}
	flat := outputs(2, []int{0, 1}, 1, 1, 1, 1)
	for _, c := range []Referenced{{far, []Outputs{retrained}}, {retrained, []Outputs{far}}, {far, []Outputs{far, retrained}}, {flat, []Outputs{flat}}} {
		for _, list := range [][]float64{must(c.LiRA()), must(c.RMIA(c)), must(c.IAM(c.Model))} {
			if err := checkScores("scores", list); err != nil {
				t.Error(err)
			}
		}
	}
	if v := must(Referenced{flat, []Outputs{flat}}.IAM(flat))[0]; v != .5 {
		t.Errorf("without variation: %v", v)
	}
}

func TestBadReferenced(t *testing.T) {
	good := quarters(4, 1)
	single := outputs(1, []int{0}, 1)
	lira := func(r Referenced) error { _, err := r.LiRA(); return err }
	rmia := func(r, z Referenced) error { _, err := r.RMIA(z); return err }
	iam := func(r Referenced, o Outputs) error { _, err := r.IAM(o); return err }
	ok := Referenced{good, []Outputs{good}}
	for i, c := range []struct{ got, want error }{
		{lira(Referenced{}), ErrEmpty},
		{lira(Referenced{Model: good}), ErrEmpty},
		{lira(Referenced{good, []Outputs{quarters(5, 1)}}), ErrShape},
		{lira(Referenced{single, []Outputs{single}}), ErrOneClass},
		{rmia(ok, Referenced{Model: good}), ErrEmpty},
		{rmia(ok, Referenced{good, []Outputs{good, good}}), ErrShape},
		{rmia(Referenced{}, ok), ErrEmpty},
		{iam(ok, quarters(5, 1)), ErrShape},
		{iam(ok, Outputs{}), ErrEmpty},
		{iam(Referenced{}, good), ErrEmpty},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("case %d: got %v, want %v", i, c.got, c.want)
		}
	}
}
