package dataset

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/dlfd-go/unlearn/feature"
)

func packedFolder(dir, path string, o ImageOptions) (*Set, error) {
	o.Pack = path
	return Folder(dir, &FolderOptions{Image: o})
}

// TestPackNeedsNoDecoding takes away what a decoder would need, with the times of
// the files as they were.
func TestPackNeedsNoDecoding(t *testing.T) {
	dir, path := imageFolder(t, 7), filepath.Join(t.TempDir(), "p")
	want := folder(t, dir, ImageOptions{})
	d := folder(t, dir, ImageOptions{Pack: path})
	for i := range d.Len() {
		info := must[os.FileInfo](t)(os.Stat(d.Path(i)))
		if err := os.WriteFile(d.Path(i), make([]byte, info.Size()), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(d.Path(i), info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
	}
	sameSets(t, d, want)
	sameSets(t, folder(t, dir, ImageOptions{Pack: path}), want)
}

// TestDamagedPacks turns one bit after the other, and cuts everywhere.
func TestDamagedPacks(t *testing.T) {
	dir, path := imageFolder(t, 3), filepath.Join(t.TempDir(), "p")
	folder(t, dir, ImageOptions{Pack: path}).Close()
	whole := must[[]byte](t)(os.ReadFile(path))
	read := func() error {
		d, err := packedFolder(dir, path, ImageOptions{})
		if err != nil {
			return err
		}
		defer d.Close()
		_, err = feature.ReadAll(d)
		return err
	}
	if err := read(); err != nil {
		t.Fatal(err)
	}
	step := 7
	if testing.Short() {
		step = 61
	}
	for i := 0; i < len(whole); i += step {
		broken := bytes.Clone(whole)
		broken[i] ^= 1 << (i % 8)
		for _, b := range [][]byte{broken, whole[:i]} {
			if err := os.WriteFile(path, b, 0o666); err != nil {
				t.Fatal(err)
			}
			wantError(t, read(), ErrPack, path, "delete the pack")
		}
	}
}

func TestPacksOfSomethingElse(t *testing.T) {
	dir, path := imageFolder(t, 5), filepath.Join(t.TempDir(), "p")
	names := folder(t, dir, ImageOptions{Pack: path, Channels: 3})
	open := func(o ImageOptions) error {
		d, err := packedFolder(dir, path, o)
		if err == nil {
			err = d.Close()
		}
		return err
	}
	if err := open(ImageOptions{Channels: 3}); err != nil {
		t.Fatal(err)
	}
	wantError(t, open(ImageOptions{Channels: 1}), ErrPack, "Channels:1", "Channels:3", path, "delete the pack")
	wantError(t, open(ImageOptions{Channels: 3, Upright: true}), ErrPack, "Upright:true")

	// Written again with the same content, the files are the same.
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(names.Path(1), later, later); err != nil {
		t.Fatal(err)
	}
	if err := open(ImageOptions{Channels: 3}); err != nil {
		t.Error(err)
	}
	b := must[[]byte](t)(os.ReadFile(names.Path(1)))
	b[len(b)-1] ^= 1
	if err := os.WriteFile(names.Path(1), b, 0o666); err != nil {
		t.Fatal(err)
	}
	err := open(ImageOptions{Channels: 3})
	wantError(t, err, ErrPack, names.Path(1), "delete the pack")
	wantError(t, err, ErrChanged)

	writeImage(t, dir, "b/new.png", gradient(1, 6, 5))
	wantError(t, open(ImageOptions{Channels: 3}), ErrPack, "5 files", "6")
	if err := os.Remove(names.Path(1)); err != nil {
		t.Fatal(err)
	}
	wantError(t, open(ImageOptions{Channels: 3}), ErrPack, "file 1 was ")

	photo := writeImage(t, t.TempDir(), "photo.png", gradient(0, 90, 90))
	_, err = packedFolder(dir, photo, ImageOptions{Channels: 3})
	wantError(t, err, ErrPack, photo)
	_, err = packedFolder(dir, filepath.Join(dir, "missing", "p"), ImageOptions{Channels: 3})
	wantError(t, err, fs.ErrNotExist, "pack", "missing")
}

// TestPackOfOtherDecoders writes a pack as another version of Go would.
func TestPackOfOtherDecoders(t *testing.T) {
	x := packIndex{Go: "go1.20"}
	err := x.check(nil, nil, ImageOptions{}, nil)
	if err == nil || !bytes.Contains([]byte(err.Error()), []byte("go1.20")) {
		t.Error(err)
	}
}

// TestNoPackOfErrors checks that a failed writing leaves nothing behind.
func TestNoPackOfErrors(t *testing.T) {
	dir, to := imageFolder(t, 5), t.TempDir()
	write(t, dir, "a/04.png", "no image at all")
	_, err := packedFolder(dir, filepath.Join(to, "p"), ImageOptions{})
	wantError(t, err, ErrFormat, "04.png")
	if left := must[[]os.DirEntry](t)(os.ReadDir(to)); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// TestPackCutWhileItIsRead truncates a pack that is mapped: a fault in the mapping
// is an error.
func TestPackCutWhileItIsRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a mapped file cannot be cut off there")
	}
	dir, path := imageFolder(t, 5), filepath.Join(t.TempDir(), "p")
	o := ImageOptions{Pack: path, Size: [2]int{200, 200}}
	d := folder(t, dir, o)
	if err := os.Truncate(path, 100); err != nil {
		t.Fatal(err)
	}
	err := d.Read([]int{4}, make([]float32, d.size), make([]int, 1))
	wantError(t, err, ErrPack, path, "cut off", "delete the pack")
}

// TestUnmappedPack reads a pack where files cannot be mapped.
func TestUnmappedPack(t *testing.T) {
	dir, path := imageFolder(t, 5), filepath.Join(t.TempDir(), "p")
	want := folder(t, dir, ImageOptions{})
	d := folder(t, dir, ImageOptions{Pack: path})
	m := d.source.(*packed).mapping
	if m.data == nil && runtime.GOOS == "linux" {
		t.Error("the pack is not mapped")
	}
	m.release()
	m.limit = 1 << 40
	sameSets(t, d, want)
	if m.data != nil {
		t.Error("the pack has been mapped again")
	}
	m.file.Close()
	wantError(t, d.Read([]int{0}, make([]float32, d.size), make([]int, 1)), fs.ErrClosed, path)
}

// TestConcurrentRenewal reads on several goroutines while the mapping is made anew
// with every use.
func TestConcurrentRenewal(t *testing.T) {
	dir, path := imageFolder(t, 9), filepath.Join(t.TempDir(), "p")
	want := must[feature.Batch](t)(feature.ReadAll(folder(t, dir, ImageOptions{})))
	d := folder(t, dir, ImageOptions{Pack: path, CacheBytes: 1})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				got, err := feature.ReadAll(d)
				if err != nil || !slices.Equal(got.X.Data, want.X.Data) {
					t.Error("other pixels, or", err)
				}
			}
		})
	}
	wg.Wait()
}

