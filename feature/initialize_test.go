package feature_test

import (
	"math"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/nn"
)

// A uniform number in ±b has mean 0, and b²/3 is its variance.
func TestReinitializeDistribution(t *testing.T) {
	m := featuretest.NewMLP(300, 200, 40, 1)
	if err := feature.Reinitialize(m, nil, 7); err != nil {
		t.Fatal(err)
	}
	for i, fanIn := range []int{300, 300, 200, 200} { // a bias has the bound of its weight
		bound := 1 / math.Sqrt(float64(fanIn))
		var sum, squares, top float64
		for _, v := range m.P[i] {
			sum += float64(v)
			squares += float64(v) * float64(v)
			top = max(top, math.Abs(float64(v)))
		}
		n := float64(len(m.P[i]))
		// The mean has deviation b/√(3n), and the mean square b²·√(4/45n); five
		// of them are allowed.
		if d := math.Abs(sum / n); d > 5*bound/math.Sqrt(3*n) {
			t.Errorf("parameter %d: mean %v, bound %v", i, sum/n, bound)
		}
		if d := math.Abs(squares/n - bound*bound/3); d > 5*bound*bound*math.Sqrt(4/(45*n)) {
			t.Errorf("parameter %d: mean square %v, want %v", i, squares/n, bound*bound/3)
		}
		if top > bound*(1+1e-6) || top < bound*(1-10/n) { // rounded to float32
			t.Errorf("parameter %d: largest size %v, bound %v", i, top, bound)
		}
	}
}

func TestReinitializeNormsAndChoice(t *testing.T) {
	m, err := nn.ResNet(nn.ResNetConfig{Input: []int{3, 8, 8}, Classes: 4, Widths: []int{4, 6}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range m.Spec().Params {
		w := slices.Repeat([]float32{5}, feature.Size(p.Shape))
		if err := m.SetParam(i, w); err != nil {
			t.Fatal(err)
		}
	}
	params := m.Spec().Params
	chosen := params[0].Name
	if err := feature.Reinitialize(m, func(p feature.Param) bool { return p.Name != chosen }, 7); err != nil {
		t.Fatal(err)
	}
	w, err := feature.Snapshot(m)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range params {
		if p.Name == chosen {
			if !slices.Equal(w[i], slices.Repeat([]float32{5}, len(w[i]))) {
				t.Errorf("%q changed, which was not chosen", p.Name)
			}
			continue
		}
		want, constant := float32(0), true
		switch {
		case p.Kind == feature.Statistic && params[i-1].Kind == feature.Statistic:
			want = 1 // the variance follows the mean
		case p.Kind == feature.Weight && len(p.Shape) == 1:
			want = 1
		case p.Kind != feature.Statistic && (len(p.Shape) > 1 || len(params[i-1].Shape) > 1):
			constant = false
		}
		if same := slices.Equal(w[i], slices.Repeat([]float32{want}, len(w[i]))); same != constant {
			t.Errorf("%s %q of shape %v is %v", p.Kind, p.Name, p.Shape, w[i][:1])
		}
	}
}

// frozenFirst is a model whose first layer is frozen.
type frozenFirst struct{ *featuretest.MLP }

func (m frozenFirst) Spec() feature.Spec {
	s := m.MLP.Spec()
	s.Params[0].Trainable, s.Params[1].Trainable = false, false
	return s
}

func TestReinitializeLeavesFrozenParameters(t *testing.T) {
	m := featuretest.NewMLP(4, 3, 2, 1)
	old := slices.Clone(m.P[0])
	if err := feature.Reinitialize(frozenFirst{m}, nil, 7); err != nil {
		t.Fatal(err)
	}
	a := slices.Clone(m.P[2])
	if !slices.Equal(m.P[0], old) {
		t.Error("a frozen weight changed")
	}
	if err := feature.Reinitialize(m, nil, 7); err != nil {
		t.Fatal(err)
	}
	if slices.Equal(m.P[0], old) || !slices.Equal(m.P[2], a) {
		t.Error("the draw of one parameter depends on whether another is drawn")
	}
	if err := feature.Reinitialize(m, nil, 8); err != nil {
		t.Fatal(err)
	}
	if slices.Equal(m.P[2], a) {
		t.Error("two seeds give one draw")
	}
}

// oneStatistic calls the biases statistics.
type oneStatistic struct{ *featuretest.MLP }

func (m oneStatistic) Spec() feature.Spec {
	s := m.MLP.Spec()
	s.Params = slices.Clone(s.Params)
	for _, i := range []int{1, 3} {
		s.Params[i].Kind, s.Params[i].Trainable = feature.Statistic, false
	}
	return s
}

// The statistics of a norm are counted from its weight on, however many the norm
// before has.
func TestReinitializeCountsStatisticsByNorm(t *testing.T) {
	m := featuretest.NewMLP(3, 4, 2, 1)
	if err := feature.Reinitialize(oneStatistic{m}, nil, 7); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(m.P[1], make([]float32, 4)) || !slices.Equal(m.P[3], make([]float32, 2)) {
		t.Errorf("the first statistics of two norms are %v and %v, want zeros", m.P[1], m.P[3])
	}
}
