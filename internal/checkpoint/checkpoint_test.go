package checkpoint

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// set writes itself.
type set struct{ members map[string]bool }

func (s *set) MarshalBinary() ([]byte, error) {
	var names []string
	for n := range s.members {
		names = append(names, n)
	}
	slices.Sort(names)
	return []byte(strings.Join(names, ",")), nil
}

func (s *set) UnmarshalBinary(b []byte) error {
	s.members = make(map[string]bool)
	for _, n := range strings.Split(string(b), ",") {
		s.members[n] = true
	}
	return nil
}

type inner struct {
	Name  string
	Bits  [2]float64
	Count *int
}

type state struct {
	Step    int
	Big     uint64
	On      bool
	Weights [][]float32
	Half    float32
	Empty   []int
	Nil     []int
	Of      []inner
	Raw     []byte
	Names   []string
}

func example() (state, set) {
	n := 7
	return state{
		Step: -3, Big: 1 << 63, On: true, Half: .5, Empty: []int{},
		Weights: [][]float32{{1, float32(math.Inf(1)), -0}, nil, {}},
		Of:      []inner{{"a", [2]float64{math.Copysign(0, -1), math.NaN()}, &n}, {"b", [2]float64{1e300, 5e-324}, nil}},
		Raw:     []byte{1, 2}, Names: []string{"x", ""},
	}, set{map[string]bool{"p": true, "q": true}}
}

func TestCodec(t *testing.T) {
	in, own := example()
	data, err := Encode(in, own)
	if err != nil {
		t.Fatal(err)
	}
	out := state{Nil: []int{9}, Empty: []int{1, 2}, Step: 5, Names: []string{"old", "older", "oldest"}} // stale values go
	var back set
	if err := Decode(data, &out, &back); err != nil {
		t.Fatal(err)
	}
	again, err := Encode(out, back)
	if err != nil || !slices.Equal(data, again) {
		t.Errorf("decoded and encoded once more, the bytes differ: %+v, %v", out, err)
	}
	if out.Nil != nil || out.Empty == nil || out.Weights[1] != nil || !math.IsNaN(out.Of[0].Bits[1]) || !math.Signbit(out.Of[0].Bits[0]) || *out.Of[0].Count != 7 || out.Of[1].Count != nil || !back.members["q"] {
		t.Errorf("decoded %+v, %+v", out, back)
	}
	for cut := range data {
		if err := Decode(data[:cut], new(state), new(set)); err == nil {
			t.Fatalf("%d of %d bytes were decoded", cut, len(data))
		}
	}
	if err := Decode(append(data, 0), new(state), new(set)); err == nil {
		t.Error("a byte too many was ignored")
	}
	if err := Decode(data, new(state), new(inner)); err == nil || !strings.Contains(err.Error(), "checkpoint.set") {
		t.Errorf("another type: %v", err)
	}
	for _, v := range []any{struct{ hidden int }{1}, func() {}, map[string]int{"a": 1}} {
		if _, err := Encode(v); err == nil {
			t.Errorf("%T was encoded", v)
		}
	}
}

// A length in the bytes never asks for more memory than there are bytes.
func TestHugeLength(t *testing.T) {
	data, _ := Encode([]float64{1})
	binary.LittleEndian.PutUint64(data[len(data)-16:], 1<<60)
	if err := Decode(data, new([]float64)); !errors.Is(err, errShort) {
		t.Errorf("error is %v", err)
	}
}

func scale(x float64) float64 { return x }

func TestDescribe(t *testing.T) {
	type settings struct {
		Rate  float64
		By    func(float64) float64
		Of    any
		extra *inner
	}
	n := 1
	base := settings{.1, scale, inner{Name: "a"}, &inner{Count: &n}}
	want := `checkpoint.settings{Rate:0.1 By:github.com/dlfd-go/unlearn/internal/checkpoint.scale Of:checkpoint.inner{Name:"a" Bits:[0 0] Count:nil} extra:checkpoint.inner{Name:"" Bits:[0 0] Count:1}}`
	if got := Describe(base); got != want {
		t.Errorf("described as\n%s, want\n%s", got, want)
	}
	m := 2
	others := []settings{base, base, base, base}
	others[0].Rate = math.Nextafter(.1, 1)
	others[1].By = math.Sqrt
	others[2].Of = set{}
	others[3].extra = &inner{Count: &m}
	for i, o := range others {
		if Describe(o) == want {
			t.Errorf("settings %d are described as those that they differ from", i)
		}
	}
	if a, b := Describe(map[string]int{"a": 1, "b": 2}), Describe(map[string]int{"b": 2, "a": 1}); a != b || Describe(nil) != "nil" {
		t.Errorf("%s, %s", a, b)
	}
	type loop struct{ Next any }
	l := new(loop)
	l.Next = l
	if d := Describe(l); len(d) > 1000 {
		t.Errorf("a loop has %d bytes", len(d))
	}
}

