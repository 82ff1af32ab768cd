// Package dataset reads labelled images into memory and hands them out as a
// [feature.Dataset].
//
// [CSV] reads a metadata table and the images that it names, [Folder] a folder
// with one subfolder a class, [IDX] the two files of MNIST and its kin, and
// [Memory] takes what the program has made itself. All return a [Set], which
// also knows the names of the classes, whom each sample shows, where it came
// from, and how its pixels are normalised.
//
// Everything is read, decoded, resized and checked once, when the set is made:
// after that a Read cannot meet a missing file. Images are kept with 8 bits a
// channel; n images of c×h×w take n·c·h·w bytes. Decoding runs on several
// goroutines; the result and the errors do not depend on how many.
//
// Methods that forget persons stand or fall with the persons being where they
// should: [Split] cuts a set so that no identity stands on both sides,
// [Overlap] finds the identities and the images that do, and [NearDuplicates]
// finds images that look alike.
//
// # Images
//
// PNG and JPEG are read, told apart by their first bytes. Colour becomes grey by
// the luma of ITU-R BT.601, (19595 R + 38470 G + 7471 B + 2¹⁵) / 2¹⁶, which is
// .299, .587, .114 to 16 bits; grey becomes colour by repetition. 16-bit channels
// are rounded to 8 bits, palettes looked up, and transparency is composited over
// black. The EXIF orientation is not applied: turn such images first. JPEGs
// decode as the standard library does it, which repeats chroma samples instead of
// interpolating them, so that values may differ from libjpeg's by some units.
package dataset

import "errors"

// Errors that the functions of this package wrap. Beside them, a file that is
// not there wraps [io/fs.ErrNotExist], and a label that is out of range, unknown
// or empty wraps feature.ErrLabel.
var (
	ErrFormat   = errors.New("malformed data")        // a file, row or image is not what it should be, or not read
	ErrIgnored  = errors.New("ignored")               // a file is no image; see Skipped
	ErrTooLarge = errors.New("beyond the limit")      // see ImageOptions
	ErrEmpty    = errors.New("no samples")            // nothing there, or nothing left after filtering
	ErrColumn   = errors.New("no such column")        // the text lists the columns that exist
	ErrIdentity = errors.New("identity is not known") // a sample shows nobody known
)
