package dataset

import (
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

// gradient is a color image that differs with k everywhere.
func gradient(k, h, w int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.SetRGBA(x, y, color.RGBA{uint8(40*x + 3*k), uint8(40*y + 5*k), uint8(20*(x+y) + 7*k), 255})
		}
	}
	return m
}

func gray(k, h, w int) *image.Gray {
	m := image.NewGray(image.Rect(0, 0, w, h))
	for i := range m.Pix {
		m.Pix[i] = uint8(11*i + 17*k)
	}
	return m
}

// write puts content below dir and returns its path.
func write(t testing.TB, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// encode returns m as the format of the name's extension.
func encode(t testing.TB, name string, m image.Image) string {
	t.Helper()
	var b strings.Builder
	var err error
	switch filepath.Ext(name) {
	case ".png":
		err = png.Encode(&b, m)
	case ".gif":
		err = gif.Encode(&b, m, nil)
	case ".bmp":
		err = bmp.Encode(&b, m)
	case ".tiff":
		err = tiff.Encode(&b, m, &tiff.Options{Compression: tiff.Deflate})
	default:
		err = jpeg.Encode(&b, m, &jpeg.Options{Quality: 95})
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// encodeGIF is an animation on a screen of w×h.
func encodeGIF(t testing.TB, w, h int, frames ...*image.Paletted) string {
	t.Helper()
	var b strings.Builder
	g := &gif.GIF{Image: frames, Delay: make([]int, len(frames)), Config: image.Config{Width: w, Height: h}}
	if err := gif.EncodeAll(&b, g); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func writeImage(t testing.TB, dir, name string, m image.Image) string {
	t.Helper()
	return write(t, dir, name, encode(t, name, m))
}

// readOne reads sample i of d.
func readOne(t testing.TB, d feature.Dataset, i int) ([]float32, int) {
	t.Helper()
	x, label := make([]float32, feature.Size(d.Shape())), []int{0}
	if err := d.Read([]int{i}, x, label); err != nil {
		t.Fatal(err)
	}
	return x, label[0]
}

// allLabels returns the names of the labels of all samples.
func allLabels(t testing.TB, d *Set) []string {
	t.Helper()
	var names []string
	for i := range d.Len() {
		_, l := readOne(t, d, i)
		names = append(names, d.ClassName(l))
	}
	return names
}

func allIdentities(d feature.Dataset) []string {
	var ids []string
	for i := range d.Len() {
		ids = append(ids, feature.IdentityOf(d, i))
	}
	return ids
}

func equal[T comparable](t testing.TB, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// wantError checks that err wraps target and says all the texts, with the prefix
// of the package once a line.
func wantError(t testing.TB, err, target error, texts ...string) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("error %v, want one that wraps %q", err, target)
		return
	}
	for line := range strings.Lines(err.Error()) {
		if !strings.HasPrefix(line, "dataset: ") || strings.Count(line, "dataset: ")+strings.Count(line, "feature: ") != 1 {
			t.Errorf("line %q has not the one prefix \"dataset: \"", line)
		}
	}
	for _, s := range texts {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("error %q does not say %q", err, s)
		}
	}
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// must ends the test on an error.
func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
