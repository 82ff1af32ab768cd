package dataset

import (
	"bytes"
	"encoding/binary"
	"image"
	"io"
)

// Orientations of EXIF, tag 274 (CIPA DC-008, 4.6.4): where row 0 and column 0
// of the stored image are in the upright one. From transposed on, rows become
// columns.
const (
	upright    = 1
	transposed = 5
	orientTag  = 274
)

// jpegOrientation returns the orientation that a JPEG file states, or upright
// if it states none.
func jpegOrientation(r io.ReaderAt, size int64) int {
	var head [4]byte
	for at := int64(2); at+4 <= size; {
		if _, err := r.ReadAt(head[:], at); err != nil || head[0] != 0xff {
			return upright
		}
		if head[1] == 0xff { // padding
			at++
			continue
		}
		n := int64(binary.BigEndian.Uint16(head[2:]))
		if head[1] == 0xda || n < 2 { // the scan begins, or the file is broken
			return upright
		}
		if head[1] == 0xe1 {
			b := make([]byte, n-2)
			if _, err := r.ReadAt(b, at+4); err == nil && len(b) > 6 && string(b[:6]) == "Exif\x00\x00" {
				return tiffOrientation(bytes.NewReader(b[6:]))
			}
		}
		at += 2 + n
	}
	return upright
}

// tiffOrientation looks for the tag in the first directory of a TIFF structure,
// which is what EXIF is stored in.
func tiffOrientation(r io.ReaderAt) int {
	var head [8]byte
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return upright
	}
	var order binary.ByteOrder = binary.LittleEndian
	if head[0] == 'M' {
		order = binary.BigEndian
	}
	at := int64(order.Uint32(head[4:]))
	if _, err := r.ReadAt(head[:2], at); err != nil {
		return upright
	}
	var entry [12]byte
	for k := range int64(order.Uint16(head[:])) {
		if n, err := r.ReadAt(entry[:], at+2+12*k); n < len(entry) && err != nil {
			return upright
		}
		const short = 3
		if order.Uint16(entry[:]) == orientTag && order.Uint16(entry[2:]) == short {
			if v := int(order.Uint16(entry[8:])); v >= 1 && v <= 8 {
				return v
			}
		}
	}
	return upright
}

// orientedSize exchanges the sides where rows become columns.
func orientedSize(c image.Config, orientation int) image.Config {
	if orientation >= transposed {
		c.Width, c.Height = c.Height, c.Width
	}
	return c
}

// orient writes the planes of src, as stored, into dst, upright and h×w.
func orient(dst, src []uint8, orientation, h, w int) {
	for c := range len(dst) / (h * w) {
		from, to := src[c*h*w:], dst[c*h*w:]
		for y := range h {
			for x := range w {
				to[y*w+x] = from[storedAt(orientation, y, x, h, w)]
			}
		}
	}
}

// storedAt returns where the upright pixel (y, x) stands in the stored plane.
func storedAt(orientation, y, x, h, w int) int {
	switch orientation {
	case 2: // mirrored
		return y*w + w - 1 - x
	case 3: // turned by 180°
		return (h-1-y)*w + w - 1 - x
	case 4: // upside down, mirrored
		return (h-1-y)*w + x
	case 5: // transposed
		return x*h + y
	case 6: // to be turned clockwise by 90°
		return (w-1-x)*h + y
	case 7: // transposed about the other diagonal
		return (w-1-x)*h + h - 1 - y
	case 8: // to be turned counterclockwise by 90°
		return x*h + h - 1 - y
	}
	return y*w + x
}
