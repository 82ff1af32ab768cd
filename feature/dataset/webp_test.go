package dataset

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"testing"
)

// Files by cwebp 1.2.4 (-q 50; the same with alpha; -lossless); the first eight
// values of each channel are those that dwebp -nofancy gives, composited over
// black.
var webps = []struct {
	name, file string
	shape      []int
	want       [3][]uint8
}{
	{"lossy", "UklGRkwAAABXRUJQVlA4IEAAAADQAQCdASoIAAYAAsBMJbACdAEPDr5eAAD+6k5GtWaWUJ3KT3yIL6daIrzd5GemkQV2Sl1Px+X4THztrLyFwAAA",
		[]int{3, 6, 8}, [3][]uint8{{6, 20, 83, 97, 156, 177, 153, 100}, {13, 27, 26, 40, 9, 30, 46, 0}, {12, 26, 38, 52, 86, 107, 169, 116}}},
	{"alpha", "UklGRoIAAABXRUJQVlA4WAoAAAAQAAAABwAABQAAQUxQSBkAAAABmYzof4AsG4nitvPnOpifniBiAiaA2rkBAFZQOCBCAAAA8AEAnQEqCAAGAALATCWwAnQBDw6+Xq4AAP7qTka1ZpZQncpPfIgvp1tTQgxyKtw3abbEYcOe+6foB/pl28OkAAAA",
		[]int{3, 6, 8}, [3][]uint8{{1, 4, 24, 38, 74, 102, 98, 67}, {1, 5, 7, 16, 6, 21, 44, 5}, {0, 3, 18, 30, 56, 81, 118, 90}}},
	{"lossless", "UklGRkoAAABXRUJQVlA4TD4AAAAvA8AAAH9AkG0zg2vMn2ZAhxALpnhvJgkEEon2Fxxi/tuwKoRgsixjHmQgCICIc+DAgU8HDhxIieh/+BqLAA==",
		[]int{3, 4, 4}, [3][]uint8{{9, 49, 89, 129, 9, 49, 89, 129}, {15, 15, 15, 15, 55, 55, 55, 55}, {21, 41, 61, 81, 41, 61, 81, 101}}},
}

func webpFile(t testing.TB, k int) string {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(webps[k].file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWebPAgainstLibwebp(t *testing.T) {
	for k, c := range webps {
		dir := t.TempDir()
		write(t, dir, "c/a.webp", webpFile(t, k))
		d := must[*Set](t)(Folder(dir, nil))
		equal(t, "shape", d.Shape(), c.shape)
		plane := len(d.bytes) / 3
		for ch, want := range c.want {
			equal(t, c.name, d.bytes[ch*plane:ch*plane+8], want)
		}
	}
}

func TestAnimatedWebP(t *testing.T) {
	b := []byte(webpFile(t, 1))
	b[20] |= 2
	dir := t.TempDir()
	write(t, dir, "c/a.webp", string(b))
	_, err := Folder(dir, nil)
	wantError(t, err, ErrFormat, "a.webp", "animated")
}

// The formats that lose nothing give the same pixels.
func TestLosslessFormats(t *testing.T) {
	want, _ := one(t, "a.png", formula(), ImageOptions{})
	for _, name := range []string{"a.bmp", "a.tiff", "A.TIFF", "a.BMP", "a.dib"} {
		dir := t.TempDir()
		format := map[byte]string{'b': "a.bmp", 'd': "a.bmp", 't': "a.tiff"}[name[2]|32]
		write(t, dir, "c/"+name, encode(t, format, formula()))
		d := must[*Set](t)(Folder(dir, nil))
		equal(t, name, d.bytes, want)
	}
	gray16 := gray(2, 5, 7)
	got, shape := one(t, "a.tiff", gray16, ImageOptions{})
	equal(t, "gray", got, gray16.Pix)
	equal(t, "shape", shape, []int{1, 5, 7})
}

// tiffFile is a gray TIFF with an orientation, as a camera writes it.
func tiffFile(orientation, h, w int, pix []uint8) string {
	tags := [][2]int{{256, w}, {257, h}, {258, 8}, {259, 1}, {262, 1}, {273, 8}, {orientTag, orientation}, {277, 1}, {278, h}, {279, w * h}}
	b := binary.LittleEndian.AppendUint32([]byte("II*\x00"), uint32(8+len(pix)))
	b = append(b, pix...)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(tags)))
	for _, t := range tags {
		b = binary.LittleEndian.AppendUint16(b, uint16(t[0]))
		b = append(b, 3, 0, 1, 0, 0, 0) // one number of 16 bits
		b = binary.LittleEndian.AppendUint32(b, uint32(t[1]))
	}
	return string(append(b, 0, 0, 0, 0))
}

func TestTIFFOrientation(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "c/a.tif", tiffFile(6, 2, 3, []uint8{1, 2, 3, 4, 5, 6}))
	equal(t, "as stored", must[*Set](t)(Folder(dir, nil)).bytes, []uint8{1, 2, 3, 4, 5, 6})
	d := must[*Set](t)(Folder(dir, &FolderOptions{Image: ImageOptions{Upright: true}}))
	equal(t, "shape", d.Shape(), []int{1, 3, 2})
	equal(t, "turned clockwise", d.bytes, []uint8{4, 1, 5, 2, 6, 3})
}

// What EXIF says is read from broken structures too, without harm.
func FuzzOrientation(f *testing.F) {
	f.Add([]byte("\xff\xd8" + exif(6)))
	f.Add([]byte(tiffFile(3, 1, 1, []uint8{1})))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		if o := jpegOrientation(r, int64(len(b))); o < 1 || o > 8 {
			t.Errorf("JPEG with orientation %d", o)
		}
		if o := tiffOrientation(r); o < 1 || o > 8 {
			t.Errorf("TIFF with orientation %d", o)
		}
	})
}