var parts = []Part{{"seed", "1"}, {"model", "small"}}

// saved writes a checkpoint with two values.
func saved(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "run.checkpoint")
	r, err := Open(Config{Path: path}, parts)
	if err != nil || r.Waiting() {
		t.Fatal(err)
	}
	step, w := 3, []float32{1, 2}
	_, err1 := r.Keep("position", &step)
	_, err2 := r.Keep("weights", &w)
	step = 4
	if err := errors.Join(err1, err2, r.Save()); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRestore(t *testing.T) {
	r, err := Open(Config{Path: saved(t)}, parts)
	if err != nil || !r.Waiting() {
		t.Fatal(err)
	}
	var step, peeked, late int
	var w []float32
	if _, err := r.Keep("position", &step); err != nil || step != 0 {
		t.Fatalf("step %d, %v", step, err)
	}
	if err := r.Peek("position", &peeked); err != nil || peeked != 4 {
		t.Fatalf("peeked at %d, %v", peeked, err)
	}
	if err := r.Restore(); err != nil || step != 4 || r.Waiting() {
		t.Fatalf("restored %d, %v", step, err)
	}
	if err := r.Left(); !errors.Is(err, Err) || !strings.Contains(err.Error(), "weights") {
		t.Errorf("what nobody restored: %v", err)
	}
	if err := r.Save(); err != nil { // the weights stay in the file
		t.Fatal(err)
	}
	if _, err := r.Keep("weights", &w); err != nil || !slices.Equal(w, []float32{1, 2}) || r.Left() != nil {
		t.Errorf("late: %v, %v", w, err)
	}
	if name, err := r.Keep("weights", &late); err != nil || name != "weights 2" || late != 0 {
		t.Errorf("a second one is %q, %v", name, err)
	}
	r.Drop("weights 2")
	if err := r.Done(); err != nil || r.Done() != nil {
		t.Error(err)
	}
}

func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		parts []Part
		want  string
	}{
		"another value": {[]Part{{"seed", "1"}, {"model", "smaller"}}, `the model: "small" then, "smaller" now`},
		"a part more":   {[]Part{{"seed", "1"}, {"model", "small"}, {"data", "x"}}, "its data"},
		"a part less":   {[]Part{{"seed", "1"}}, "its model"},
	} {
		r, err := Open(Config{Path: saved(t)}, c.parts)
		if err == nil {
			err = r.Restore()
		}
		if !errors.Is(err, Err) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v, want %q", name, err, c.want)
		}
	}
	r, err := Open(Config{Path: saved(t)}, parts)
	if err != nil {
		t.Fatal(err)
	}
	var other string
	if _, err := r.Keep("position", &other); err != nil {
		t.Fatal(err)
	}
	if err := r.Restore(); !errors.Is(err, Err) || !strings.Contains(err.Error(), "another position") {
		t.Errorf("another type: %v", err)
	}
}

// Every byte that is cut off or changed is noticed, and so is another version.
func TestDamaged(t *testing.T) {
	path := saved(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	try := func(data []byte, want string) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(Config{Path: path}, parts); !errors.Is(err, Err) || !strings.Contains(err.Error(), want) {
			t.Fatalf("%d bytes: error is %v, want %q", len(data), err, want)
		}
	}
	for i := range whole {
		try(whole[:i], "run.checkpoint")
		other := slices.Clone(whole)
		other[i] ^= 4
		try(other, "run.checkpoint")
	}
	try(append(slices.Clone(whole), 0), "damaged")
	old := slices.Clone(whole[:len(whole)-sha256.Size])
	binary.LittleEndian.PutUint32(old[len(magic):], version-1)
	sum := sha256.Sum256(old)
	try(append(old, sum[:]...), "has version 0")
	if _, err := Open(Config{Path: filepath.Join(path, "no", "folder")}, parts); err == nil {
		t.Error("a folder that is missing was not noticed")
	}
}
