package dataset

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// skipped returns the last elements of the paths of d.Skipped.
func skipped(d *Set) []string {
	var names []string
	for _, s := range d.Skipped() {
		names = append(names, filepath.Base(s.Path))
	}
	return names
}

// A class without images keeps its number: pytorch/vision 4925, 8297.
func TestEmptyClassKeepsItsNumber(t *testing.T) {
	dir := t.TempDir()
	writeImage(t, dir, "cat/a.png", gray(0, 2, 2))
	writeImage(t, dir, "eel/c.png", gray(1, 2, 2))
	write(t, dir, "fox/readme.txt", "none yet")
	if err := os.Mkdir(filepath.Join(dir, "dog"), 0o777); err != nil {
		t.Fatal(err)
	}
	d := must[*Set](t)(Folder(dir, nil))
	equal(t, "classes", d.ClassNames(), []string{"cat", "dog", "eel", "fox"})
	equal(t, "labels", must[[]int](t)(feature.Labels(d)), []int{0, 2})
	equal(t, "skipped", skipped(d), []string{"readme.txt"})
}

// A class whose images are all of a format that is not read is refused, or keeps
// its number and tells.
func TestUnreadFormat(t *testing.T) {
	dir := t.TempDir()
	writeImage(t, dir, "cat/a.png", gray(0, 2, 2))
	write(t, dir, "dog/b.HEIC", "\x00\x00\x00\x18ftypheic")
	write(t, dir, "dog/photo", "\x00\x00\x00\x18ftypavif")
	write(t, dir, "dog/raw.nef", "MM\x00*")
	writeImage(t, dir, "eel/c.png", gray(1, 2, 2))
	_, err := Folder(dir, nil)
	wantError(t, err, ErrFormat, "b.HEIC", "HEIC, which is not read", "photo", "AVIF", "raw.nef", ".nef are not read")
	d := must[*Set](t)(Folder(dir, &FolderOptions{Image: ImageOptions{SkipUnreadable: true}}))
	equal(t, "labels", must[[]int](t)(feature.Labels(d)), []int{0, 2})
	equal(t, "skipped", skipped(d), []string{"b.HEIC", "photo", "raw.nef"})
	for _, s := range d.Skipped() {
		if !filepath.IsAbs(s.Path) || !strings.Contains(s.String(), "not read") {
			t.Errorf("%v", s)
		}
	}
}

// The content decides, whatever the name says.
func TestContentAgainstName(t *testing.T) {
	dir := t.TempDir()
	photo := encode(t, "a.jpg", gray(1, 8, 8))
	for _, name := range []string{"c/1.png", "c/2", "c/3.photo", "c/4.JFIF"} {
		write(t, dir, name, photo)
	}
	write(t, dir, "c/5.csv", "BM,is not a bitmap and has more than enough letters")
	if d := must[*Set](t)(Folder(dir, nil)); d.Len() != 4 || len(d.Skipped()) != 1 || !errors.Is(d.Skipped()[0].Err, ErrIgnored) {
		t.Errorf("%d images, skipped %v", d.Len(), d.Skipped())
	}
	for name, c := range map[string][2]string{
		"an.html.jpg": {" <!DOCTYPE html>", "HTML"}, "empty.png": {"", "the file is empty"}, "lfs.png": {"version https://git-lfs.github.com/spec/v1", "Git LFS"},
		"doc.jpg": {"%PDF-1.7", "PDF"}, "raw.tif": {"II*\x00\x10\x00\x00\x00CR\x02", "Canon raw"}, "noise.bmp": {"\x01\x02\x03", "starts with 01 02 03"},
		"cut.gif": {encode(t, "a.gif", gray(1, 8, 8))[:100], "GIF file is cut off"}, "cut.jpg": {photo[:len(photo)-20], "short Huffman data"},
		"cut.bmp": {encode(t, "a.bmp", gray(1, 8, 8))[:70], "BMP file is cut off"}, "cut.webp": {webpFile(t, 0)[:60], "WebP"}, "cut.tiff": {encode(t, "a.tiff", gray(1, 8, 8))[:60], "TIFF"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "c/"+name, c[0])
			_, err := Folder(dir, nil)
			wantError(t, err, ErrFormat, name, c[1])
		})
	}
}

func link(t *testing.T, target, dir, name string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil {
		t.Skip(err)
	}
}

func TestLinks(t *testing.T) {
	dir := t.TempDir()
	writeImage(t, dir, ".store/x/1.png", gray(0, 2, 2))
	writeImage(t, dir, "b/2.png", gray(1, 2, 2))
	link(t, ".store/x", dir, "a")
	link(t, "../b/2.png", dir, "a2/3.png")
	link(t, "b", dir, ".latest")
	link(t, "..", dir, ".store/back")
	d := must[*Set](t)(Folder(dir, nil))
	equal(t, "classes", d.ClassNames(), []string{"a", "a2", "b"})
	equal(t, "labels", allLabels(t, d), []string{"a", "a2", "b"})
	equal(t, "skipped", skipped(d), []string{".latest", "back", "1.png"})
}

