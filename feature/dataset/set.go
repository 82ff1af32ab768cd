package dataset

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/dlfd-go/unlearn/feature"
)

// Set is a fixed list of labeled samples, in memory or, with ImageOptions.OnDemand,
// in their files. It implements feature.Dataset, feature.Identified,
// feature.Labeled, feature.ClassNamed and feature.Normalized, offers
// feature.MultiLabeled where a sample has several labels, and may be read by several
// goroutines at once.
type Set struct {
	shape  []int
	size   int       // of one sample
	bytes  []uint8   // n×size pixels in units of 1/255, or nil
	floats []float32 // n×size pixels, or nil
	cells  *cells    // rows of a table, or nil
	source source    // pixels that are not in memory, or nil

	labels     []int
	count      int              // of classes
	classes    []string         // their names, or nil: they have none
	targets    []feature.Target // of several labels a sample, whose combinations are the classes; or nil
	identities []string         // nil: none is known
	paths      []string         // nil: no files
	imputed    []Imputed
	skipped    []Skipped

	pixels feature.Pixels
	lut    [][256]float32 // value of a byte, channel by channel
}

// Samples is what Memory makes a Set of.
type Samples struct {
	// X holds one sample a row, for images n×channels×height×width with pixels
	// in [0, 1]. The range is not checked, so other features may be given too;
	// values must be finite.
	X feature.Tensor

	// Labels has a label in [0, number of classes) for each row.
	Labels []int

	// Classes names the classes. If it is nil, there are as many as the largest
	// label asks for, and they have no names.
	Classes []string

	// Targets, where not nil, says that a sample has several labels. Labels then has
	// their combinations, see feature.CombineLabels, and Classes is nil.
	Targets []feature.Target

	// Identities says whom each row shows. Nil, or an empty entry: unknown.
	Identities []string

	// Paths says where each row comes from. It may be nil.
	Paths []string

	// Pixels is applied when samples are read. The zero value gives X as it is.
	Pixels feature.Pixels
}

// Memory returns a Set of samples that are in memory already. It copies what it
// is given. Errors wrap feature.ErrShape, feature.ErrNotFinite, feature.ErrLabel
// or ErrFormat.
func Memory(s Samples) (*Set, error) {
	if len(s.X.Shape) < 2 {
		return nil, fmt.Errorf("dataset: %w: samples of shape %v, want n×… with two axes or more", feature.ErrShape, s.X.Shape)
	}
	if err := s.X.Check(s.X.Shape[1:]); err != nil {
		return nil, featureError{err}
	}
	if err := s.X.CheckFinite(); err != nil {
		return nil, featureError{err}
	}
	d := &Set{
		shape:      slices.Clone(s.X.Shape[1:]),
		size:       s.X.RowLen(),
		floats:     slices.Clone(s.X.Data),
		labels:     slices.Clone(s.Labels),
		identities: slices.Clone(s.Identities),
		paths:      slices.Clone(s.Paths),
	}
	if err := d.checkLists(s.X.Rows()); err != nil {
		return nil, err
	}
	if err := d.checkLabels(s.Classes, s.Targets); err != nil {
		return nil, err
	}
	return d.Normalize(s.Pixels)
}

// checkLists returns an error unless the lists fit n samples.
func (d *Set) checkLists(n int) error {
	for _, l := range []struct {
		name     string
		got      int
		optional bool
	}{{"labels", len(d.labels), false}, {"identities", len(d.identities), true}, {"paths", len(d.paths), true}} {
		if l.got != n && !(l.optional && l.got == 0) {
			return fmt.Errorf("dataset: %w: %d samples with %d %s", feature.ErrShape, n, l.got, l.name)
		}
	}
	return nil
}

// checkLabels names the classes, or without names counts as many as the largest
// label asks for, and returns an error unless the labels fit.
func (d *Set) checkLabels(classes []string, targets []feature.Target) error {
	if err := checkClasses(classes); err != nil {
		return err
	}
	d.name(classes)
	if targets != nil {
		if err := checkTargets(classes, targets); err != nil {
			return err
		}
		d.setTargets(targets)
	} else if classes == nil {
		d.count = max(slices.Max(d.labels)+1, 0)
	}
	for i, l := range d.labels {
		if l < 0 || l >= d.count {
			return fmt.Errorf("dataset: %w: sample %d has label %d of %d classes", feature.ErrLabel, i, l, d.count)
		}
	}
	return nil
}

// name gives the classes their names.
func (d *Set) name(classes []string) {
	d.classes, d.count = slices.Clone(classes), len(classes)
}

// checkClasses returns an error if a class has no name or shares one.
func checkClasses(classes []string) error {
	number := numbers(classes)
	for i, c := range classes {
		if c == "" {
			return fmt.Errorf("dataset: %w: class %d has an empty name", ErrFormat, i)
		}
		if k := number[c]; k != i {
			return fmt.Errorf("dataset: %w: classes %d and %d are both called %q", ErrFormat, i, k, c)
		}
	}
	return nil
}

// numbers maps the names of classes to their numbers.
func numbers(classes []string) map[string]int {
	number := make(map[string]int, len(classes))
	for i, c := range classes {
		number[c] = i
	}
	return number
}

