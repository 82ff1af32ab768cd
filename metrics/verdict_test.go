package metrics

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func compared(lo, hi float64, retrained ...float64) *Compared {
	return &Compared{Interval{lo, hi}, retrained}
}

// One case for each rule of Judge, and those in which two rules hold.
func TestJudgeByEachRule(t *testing.T) {
	band := []float64{.47, .45, .49}
	passes := compared(.44, .52, band...)
	smi := func(lo, hi float64) *Estimate { return &Estimate{(lo + hi) / 2, Interval{lo, hi}} }
	for i, c := range []struct {
		e       Evidence
		want    Verdict
		because string
	}{
		{Evidence{AUC: compared(.5, .6, band...)}, UnderUnlearned, "attack AUC 0.500 to 0.600, retrained 0.450 to 0.490"},
		{Evidence{AUC: compared(.49, .6, band...)}, WithinBand, "attack AUC"},
		{Evidence{AUC: compared(.3, .45, band...)}, WithinBand, "attack AUC"},
		{Evidence{AUC: compared(.3, .44, band...)}, OverUnlearned, "attack AUC"},
		{Evidence{AUC: passes, TestAccuracy: compared(.08, .12, .9, .91)}, OverUnlearned, "test accuracy"},
		{Evidence{AUC: passes, TestAccuracy: compared(.92, .93, .9, .91)}, WithinBand, "test accuracy"},
		{Evidence{AUC: passes, ForgetAccuracy: compared(.97, 1, 0, .01)}, UnderUnlearned, "forget accuracy"},
		{Evidence{AUC: passes, ForgetAccuracy: compared(.2, .3, .5, .6)}, OverUnlearned, "forget accuracy"},
		{Evidence{AUC: passes, ForgetAccuracy: compared(.4, .51, .5, .6)}, WithinBand, "forget accuracy"},
		{Evidence{AUC: passes, TestAccuracy: compared(.08, .12)}, WithinBand, "attack AUC"},
		{Evidence{AUC: passes, Resurgence: compared(.06, .2, -.01, .05)}, Hidden, "resurgence"},
		{Evidence{AUC: passes, Resurgence: compared(.04, .2, -.01, .05)}, WithinBand, "resurgence"},
		{Evidence{AUC: passes, Relearning: compared(.01, .2)}, Hidden, "relearning 0.010 to 0.200, in theory 0.000"},
		{Evidence{AUC: passes, Relearning: compared(-.2, -.1, -.05, .02)}, OverUnlearned, "relearning -0.200 to -0.100"},
		{Evidence{AUC: passes, Scatter: compared(1.3, 1.6, .8, 1.1)}, Hidden, "scatter"},
		{Evidence{AUC: compared(.5, .6, band...), Scatter: compared(1.3, 1.6, .8, 1.1)}, UnderUnlearned, "attack AUC"},
		{Evidence{AUC: passes, SMI: smi(.2, .4), SDE: .01, TwoSample: .01}, WithinBand, "attack AUC"},
		{Evidence{AUC: passes, OriginalAUC: .56, Samples: 100}, WithinBand, "attack AUC"},
		{Evidence{AUC: passes, OriginalAUC: .51, Samples: 100}, CannotTell, "400 samples"},
		{Evidence{AUC: passes, OriginalAUC: .51, Resurgence: compared(.1, .2)}, Hidden, "resurgence"},
		{Evidence{AUC: compared(.6, .7, band...), Attack: "LiRA"}, UnderUnlearned, "LiRA attack AUC 0.600 to 0.700"},
		{Evidence{AUC: passes, Attack: "LiRA", OriginalAUC: .51, Samples: 100}, CannotTell, "the interval of the LiRA attack AUC"},
		{Evidence{AUC: passes, Scatter: compared(1.3, 1.6, 1.1)}, Hidden, "this rests on one retrained model"},
		{Evidence{AUC: passes, Scatter: compared(1.3, 1.6, 1.1)}, Hidden, "retrained 1.100 (one model)"},
		{Evidence{AUC: passes, Doubts: []string{"the second model is odd"}}, CannotTell, "the second model is odd"},
		{Evidence{AUC: compared(.6, .7, band...), Doubts: []string{"the second model is odd"}}, UnderUnlearned, "attack AUC"},
		{Evidence{AUC: passes, UnseenOfClass: compared(.3, .4, 0, 0)}, UnderUnlearned, "unseen samples of the class 0.300 to 0.400"},
		{Evidence{AUC: passes, UnseenOfClass: compared(.005, .1, 0, 0)}, WithinBand, "unseen samples of the class"},
		{Evidence{AUC: passes, UnseenOfClass: compared(.005, .1, 0, 0), ForgetAccuracy: compared(.008, .02, 0, 0)}, WithinBand, "forget accuracy"},
		{Evidence{AUC: passes, UnseenOfClass: compared(0, .1, 0, 0), ForgetAccuracy: compared(.02, .1, 0, 0)}, UnderUnlearned, "forget accuracy"},
		{Evidence{AUC: passes, OriginalAUC: .51, UnseenOfClass: compared(0, .1, 0, 0), OriginalUnseen: .9}, WithinBand, "unseen samples of the class"},
		{Evidence{AUC: passes, OriginalAUC: .51, UnseenOfClass: compared(0, .1, 0, 0), OriginalUnseen: .09}, CannotTell, "attack AUC"},
		{Evidence{AUC: compared(.45, .55), UnseenOfClass: compared(.3, .4)}, UnderUnlearned, "in theory 0.000"},
		{Evidence{AUC: compared(.45, .55), UnseenOfClass: compared(0, .1), OriginalUnseen: .8}, WithinBand, "unseen samples of the class"},

		{Evidence{SMI: smi(.5, .8)}, UnderUnlearned, "SMI 0.650 in 0.500 to 0.800"},
		{Evidence{SMI: smi(.5, .8), AUC: compared(.45, .55)}, Hidden, "SMI"},
		{Evidence{SMI: smi(.5, .8), AUC: compared(.35, .45)}, OverUnlearned, "SMI"},
		{Evidence{SMI: smi(.5, .8), AUC: compared(.55, .6)}, UnderUnlearned, "SMI"},
		{Evidence{SMI: smi(1.1, 1.4)}, OverUnlearned, "SMI"},
		{Evidence{SMI: smi(.8, 1.1)}, WithinBand, "SMI"},
		{Evidence{SMI: smi(.8, 1.1), AUC: compared(.55, .6)}, CannotTell, "membership"},
		{Evidence{SMI: smi(-.2, 1.8), Samples: 100}, CannotTell, "400 samples"},
		{Evidence{SMI: smi(.8, 1.1), TwoSample: .03}, UnderUnlearned, "two-sample test has p = 0.03"},
		{Evidence{SMI: smi(.8, 1.1), SDE: .03}, UnderUnlearned, "SDE has p = 0.03"},
		{Evidence{SMI: smi(.8, 1.1), SDE: .06, TwoSample: .06}, WithinBand, "SDE"},
		{Evidence{Resurgence: compared(.01, .2), AUC: compared(.45, .55)}, Hidden, "resurgence"},
		{Evidence{Resurgence: compared(-.01, .2), AUC: compared(.45, .55)}, CannotTell, "nothing here says"},
		{Evidence{AUC: compared(.45, .55), OriginalAUC: .7}, WithinBand, "attack AUC"},
		{Evidence{AUC: compared(.45, .55), OriginalAUC: .55, Samples: 10}, CannotTell, "40 samples"},
		{Evidence{SDE: .5}, CannotTell, "nothing here says"},
		{Evidence{ForgetAccuracy: compared(.9, 1, .5, .6)}, UnderUnlearned, "forget accuracy 0.900 to 1.000"},
		{Evidence{ForgetAccuracy: compared(.55, 1, .5, .6)}, CannotTell, "nothing here says"},
	} {
		j := must(Judge(c.e))
		if j.Verdict != c.want || !strings.Contains(strings.Join(j.Because, "; "), c.because) {
			t.Errorf("case %d: %v; want %v because of %s", i, j, c.want, c.because)
		}
	}
}

