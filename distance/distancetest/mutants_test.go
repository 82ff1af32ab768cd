package distancetest_test

import (
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
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
	if d.mutation != "any sum of weights" {
		for _, s := range []distance.Sample{x, y} {
			if _, err := s.Weights(ws); err != nil {
				return 0, err
			}
		}
	}
	diff := ws.Floats(x.Dim)
	if d.mutation == "allocates" {
		diff = make([]float64, x.Dim)
	}
	if d.mutation != "reads dirty memory" {
		clear(diff)
	}
	if d.mutation == "zero weight in y" && slices.Contains(y.W[:max(0, len(y.W)-1)], 0) {
		diff[0] += .1
	}
	if d.mutation == "equal rows of x" && x.N > 2 && slices.Equal(x.Row(0), x.Row(x.N-1)) && !slices.Equal(x.Row(0), x.Row(1)) {
		diff[0] = math.NaN()
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
	if d.mutation == "raw norms" {
		value = rawNorms(x, y)
	}
	if d.mutation == "gy from used memory" {
		left := ws.Floats(1)
		if gx == nil && gy != nil {
			value += left[0]
		}
		left[0] = 1e-3
	}
	if d.mutation == "shared memory" {
		// All calls write to one place, in which only equal samples agree.
		sharedMu.Lock()
		sharedMean = append(sharedMean[:0], diff...)
		sharedMu.Unlock()
		runtime.Gosched()
		sharedMu.Lock()
		copy(diff, sharedMean)
		sharedMu.Unlock()
	}
	if d.mutation == "first 32 rows" && x.N > 32 {
		value = value * 1.01
	}
	if d.mutation == "writes behind gx" && gx != nil {
		gx[:len(gx)+1][len(gx)] = 0
	}
	if d.mutation == "enters too often" {
		ws.Enter()
	}
	if d.mutation == "leaves too often" {
		defer ws.Leave()
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

// rawNorms is |x̄|² + |ȳ|² − 2⟨x̄, ȳ⟩.
func rawNorms(x, y distance.Sample) float64 {
	var value float64
	for j := range x.Dim {
		var a, b float64
		d := meanDistance{}
		for i := range x.N {
			a += d.weight(x, i) * x.Row(i)[j]
		}
		for i := range y.N {
			b += d.weight(y, i) * y.Row(i)[j]
		}
		value += a*a + b*b - 2*a*b
	}
	return max(value, 0)
}

var (
	sharedMu   sync.Mutex
	sharedMean []float64
)

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

// mutantEMD is EMD with faults in what it offers beside Eval.
type mutantEMD struct {
	distance.EMD
	mutation string
}

func (d mutantEMD) Plan(ws *distance.Workspace, dst []float64, x, y distance.Sample) (float64, error) {
	if d.mutation == "plan transposed" {
		return d.EMD.Plan(ws, dst, y, x)
	}
	v, err := d.EMD.Plan(ws, dst, x, y)
	if d.mutation == "plan scaled" {
		for i := range dst {
			dst[i] *= 1.01
		}
	}
	return v, err
}

func (d mutantEMD) EvalWeights(ws *distance.Workspace, ga, gb []float64, x, y distance.Sample) (float64, error) {
	v, err := d.EMD.EvalWeights(ws, ga, gb, x, y)
	if d.mutation == "sign of ga" {
		for i := range ga {
			ga[i] = -ga[i]
		}
	}
	return v, err
}

func TestCheckRejectsOptionalMutants(t *testing.T) {
	for mutation, law := range map[string]string{"plan transposed": "plan", "plan scaled": "plan", "sign of ga": "weight gradient"} {
		err := distancetest.Check(mutantEMD{mutation: mutation})
		if err == nil || !strings.Contains(err.Error(), `law "`+law+`" broken`) {
			t.Errorf("%s: got %v", mutation, err)
		}
	}
	if err := distancetest.Check(mutantEMD{}); err != nil {
		t.Error(err)
	}
}

// mutantPool forgets that row 0 may be on the side of y.
type mutantPool struct{ distance.MMD }

func (d mutantPool) Pool(ws *distance.Workspace, x, y distance.Sample) (func([]bool) (float64, error), float64, error) {
	value, scale, err := d.MMD.Pool(ws, x, y)
	return func(inX []bool) (float64, error) {
		return value(append([]bool{true}, inX[1:]...))
	}, scale, err
}

func TestCheckRejectsPoolMutant(t *testing.T) {
	err := distancetest.Check(mutantPool{distance.MMD{Kernel: distance.Energy{}}}, distancetest.Options{Sizes: []distancetest.Size{{N: 5, M: 7, Dim: 3}}})
	if err == nil || !strings.Contains(err.Error(), `law "pool" broken`) {
		t.Error(err)
	}
}

// oneSided is MMD² without the term of y, which every gradient in x survives.
type oneSided struct{}

func (oneSided) Properties() distance.Properties {
	return distance.MMD{Kernel: distance.Linear{}}.Properties()
}

func (oneSided) Eval(ws *distance.Workspace, gx, gy []float64, x, y distance.Sample) (float64, error) {
	full, err := distance.MMD{Kernel: distance.Linear{}}.Eval(ws, gx, gy, x, y)
	if err != nil {
		return 0, err
	}
	var self float64
	for i := range y.N {
		for j := range y.N {
			for k, v := range y.Row(i) {
				self += v * y.Row(j)[k] / float64(y.N*y.N)
			}
		}
	}
	return full - self, err
}

func TestCheckRejectsMissingTerm(t *testing.T) {
	err := distancetest.Check(oneSided{})
	for _, law := range []string{"gradient", "symmetry", "identity"} {
		if err == nil || !strings.Contains(err.Error(), `law "`+law+`" broken`) {
			t.Errorf("law %s does not see it: %v", law, err)
		}
	}
}

func TestMessageNamesTheCoordinate(t *testing.T) {
	err := distancetest.Check(meanDistance{"one coordinate"}, distancetest.Options{Seed: 42, Sizes: []distancetest.Size{{N: 5, M: 7, Dim: 3}}})
	if want := `law "gradient" broken, seed 42, x 5×3, y 7×3: `; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	if want := "furthest off is gx at row 4, coordinate 2: got 0"; !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

func TestOptions(t *testing.T) {
	if err := distancetest.Check(meanDistance{}, distancetest.Options{}, distancetest.Options{}); err == nil {
		t.Error("two Options accepted")
	}
	if err := distancetest.Check(meanDistance{"1e-4 off"}, distancetest.Options{Tol: 1e-2}); err != nil {
		t.Errorf("Tol ignored: %v", err)
	}
	linear := distance.MMD{Kernel: distance.Linear{}}
	if err := distancetest.Check(meanDistance{}, distancetest.Options{Reference: linear}); err != nil {
		t.Error(err)
	}
	if err := distancetest.Check(meanDistance{}, distancetest.Options{Reference: distance.Bures{}}); err == nil || !strings.Contains(err.Error(), `law "reference"`) {
		t.Errorf("wrong reference: got %v", err)
	}
	all := distance.Properties{RowScale: true}
	if err := distancetest.Check(meanDistance{}, distancetest.Options{Properties: &all}); err == nil || !strings.Contains(err.Error(), `law "row scale"`) {
		t.Errorf("Properties ignored: got %v", err)
	}
}

func TestGradientError(t *testing.T) {
	x := distance.FromRows([][]float64{{0, 1}, {2, 3}, {-1, 1}})
	y := distance.FromRows([][]float64{{1, 1}, {0, -3}})
	relx, rely, err := distancetest.GradientError(distance.Sinkhorn{Tol: 1e-12}, x, y)
	if err != nil || relx > 1e-8 || rely > 1e-8 {
		t.Error(relx, rely, err)
	}
	if relx, _, err = distancetest.GradientError(meanDistance{"factor 2"}, x, y); err != nil || relx < .49 || relx > .51 {
		t.Error(relx, err)
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
		{"shared memory", "concurrent use"},
		{"first 32 rows", "gradient"},
		{"writes behind gx", "guard cells"},
		{"enters too often", "workspace balance"},
		{"leaves too often", "workspace balance"},
		{"raw norms", "translation"},
		{"zero weight in y", "zero weight"},
		{"equal rows of x", "extremes"},
		{"any sum of weights", "bad arguments"},
		{"gy from used memory", "nil gradients"},
	} {
		t.Run(tt.mutation, func(t *testing.T) {
			if raceDetector && (tt.mutation == "state between calls" || tt.mutation == "writes input") {
				t.Skip("these race, as the law \"concurrent use\" lets the race detector see")
			}
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

// TestUndeclaredWeights: a distance that does not declare Weighted may not
// ignore weights.
func TestUndeclaredWeights(t *testing.T) {
	none := distance.Properties{}
	err := distancetest.Check(meanDistance{"ignores weights"}, distancetest.Options{Properties: &none})
	if err == nil || !strings.Contains(err.Error(), `law "weights" broken`) {
		t.Errorf("got %v", err)
	}
	if err := distancetest.Check(meanDistance{}, distancetest.Options{Properties: &none}); err != nil {
		t.Errorf("one that reacts: %v", err)
	}
}

func TestSkip(t *testing.T) {
	d := meanDistance{"allocates"}
	if err := distancetest.Check(d, distancetest.Options{Skip: []string{"no allocation"}}); err != nil {
		t.Errorf("the law is not skipped: %v", err)
	}
	if err := distancetest.Check(d, distancetest.Options{Skip: []string{"descent"}}); err == nil || !strings.Contains(err.Error(), "no allocation") {
		t.Errorf("another law is skipped: %v", err)
	}
	if err := distancetest.Check(d, distancetest.Options{Skip: []string{"no such law"}}); err == nil || !strings.Contains(err.Error(), "no such law") {
		t.Errorf("a name that no law has: %v", err)
	}
	if err := distancetest.Check(nil); err == nil {
		t.Error("nil is accepted")
	}
}
