package dataset

import (
	"io"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
)

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"happy/b/2.png", "happy/a.PNG", "angry/z.png", "angry/deep/er/y.png"} {
		write(t, dir, name, encode(t, "a.png", gray(i, 2, 2)))
	}
	write(t, dir, "happy/notes.txt", "not an image")
	write(t, dir, "happy/.hidden.png", "not an image")
	write(t, dir, ".cache/x.png", "not an image")
	d := must[*Set](t)(Folder(dir, &FolderOptions{Identity: filepath.Base}))
	equal(t, "classes", d.ClassNames(), []string{"angry", "happy"})
	equal(t, "labels", allLabels(t, d), []string{"angry", "angry", "happy", "happy"})
	equal(t, "identities", allIdentities(d), []string{"y.png", "z.png", "a.PNG", "2.png"})
	for i, k := range []int{3, 2, 1, 0} {
		equal(t, d.Path(i), d.bytes[4*i:4*i+4], gray(k, 2, 2).Pix)
	}
	if want := filepath.Join(dir, "happy", "b", "2.png"); d.Path(3) != want {
		t.Errorf("path %q, want %q", d.Path(3), want)
	}
}

// Somebody hands over two folders; the one to forget lacks a class.
func TestTwoFolders(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"retain/a/1.png", "retain/b/2.png", "retain/c/3.png", "forget/c/4.png", "flat/5.png"} {
		writeImage(t, dir, name, gray(len(name), 2, 2))
	}
	retain := must[*Set](t)(Folder(filepath.Join(dir, "retain"), nil))
	forget := must[*Set](t)(Folder(filepath.Join(dir, "forget"), &FolderOptions{Classes: retain.ClassNames()}))
	flat := must[*Set](t)(Folder(filepath.Join(dir, "flat"), &FolderOptions{Classes: retain.ClassNames(), Label: "b"}))
	all, err := feature.Concat(retain, forget, flat)
	if err != nil {
		t.Fatal(err)
	}
	b := must[feature.Batch](t)(feature.ReadAll(all))
	equal(t, "labels", b.Labels, []int{0, 1, 2, 2, 1})
}

func TestFolderErrors(t *testing.T) {
	image := encode(t, "a.png", gradient(1, 20, 20))
	photo := encode(t, "a.jpg", gradient(1, 20, 20))
	for name, c := range map[string]struct {
		files map[string]string
		o     FolderOptions
		want  error
		text  string
	}{
		"nothing":        {map[string]string{"a/readme": "x"}, FolderOptions{}, ErrEmpty, "none of 1 files is an image"},
		"truncated PNG":  {map[string]string{"a/1.png": image, "a/2.png": image[:len(image)/2]}, FolderOptions{}, ErrFormat, "2.png"},
		"truncated JPEG": {map[string]string{"a/1.png": image, "a/2.jpg": photo[:len(photo)*3/4]}, FolderOptions{}, ErrFormat, "2.jpg"},
		"end missing":    {map[string]string{"a/1.png": image[:len(image)-12]}, FolderOptions{}, io.ErrUnexpectedEOF, "1.png"},
		"short header":   {map[string]string{"a/1.png": image[:20]}, FolderOptions{}, ErrFormat, "1.png"},
		"empty file":     {map[string]string{"a/1.png": image, "a/2.png": ""}, FolderOptions{}, ErrFormat, "2.png"},
		"wrong magic":    {map[string]string{"a/1.png": image, "a/2.png": "GIL89a.."}, FolderOptions{}, ErrFormat, "47 49 4c"},
		"corrupt":        {map[string]string{"a/1.png": image[:60] + "!" + image[61:]}, FolderOptions{}, ErrFormat, "1.png"},
		"stray image":    {map[string]string{"1.png": image}, FolderOptions{}, feature.ErrLabel, "in no class folder"},
		"unknown class":  {map[string]string{"b/1.png": image}, FolderOptions{Classes: []string{"a"}}, feature.ErrLabel, `"b" is not one of the classes ["a"]`},
		"lone label":     {map[string]string{"1.png": image}, FolderOptions{Label: "a"}, feature.ErrLabel, "without Classes"},
		"no identity":    {map[string]string{"a/1.png": image}, FolderOptions{Identity: func(string) string { return "" }}, ErrIdentity, "1.png"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for name, content := range c.files {
				write(t, dir, name, content)
			}
			_, err := Folder(dir, &c.o)
			wantError(t, err, c.want, c.text)
		})
	}
	_, err := Folder(filepath.Join(t.TempDir(), "gone"), nil)
	wantError(t, err, fs.ErrNotExist, "gone")
}

// A PNG extension does not make a PNG: what counts is the content.
func TestFormatByContent(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a/1.png", encode(t, "a.jpg", gray(1, 8, 8)))
	if d := must[*Set](t)(Folder(dir, nil)); d.Len() != 1 {
		t.Errorf("%d images", d.Len())
	}
}

// Many bad files give the first five in order, whatever order they were read in.
func TestErrorsInOrder(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		write(t, dir, "x/"+n+".png", "bad")
	}
	writeImage(t, dir, "x/0.png", gray(0, 2, 2))
	var texts []string
	for _, procs := range []int{1, 4} {
		old := runtime.GOMAXPROCS(procs)
		_, err := Folder(dir, nil)
		runtime.GOMAXPROCS(old)
		wantError(t, err, ErrFormat, "a.png", "e.png", "and 3 errors more")
		texts = append(texts, err.Error())
	}
	if texts[0] != texts[1] || strings.Contains(texts[0], "f.png") || strings.Count(texts[0], "\n") != maxErrors {
		t.Errorf("texts:\n%s\n%s", texts[0], texts[1])
	}
}

func TestSameBitsAtAnyGOMAXPROCS(t *testing.T) {
	dir := t.TempDir()
	for i := range 30 {
		writeImage(t, dir, "x/"+string(rune('a'+i%26))+string(rune('a'+i/26))+".jpg", gradient(i, 9, 13))
	}
	var sets []*Set
	for _, procs := range []int{1, 4} {
		old := runtime.GOMAXPROCS(procs)
		sets = append(sets, must[*Set](t)(Folder(dir, &FolderOptions{Image: ImageOptions{Size: [2]int{5, 6}}})))
		runtime.GOMAXPROCS(old)
	}
	if !slices.Equal(sets[0].bytes, sets[1].bytes) || !slices.Equal(sets[0].paths, sets[1].paths) {
		t.Error("the sets differ")
	}
}
