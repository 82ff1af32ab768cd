package dataset

import (
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
)

// formula is the image behind the goldens of this file:
// R = 37x+11y, G = 5x²+60y, B = 255−30x+y², modulo 256, 6 high and 8 wide.
func formula() *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, 8, 6))
	for y := range 6 {
		for x := range 8 {
			m.SetRGBA(x, y, color.RGBA{uint8(37*x + 11*y), uint8(5*x*x + 60*y), uint8(255 - 30*x + y*y), 255})
		}
	}
	return m
}

// one loads a single image file through Folder and returns its bytes.
func one(t *testing.T, name string, m image.Image, o ImageOptions) ([]uint8, []int) {
	t.Helper()
	dir := t.TempDir()
	writeImage(t, dir, "c/"+name, m)
	d := must[*Set](t)(Folder(dir, &FolderOptions{Image: o}))
	return d.bytes, d.Shape()
}

// Python 3 with Pillow 9.4.0: Image.fromarray(a).convert('L').
func TestGrayAgainstPillow(t *testing.T) {
	got, shape := one(t, "a.png", formula(), ImageOptions{Channels: 1})
	equal(t, "shape", shape, []int{1, 6, 8})
	equal(t, "gray", got, []uint8{
		29, 40, 56, 78, 107, 141, 181, 150,
		39, 78, 95, 117, 145, 179, 219, 38,
		77, 117, 134, 156, 184, 218, 108, 77,
		116, 156, 173, 195, 73, 107, 147, 116,
		156, 196, 62, 84, 112, 146, 110, 155,
		45, 85, 101, 124, 152, 186, 149, 45,
	})
}

// Python 3 with Pillow 9.4.0: Image.fromarray(a).resize((4, 3), Image.BICUBIC),
// which is the same kernel, widened the same way; and resize((10, 9)), row 4.
// Pillow works in fixed point and rounds between its passes: one unit apart at
// most.
func TestResizeAgainstPillow(t *testing.T) {
	down := [][3]uint8{
		{26, 35, 176}, {97, 68, 186}, {183, 151, 119}, {127, 170, 61},
		{48, 160, 122}, {119, 158, 197}, {202, 125, 126}, {138, 120, 68},
		{69, 142, 140}, {143, 68, 210}, {199, 108, 139}, {58, 162, 81},
	}
	got, shape := one(t, "a.png", formula(), ImageOptions{Size: [2]int{3, 4}})
	equal(t, "shape", shape, []int{3, 3, 4})
	near(t, got, 0, down)
	up := [][3]uint8{
		{26, 150, 0}, {52, 152, 170}, {84, 169, 232}, {113, 198, 192}, {143, 205, 168},
		{172, 107, 144}, {200, 138, 120}, {255, 100, 96}, {203, 74, 70}, {21, 143, 50},
	}
	got, _ = one(t, "a.png", formula(), ImageOptions{Size: [2]int{9, 10}})
	near(t, got, 4*10, up)
}

// near checks that the planes of got hold want from a position on, ±1.
func near(t *testing.T, got []uint8, from int, want [][3]uint8) {
	t.Helper()
	plane := len(got) / 3
	for i, p := range want {
		for c, v := range p {
			g := got[c*plane+from+i]
			if d := int(g) - int(v); d < -1 || d > 1 {
				t.Errorf("pixel %d, channel %d: got %d, want %d±1", i, c, g, v)
			}
		}
	}
}

func TestColorModels(t *testing.T) {
	deep := image.NewGray16(image.Rect(0, 0, 2, 1))
	deep.SetGray16(0, 0, color.Gray16{257 * 77})
	deep.SetGray16(1, 0, color.Gray16{257*77 + 129}) // nearer to 78
	glass := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	glass.SetNRGBA(0, 0, color.NRGBA{200, 100, 50, 128})
	glass.SetNRGBA(1, 0, color.NRGBA{200, 100, 50, 0})
	palette := image.NewPaletted(image.Rect(0, 0, 2, 1), color.Palette{color.RGBA{1, 2, 3, 255}, color.RGBA{9, 8, 7, 255}})
	palette.Pix[1] = 1
	shifted := formula().SubImage(image.Rect(3, 2, 5, 3)) // bounds away from 0, 0
	for name, c := range map[string]struct {
		m        image.Image
		channels int
		want     []uint8
	}{
		"16 bits":      {deep, 0, []uint8{77, 78}},
		"gray to RGB":  {deep, 3, []uint8{77, 78, 77, 78, 77, 78}},
		"alpha":        {glass, 0, []uint8{100, 0, 50, 0, 25, 0}}, // ·128/255, over black
		"palette":      {palette, 0, []uint8{1, 9, 2, 8, 3, 7}},
		"away from 00": {shifted, 0, []uint8{133, 170, 165, 200, 169, 139}},
	} {
		t.Run(name, func(t *testing.T) {
			got, _ := one(t, "a.png", c.m, ImageOptions{Channels: c.channels})
			equal(t, "bytes", got, c.want)
		})
	}
}