func TestJudgmentSaysWhatItRestsOn(t *testing.T) {
	j := must(Judge(Evidence{AUC: compared(.4, .5), SDE: .2, SMI: &Estimate{.9, Interval{.8, 1.1}}}))
	if len(j.RestsOn) != 3 || len(j.Lacks) != 1 || !strings.Contains(j.Lacks[0], "no retrained model") {
		t.Errorf("%+v", j)
	}
	j = must(Judge(Evidence{AUC: compared(.4, .5, .45)}))
	if len(j.RestsOn) != 1 || len(j.Lacks) != 4 {
		t.Errorf("%+v", j)
	}
	j = must(Judge(Evidence{AUC: compared(.4, .5, .45, .46), Scatter: compared(1.3, 1.6, 1, 1.1)}))
	if text := j.String(); j.Verdict != Hidden || strings.Contains(text, "one") {
		t.Errorf("two models are called one: %s", text)
	}
	j = must(Judge(Evidence{AUC: compared(.4, .5, .45), OriginalAUC: .45, Samples: 9}))
	if j.Verdict != CannotTell || j.Samples != 0 {
		t.Errorf("no number of samples decides: %+v", j)
	}
	text := must(json.Marshal(must(Judge(Evidence{AUC: compared(.6, .7, .45)}))))
	var back Judgment
	if err := json.Unmarshal(text, &back); err != nil || back.Verdict != UnderUnlearned || !strings.Contains(string(text), `"under-unlearned"`) {
		t.Errorf("%s: %v, %v", text, back, err)
	}
	if err := back.Verdict.UnmarshalText([]byte("fine")); !errors.Is(err, ErrRange) {
		t.Errorf("unknown verdict: %v", err)
	}
	if s := Verdict(9).String(); s != "Verdict(9)" {
		t.Errorf("unknown verdict is %q", s)
	}
}

