package dataset

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
)

// imagesSet is a Set of 8-bit images, one identity each unless ids are given.
func imagesSet(t *testing.T, p feature.Pixels, ids []string, pix ...[]uint8) *Set {
	t.Helper()
	d := &Set{shape: []int{1, 18, 18}, size: 18 * 18, count: 1, identities: ids, labels: make([]int, len(pix))}
	for _, m := range pix {
		d.bytes = append(d.bytes, m...)
	}
	return must[*Set](t)(d.Normalize(p))
}

func noise(seed uint64) []uint8 {
	r := rand.New(rand.NewPCG(seed, 7))
	pix := make([]uint8, 18*18)
	for i := range pix {
		pix[i] = uint8(r.UintN(256))
	}
	return pix
}

func TestOverlap(t *testing.T) {
	a := imagesSet(t, feature.Pixels{}, []string{"ann", "", "cem", "bob"}, noise(1), noise(2), noise(3), noise(1))
	changed := noise(2)
	changed[17]++
	p := feature.Pixels{Mean: []float64{.4733}, Std: []float64{.2287}}
	b := imagesSet(t, p, []string{"cem", "", "bob", "dan"}, noise(4), changed, noise(3), noise(1))
	s := must[Shared](t)(Overlap(a, b))
	equal(t, "identities", s.Identities, []string{"bob", "cem"})
	equal(t, "images", s.Images, []Pair{{0, 3}, {2, 2}, {3, 3}})
	small := numbersSet(t, 3, feature.Pixels{})
	s = must[Shared](t)(Overlap(a, small))
	equal(t, "images of other shapes", s.Images, nil)
}

// Every byte comes back from every normalization, or equal images would be
// missed.
func TestContentSurvivesNormalization(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		p := feature.Pixels{Mean: []float64{r.Float64()}, Std: []float64{math.Exp2(8*r.Float64() - 7)}}
		lut := lookup(p, 1)
		var x [256]float64
		denormalize(x[:], lut[0][:], p, 0)
		for b := range 256 {
			if got := math.Round(65535 * x[b]); got != float64(257*b) {
				t.Fatalf("byte %d under %v comes back as %v, want %v", b, p, got, 257*b)
			}
		}
	}
}

func TestNearDuplicates(t *testing.T) {
	blur := func(seed uint64) []uint8 { // smooth, as photographs are
		pix := make([]uint8, 18*18)
		r := rand.New(rand.NewPCG(seed, 9))
		f, g, h := 1+2*r.Float64(), 1+2*r.Float64(), 6*r.Float64()
		for i := range pix {
			x, y := float64(i%18)/18, float64(i/18)/18
			pix[i] = uint8(128 + 60*math.Sin(6*f*x+4*g*y+h) + 50*math.Cos(5*g*y*x+3*h))
		}
		return pix
	}
	bright := blur(2)
	for i, v := range bright {
		bright[i] = uint8(float64(v)*.8 + 40)
	}
	a := imagesSet(t, feature.Pixels{}, nil, blur(1), blur(2), blur(3))
	b := imagesSet(t, feature.Pixels{Std: []float64{.3}}, nil, bright, blur(4), blur(1))
	equal(t, "near", must[[]Pair](t)(NearDuplicates(a, b, 4)), []Pair{{0, 2}, {1, 0}})
	equal(t, "identical", must[[]Pair](t)(NearDuplicates(a, a, 0)), []Pair{{0, 0}, {1, 1}, {2, 2}})
	equal(t, "all", must[[]Pair](t)(NearDuplicates(a, b, 64)), []Pair{{0, 0}, {0, 1}, {0, 2}, {1, 0}, {1, 1}, {1, 2}, {2, 0}, {2, 1}, {2, 2}})
	_, err := NearDuplicates(a, b, 65)
	wantError(t, err, feature.ErrShape, "65 bits")
	flat := must[*Set](t)(Memory(Samples{X: feature.NewTensor(1, 4), Labels: []int{0}}))
	_, err = NearDuplicates(a, flat, 1)
	wantError(t, err, feature.ErrShape, "[4]")
}

// By hand: brighter to the right everywhere, nowhere, in the lower half; in
// images smaller and larger than the grid.
func TestDifferenceHash(t *testing.T) {
	for _, s := range [][2]int{{3, 18}, {8, 9}, {16, 40}} {
		h, w := s[0], s[1]
		up, down, half := make([]float64, h*w), make([]float64, h*w), make([]float64, h*w)
		for i := range up {
			up[i], down[i] = float64(i%w)/100, -float64(i%w)/100
			if i/w*8 >= 4*h {
				half[i] = up[i]
			}
		}
		if got := differenceHash(up, 1, h, w); got != 1<<64-1 {
			t.Errorf("%v: %x rising", s, got)
		}
		if got := differenceHash(down, 1, h, w); got != 0 {
			t.Errorf("%v: %x falling", s, got)
		}
		if got := differenceHash(half, 1, h, w); h%8 == 0 && got != 1<<32-1 {
			t.Errorf("%v: %x rising in the lower half", s, got)
		}
	}
}

func crowd(t *testing.T, sizes ...int) *Set {
	t.Helper()
	var s Samples
	for k, n := range sizes {
		for range n {
			s.Identities = append(s.Identities, string(rune('A'+k)))
		}
	}
	s.X, s.Labels = feature.NewTensor(len(s.Identities), 1), make([]int, len(s.Identities))
	for i := range s.X.Data {
		s.X.Data[i] = float32(i)
	}
	r := rand.New(rand.NewPCG(3, 3))
	r.Shuffle(len(s.Identities), func(i, j int) {
		s.Identities[i], s.Identities[j] = s.Identities[j], s.Identities[i]
	})
	return must[*Set](t)(Memory(s))
}

