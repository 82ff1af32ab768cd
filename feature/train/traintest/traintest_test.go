package traintest_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/feature/train/traintest"
)

func TestOptimizers(t *testing.T) {
	for _, o := range []train.Optimizer{
		train.SGD{Rate: .1}, train.SGD{Rate: .05, Momentum: .9, WeightDecay: 1e-3},
		train.Adam{Rate: .01}, train.Adam{Rate: .01, Beta1: .5, WeightDecay: .1}, train.Muon{Rate: .02}, train.Muon{Rate: .05, Momentum: .5, Vectors: .1}, inertia{},
	} {
		t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) { traintest.Run(t, o) })
	}
}

// inertia is momentum with one fault; without one it is right.
type inertia struct {
	fault  string
	shared *state // of all runs
}

type state struct {
	inertia
	v     [][]float32
	kept  [][]float32
	steps int
}

func (o inertia) Start(feature.Spec) (train.OptimizerState, error) {
	if o.fault == "fresh state: settings hold the state" {
		return o.shared, nil
	}
	return &state{inertia: o, v: make([][]float32, 4)}, nil
}

// check refuses what an optimizer must refuse.
func (s *state) check(m feature.Trainable, dp [][]float32, scale float64) error {
	if s.fault != "scale: takes any" && !(scale >= 0 && scale < 1e9) {
		return train.ErrParameter
	}
	if err := feature.CheckGrad(m.Spec(), feature.Mode{}, feature.NewTensor(1, 3), nil, nil, dp); err != nil || dp == nil {
		if s.fault == "wrong lengths: ignored" {
			return nil
		}
		return feature.ErrShape
	}
	return nil
}

func (s *state) MarshalBinary() ([]byte, error) { return json.Marshal(s.v) }

func (s *state) UnmarshalBinary(b []byte) error {
	if s.fault == "goes on from its bytes: forgets them" {
		return nil
	}
	return json.Unmarshal(b, &s.v)
}

func (s *state) Step(m feature.Trainable, dp [][]float32, scale float64) error {
	if s.fault == "wrong lengths: panics" {
		_ = dp[3][len(dp[0])]
	}
	if err := s.check(m, dp, scale); err != nil {
		return err
	}
	s.steps++
	if s.fault == "arguments: keeps the gradients" {
		s.kept, dp = dp, cmpOr(s.kept, dp)
	}
	for i, g := range dp {
		if g == nil {
			if s.fault == "nil gradients: decays all" {
				_ = feature.UpdateParam(m, i, make([]float32, feature.Size(m.Spec().Params[i].Shape)), func(w []float32) { w[0] *= .99 })
			}
			continue
		}
		if s.v[i] == nil {
			s.v[i] = make([]float32, len(g))
		}
		if err := feature.UpdateParam(m, i, make([]float32, len(g)), func(w []float32) { s.move(w, g, s.v[i], float32(scale)) }); err != nil {
			return err
		}
	}
	return nil
}

func (s *state) move(w, g, v []float32, scale float32) {
	rate := float32(.05)
	switch s.fault {
	case "descends: ascends":
		rate = -rate
	case "steps by parameter: one counter":
		rate /= float32(s.steps)
	case "scale 0: decays":
		w[0] *= .99
	}
	for k := range w {
		v[k] = .5*v[k] + g[k]
		w[k] -= scale * rate * v[k]
	}
	if s.fault == "arguments: writes the gradients" {
		clear(g)
	}
}

func cmpOr(a, b [][]float32) [][]float32 {
	if a != nil {
		return a
	}
	return b
}

func TestRejectsFaults(t *testing.T) {
	global := &state{v: make([][]float32, 4)}
	for _, fault := range []string{
		"fresh state: settings hold the state", "runs apart: settings hold the state", "scale: takes any", "wrong lengths: ignored",
		"wrong lengths: panics", "arguments: keeps the gradients", "arguments: writes the gradients", "nil gradients: decays all",
		"descends: ascends", "steps by parameter: one counter", "scale 0: decays", "goes on from its bytes: forgets them",
	} {
		law, what, _ := strings.Cut(fault, ": ")
		o := inertia{fault: fault, shared: global}
		if what == "settings hold the state" {
			o.fault = "fresh state: " + what
		}
		err := traintest.Check(o)
		if err == nil || !strings.Contains(err.Error(), "traintest: "+law+": ") {
			t.Errorf("%s: error is %v", fault, err)
			continue
		}
		t.Logf("%s: %s", fault, slices.Collect(strings.Lines(err.Error()))[0])
	}
}

// An optimizer of one's own is tested in one line; in a test function, by
//
//	traintest.Run(t, mine)
func ExampleCheck() {
	fmt.Println(traintest.Check(train.SGD{Rate: .1, Momentum: .9}))
	fmt.Println(traintest.Check(train.SGD{Rate: 3}) != nil) // overshoots
	// Output:
	// <nil>
	// true
}
