// Package dataset reads labeled images, rows of tables and vectors into memory and
// hands them out as a [feature.Dataset].
//
// [CSV] reads a metadata table and the images that it names, [Folder] a folder
// with one subfolder a class, [IDX] the two files of MNIST and similar data sets, and
// [Memory] takes what the program has made itself. All return a [Set], which
// also knows the names of the classes, whom each sample shows, where it came
// from, and how its pixels are normalized. [NPY] reads an array.
//
// Rows of a table are samples by an [Encoding]: [LearnEncoding] learns from the
// training table which columns are numbers and which are categories, how numbers are
// standardized, and what stands in for missing values; [Encoding.Read] reads that
// table and others alike. [Vectors] reads arrays with labels, such as embeddings,
// [FromMatrix] and [ToMatrix] exchange with gonum, and [Embed] runs a model up to the
// layer before its last.
//
// Everything is read, decoded, resized and checked once, when the set is made:
// after that a Read cannot meet a missing file. Images are kept with 8 bits a
// channel; n images of c×h×w take n·c·h·w bytes. Decoding runs on several
// goroutines; the result and the errors do not depend on how many. Labels and
// identities are known without pixels ([feature.Labels]).
//
// No file is skipped silently. One that cannot be read is an error, or with
// ImageOptions.SkipUnreadable an entry of [Set.Skipped]; files that are no
// images are listed there too. Files are opened below the folder or Root that the
// caller names, through [os.Root]: links that lead out of it are refused, as are
// named pipes, devices and sockets.
//
// Methods that forget persons need sets that share no person: [Split] divides a
// set so that no identity is in two parts, [Overlap] finds the identities and the
// images that are in two sets, and [NearDuplicates] finds images that look alike.
//
// # Images
//
// PNG, JPEG, GIF, WebP, BMP and TIFF are read, told apart by their first bytes,
// whatever the extension says. Of an animated GIF the first frame is read, on its
// logical screen; of an animated PNG the default image, and of a TIFF with
// several pages the first. An animated WebP is an error. A file that is cut off
// is an error that says so, if its format can tell.
//
// Color becomes gray by the luma of ITU-R BT.601, (19595 R + 38470 G + 7471 B +
// 2¹⁵) / 2¹⁶, which is .299, .587, .114 to 16 bits; gray becomes color by
// repetition. 16-bit channels are rounded to 8 bits, palettes looked up, CMYK is
// converted without a color profile, and transparency is composited over black.
// The EXIF orientation of JPEG and TIFF is applied with ImageOptions.Upright, and
// not by default; that of other formats is not read. JPEGs decode as the standard
// library does it, which repeats chroma samples instead of interpolating them, so
// that values may differ from libjpeg's by some units; lossy WebP gives what
// libwebp gives without its "fancy" upsampling.
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

	// ErrChanged says that a file is missing or another than it was when the set
	// was made, where the set reads on demand.
	ErrChanged = errors.New("the file is not what it was when the set was made")
	// ErrPack says that a pack is damaged, or was written for other files, with
	// other options or by other decoders. The text says what to do.
	ErrPack = errors.New("the pack cannot be used")
)
