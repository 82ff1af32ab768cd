package dataset

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/internal/rng"
)

// outcome is what becomes of a file.
type outcome int

const (
	isRead outcome = iota
	isRefused
	isIgnored
)

// goodFiles and badFiles make the k-th file of a kind: its name without the
// number, and its content.
var goodFiles = []func(t testing.TB, r *rand.Rand, k int) (name, content string){
	image8("a.png", ".png"), image8("a.jpg", ".jpg"), image8("a.gif", ".GIF"), image8("a.bmp", ".Bmp"), image8("a.tiff", ".tif"),
	image8("a.jpg", ".png"), image8("a.png", ".jpeg"), image8("a.bmp", ""), image8("a.tiff", ".scan"), image8("a.gif", ".tiff"),
	func(t testing.TB, _ *rand.Rand, k int) (string, string) { return ".webp", webpFile(t, k%len(webps)) },
	func(t testing.TB, r *rand.Rand, k int) (string, string) {
		photo := encode(t, "a.jpg", gradient(k, 6, 5))
		return ".jpg", photo[:2] + exif(1+k%8) + photo[2:]
	},
	func(t testing.TB, r *rand.Rand, k int) (string, string) {
		return ".tif", tiffFile(1+k%8, 2, 3, []uint8{1, 2, 3, 4, 5, 6})
	},
}

var badFiles = []func(t testing.TB, r *rand.Rand, k int) (name, content string){
	cut("a.png", ".png"), cut("a.jpg", ".jpg"), cut("a.gif", ".gif"), cut("a.bmp", ".bmp"), cut("a.tiff", ".tiff"),
	cut("a.png", ".jpg"), flipped,
	text(".jpg", "<html><body>404</body></html>"), text(".png", ""), text(".jpeg", "version https://git-lfs.github.com/spec/v1\noid"),
	text(".webp", "RIFF\x04\x00\x00\x00WEBP"), text(".heic", "\x00\x00\x00\x18ftypheic"), text("", "\x00\x00\x00\x18ftypavif"),
	text(".CR2", "II*\x00\x10\x00\x00\x00CR"), text(".svg", "<svg/>"), text(".tif", "II+\x00"), text(".gif", "\x00"),
	text(".png", strings.Repeat("\x00", 300)), text(".bmp", "BM"), text(".jpg", "\xff\xd8\xff"),
	func(t testing.TB, _ *rand.Rand, k int) (string, string) { return ".png", pngHeader(t, 1, 9_000_000+k) },
	func(t testing.TB, _ *rand.Rand, k int) (string, string) { return ".png", pngHeader(t, 50_000, 50_000) },
	func(t testing.TB, _ *rand.Rand, k int) (string, string) {
		b := []byte(webpFile(t, 1))
		b[20] |= 2 // animated
		return ".webp", string(b)
	},
	func(t testing.TB, _ *rand.Rand, k int) (string, string) {
		return ".webp", webpFile(t, k%len(webps))[:40]
	},
}

var noImages = []func(t testing.TB, r *rand.Rand, k int) (name, content string){
	text(".txt", "a note"), text(".csv", "BMI,weight,and enough letters behind"), text("", ""), text(".json", "{}"), text(".zip", "PK\x03\x04"),
}

func image8(format, ext string) func(testing.TB, *rand.Rand, int) (string, string) {
	return func(t testing.TB, r *rand.Rand, k int) (string, string) {
		if k%3 == 0 {
			return ext, encode(t, format, gray(k, 2+r.IntN(9), 2+r.IntN(9)))
		}
		return ext, encode(t, format, gradient(k, 2+r.IntN(9), 2+r.IntN(9)))
	}
}

// cut takes off the last third at least: what is behind the pixels of a file
// need not be there.
func cut(format, ext string) func(testing.TB, *rand.Rand, int) (string, string) {
	return func(t testing.TB, r *rand.Rand, k int) (string, string) {
		s := encode(t, format, randomImage(r, 9, 9))
		return ext, s[:1+r.IntN(len(s)*2/3)]
	}
}

// flipped has one wrong bit behind the signature, which the checksums find.
func flipped(t testing.TB, r *rand.Rand, k int) (string, string) {
	b := []byte(encode(t, "a.png", randomImage(r, 9, 9)))
	b[16+r.IntN(len(b)-28)] ^= 1 << r.IntN(8)
	return ".png", string(b)
}

func text(ext, content string) func(testing.TB, *rand.Rand, int) (string, string) {
	return func(testing.TB, *rand.Rand, int) (string, string) { return ext, content }
}

// mixedFolder writes n files, about half of them images that can be read, and
// returns what has to become of each.
func mixedFolder(t testing.TB, dir string, n int) map[string]outcome {
	t.Helper()
	r := rng.Stream(1, "files")
	want := map[string]outcome{}
	for k := range n {
		class := []string{"a", "b", "c/deep", "d/e/f"}[r.IntN(4)]
		kinds, o := goodFiles, isRead
		if k%2 == 1 {
			if kinds, o = badFiles, isRefused; k%10 == 9 {
				kinds, o = noImages, isIgnored
			}
		}
		ext, content := kinds[r.IntN(len(kinds))](t, r, k)
		name := fmt.Sprintf("%s/%04d%s", class, k, ext)
		if k%50 == 0 { // hidden, and an image
			name, o = fmt.Sprintf("%s/.%04d%s", class, k, ext), isIgnored
		}
		want[write(t, dir, name, content)] = o
	}
	return want
}

// A thousand files in all formats, half of them broken: each is read, refused or
// ignored as it must be, and listed.
func TestEveryFileIsAccountedFor(t *testing.T) {
	const n = 1000
	dir := t.TempDir()
	want := mixedFolder(t, dir, n)
	if _, err := Folder(dir, nil); err == nil || !strings.Contains(err.Error(), "errors more") {
		t.Errorf("by default: %v", err)
	}
	d := must[*Set](t)(Folder(dir, &FolderOptions{Image: ImageOptions{Size: [2]int{8, 8}, Channels: 3, Upright: true, SkipUnreadable: true}}))
	got := map[string]outcome{}
	for i := range d.Len() {
		got[d.Path(i)] = isRead
	}
	var count [3]int
	for _, s := range d.Skipped() {
		o := isRefused
		if errors.Is(s.Err, ErrIgnored) {
			o = isIgnored
		}
		if _, twice := got[s.Path]; twice || s.Err.Error() == "" {
			t.Errorf("%v: listed twice, or without a reason", s)
		}
		got[s.Path] = o
	}
	for path, o := range want {
		if g, ok := got[path]; !ok || g != o {
			reason, _ := os.ReadFile(path)
			t.Errorf("%s: outcome %d, want %d (%.20q)", filepath.Base(path), g, o, reason)
		}
		count[o]++
	}
	if len(got) != n || d.Len() != count[isRead] || d.Len()+len(d.Skipped()) != n {
		t.Errorf("%d files listed of %d", len(got), n)
	}
	t.Logf("%d files: %d read, %d refused, %d ignored", n, count[isRead], count[isRefused], count[isIgnored])
}