func TestRowsFastPaths(t *testing.T) {
	ycc := image.NewYCbCr(image.Rect(0, 0, 4, 4), image.YCbCrSubsampleRatio420)
	for i := range ycc.Y {
		ycc.Y[i] = uint8(50 + 9*i)
	}
	for i := range ycc.Cb {
		ycc.Cb[i], ycc.Cr[i] = uint8(90+30*i), uint8(160-20*i)
	}
	cmyk := image.NewCMYK(image.Rect(0, 0, 2, 2))
	for i := range cmyk.Pix {
		cmyk.Pix[i] = uint8(13 * i)
	}
	for _, m := range []image.Image{ycc, cmyk, gray(1, 3, 3)} {
		b := m.Bounds()
		slow := image.NewRGBA(b)
		for y := range b.Dy() {
			for x := range b.Dx() {
				slow.Set(x, y, m.At(x, y))
			}
		}
		src := newRows(m)
		for y := range b.Dy() {
			equal(t, "pixels", src.row(y), slow.Pix[y*slow.Stride:(y+1)*slow.Stride])
		}
	}
}

func TestJPEG(t *testing.T) {
	flat := image.NewRGBA(image.Rect(0, 0, 16, 16))
	draw.Draw(flat, flat.Rect, image.NewUniform(color.RGBA{200, 100, 50, 255}), image.Point{}, draw.Src)
	got, shape := one(t, "a.jpeg", flat, ImageOptions{})
	equal(t, "shape", shape, []int{3, 16, 16})
	for c, want := range []int{200, 100, 50} {
		for _, v := range got[256*c : 256*(c+1)] {
			if d := int(v) - want; d < -3 || d > 3 { // two roundings of color conversion
				t.Fatalf("channel %d is %d, want %d±3", c, v, want)
			}
		}
	}
	if _, shape = one(t, "a.jpg", gray(0, 8, 8), ImageOptions{}); shape[0] != 1 {
		t.Errorf("a gray JPEG has %d channels", shape[0])
	}
}

func TestImageOptionsErrors(t *testing.T) {
	dir := t.TempDir()
	writeImage(t, dir, "c/a.png", gray(0, 3, 3))
	for name, c := range map[string]struct {
		o    ImageOptions
		want error
		text string
	}{
		"half a size":     {ImageOptions{Size: [2]int{3, 0}}, feature.ErrShape, "3×0"},
		"negative size":   {ImageOptions{Size: [2]int{-3, -3}}, feature.ErrShape, "-3"},
		"two channels":    {ImageOptions{Channels: 2}, feature.ErrShape, "2 channels"},
		"negative limit":  {ImageOptions{MaxPixels: -1}, ErrTooLarge, "-1"},
		"huge size":       {ImageOptions{Size: [2]int{1 << 30, 1 << 30}}, ErrTooLarge, "bytes"},
		"image too large": {ImageOptions{MaxPixels: 8}, ErrTooLarge, "3×3"},
		"set too large":   {ImageOptions{MaxBytes: 8}, ErrTooLarge, "the limit is 8"},
		"normalization":   {ImageOptions{Pixels: feature.Pixels{Std: []float64{-1}}}, feature.ErrNotFinite, "-1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Folder(dir, &FolderOptions{Image: c.o})
			wantError(t, err, c.want, c.text)
		})
	}
}

func setPNGSize(b []byte, w, h int) {
	ihdr := b[12:29] // type and data of the first chunk
	binary.BigEndian.PutUint32(ihdr[4:], uint32(w))
	binary.BigEndian.PutUint32(ihdr[8:], uint32(h))
	binary.BigEndian.PutUint32(b[29:], crc32.ChecksumIEEE(ihdr))
}

// A PNG may claim any size in its header; it must be refused before the pixels
// are allocated.
func TestDecompressionBomb(t *testing.T) {
	b := []byte(encode(t, "a.png", gray(0, 2, 2)))
	setPNGSize(b, 10_000, 10_000)
	dir := t.TempDir()
	write(t, dir, "c/bomb.png", string(b))
	var err error
	grown := allocated(func() { _, err = Folder(dir, nil) })
	wantError(t, err, ErrTooLarge, "bomb.png", "10000×10000")
	if grown > 1<<20 {
		t.Errorf("%d bytes were allocated on the way to the error", grown)
	}
}

func TestKeptSizesMustAgree(t *testing.T) {
	dir := t.TempDir()
	writeImage(t, dir, "c/a.png", gray(0, 3, 4))
	writeImage(t, dir, "c/b.png", gray(0, 4, 3))
	writeImage(t, dir, "c/c.png", gradient(0, 3, 4))
	_, err := Folder(dir, nil)
	wantError(t, err, feature.ErrShape, "b.png", "image is 4×3, the first is 3×4", "c.png", "3 channels")
	d := must[*Set](t)(Folder(dir, &FolderOptions{Image: ImageOptions{Size: [2]int{5, 6}, Channels: 3}}))
	equal(t, "shape", d.Shape(), []int{3, 5, 6})
}

func TestNormalizedPixels(t *testing.T) {
	dir := t.TempDir()
	writeImage(t, dir, "c/a.png", gray(3, 2, 2))
	p := feature.Pixels{Mean: []float64{.5}, Std: []float64{.25}}
	d := must[*Set](t)(Folder(dir, &FolderOptions{Image: ImageOptions{Pixels: p}}))
	got, _ := readOne(t, d, 0)
	var want []float32
	for _, b := range gray(3, 2, 2).Pix {
		want = append(want, float32((float64(b)/255-.5)/.25))
	}
	equal(t, "values", got, want)
	if !slices.Equal(d.Pixels().Std, p.Std) {
		t.Errorf("pixels are %v", d.Pixels())
	}
}