// Normalize returns the same samples, normalized by p instead of by what d is
// normalized by. It shares the pixels with d, so it costs next to nothing.
// An error wraps feature.ErrShape or feature.ErrNotFinite.
func (d *Set) Normalize(p feature.Pixels) (*Set, error) {
	if err := p.Check(d.channels()); err != nil {
		return nil, featureError{err}
	}
	s := *d
	s.pixels = feature.Pixels{Mean: slices.Clone(p.Mean), Std: slices.Clone(p.Std)}
	s.lut = nil
	if d.bytes != nil || d.source != nil {
		s.lut = lookup(s.pixels, s.channels())
	}
	return &s, nil
}

// lookup returns the normalized value of every byte in every channel, rounded
// once.
func lookup(p feature.Pixels, channels int) [][256]float32 {
	lut := make([][256]float32, channels)
	for c := range lut {
		mean, std := p.Channel(c)
		for b := range lut[c] {
			lut[c][b] = float32((float64(b)/255 - mean) / std)
		}
	}
	return lut
}

// Len returns the number of samples.
func (d *Set) Len() int { return len(d.labels) }

// Shape returns the shape of one sample, for images channels×height×width.
// Callers must not modify it.
func (d *Set) Shape() []int { return d.shape }

// Classes returns the number of classes.
func (d *Set) Classes() int { return d.count }

// ClassNames returns the names of the classes, in the order of their numbers, or
// nil if they were never named. For display use ClassName.
func (d *Set) ClassNames() []string { return slices.Clone(d.classes) }

// ClassName returns what to call a class in a text: its name, or its number if it
// has none. A combination of labels is called "smile=yes, glasses=no".
func (d *Set) ClassName(label int) string {
	if d.targets != nil && label >= 0 && label < d.count {
		return d.combinationName(label)
	}
	if label >= 0 && label < len(d.classes) {
		return d.classes[label]
	}
	return strconv.Itoa(label)
}

// Label returns the label of sample i.
func (d *Set) Label(i int) int { return d.labels[i] }

// Pixels returns how the samples are normalized. Callers must not modify it.
func (d *Set) Pixels() feature.Pixels { return d.pixels }

// Identity returns whom sample i shows, or "" if that is not known.
func (d *Set) Identity(i int) string { return entry(d.identities, i) }

// Path returns the file that sample i was read from, or "" if there is none: as
// the table calls it for CSV, with the folder for Folder, and "file#number" for
// IDX and for rows of a table, which count from 1.
func (d *Set) Path(i int) string {
	if c := d.cells; c != nil && i >= 0 && i < len(c.rows) {
		return fmt.Sprintf("%s#%d", c.file, c.rows[i])
	}
	return entry(d.paths, i)
}

func entry(list []string, i int) string {
	if i < 0 || i >= len(list) {
		return ""
	}
	return list[i]
}

// Read copies sample index[i] into row i of x and its label into labels[i].
func (d *Set) Read(index []int, x []float32, labels []int) error {
	if err := feature.CheckRead(d, index, x, labels); err != nil {
		return featureError{err}
	}
	if d.source != nil {
		return d.fetch(context.Background(), index, x, labels)
	}
	for i, k := range index {
		labels[i] = d.labels[k]
		d.row(x[i*d.size:(i+1)*d.size], k)
	}
	return nil
}

// row writes the normalized sample k into dst.
func (d *Set) row(dst []float32, k int) {
	if d.cells != nil {
		d.cells.row(dst, k)
		normalize(dst, dst, d.pixels, 0)
		return
	}
	if d.bytes != nil {
		d.image(dst, d.bytes[k*d.size:(k+1)*d.size])
		return
	}
	plane := d.size / d.channels()
	for c := range d.channels() {
		lo := k*d.size + c*plane
		normalize(dst[c*plane:(c+1)*plane], d.floats[lo:lo+plane], d.pixels, c)
	}
}

// image writes the normalized pixels of a sample into dst.
func (d *Set) image(dst []float32, pix []uint8) {
	plane := d.size / d.channels()
	for c := range d.channels() {
		to, values := dst[c*plane:(c+1)*plane], &d.lut[c]
		for i, b := range pix[c*plane : (c+1)*plane] {
			to[i] = values[b]
		}
	}
}

func normalize(dst, src []float32, p feature.Pixels, c int) {
	mean, std := p.Channel(c)
	if mean == 0 && std == 1 {
		copy(dst, src)
		return
	}
	for i, v := range src {
		dst[i] = float32((float64(v) - mean) / std)
	}
}

func (d *Set) channels() int { return channels(d.shape) }

// channels returns the number of channels of a sample: axis 0 of an image, 1 for
// what is not channels×height×width.
func channels(shape []int) int {
	if len(shape) != 3 || shape[0] < 1 {
		return 1
	}
	return shape[0]
}

// denormalize undoes normalize, in float64, for as many values as dst holds.
func denormalize(dst []float64, src []float32, p feature.Pixels, c int) {
	mean, std := p.Channel(c)
	for i := range dst {
		dst[i] = float64(src[i])*std + mean
	}
}
