package dataset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
)

// imageFolder writes n color images of 6×5 in two classes, PNG and JPEG by turns.
func imageFolder(t testing.TB, n int) string {
	t.Helper()
	dir := t.TempDir()
	for i := range n {
		writeImage(t, dir, fmt.Sprintf("%c/%02d.%s", 'a'+i%2, i, []string{"png", "jpg"}[i/2%2]), gradient(i, 6, 5))
	}
	return dir
}

// folder reads an image folder, one sample in three channels.
func folder(t testing.TB, dir string, o ImageOptions) *Set {
	t.Helper()
	d := must[*Set](t)(Folder(dir, &FolderOptions{Image: o, Identity: filepath.Base}))
	t.Cleanup(func() { d.Close() })
	return d
}

// sameSets fails the test unless two sets are equal in all that they tell.
func sameSets(t *testing.T, got, want *Set) {
	t.Helper()
	equal(t, "shape", got.Shape(), want.Shape())
	equal(t, "labels", must[[]int](t)(feature.Labels(got)), must[[]int](t)(feature.Labels(want)))
	equal(t, "identities", allIdentities(got), allIdentities(want))
	equal(t, "classes", got.ClassNames(), want.ClassNames())
	equal(t, "skipped", skipped(got), skipped(want))
	a, b := must[feature.Batch](t)(feature.ReadAll(want)), must[feature.Batch](t)(feature.ReadAll(got))
	equal(t, "pixels", b.X.Data, a.X.Data)
	equal(t, "labels that are read", b.Labels, a.Labels)
	if p, q := must[feature.Pixels](t)(ComputePixels(want)), must[feature.Pixels](t)(ComputePixels(got)); !slices.Equal(p.Mean, q.Mean) || !slices.Equal(p.Std, q.Std) {
		t.Errorf("pixels are %v, want %v", q, p)
	}
}

// TestOnDemandEqualsMemory reads in all ways, at several numbers of processors,
// twice each, with caches for all, some and no images.
func TestOnDemandEqualsMemory(t *testing.T) {
	dir := imageFolder(t, 13)
	p := feature.Pixels{Mean: []float64{.5, .25, .1}, Std: []float64{.25, .5, 1}}
	for _, o := range []ImageOptions{{}, {Size: [2]int{4, 7}, Channels: 1}, {Pixels: p}} {
		want := folder(t, dir, o)
		if want.source != nil || offersAhead(want) {
			t.Fatal("a set in memory reads ahead")
		}
		for _, procs := range []int{1, 4} {
			before := runtime.GOMAXPROCS(procs)
			for _, cache := range []int64{0, 1, 300} {
				o.OnDemand, o.CacheBytes, o.Pack = true, cache, ""
				d := folder(t, dir, o)
				sameSets(t, d, want)
				sameSets(t, d, want)
				if used := d.source.(*files).used.Load(); cache > 0 && used > cache {
					t.Errorf("%d bytes are kept, %d are allowed", used, cache)
				}
				o.Pack = filepath.Join(t.TempDir(), "pack")
				sameSets(t, folder(t, dir, o), want)
				sameSets(t, folder(t, dir, o), want)
			}
			runtime.GOMAXPROCS(before)
		}
	}
}

func offersAhead(d feature.Dataset) bool {
	_, ok := feature.As[feature.AheadReader](d)
	return ok
}

func TestOnDemandConformance(t *testing.T) {
	dir := imageFolder(t, 9)
	table := peopleTable(t, people)
	csv := func(o ImageOptions) *Set {
		d := must[*Set](t)(CSV(table, &CSVOptions{Path: "path", Label: "age", Identity: "identity", Image: o}))
		t.Cleanup(func() { d.Close() })
		return d
	}
	sameSets(t, csv(ImageOptions{OnDemand: true}), csv(ImageOptions{}))
	for name, d := range map[string]*Set{
		"files": folder(t, dir, ImageOptions{OnDemand: true, CacheBytes: 200}),
		"pack":  folder(t, dir, ImageOptions{Pack: filepath.Join(t.TempDir(), "p"), CacheBytes: 1}),
		"table": csv(ImageOptions{OnDemand: true}), "packed table": csv(ImageOptions{Pack: filepath.Join(t.TempDir(), "p")}),
	} {
		t.Run(name, func(t *testing.T) {
			if !offersAhead(d) {
				t.Error("the set does not read ahead")
			}
			featuretest.RunDataset(t, d)
		})
	}
}

// TestOnDemandReadsLater checks that no pixels are decoded but of the first image:
// the second is whole in its header alone.
func TestOnDemandReadsLater(t *testing.T) {
	dir := imageFolder(t, 4)
	name := filepath.Join(dir, "b", "01.png")
	b := must[[]byte](t)(os.ReadFile(name))
	write(t, dir, "b/01.png", string(b[:len(b)-30]))
	if _, err := Folder(dir, nil); err == nil {
		t.Fatal("no error in memory")
	}
	d := folder(t, dir, ImageOptions{OnDemand: true})
	must[feature.Batch](t)(feature.ReadAll(must[feature.Dataset](t)(feature.Subset(d, []int{0, 1, 3}))))
	err := d.Read([]int{2}, make([]float32, 90), make([]int, 1))
	wantError(t, err, ErrFormat, name, "not enough pixel data")
}

