package distancetest_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/distance/distancetest"
)

// meanDistance is |x̄−ȳ|², written plainly: what the mutants are mutants of.
type meanDistance struct{ mutation string }

func (meanDistance) Properties() distance.Properties {
	return distance.Properties{
		Symmetric: true, Nonnegative: true, Definite: true, Root: 2, Translation: true,
		Rotation: true, Homogeneous: true, Degree: 2, Weighted: true,
	}
}

var shared []float64 // what the mutant "race" keeps between calls

func (d meanDistance) Eval(ws *distance.Workspace, gx, gy []float64, x, y distance.Sample) (float64, error) {
	if d.mutation == "no checks" {
		if x.N == 0 || y.N == 0 || x.Dim != y.Dim {
			return 0, nil
		}
	} else if err := distance.Check(gx, gy, x, y); err != nil {
		return 0, err
	}
	if d.mutation == "panics on one point" && x.N == 1 {
		panic("one point")
	}
	if d.mutation == "hangs on equal points" && x.N > 1 && x.Row(0)[0] == x.Row(1)[0] {
		time.Sleep(time.Hour)
	}
	if d.mutation == "NaN on equal points" && x.N > 1 && x.Row(0)[0] == x.Row(1)[0] {
		return math.NaN(), nil
	}
	ws = ws.Enter()
	defer ws.Leave()
	diff := ws.Floats(x.Dim)
	if d.mutation == "allocates" {
		diff = make([]float64, x.Dim)
	}
	if d.mutation != "reads dirty memory" {
		clear(diff)
	}
	d.addMean(diff, 1, x)
	d.addMean(diff, -1, y)
	if d.mutation == "state between calls" {
		shared = append(shared, diff[0])
		diff[0] += 1e-9 * float64(len(shared))
	}
	var value float64
	for _, v := range diff {
		value += v * v
	}
	if d.mutation == "writes input" {
		x.X[0] += 1e-12
	}
	if d.mutation == "nil gy" && gy == nil {
		value *= 1 + 1e-6
	}
	d.gradient(gx, 1, diff, x)
	d.gradient(gy, -1, diff, y)
	switch d.mutation {
	case "negative":
		return -value, nil
	case "offset":
		return value + 1, nil
	case "asymmetric":
		return value * 1.5, nil
	case "first coordinate":
		return diff[0] * diff[0], nil
	case "root":
		return math.Sqrt(value), nil
	}
	return value, nil
}

func (d meanDistance) addMean(diff []float64, sign float64, s distance.Sample) {
	for i := range s.N {
		row := s.Row(i)
		if d.mutation == "ignores stride" {
			row = s.X[i*s.Dim : (i+1)*s.Dim]
		}
		for j, v := range row {
			diff[j] += sign * d.weight(s, i) * v
		}
	}
}

func (d meanDistance) weight(s distance.Sample, i int) float64 {
	if s.W == nil || d.mutation == "ignores weights" {
		return 1 / float64(s.N)
	}
	return s.W[i]
}

func (d meanDistance) gradient(g []float64, sign float64, diff []float64, s distance.Sample) {
	if g == nil {
		return
	}
	for i := range s.N {
		for j, v := range diff {
			t := 2 * sign * d.weight(s, i) * v
			switch {
			case d.mutation == "sign" || d.mutation == "sign of gy" && sign < 0:
				t = -t
			case d.mutation == "factor 2":
				t *= 2
			case d.mutation == "1e-4 off":
				t *= 1 + 1e-4
			case d.mutation == "one coordinate" && i == s.N-1 && j == s.Dim-1:
				t = 0
			case d.mutation == "transposed" && s.Dim > 1:
				t = 2 * sign * d.weight(s, i) * diff[(j+1)%s.Dim]
			case d.mutation == "unweighted gradient":
				t = 2 * sign / float64(s.N) * v
			}
			if d.mutation == "accumulates" {
				t += g[i*s.Dim+j]
			}
			g[i*s.Dim+j] = t
		}
	}
}

func TestCheckAcceptsTheOriginal(t *testing.T) {
	if err := distancetest.Check(meanDistance{}); err != nil {
		t.Error(err)
	}
}

func TestCheckRejectsMutants(t *testing.T) {
	for _, tt := range []struct{ mutation, law string }{
		{"sign", "gradient"},
		{"sign of gy", "gradient"},
		{"factor 2", "gradient"},
		{"1e-4 off", "gradient"},
		{"one coordinate", "gradient"},
		{"transposed", "gradient"},
		{"unweighted gradient", "gradient"},
		{"accumulates", "overwrite"},
		{"allocates", "no allocation"},
		{"reads dirty memory", "workspace"},
		{"state between calls", "workspace"},
		{"writes input", "inputs unchanged"},
		{"nil gy", "nil gradients"},
		{"ignores stride", "stride"},
		{"ignores weights", "splitting"},
		{"no checks", "bad arguments"},
		{"NaN on equal points", "extremes"},
		{"panics on one point", "gradient"},
		{"negative", "nonnegative"},
		{"offset", "identity"},
		{"asymmetric", "gradient"},
		{"first coordinate", "rotation"},
		{"root", "homogeneous"},
	} {
		t.Run(tt.mutation, func(t *testing.T) {
			err := distancetest.Check(meanDistance{tt.mutation})
			if err == nil {
				t.Fatal("accepted")
			}
			if want := `law "` + tt.law + `" broken, seed 1, x `; !strings.Contains(err.Error(), want) {
				t.Errorf("got %v\nwant a message with %s", err, want)
			}
		})
	}
}
