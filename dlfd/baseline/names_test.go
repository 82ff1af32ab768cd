package baseline_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/synth"
)

func TestByName(t *testing.T) {
	for text, want := range map[string]dlfd.Unlearner{
		"finetune":                                         baseline.FineTune{},
		"scrub:rate=.01:epochs=3":                          baseline.SCRUB{Descent: baseline.Descent{Epochs: 3, Rate: .01}},
		"neggrad+:beta=.2:harm=off":                        baseline.NegGradPlus{Limit: baseline.Limit{Harm: dlfd.Off}, Beta: .2},
		"align:match=off:always":                           dlfd.Align{Match: dlfd.Off, Always: true},
		"shrinkperturb:nonorms=false":                      baseline.ShrinkPerturb{},
		"shortretrain:nonorms:epochs=7":                    baseline.ShortRetrain{Descent: baseline.Descent{Epochs: 7}, NoNorms: true},
		"scrub+r":                                          baseline.Rewind{Of: baseline.SCRUB{}},
		"rewind:every=50:neggrad:rate=.1":                  baseline.Rewind{Of: baseline.NegGrad{Descent: baseline.Descent{Rate: .1}}, Every: 50},
		"budget:passes=100:earlystop:auc=.6:cfk:k=2":       baseline.Budget{Passes: 100, Of: baseline.EarlyStop{AUC: .6, Of: baseline.CFk{K: 2}}},
		"dlfd:steering.cap=.05:synth.steps=7:lambda=off/2": dlfd.DLFD{Steering: dlfd.Steering{Cap: .05}, Synth: synth.Synthesizer{Steps: 7}, Lambda: [2]float64{dlfd.Off, 2}},
		"dlfd:synth.distance=sinkhorn/cosine/eps=.1":       dlfd.DLFD{Synth: synth.Synthesizer{Distance: distance.Sinkhorn{Cost: distance.Cosine{}, Epsilon: .1}}},
		"sequential:parts=4:salun":                         baseline.Sequential{Parts: 4, Of: baseline.SalUn{}},
	} {
		if u, err := baseline.ByName(text); err != nil || !reflect.DeepEqual(u, want) {
			t.Errorf("%q is %+v, %v; want %+v", text, u, err, want)
		}
	}
	for _, text := range []string{"", "nothing", "finetune:", "finetune:rate", "finetune:rate=x", "finetune:epochs=1.5", "finetune:rate=.1:rate=.1", "finetune:Rate=.1", "finetune:beta=1", "finetune:epochs=off", "rewind", "rewind:every=5", "retrain:fresh=1", "align:always=maybe", "dlfd:lambda=1", "dlfd:lambda=1/x", "dlfd:synth=1", "dlfd:synth.distance=nearby", "dlfd:synth.distance=", "dlfd:steering.of=2", "finetune:scrub"} {
		if u, err := baseline.ByName(text); !errors.Is(err, dlfd.ErrParameter) {
			t.Errorf("%q is %+v, %v", text, u, err)
		}
	}
}

// What one call sets, another does not see; names are sorted and tell methods apart.
func TestNames(t *testing.T) {
	if _, err := baseline.ByName("scrub+r:every=7"); err != nil {
		t.Fatal(err)
	}
	names := baseline.Names()
	if !slices.IsSorted(names) || len(names) < 17 {
		t.Errorf("names: %q", names)
	}
	said := map[string]string{}
	for _, name := range names {
		u, err := baseline.ByName(name)
		if err != nil {
			t.Fatal(err)
		}
		own := dlfd.NameOf(u)
		if other, twice := said[own]; own == "" || twice {
			t.Errorf("%q and %q are both called %q", name, other, own)
		}
		said[own] = name
		if r, ok := u.(baseline.Rewind); ok && r.Every != 0 {
			t.Errorf("%q has settings of an earlier call", name)
		}
	}
}

func TestWithFresh(t *testing.T) {
	fresh := func(uint64) (feature.Trainable, error) { return nil, errors.New("called") }
	for text, want := range map[string]bool{"retrain": true, "budget:passes=1000:shortretrain": true, "finetune": false, "rewind:scrub": false} {
		u, err := baseline.ByName(text)
		if err != nil {
			t.Fatal(err)
		}
		_, err = baseline.WithFresh(u, fresh).Unlearn(t.Context(), trained(t), task(), nil)
		if called := err != nil && err.Error() != ""; called != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}