// A model retrained with a further seed is within the band of five others at no
// less than the promised rate, with attack, resurgence and scatter at once.
func TestRetrainedIsWithinTheBand(t *testing.T) {
	const models, n = 6, 200
	normal := func(r *rand.Rand, mean float64) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = mean + r.NormFloat64()
		}
		return x
	}
	rate := covered(200, 1, func(k int) []bool {
		r := rand.New(rand.NewPCG(uint64(k), 80))
		e := Evidence{AUC: &Compared{}, Resurgence: &Compared{}, Samples: n, OriginalAUC: .8}
		at := []float64{0, 1}
		for range models { // the last one is judged
			shift := .03 * r.NormFloat64() // of a training seed
			m, h := normal(r, shift), normal(r, 0)
			e.AUC.Retrained = append(e.AUC.Retrained, must(AUC(m, h)))
			e.AUC.Interval = must(AUCInterval(m, h, .95))
			before, after := regrowth(at, m, normal(r, shift)), regrowth(at, h, normal(r, 0))
			rise := must(before.Resurgence(after, .95))
			e.Resurgence.Retrained = append(e.Resurgence.Retrained, rise.Value)
			e.Resurgence.Interval = rise.Interval
		}
		e.AUC.Retrained, e.Resurgence.Retrained = e.AUC.Retrained[:models-1], e.Resurgence.Retrained[:models-1]
		return []bool{must(Judge(e)).Verdict == WithinBand}
	})
	t.Logf("within the band in %.3f of draws", rate[0])
	if rate[0] < .92 {
		t.Errorf("within the band in %.3f of draws", rate[0])
	}
}

func TestBadEvidence(t *testing.T) {
	nan := math.NaN()
	for i, c := range []struct {
		e    Evidence
		want error
	}{
		{Evidence{}, ErrEmpty},
		{Evidence{OriginalAUC: .5, Samples: 3}, ErrEmpty},
		{Evidence{TestAccuracy: compared(.4, .5)}, ErrEmpty},
		{Evidence{UnseenOfClass: compared(.4, 1.5)}, ErrRange},
		{Evidence{SDE: .5, OriginalUnseen: 2}, ErrRange},
		{Evidence{AUC: compared(.5, .4)}, ErrRange},
		{Evidence{AUC: compared(.5, 1.4)}, ErrRange},
		{Evidence{AUC: compared(.5, .6, nan)}, ErrNotFinite},
		{Evidence{AUC: compared(.5, .6, 2)}, ErrRange},
		{Evidence{Resurgence: compared(nan, 0)}, ErrNotFinite},
		{Evidence{Relearning: compared(0, math.Inf(1))}, ErrNotFinite},
		{Evidence{SMI: &Estimate{0, Interval{1, 0}}}, ErrRange},
		{Evidence{SDE: 1.5}, ErrRange},
		{Evidence{TwoSample: nan}, ErrRange},
		{Evidence{OriginalAUC: -1}, ErrRange},
		{Evidence{AUC: compared(.4, .5), Samples: -1}, ErrRange},
	} {
		if _, err := Judge(c.e); !errors.Is(err, c.want) {
			t.Errorf("case %d: got %v, want %v", i, err, c.want)
		}
	}
}
