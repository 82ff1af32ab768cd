package train_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/train"
)

// shaped has parameters of any shapes and computes nothing.
type shaped struct {
	*featuretest.MLP
	shapes [][]int
	w      [][]float32
}

func (s *shaped) Spec() (spec feature.Spec) {
	for _, shape := range s.shapes {
		spec.Params = append(spec.Params, feature.Param{Name: "w", Shape: shape, Trainable: true})
	}
	return spec
}
func (s *shaped) GetParam(i int, dst []float32) error { copy(dst, s.w[i]); return nil }
func (s *shaped) SetParam(i int, src []float32) error { copy(s.w[i], src); return nil }

func newShaped(seed uint64, shapes ...[]int) *shaped {
	r := rand.New(rand.NewPCG(seed, 1))
	s := &shaped{shapes: shapes}
	for _, shape := range shapes {
		w := make([]float32, feature.Size(shape))
		for j := range w {
			w[j] = float32(r.NormFloat64())
		}
		s.w = append(s.w, w)
	}
	return s
}

// Three steps against float64 and the singular value decomposition of gonum: the momentum
// is Nesterov's, each block of at most 128 rows is turned by itself, the length of a step is
// that of the weights at first, and vectors follow SGD.
func TestMuonAgainstDecompositions(t *testing.T) {
	shapes := [][]int{{8, 3, 3, 3}, {200, 30}, {5}}
	blocks := [][]int{{0, 8}, {0, 100, 200}}
	m := newShaped(1, shapes...)
	const rate, mu = .05, .9
	state, err := train.Muon{Rate: rate}.Start(m.Spec())
	if err != nil {
		t.Fatal(err)
	}
	var want, momentum [][]float64
	var norms []float64
	for _, w := range m.w {
		want, momentum = append(want, widened(w)), append(momentum, make([]float64, len(w)))
		norms = append(norms, length(widened(w)))
	}
	for n, scale := range []float64{1, .7, .2} {
		g := newShaped(uint64(n)+2, shapes...).w
		if err := state.Step(m, g, scale); err != nil {
			t.Fatal(err)
		}
		for i, v := range momentum {
			for j := range v {
				v[j] = mu*v[j] + float64(g[i][j])
			}
		}
		for j, v := range momentum[2] {
			want[2][j] -= .03 * scale * v
		}
		for i, bounds := range blocks {
			cols := len(want[i]) / shapes[i][0]
			var step []float64
			for k, hi := range bounds[1:] {
				var part []float64
				for j := bounds[k] * cols; j < hi*cols; j++ {
					part = append(part, float64(g[i][j])+mu*momentum[i][j])
				}
				step = append(step, turned(part, cols)...)
			}
			for j, v := range step {
				want[i][j] -= rate * scale * norms[i] * v / length(step)
			}
		}
		for i := range want {
			for j, v := range want[i] {
				if math.Abs(float64(m.w[i][j])-v) > 1e-4 {
					t.Fatalf("step %d: number %d of parameter %d is %v, want %v", n, j, i, m.w[i][j], v)
				}
			}
		}
	}
}

// turned is a matrix with the polynomial of Muon applied five times to its singular values.
func turned(v []float64, cols int) []float64 {
	a := mat.NewDense(len(v)/cols, cols, v)
	var d mat.SVD
	d.Factorize(a, mat.SVDThin)
	values := d.Values(nil)
	for i, s := range values {
		s /= length(v)
		for range 5 {
			s = 3.4445*s - 4.7750*math.Pow(s, 3) + 2.0315*math.Pow(s, 5)
		}
		values[i] = s
	}
	var u, w, us, out mat.Dense
	d.UTo(&u)
	d.VTo(&w)
	us.Mul(&u, mat.NewDiagDense(len(values), values))
	out.Mul(&us, w.T())
	return out.RawMatrix().Data
}

func widened(v []float32) (w []float64) {
	for _, x := range v {
		w = append(w, float64(x))
	}
	return w
}

func length(v []float64) float64 {
	var sum float64
	for _, x := range v {
		sum += x * x
	}
	return math.Sqrt(sum)
}

// A step does not depend on the size of the gradient, nor on the number of processors; a
// matrix of zeros moves as one with default weights does, and a gradient of zeros moves
// nothing.
func TestMuonSteps(t *testing.T) {
	step := func(size float32, zeros bool) []float32 {
		m, g := newShaped(1, []int{300, 40}), newShaped(2, []int{300, 40}).w
		for j := range g[0] {
			g[0][j] *= size
			if zeros {
				m.w[0][j] = 0
			}
		}
		state, err := train.Muon{Rate: .1}.Start(m.Spec())
		if err == nil {
			err = state.Step(m, g, 1)
		}
		if err != nil {
			t.Fatal(err)
		}
		return m.w[0]
	}
	want := step(1, false)
	for _, size := range []float32{1e-20, 1e20} {
		for j, v := range step(size, false) {
			if math.Abs(float64(v-want[j])) > 1e-4 {
				t.Fatalf("with gradients times %v number %d is %v, not %v", size, j, v, want[j])
			}
		}
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, procs := range []int{1, 2, 5} {
		runtime.GOMAXPROCS(procs)
		if !slices.Equal(step(1, false), want) {
			t.Errorf("other bits at GOMAXPROCS %d", procs)
		}
	}
	if got, want := length(widened(step(1, true))), .1*math.Sqrt(300/3.); math.Abs(got-want) > 1e-3 {
		t.Errorf("a matrix of zeros moves by %v, want %v", got, want)
	}
	if !slices.Equal(step(0, false), newShaped(1, []int{300, 40}).w[0]) {
		t.Error("a gradient of zeros moves the matrix")
	}
}

// No matrix gets longer than MaxNorms says; one that stays below moves as without.
func TestMuonMaxNorms(t *testing.T) {
	shapes := [][]int{{30, 4}, {6, 2}, {4, 4}, {5}}
	limits := []float64{9, 100, 0, 0}
	run := func(limits []float64) *shaped {
		m := newShaped(1, shapes...)
		state, err := train.Muon{Rate: .3, MaxNorms: limits}.Start(m.Spec())
		if err != nil {
			t.Fatal(err)
		}
		for range 8 {
			if err := state.Step(m, newShaped(7, shapes...).w, 1); err != nil {
				t.Fatal(err)
			}
		}
		return m
	}
	with, without := run(limits), run(nil)
	if got := length(widened(with.w[0])); math.Abs(got-9) > 1e-5 {
		t.Errorf("norm %v, want 9", got)
	}
	if got := length(widened(without.w[0])); got < 12 {
		t.Fatalf("norm %v without a limit: the test tells nothing", got)
	}
	for i := 1; i < 4; i++ {
		if !slices.Equal(with.w[i], without.w[i]) {
			t.Errorf("parameter %d is changed by a limit that it does not reach", i)
		}
	}
	spec := newShaped(1, shapes...).Spec()
	for _, bad := range [][]float64{{1}, {-1, 0, 0, 0}, {math.NaN(), 0, 0, 0}, {math.Inf(1), 0, 0, 0}} {
		if _, err := (train.Muon{Rate: .1, MaxNorms: bad}).Start(spec); !errors.Is(err, train.ErrParameter) {
			t.Errorf("MaxNorms %v: %v", bad, err)
		}
	}
}