func TestRefusedLinks(t *testing.T) {
	outside := t.TempDir()
	writeImage(t, outside, "x/1.png", gray(0, 2, 2))
	for name, c := range map[string][3]string{
		"folder outside": {outside + "/x", "a", "out of the folder"},
		"file outside":   {"../../" + filepath.Base(outside) + "/x/1.png", "b/2.png", "out of the folder"},
		"nowhere":        {"gone", "b/3.png", "no such file"},
		"above itself":   {"..", "b/again", "the same folder as"},
		"twice":          {"b", "z", "would count twice"},
		"circle":         {"4.png", "b/4.png", "cannot be followed"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writeImage(t, dir, "b/1.png", gray(0, 2, 2))
			link(t, c[0], dir, c[1])
			_, err := Folder(dir, nil)
			if err == nil {
				t.Fatal("no error")
			}
			wantError(t, err, err, filepath.FromSlash(c[1]), c[2])
			d := must[*Set](t)(Folder(dir, &FolderOptions{Image: ImageOptions{SkipUnreadable: true}}))
			if d.Len() != 1 || len(d.Skipped()) != 1 {
				t.Errorf("%d images, skipped %v", d.Len(), d.Skipped())
			}
		})
	}
	dir := t.TempDir()
	link(t, outside+"/x/1.png", dir, "1.png")
	file := write(t, dir, "m.csv", "path,label\n1.png,a\n")
	_, err := CSV(file, &CSVOptions{Path: "path", Label: "label"})
	wantError(t, err, ErrFormat, "row 1 (line 2): image 1.png", "out of the folder")
}

func TestNoPermission(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("the superuser may read everything")
	}
	dir := t.TempDir()
	writeImage(t, dir, "a/1.png", gray(0, 2, 2))
	locked := writeImage(t, dir, "b/2.png", gray(0, 2, 2))
	if err := os.Chmod(filepath.Dir(locked), 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(filepath.Dir(locked), 0o777)
	_, err := Folder(dir, nil)
	wantError(t, err, fs.ErrPermission, "b")
	d := must[*Set](t)(Folder(dir, &FolderOptions{Image: ImageOptions{SkipUnreadable: true}}))
	equal(t, "skipped", skipped(d), []string{"b"})
}

func TestErrorsSayWhere(t *testing.T) {
	gone := filepath.Join(t.TempDir(), "nowhere")
	_, err := Folder(gone, nil)
	if want := "dataset: " + gone + ": no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
	_, err = Folder("", nil)
	wantError(t, err, fs.ErrNotExist, "name of the folder is empty")
	file := write(t, t.TempDir(), "t.csv", "p;l\na;x\n")
	_, err = CSV(file, &CSVOptions{Path: "p", Label: "l"})
	wantError(t, err, ErrColumn, `"p"`, "is Comma, the separator of fields, right?")
}

// Rows whose images cannot be read are left out and listed, if that is wanted.
func TestCSVSkipsUnreadable(t *testing.T) {
	file := peopleTable(t, "path,who\nimg/9.png,a\nimg/0.png,b\nimg/1.png,c\nimg/2.png,d\n")
	write(t, filepath.Dir(file), "img/1.png", "<html>")
	o := &CSVOptions{Path: "path", Label: "who", Identity: "who", Image: ImageOptions{SkipUnreadable: true}}
	d := must[*Set](t)(CSV(file, o))
	equal(t, "labels", allLabels(t, d), []string{"b", "d"})
	equal(t, "identities", allIdentities(d), []string{"b", "d"})
	equal(t, "skipped", skipped(d), []string{"9.png", "1.png"})
	equal(t, "pixels", d.bytes, slices.Concat(gray(0, 2, 3).Pix, gray(2, 2, 3).Pix))
	if s := d.Skipped()[1].String(); !strings.Contains(s, "img/1.png: ") || !strings.Contains(s, "row 3 (line 4)") || !strings.Contains(s, "HTML") {
		t.Errorf("reason %q", s)
	}
	d.Skipped()[0].Path = "changed"
	if d.Skipped()[0].Path != "img/9.png" {
		t.Error("the set changed with its answer")
	}
	large := encode(t, "a.png", randomImage(rng.Stream(1, "x"), 9, 9))
	write(t, filepath.Dir(file), "img/9.png", large[:len(large)/2]) // its header must not decide for the others
	equal(t, "labels", allLabels(t, must[*Set](t)(CSV(file, o))), []string{"b", "d"})
	for i := range 4 {
		write(t, filepath.Dir(file), "img/"+string(rune('0'+i))+".png", "")
	}
	_, err := CSV(file, o)
	wantError(t, err, ErrFormat, "row 2 (line 3)", "the file is empty")
	writeImage(t, filepath.Dir(file), "img/0.png", gray(0, 2, 3))
	writeImage(t, filepath.Dir(file), "img/1.png", gray(0, 3, 2))
	_, err = CSV(file, o) // the options are to blame, not the file
	wantError(t, err, feature.ErrShape, "set Size")
}

