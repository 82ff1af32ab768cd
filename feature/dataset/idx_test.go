package dataset

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
)

// idx returns an IDX file of unsigned bytes.
func idx(data []byte, dims ...uint32) string {
	b := []byte{0, 0, 8, byte(len(dims))}
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, d)
	}
	return string(append(b, data...))
}

func zip(t testing.TB, s string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func ramp(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func TestIDX(t *testing.T) {
	images, labels := idx(ramp(18), 3, 2, 3), idx([]byte{2, 0, 2}, 3)
	for name, pack := range map[string]func(string) string{
		"plain": func(s string) string { return s },
		"gzip":  func(s string) string { return zip(t, s) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			// The names say nothing about compression.
			im, lb := write(t, dir, "images", pack(images)), write(t, dir, "labels.gz", pack(labels))
			d := must[*Set](t)(IDX(im, lb, nil))
			equal(t, "shape", d.Shape(), []int{1, 2, 3})
			if d.Classes() != 3 || d.ClassNames() != nil {
				t.Errorf("%d classes with the names %q, want 3 without", d.Classes(), d.ClassNames())
			}
			equal(t, "labels", allLabels(t, d), []string{"2", "0", "2"})
			x, _ := readOne(t, d, 1)
			equal(t, "values", x, []float32{6. / 255, 7. / 255, 8. / 255, 9. / 255, 10. / 255, 11. / 255})
			if d.Path(2) != im+"#2" || d.Identity(0) != "" {
				t.Errorf("path %q, identity %q", d.Path(2), d.Identity(0))
			}
		})
	}
}

func TestIDXConverts(t *testing.T) {
	dir := t.TempDir()
	im, lb := write(t, dir, "i", idx(bytes.Repeat([]byte{51}, 200*4), 200, 2, 2)), write(t, dir, "l", idx(make([]byte, 200), 200))
	d := must[*Set](t)(IDX(im, lb, &IDXOptions{
		Image:   ImageOptions{Size: [2]int{3, 5}, Channels: 3, Pixels: feature.Pixels{Mean: []float64{.2}}},
		Classes: []string{"boot", "shoe"},
	}))
	equal(t, "shape", d.Shape(), []int{3, 3, 5})
	equal(t, "classes", d.ClassNames(), []string{"boot", "shoe"})
	for i := range d.Len() {
		x, _ := readOne(t, d, i)
		for _, v := range x { // a flat image stays flat: 51/255 − .2
			if v > 1e-7 || v < -1e-7 {
				t.Fatalf("sample %d has %v, want 0 up to rounding", i, v)
			}
		}
	}
}

func TestIDXErrors(t *testing.T) {
	good, labels := idx(ramp(18), 3, 2, 3), idx([]byte{0, 1, 2}, 3)
	packed := zip(t, good)
	corrupt := []byte(packed)
	corrupt[len(corrupt)-6] ^= 1 // in the checksum
	for name, c := range map[string]struct {
		images, labels string
		o              IDXOptions
		want           error
		text           string
	}{
		"empty file":      {"", labels, IDXOptions{}, ErrFormat, "images: malformed data: header"},
		"wrong magic":     {"\x00\x00\x09" + good[3:], labels, IDXOptions{}, ErrFormat, "00 00 09 03"},
		"labels first":    {labels, labels, IDXOptions{}, ErrFormat, "want 00 00 08 03"},
		"short header":    {good[:11], labels, IDXOptions{}, io.ErrUnexpectedEOF, "images"},
		"cut off":         {good[:len(good)-7], labels, IDXOptions{}, io.ErrUnexpectedEOF, "item 1 of 3 is cut off: 11 of 18"},
		"cut off gzip":    {packed[:len(packed)-9], labels, IDXOptions{}, io.ErrUnexpectedEOF, "images"},
		"bad checksum":    {string(corrupt), labels, IDXOptions{}, gzip.ErrChecksum, "images"},
		"bad gzip header": {packed[:5], labels, IDXOptions{}, ErrFormat, "gzip"},
		"left over":       {good + "x", labels, IDXOptions{}, ErrFormat, "more than the 18 bytes"},
		"no items":        {idx(nil, 0, 2, 3), labels, IDXOptions{}, ErrEmpty, "images"},
		"no width":        {idx(nil, 3, 2, 0), labels, IDXOptions{}, ErrFormat, "axis 2"},
		"lying header":    {idx(nil, 1<<31-1, 1<<20, 1<<20), labels, IDXOptions{}, ErrTooLarge, "axis 1"},
		"many items":      {idx(nil, 1<<32-1, 1, 1), labels, IDXOptions{}, ErrTooLarge, "axis 0"},
		"beyond limit":    {good, labels, IDXOptions{Image: ImageOptions{MaxBytes: 17}}, ErrTooLarge, "17"},
		"resized beyond":  {good, labels, IDXOptions{Image: ImageOptions{MaxBytes: 20, Channels: 3}}, ErrTooLarge, "images"},
		"large image":     {good, labels, IDXOptions{Image: ImageOptions{MaxPixels: 5}}, ErrTooLarge, "images"},
		"counts differ":   {good, idx([]byte{0, 1}, 2), IDXOptions{}, ErrFormat, "3 images"},
		"unknown label":   {good, labels, IDXOptions{Classes: []string{"a", "b"}}, feature.ErrLabel, "labels: item 2: label out of range: label 2 of 2"},
		"class names":     {good, labels, IDXOptions{Classes: []string{"a", "b", "a"}}, ErrFormat, `"a"`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			_, err := IDX(write(t, dir, "images", c.images), write(t, dir, "labels", c.labels), &c.o)
			wantError(t, err, c.want, c.text)
		})
	}
	dir := t.TempDir()
	im := write(t, dir, "images", good)
	_, err := IDX(im, filepath.Join(dir, "gone"), nil)
	wantError(t, err, fs.ErrNotExist, "gone")
}

// The header of the file promises 1 GiB within the limit; memory must grow with
// what is there.
func TestIDXAllocatesWhatIsThere(t *testing.T) {
	file := idx(ramp(100), 1<<20, 32, 32)
	if grown := allocated(func() {
		if _, _, err := parseIDX(strings.NewReader(file), 3, 1<<32); err == nil {
			t.Error("a truncated file is read")
		}
	}); grown > 1<<16 {
		t.Errorf("%d bytes allocated for a file of %d", grown, len(file))
	}
}

// A small compressed file that decompresses to more than its header says, or to more
// labels than there are images, is refused before it takes memory.
func TestIDXBombs(t *testing.T) {
	dir := t.TempDir()
	images := write(t, dir, "images", idx(ramp(18), 3, 2, 3))
	zeros := strings.Repeat("\x00", 64<<20)
	for name, c := range map[string]struct {
		header string
		want   error
	}{"long": {idx(nil, 3), ErrFormat}, "many": {idx(nil, 64<<20), ErrTooLarge}} {
		labels := write(t, dir, name, zip(t, c.header+zeros))
		var err error
		if grown := allocated(func() { _, err = IDX(images, labels, nil) }); grown > 1<<20 {
			t.Errorf("%s: %d bytes allocated", name, grown)
		}
		wantError(t, err, c.want, name)
	}
}
