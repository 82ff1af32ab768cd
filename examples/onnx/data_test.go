package main

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/dataset"
)

// colored writes a red image with one blue pixel.
func colored(t *testing.T, path string) {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	img.Set(0, 0, color.NRGBA{R: 255, A: 255})
	img.Set(1, 0, color.NRGBA{B: 51, A: 255})
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	write(t, path, b.Bytes())
}

// TestReversed reads an image for a model that takes blue first: mean and deviation
// are in the model's order.
func TestReversed(t *testing.T) {
	dir := t.TempDir()
	colored(t, filepath.Join(dir, "cat", "ann_1.png"))
	p := &part{name: "retain", dir: dir}
	o := &dataset.FolderOptions{
		Image:    dataset.ImageOptions{Pixels: feature.Pixels{Mean: []float64{.2, 0, 0}, Std: []float64{1, 1, .5}}},
		Identity: func(string) string { return "ann" },
	}
	if err := p.read(o, &flags{bgr: true}); err != nil {
		t.Fatal(err)
	}
	b, err := feature.ReadAll(p.set)
	if err != nil {
		t.Fatal(err)
	}
	want := []float32{-.2, 0, 0, 0, 2, 0} // blue, green, red of both pixels
	for i, v := range b.X.Data {
		if d := v - want[i]; d > 1e-6 || d < -1e-6 {
			t.Fatalf("pixels %v, want %v", b.X.Data, want)
		}
	}
	if p.set.Identity(0) != "ann" || !slices.Equal(p.set.ClassNames(), []string{"cat"}) || filepath.Base(p.set.Path(0)) != "ann_1.png" {
		t.Errorf("identity %q, classes %q, path %q", p.set.Identity(0), p.set.ClassNames(), p.set.Path(0))
	}
}

// waves writes an image with a pattern, in the given size and brightness.
func waves(t *testing.T, path string, side int, scale float64, phase int) {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, side, side))
	for i := range img.Pix {
		x, y := i%side*64/side, i/side*64/side
		img.Pix[i] = uint8(scale * float64((x*x+3*x*y+phase*y*y)%977) / 977 * 200)
		if x > 8*(phase%8) && y > 20 {
			img.Pix[i] /= 2
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	write(t, path, b.Bytes())
}

// TestLooksAlike has a darker copy of a retained image in forget.
func TestLooksAlike(t *testing.T) {
	dir := t.TempDir()
	waves(t, filepath.Join(dir, "retain", "a", "1.png"), 64, 1, 3)
	waves(t, filepath.Join(dir, "retain", "a", "2.png"), 64, 1, 5)
	waves(t, filepath.Join(dir, "forget", "a", "3.png"), 64, .8, 3)
	waves(t, filepath.Join(dir, "forget", "a", "4.png"), 64, 1, 6)
	d := &data{}
	for _, name := range []string{"retain", "forget"} {
		p := &part{name: name, dir: filepath.Join(dir, name)}
		if err := p.read(&dataset.FolderOptions{}, &flags{}); err != nil {
			t.Fatal(err)
		}
		d.add(p)
	}
	var b bytes.Buffer
	if err := checkOverlap(d, false, "", &b); err != nil {
		t.Fatal(err)
	}
	want := "look alike in retain and forget: 1 pair: a/1.png and a/3.png\nno image stands in two sets; whether a person does is not known without -identity\n"
	if filepath.ToSlash(b.String()) != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}

func TestCorrelation(t *testing.T) {
	x := []float32{1, 2, 4}
	for _, c := range []struct {
		y    []float32
		want float64
	}{{[]float32{3, 5, 9}, 1}, {[]float32{-1, -2, -4}, -1}, {[]float32{7, 7, 7}, 0}} {
		if got := correlation(x, c.y); got-c.want > 1e-12 || c.want-got > 1e-12 {
			t.Errorf("%v and %v: %v, want %v", x, c.y, got, c.want)
		}
	}
	if flat := []float32{2, 2}; correlation(flat, flat) != 1 {
		t.Error("equal images without change do not look alike")
	}
}

// TestNumberedFolders warns of folders in the order of their spelling.
func TestNumberedFolders(t *testing.T) {
	for _, c := range []struct {
		names []string
		warn  bool
	}{{[]string{"0", "1", "10", "2"}, true}, {[]string{"00", "01", "02"}, false}, {[]string{"b", "a"}, false}} {
		s := dataset.Samples{X: feature.NewTensor(1, 1), Labels: []int{0}, Classes: c.names}
		set, err := dataset.Memory(s)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		(&data{retain: &part{set: set}}).showOrder(&b)
		if warned := strings.Contains(b.String(), "-classes"); warned != c.warn {
			t.Errorf("%q: warned %v", c.names, warned)
		}
	}
}
