package dataset

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"path"
	"slices"
	"strings"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"
)

// A codec is one of the formats that are read. They are not looked up in
// package image's registry: what other packages register there must not change
// what this one accepts.
type codec struct {
	name       string
	extensions []string
	is         func(head []byte) bool
	config     func(io.Reader) (image.Config, error)
	decode     func(io.Reader) (image.Image, error)
}

var codecs = [...]codec{
	{"PNG", []string{".png"}, starts("\x89PNG\r\n\x1a\n"), png.DecodeConfig, png.Decode},
	{"JPEG", []string{".jpg", ".jpeg", ".jpe", ".jfif"}, starts("\xff\xd8\xff"), jpeg.DecodeConfig, jpeg.Decode},
	{"GIF", []string{".gif"}, starts("GIF87a", "GIF89a"), gif.DecodeConfig, decodeGIF},
	{"WebP", []string{".webp"}, isWebP, webp.DecodeConfig, decodeWebP},
	{"BMP", []string{".bmp", ".dib"}, isBMP, bmp.DecodeConfig, bmp.Decode},
	{"TIFF", []string{".tif", ".tiff"}, isTIFF, tiff.DecodeConfig, tiff.Decode},
}

// formats lists the names of codecs for messages.
const formats = "PNG, JPEG, GIF, WebP, BMP or TIFF"

// maxHead is how many bytes of a file tell its format.
const maxHead = 32

func starts(magic ...string) func([]byte) bool {
	return func(head []byte) bool {
		return slices.ContainsFunc(magic, func(m string) bool { return bytes.HasPrefix(head, []byte(m)) })
	}
}

func isWebP(head []byte) bool {
	return len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP"
}

// isBMP asks for a known header size behind the two letters, which texts may
// begin with too.
func isBMP(head []byte) bool {
	return len(head) >= 18 && string(head[:2]) == "BM" &&
		slices.Contains([]uint32{12, 16, 40, 52, 56, 64, 108, 124}, binary.LittleEndian.Uint32(head[14:]))
}

// isTIFF leaves out raw photographs of Canon, which are TIFF with a thumbnail
// for an image.
func isTIFF(head []byte) bool {
	return starts("II*\x00", "MM\x00*")(head) && (len(head) < 10 || string(head[8:10]) != "CR")
}

// foreign are the formats of images that are not read, by their first bytes
// from a position on.
var foreign = []struct {
	name  string
	at    int
	magic string
}{
	{"HEIC", 4, "ftyphei"}, {"HEIC", 4, "ftyphev"}, {"HEIF", 4, "ftypmif1"}, {"HEIF", 4, "ftypmsf1"},
	{"AVIF", 4, "ftypavi"}, {"JPEG XL", 4, "JXL \r\n"}, {"JPEG XL", 0, "\xff\x0a"}, {"JPEG 2000", 4, "jP  \r\n"},
	{"JPEG 2000", 0, "\xff\x4f\xff\x51"}, {"Photoshop", 0, "8BPS"}, {"BigTIFF", 0, "II+\x00"}, {"BigTIFF", 0, "MM\x00+"},
	{"Canon raw", 8, "CR"},
}

// foreignExtensions are those of images that are not read, raw photographs
// included.
var foreignExtensions = strings.Fields(`.heic .heif .avif .jxl .jp2 .j2k .jpx .psd .svg .ico .ppm .pgm .pbm .pnm .tga .exr .hdr
	.raw .dng .cr2 .cr3 .nef .nrw .arw .orf .rw2 .raf .srw .pef .dcm`)

// others are contents that are found under the name of an image by mistake.
var others = []struct{ name, magic string }{
	{"HTML, XML or SVG", "<"}, {"a Git LFS pointer; the file itself has not been fetched", "version https://git-lfs"},
	{"PDF", "%PDF"}, {"a ZIP archive", "PK\x03\x04"}, {"gzip", "\x1f\x8b"}, {"an icon", "\x00\x00\x01\x00"},
}

// foreignFormat returns the name of the image format that is not read, or "".
func foreignFormat(head []byte) string {
	for _, f := range foreign {
		if len(head) >= f.at && bytes.HasPrefix(head[f.at:], []byte(f.magic)) {
			return f.name
		}
	}
	return ""
}

// findCodec returns the codec for what a file begins with, or an error that
// tells what it is instead.
func findCodec(head []byte) (codec, error) {
	for _, c := range codecs {
		if c.is(head) {
			return c, animated(c, head)
		}
	}
	if len(head) == 0 {
		return codec{}, fmt.Errorf("%w: the file is empty", ErrFormat)
	}
	if name := foreignFormat(head); name != "" {
		return codec{}, fmt.Errorf("%w: the content is %s, which is not read; convert it to %s", ErrFormat, name, formats)
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \t\r\n")
	for _, o := range others {
		if bytes.HasPrefix(text, []byte(o.magic)) {
			return codec{}, fmt.Errorf("%w: the content is %s, not an image", ErrFormat, o.name)
		}
	}
	return codec{}, fmt.Errorf("%w: the content is not %s: it starts with % x", ErrFormat, formats, head[:min(8, len(head))])
}

// animated returns an error for an animated WebP, which package webp takes for
// a broken one.
func animated(c codec, head []byte) error {
	const flag = 2
	if c.name == "WebP" && len(head) > 20 && string(head[12:16]) == "VP8X" && head[20]&flag != 0 {
		return fmt.Errorf("%w: the WebP is animated, which is not read", ErrFormat)
	}
	return nil
}

// complete returns an error for a WebP that says it is longer than it is: the
// decoder would allocate what is missing.
func complete(c codec, head []byte, size int64) error {
	if c.name != "WebP" {
		return nil
	}
	if stated := int64(binary.LittleEndian.Uint32(head[4:])) + 8; stated > size {
		return fmt.Errorf("%w: the WebP file is cut off: %d of %d bytes", ErrFormat, size, stated)
	}
	return nil
}

// hasImageName and hasForeignName judge a file by its extension, in upper or
// lower case.
func hasImageName(name string) bool {
	ext := strings.ToLower(path.Ext(name))
	return slices.ContainsFunc(codecs[:], func(c codec) bool { return slices.Contains(c.extensions, ext) })
}

func hasForeignName(name string) bool {
	return slices.Contains(foreignExtensions, strings.ToLower(path.Ext(name)))
}