// TestPackOfTwoPrograms lets programs, and goroutines in each, write the same pack
// at once.
func TestPackOfTwoPrograms(t *testing.T) {
	if dir := os.Getenv("UNLEARN_TEST_PACK_OF"); dir != "" {
		writeTogether(t, dir)
		return
	}
	dir := imageFolder(t, 20)
	path := filepath.Join(dir, "..", filepath.Base(dir)+".pack")
	t.Cleanup(func() { os.Remove(path) })
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			c := exec.Command(os.Args[0], "-test.run", "^TestPackOfTwoPrograms$")
			c.Env = append(os.Environ(), "UNLEARN_TEST_PACK_OF="+dir)
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	sameSets(t, folder(t, dir, ImageOptions{Pack: path}), folder(t, dir, ImageOptions{}))
	if left := must[[]string](t)(filepath.Glob(path + "?*")); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

func writeTogether(t *testing.T, dir string) {
	path := filepath.Join(dir, "..", filepath.Base(dir)+".pack")
	want := folder(t, dir, ImageOptions{})
	var wg sync.WaitGroup
	sets := make([]*Set, 3)
	for i := range sets {
		wg.Go(func() {
			var err error
			if sets[i], err = Folder(dir, &FolderOptions{Image: ImageOptions{Pack: path}, Identity: filepath.Base}); err != nil {
				t.Error(fmt.Errorf("writer %d: %w", i, err))
			}
		})
	}
	wg.Wait()
	for _, d := range sets {
		if d != nil {
			sameSets(t, d, want)
			d.Close()
		}
	}
}
