// Package dataset reads labeled images, rows of tables and vectors and hands them out
// as a [feature.Dataset], from memory or, images, from their files.
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
// identities are known without pixels ([feature.Labels]). Where images are more
// than memory holds, see below.
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
// # More images than memory
//
// With ImageOptions.OnDemand, [Folder] and [CSV] leave images in their files. The
// samples are the same to the bit. Of a file, the header is read when the set is
// made; the first image is decoded. A Read decodes what it is asked for on all
// processors, and keeps pixels until there are CacheBytes of them; those stay, as
// in a pass over more images than fit the last ones are those that are wanted last.
// Training, unlearning and feature.Predict read the next batch while the model
// computes on the one before: such a set is a [feature.AheadReader].
//
// An image that is broken behind its header is an error when it is read. A file
// that is missing, or has another size, time or, once it has been decoded, another
// content than before is an error that names it (ErrChanged), never another sample.
//
// With ImageOptions.Pack, all images are decoded once, into a file of n·c·h·w bytes
// that later runs find. It is mapped into memory, and as much of it counts as
// memory of the process as CacheBytes says; it replaces the cache. Broken images
// are found when it is written. The index of a pack has a SHA-256, and so have the
// pixels of each sample, which are compared when a program reads them first. A pack
// that is damaged, or was written for other files, with other options, or by
// another version of Go, whose decoders may give other pixels, is an error that
// says so (ErrPack); it is never replaced: delete it. Files that were written again
// with the same content fit. A pack appears when it is complete, and several
// programs may write the same.
//
// What costs what, for n images: labels, identities and names of classes nothing;
// to make the set n headers, or with a pack n looks at size and time of a file;
// [ComputePixels] a pass over the set, or nothing where a pack is there and the set is
// not normalized; [Overlap] and [NearDuplicates] a pass over each set; the first look
// of an unlearning method a pass over each set. A pass decodes what is not in the
// cache, and with a pack nothing. Rows of tables, vectors and IDX files are always in
// memory.
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
