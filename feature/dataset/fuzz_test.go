package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
)

func FuzzIDX(f *testing.F) {
	good := idx(ramp(18), 3, 2, 3)
	f.Add([]byte(good), 3)
	f.Add([]byte(zip(f, good)), 3)
	f.Add([]byte(idx([]byte{1, 2}, 2)), 1)
	f.Add([]byte(idx(nil, 1<<31-1, 1<<31-1, 1<<31-1)), 3)
	f.Add([]byte(zip(f, good)[:12]), 3)
	f.Fuzz(func(t *testing.T, b []byte, axes int) {
		axes = 1 + axes&3
		const limit = 1 << 16
		dims, data, err := parseIDX(bytes.NewReader(b), axes, limit)
		if err != nil {
			return
		}
		size := 1
		for _, d := range dims {
			size *= d
		}
		if len(dims) != axes || size != len(data) || size < 1 || size > limit {
			t.Fatalf("%d bytes of shape %v with %d axes", len(data), dims, axes)
		}
		header := make([]uint32, axes)
		for i, d := range dims {
			header[i] = uint32(d)
		}
		if again := idx(data, header...); b[0] == 0 && again != string(b) {
			t.Fatalf("% x is read like % x", b, again)
		}
	})
}

func FuzzTable(f *testing.F) {
	f.Add(people, ',', 0, false)
	f.Add("\ufeffa;b\r\n\"1\";2\r\n", ';', 0, false)
	f.Add("train_1.jpg 5\n", ' ', 0, true)
	f.Add("2\nMale Young\nf.jpg -1  1\n", ' ', 1, false)
	f.Add("a,\"b\n\n", ',', 0, false)
	f.Fuzz(func(t *testing.T, text string, comma rune, skip int, noHeader bool) {
		tab, err := parseTable(strings.NewReader(text), "m.csv", TableOptions{Comma: comma, Skip: skip % 4, NoHeader: noHeader})
		if err != nil {
			return
		}
		if len(tab.rows) == 0 || len(tab.lines) != len(tab.rows) || len(tab.index) != len(tab.columns) {
			t.Fatalf("%d rows, %d lines, %d of %d columns", len(tab.rows), len(tab.lines), len(tab.index), len(tab.columns))
		}
		for i, row := range tab.rows {
			if len(row) != len(tab.columns) || tab.lines[i] < i+1 || i > 0 && tab.lines[i] <= tab.lines[i-1] {
				t.Fatalf("row %d is %q on line %d", i, row, tab.lines[i])
			}
			for k, name := range tab.columns {
				if got := tab.row(i).Get(name); got != row[k] || got != strings.TrimSpace(got) {
					t.Fatalf("row %d has %q in %q, Get says %q", i, row[k], name, got)
				}
			}
		}
	})
}

// FuzzPack opens packs whose index has its SHA-256, whatever it says.
func FuzzPack(f *testing.F) {
	dir := imageFolder(f, 3)
	path := filepath.Join(f.TempDir(), "p")
	folder(f, dir, ImageOptions{Pack: path}).Close()
	whole := must[[]byte](f)(os.ReadFile(path))
	length := binary.LittleEndian.Uint64(whole[len(whole)-packTrailer:])
	data := whole[len(packHeader) : len(whole)-packTrailer-int(length)]
	index := string(whole[len(packHeader)+len(data) : len(whole)-packTrailer])
	f.Add(data, index)
	f.Add(data[:90], strings.Replace(index, `"Skipped":null`, `"Skipped":[0,2]`, 1))
	f.Add([]byte{}, `{"Shape":[4294967296,4294967296,1],"Names":[""]}`)
	f.Fuzz(func(t *testing.T, data []byte, index string) {
		file := write(t, t.TempDir(), "p", packHeader+string(data)+index+string(trailer([]byte(index))))
		o := ImageOptions{Pack: file, SkipUnreadable: true}
		d, err := Folder(dir, &FolderOptions{Image: o})
		if err != nil {
			return
		}
		defer d.Close()
		if _, err := feature.ReadAll(d); err == nil && d.Len() > 3 {
			t.Errorf("%d samples of 3 files", d.Len())
		}
	})
}

func FuzzImage(f *testing.F) {
	for _, name := range []string{"a.png", "a.jpg", "a.gif", "a.bmp", "a.tiff"} {
		f.Add([]byte(encode(f, name, gradient(1, 5, 7))), false)
		f.Add([]byte(encode(f, name, gray(1, 3, 3))), true)
	}
	for k := range webps {
		f.Add([]byte(webpFile(f, k)), false)
	}
	photo := encode(f, "a.jpg", gradient(1, 5, 7))
	f.Add([]byte(photo[:2]+exif(7)+photo[2:]), true)
	f.Add([]byte(tiffFile(8, 2, 3, []uint8{1, 2, 3, 4, 5, 6})), true)
	o := must[ImageOptions](f)(ImageOptions{Size: [2]int{3, 4}, Channels: 3, MaxPixels: 1 << 12}.resolve())
	f.Fuzz(func(t *testing.T, b []byte, turn bool) {
		o := o
		o.Upright = turn
		dst := make([]uint8, 36)
		var err error
		grown := allocated(func() { err = o.read(dst, bytes.NewReader(b), int64(len(b)), []int{3, 3, 4}) })
		if grown > 64<<20 {
			t.Errorf("%d bytes allocated for a file of %d: %v", grown, len(b), err)
		}
		if err != nil && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrTooLarge) {
			t.Errorf("error %v", err)
		}
	})
}