func TestOnDemandErrors(t *testing.T) {
	dir := imageFolder(t, 4)
	writeImage(t, dir, "b/wide.png", gradient(0, 6, 7))
	write(t, dir, "b/text.png", "no image at all")
	o := &FolderOptions{Image: ImageOptions{OnDemand: true}}
	want := func() string { _, err := Folder(dir, nil); return err.Error() }()
	_, err := Folder(dir, o)
	wantError(t, err, ErrFormat, want)
	wantError(t, err, feature.ErrShape, want)
	_, err = Folder(dir, &FolderOptions{Image: ImageOptions{Pack: filepath.Join(t.TempDir(), "p")}})
	wantError(t, err, ErrFormat, want)

	_, err = Folder(dir, &FolderOptions{Image: ImageOptions{CacheBytes: 1}})
	wantError(t, err, feature.ErrParameter, "CacheBytes 1", "OnDemand")
	_, err = Folder(dir, &FolderOptions{Image: ImageOptions{CacheBytes: -1, OnDemand: true}})
	wantError(t, err, feature.ErrParameter, "CacheBytes -1")
	_, err = IDX("images", "labels", &IDXOptions{Image: ImageOptions{OnDemand: true}})
	wantError(t, err, feature.ErrParameter, "images", "OnDemand")
}

func TestOnDemandSkips(t *testing.T) {
	dir := imageFolder(t, 8)
	write(t, dir, "a/00.png", "no image at all") // the first of all
	write(t, dir, "b/text.png", "no image at all")
	want := folder(t, dir, ImageOptions{SkipUnreadable: true})
	sameSets(t, folder(t, dir, ImageOptions{SkipUnreadable: true, OnDemand: true}), want)
	o := ImageOptions{SkipUnreadable: true, Pack: filepath.Join(t.TempDir(), "p")}
	sameSets(t, folder(t, dir, o), want)
	sameSets(t, folder(t, dir, o), want)
	o.SkipUnreadable = false
	_, err := Folder(dir, &FolderOptions{Image: o})
	wantError(t, err, ErrFormat, filepath.Join(dir, "a", "00.png"))
}

// TestFilesThatChange changes files below a set that has been made. No other
// picture is ever read.
func TestFilesThatChange(t *testing.T) {
	dir := imageFolder(t, 8)
	d := folder(t, dir, ImageOptions{OnDemand: true, CacheBytes: 1})
	x, label := make([]float32, 90), make([]int, 1)
	at := func(i int) string { return d.Path(i) }
	changed := func(i int, texts ...string) {
		t.Helper()
		wantError(t, d.Read([]int{i}, x, label), ErrChanged, append(texts, at(i))...)
	}
	if err := os.Remove(at(0)); err != nil {
		t.Fatal(err)
	}
	changed(0)
	if err := d.Read([]int{0}, x, label); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	old := must[os.FileInfo](t)(os.Stat(at(1)))
	if err := os.WriteFile(at(1), []byte("other"), 0o666); err != nil {
		t.Fatal(err)
	}
	changed(1, fmt.Sprintf("%d bytes", old.Size()), "5 bytes")

	// A file of the same size and time, which has been decoded before.
	readOne(t, d, 2)
	b := must[[]byte](t)(os.ReadFile(at(2)))
	info := must[os.FileInfo](t)(os.Stat(at(2)))
	b[len(b)/2] ^= 1
	if err := os.WriteFile(at(2), b, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(at(2), info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	changed(2, "content")

	// The same content, written again: the file may have been another in between.
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(at(3), later, later); err != nil {
		t.Fatal(err)
	}
	changed(3)
	readOne(t, d, 4)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	wantError(t, d.Read([]int{4}, x, label), fs.ErrClosed, at(4))
}

// TestCacheKeeps reads what is in the cache although the files are gone.
func TestCacheKeeps(t *testing.T) {
	dir := imageFolder(t, 6)
	d := folder(t, dir, ImageOptions{OnDemand: true, CacheBytes: 4 * 90})
	must[feature.Batch](t)(feature.ReadAll(d))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	kept := 0
	for i := range d.Len() {
		if d.Read([]int{i}, make([]float32, 90), make([]int, 1)) == nil {
			kept++
		}
	}
	if kept != 4 {
		t.Errorf("%d images are kept, want 4", kept)
	}
}

func TestOnDemandIsCanceled(t *testing.T) {
	d := folder(t, imageFolder(t, 8), ImageOptions{OnDemand: true, CacheBytes: 1})
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var last error
	batches := 0
	for _, err := range feature.BatchesContext(ctx, d, 1, 1, nil) {
		if batches++; batches == 3 {
			cancel()
		}
		last = err
	}
	// The fourth batch was being read when the context ended.
	if !errors.Is(last, context.Canceled) || batches > 5 {
		t.Errorf("%d batches, and then %v", batches, last)
	}
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}