func TestSplit(t *testing.T) {
	d := crowd(t, 7, 3, 9, 1, 4, 6, 2, 8, 5, 5)
	fractions := []float64{.6, .3, .1}
	for seed := range uint64(50) {
		parts := must[[]feature.Dataset](t)(Split(d, seed, fractions...))
		again := must[[]feature.Dataset](t)(Split(d, seed, fractions...))
		total := 0
		for k, p := range parts {
			total += p.Len()
			b := must[feature.Batch](t)(feature.ReadAll(p))
			if !slices.IsSorted(b.X.Data) { // the values are positions in d
				t.Errorf("seed %d: part %d is not in order: %v", seed, k, b.X.Data)
			}
			c := must[feature.Batch](t)(feature.ReadAll(again[k]))
			equal(t, "the same seed", c.X.Data, b.X.Data)
			// One identity has 9 samples; two other parts may be too large by 8.
			if off := float64(p.Len()) - fractions[k]*float64(d.Len()); off >= 9 || off < -16 {
				t.Errorf("seed %d: part %d has %d of %d samples, want %v", seed, k, p.Len(), d.Len(), fractions[k])
			}
			for j := range k {
				if s := must[Shared](t)(Overlap(parts[j], p)); len(s.Identities)+len(s.Images) > 0 {
					t.Errorf("seed %d: parts %d and %d share %v", seed, j, k, s)
				}
			}
		}
		if total != d.Len() {
			t.Errorf("seed %d: %d of %d samples", seed, total, d.Len())
		}
	}
	a := feature.Identities(must[[]feature.Dataset](t)(Split(d, 1, .5, .5))[0])
	b := feature.Identities(must[[]feature.Dataset](t)(Split(d, 2, .5, .5))[0])
	if slices.Equal(a, b) {
		t.Errorf("two seeds give the same identities %v", a)
	}
}

func TestSplitErrors(t *testing.T) {
	d := crowd(t, 2, 2)
	_, err := Split(d, 1, .4, .3, .3)
	wantError(t, err, ErrEmpty, "none of 2 identities")
	_, err = Split(imagesSet(t, feature.Pixels{}, []string{"a", ""}, noise(1), noise(2)), 1, .5, .5)
	wantError(t, err, ErrIdentity, "sample 1")
	for _, f := range [][]float64{{}, {.5}, {.5, .6}, {1, 0}, {1.5, -.5}, {math.NaN(), 1}, {math.Inf(1)}} {
		if _, err := Split(d, 1, f...); err == nil {
			t.Errorf("fractions %v give no error", f)
		}
	}
	if _, err := Split(d, 1, .1, .2, .3, .4); err == nil { // .1+.2+.3+.4 is 1 up to rounding
		t.Error("four parts of two identities")
	} else {
		wantError(t, err, ErrEmpty)
	}
}

func TestComputePixels(t *testing.T) {
	d := numbersSet(t, 7, feature.Pixels{})
	p := must[feature.Pixels](t)(ComputePixels(d))
	// Channel c of sample k is {4k+2c, 4k+2c+1}/8, k = 0…6: by hand the mean is
	// (12+2c+½)/8 and the variance (16·4 + ¼)/64.
	for c := range 2 {
		mean, std := p.Channel(c)
		if math.Abs(mean-(12.5+2*float64(c))/8) > 1e-15 || math.Abs(std-math.Sqrt(64.25)/8) > 1e-15 {
			t.Errorf("channel %d: %v, %v", c, mean, std)
		}
	}
	n := must[*Set](t)(d.Normalize(p))
	back := must[feature.Pixels](t)(ComputePixels(n))
	for c := range 2 {
		if math.Abs(back.Mean[c]-p.Mean[c]) > 1e-6 || math.Abs(back.Std[c]-p.Std[c]) > 1e-6 { // float32 values
			t.Errorf("of the normalized: %v, want %v", back, p)
		}
	}
	b := must[feature.Batch](t)(feature.ReadAll(n))
	var sum, square float64
	for i := range b.X.Rows() {
		for _, v := range b.X.Row(i)[:2] {
			sum, square = sum+float64(v), square+float64(v)*float64(v)
		}
	}
	if math.Abs(sum) > 1e-5 || math.Abs(square/14-1) > 1e-6 {
		t.Errorf("normalized channel 0 has sum %v and mean square %v", sum, square/14)
	}
}

// The textbook formula E[x²]−E[x]² loses everything here.
func TestComputePixelsIsStable(t *testing.T) {
	s := Samples{X: feature.NewTensor(1000, 1), Labels: make([]int, 1000)}
	for i := range s.X.Data {
		s.X.Data[i] = 1<<23 + float32(i%2)
	}
	p := must[feature.Pixels](t)(ComputePixels(must[*Set](t)(Memory(s))))
	// The squares are 2⁴⁶: their rounding alone would be 2⁻⁷ of variance.
	if math.Abs(p.Mean[0]-1<<23-.5) > 1e-7 || math.Abs(p.Std[0]-.5) > 1e-9 {
		t.Errorf("got %v, want mean 2²³+½, std ½", p)
	}
}

func TestComputePixelsErrors(t *testing.T) {
	var d *Set
	for n := range 40 { // the mean of some of these rounds
		s := Samples{X: feature.NewTensor(3, n+1), Labels: make([]int, 3)}
		s.Pixels = feature.Pixels{Mean: []float64{.3}, Std: []float64{.7}} // or sums would be exact
		for i := range s.X.Data {
			s.X.Data[i] = .1
		}
		d = must[*Set](t)(Memory(s))
		_, err := ComputePixels(d)
		wantError(t, err, feature.ErrNotFinite, "std 0")
	}
	none, err := feature.Subset(d, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = ComputePixels(none)
	wantError(t, err, ErrEmpty)
}