// pandas writes a column of integers with a gap as 1.0, 2.0.
func TestNumbersRespelt(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []string{"a.png", "b.png", "c.png", "d.png"} {
		writeImage(t, dir, n, gray(int(n[0]), 2, 2))
	}
	read := func(text string, classes ...string) (*Set, error) {
		return CSV(write(t, dir, "m.csv", "path,label,id\n"+text), &CSVOptions{Path: "path", Label: "label", Identity: "id", Classes: classes})
	}
	keep := must[*Set](t)(read("a.png,x,7\nb.png,y,8\n"))
	lose := must[*Set](t)(read("c.png,x,7.0\nd.png,y,9.0\n"))
	padded := must[*Set](t)(read("c.png,x,007\nd.png,y,9\n"))
	equal(t, "identities", allIdentities(lose), []string{"7", "9"})
	equal(t, "identities", allIdentities(padded), []string{"007", "9"})
	equal(t, "shared", must[Shared](t)(Overlap(keep, lose)).Identities, []string{"7"})
	equal(t, "shared", must[Shared](t)(Overlap(padded, keep)).Identities, []string{"007"})
	mixed := must[*Set](t)(read("a.png,1,1\nb.png,1.0,1.0\nc.png,2.,3\n"))
	equal(t, "classes", mixed.ClassNames(), []string{"1", "2"})
	equal(t, "identities", allIdentities(mixed), []string{"1", "1", "3"})
	given := must[*Set](t)(read("a.png,1,1\nb.png,2.0,2\nc.png,+2,3\n", "02", "1.0"))
	equal(t, "labels", allLabels(t, given), []string{"1.0", "02", "02"})
	_, err := read("a.png,7,1\nb.png,07,2\n")
	wantError(t, err, ErrFormat, "row 2 (line 3)", `label`, `"7" and "07" are two spellings of one number`)
	_, err = read("a.png,x,7\nb.png,x,07\n")
	wantError(t, err, ErrFormat, "row 2 (line 3)", `identity`, `"7" and "07"`)
	_, err = read("a.png,7.0,1\n", "7", "07", "007")
	if err != nil { // 7.0 is 7 first, which stands there
		t.Error(err)
	}
	_, err = read("a.png,+7,1\n", "7", "07", "007")
	wantError(t, err, feature.ErrLabel, `"+7"`)
	d := must[*Set](t)(CSV(write(t, dir, "m.csv", "path,label,split\na.png,x,1.0\nb.png,x,1\nc.png,x,2\n"),
		&CSVOptions{Path: "path", Label: "label", Where: map[string][]string{"split": {"1"}}}))
	equal(t, "kept", []string{d.Path(0), d.Path(1)}, []string{"a.png", "b.png"})
}

func TestDecimal(t *testing.T) {
	for s, want := range map[string]string{
		"7": "7", "07": "7", "7.0": "7", "7.": "7", "+7": "7", "-7.50": "-7.5", "-0": "0", "-0.0": "0", "0.10": "0.1",
		"123456789012345678901": "123456789012345678901", "": "!", "-": "!", ".5": "!", "1e3": "!", "7.a": "!", "a7": "!", "7 ": "!", "1.2.3": "!",
	} {
		got, ok := decimal(s)
		if !ok {
			got = "!"
		}
		if got != want {
			t.Errorf("%q is %q, want %q", s, got, want)
		}
	}
	for s, want := range map[string]string{"7.0": "7", "07.0": "07", "7.": "7", "7.5": "7.5", "a.0": "a.0", ".0": ".0", "x": "x", "-1": "-1"} {
		if got := plainInteger(s); got != want {
			t.Errorf("%q without decimals is %q, want %q", s, got, want)
		}
	}
}

// A black, a gray and a white image are not the same image: imagehash 134. Nor
// are a white page with a dark top and one with a dark bottom.
func TestFlatImagesAreNotDuplicates(t *testing.T) {
	s := Samples{X: feature.NewTensor(6, 1, 16, 16), Labels: make([]int, 6)}
	for i := range 6 {
		for k := range s.X.Row(i) {
			v := float64(i) / 2
			switch i {
			case 3, 4:
				v = math.Round(float64((k/128 + i) % 2))
			case 5:
				v = .5 + 1./255
			}
			s.X.Row(i)[k] = float32(v)
		}
	}
	d := must[*Set](t)(Memory(s))
	var want []Pair
	for i := range 6 {
		want = append(want, Pair{i, i})
	}
	want = slices.Insert(want, 2, Pair{1, 5}) // nearly the same gray
	want = slices.Insert(want, 6, Pair{5, 1})
	for _, maxBits := range []int{0, 64} {
		equal(t, "pairs", must[[]Pair](t)(NearDuplicates(d, d, maxBits)), want)
	}
}
