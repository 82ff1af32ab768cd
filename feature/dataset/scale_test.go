package dataset

import (
	"fmt"
	"image"
	"image/color"
	"math/rand/v2"
	"testing"

	"github.com/dlfd-go/unlearn/internal/rng"
	"golang.org/x/image/draw"
)

func randomImage(r *rand.Rand, h, w int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range m.Pix {
		m.Pix[i] = uint8(r.IntN(256)) | uint8(i%4/3*255) // opaque
	}
	return m
}

// Row by row and all at once give the same bits.
func TestScaleAgainstDraw(t *testing.T) {
	r := rng.Stream(1, "images")
	for _, s := range [][4]int{{6, 8, 3, 4}, {6, 8, 9, 10}, {1, 1, 5, 7}, {50, 3, 2, 2}, {3, 50, 40, 4}, {97, 61, 32, 32}, {7, 9, 7, 3}, {200, 1, 1, 9}} {
		m := randomImage(r, s[0], s[1])
		deep := image.NewRGBA64(image.Rect(0, 0, s[3], s[2]))
		draw.CatmullRom.Scale(deep, deep.Rect, m, m.Rect, draw.Src, nil)
		n := s[2] * s[3]
		got := make([]uint8, 3*n)
		render(got, m, []int{3, s[2], s[3]})
		for i := range n {
			c := deep.RGBA64At(i%s[3], i/s[3])
			want := [3]uint8{to8(uint32(c.R)), to8(uint32(c.G)), to8(uint32(c.B))}
			if [3]uint8{got[i], got[n+i], got[2*n+i]} != want {
				t.Fatalf("%v: pixel %d differs from %v", s, i, want)
			}
		}
	}
}

// Images with a very long side are scaled in memory that grows with the input
// and the output, not with their product; so are those that are enlarged.
func TestLongImages(t *testing.T) {
	for _, s := range [][2]int{{65535, 1}, {1, 65535}, {2, 2}} {
		m := image.NewGray(image.Rect(0, 0, s[1], s[0]))
		for i := range m.Pix {
			m.Pix[i] = 77
		}
		side := 224
		if s[0] == s[1] {
			side = 3000 // 32 bytes for each pixel of the target would be 288 MB
		}
		dst := make([]uint8, side*side)
		if grown := allocated(func() { render(dst, m, []int{1, side, side}) }); grown > 20<<20 {
			t.Errorf("%v: %d bytes", s, grown)
		}
		for i, v := range dst {
			if v != 77 {
				t.Fatalf("%v: pixel %d is %d", s, i, v)
			}
		}
	}
}

func TestMaxSide(t *testing.T) {
	dir := t.TempDir()
	writeImage(t, dir, "c/long.png", image.NewGray(image.Rect(0, 0, 70_000, 1)))
	_, err := Folder(dir, &FolderOptions{Image: ImageOptions{Size: [2]int{4, 4}}})
	wantError(t, err, ErrTooLarge, "long.png", "1×70000", "65535")
	d := must[*Set](t)(Folder(dir, &FolderOptions{Image: ImageOptions{Size: [2]int{4, 4}, MaxSide: 70_000}}))
	if d.Len() != 1 {
		t.Errorf("%d images", d.Len())
	}
}

// The orientations as EXIF defines them: where row 0 and column 0 of the stored
// image are, shown with the letter F.
func TestOrientations(t *testing.T) {
	shown := []string{"XXX", "XX.", "X..", "X.."}
	stored := [9][]string{
		1: {"XXX", "XX.", "X..", "X.."},
		2: {"XXX", ".XX", "..X", "..X"},
		3: {"..X", "..X", ".XX", "XXX"},
		4: {"X..", "X..", "XX.", "XXX"},
		5: {"XXXX", "XX..", "X..."},
		6: {"X...", "XX..", "XXXX"},
		7: {"...X", "..XX", "XXXX"},
		8: {"XXXX", "..XX", "...X"},
	}
	for o := 1; o <= 8; o++ {
		dir := t.TempDir()
		m := letters(stored[o], 16) // large blocks survive JPEG
		photo := encode(t, "a.jpg", m)
		write(t, dir, "c/a.jpg", photo[:2]+exif(o)+photo[2:])
		asStored := must[*Set](t)(Folder(dir, nil))
		equal(t, "stored", asStored.Shape(), []int{1, m.Rect.Dy(), m.Rect.Dx()})
		d := must[*Set](t)(Folder(dir, &FolderOptions{Image: ImageOptions{Upright: true}}))
		equal(t, fmt.Sprint("shape of orientation ", o), d.Shape(), []int{1, 64, 48})
		want := letters(shown, 16)
		for i, v := range want.Pix {
			if (d.bytes[i] > 127) != (v > 127) {
				t.Fatalf("orientation %d: pixel %d is %d, want %d", o, i, d.bytes[i], v)
			}
		}
		d = must[*Set](t)(Folder(dir, &FolderOptions{Image: ImageOptions{Upright: true, Size: [2]int{4, 3}}}))
		equal(t, "shape", d.Shape(), []int{1, 4, 3})
		for i := range 12 {
			if (d.bytes[i] > 127) != (shown[i/3][i%3] == 'X') {
				t.Fatalf("orientation %d, scaled: %v", o, d.bytes)
			}
		}
	}
}

// letters draws a square of n×n pixels for each letter, bright for an X.
func letters(rows []string, n int) *image.Gray {
	m := image.NewGray(image.Rect(0, 0, n*len(rows[0]), n*len(rows)))
	for i := range m.Pix {
		y, x := i/m.Stride/n, i%m.Stride/n
		if rows[y][x] == 'X' {
			m.Pix[i] = 255
		}
	}
	return m
}

// exif is an APP1 segment with one tag, in the byte order of Motorola.
func exif(orientation int) string {
	return "\xff\xe1\x00\x22Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00" +
		string([]byte{byte(orientation)}) + "\x00\x00\x00\x00\x00\x00"
}

// The file of nine million rows from which the limit of a side comes.
func TestHostilePNG(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "c/tall.png", pngHeader(t, 1, 9_000_000))
	var err error
	grown := allocated(func() { _, err = Folder(dir, &FolderOptions{Image: ImageOptions{Size: [2]int{32, 32}}}) })
	wantError(t, err, ErrTooLarge, "tall.png", "9000000×1")
	if grown > 1<<20 {
		t.Errorf("%d bytes allocated", grown)
	}
}

// pngHeader is a PNG of the given size that ends after its header.
func pngHeader(t testing.TB, w, h int) string {
	b := []byte(encode(t, "a.png", image.NewGray(image.Rect(0, 0, 1, 1))))[:33]
	setPNGSize(b, w, h)
	return string(b)
}

func TestGIFFrameOnScreen(t *testing.T) {
	small := image.NewPaletted(image.Rect(1, 1, 3, 2), color.Palette{color.Gray{200}, color.Gray{100}})
	small.Pix[1] = 1
	dir := t.TempDir()
	write(t, dir, "c/a.gif", encodeGIF(t, 4, 3, small, small))
	d := must[*Set](t)(Folder(dir, &FolderOptions{Image: ImageOptions{Channels: 1}}))
	equal(t, "shape", d.Shape(), []int{1, 3, 4})
	equal(t, "pixels", d.bytes, []uint8{0, 0, 0, 0, 0, 200, 100, 0, 0, 0, 0, 0})
}
