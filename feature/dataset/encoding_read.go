package dataset

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
)

// RowOptions says which rows of a table are read.
type RowOptions struct {
	Table TableOptions
	// Where and Keep choose rows, as in CSVOptions. If both are nil, all are read.
	Where map[string][]string
	Keep  func(Row) bool
}

// Imputed says how often something stands in for the missing fields of a column.
type Imputed struct {
	Column string
	Rows   int
}

// Imputed lists the columns of a table in which fields were missing, and how many.
func (d *Set) Imputed() []Imputed { return slices.Clone(d.imputed) }

// Read reads the rows of a table as samples. The table must have the columns of the
// encoding, in any order; other columns are not read. Numbers are found in whatever
// spelling among the classes and categories. o may be nil.
//
// Memory is that of the table and at most eight bytes a field: samples, which may be wider
// by many categories, are made when they are read. Errors name the file, the row, its
// line and the column, up to five of them. They wrap what those of [CSV] wrap, ErrFormat
// where a field is no number, missing or of no known category, and
// feature.ErrNotFinite.
func (e *Encoding) Read(file string, o *RowOptions) (*Set, error) {
	if err := e.check(); err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	if e.Label == "" && e.Targets == nil {
		return nil, fmt.Errorf("dataset: %s: %w: the encoding is one of vectors; use Apply", file, ErrFormat)
	}
	if o == nil {
		o = &RowOptions{}
	}
	t, err := readTable(file, o.Table)
	if err != nil {
		return nil, err
	}
	return e.read(t, o)
}

// read is Read for a table that has been read.
func (e *Encoding) read(t *table, o *RowOptions) (*Set, error) {
	keep, err := t.filter(o.Where, o.Keep)
	if err != nil {
		return nil, err
	}
	r, err := e.newReader(t)
	if err != nil {
		return nil, err
	}
	var errs []error
	for i := range t.rows {
		if keep[i] {
			errs = append(errs, r.add(i)...)
		}
	}
	if err := firstErrors(errs); err != nil {
		return nil, err
	}
	return r.set(), nil
}

// rowReader makes the samples of a table.
type rowReader struct {
	*Encoding
	t        *table
	subjects subjects
	position []int          // of each column in the table
	find     []classNumbers // of each column
	missed   []int          // fields of each column
	d        *Set
}

func (e *Encoding) newReader(t *table) (*rowReader, error) {
	r := &rowReader{Encoding: e, t: t, missed: make([]int, len(e.Columns))}
	var err error
	o := CSVOptions{Label: e.Label, Identity: e.Identity, TargetClasses: map[string][]string{}}
	for _, k := range e.Targets {
		o.Targets, o.TargetClasses[k.Name] = append(o.Targets, k.Name), k.ClassNames
	}
	if r.subjects, err = e.subjects(t, o); err != nil {
		return nil, err
	}
	if err := r.subjects.nameClasses(t, e.Classes, o.TargetClasses); err != nil {
		return nil, err
	}
	for _, c := range e.Columns {
		k, err := t.column(c.Name)
		if err != nil {
			return nil, err
		}
		r.position = append(r.position, k)
		r.find = append(r.find, newClassNumbers(c.Categories))
	}
	r.d = &Set{shape: []int{e.Len()}, size: e.Len(), cells: newCells(e, t.file)}
	r.subjects.describe(r.d)
	return r, nil
}

// add appends row i, or returns what is wrong with it.
func (r *rowReader) add(i int) (errs []error) {
	label, identity, err := r.subjects.of(r.t.row(i))
	if err != nil {
		errs = append(errs, fmt.Errorf("dataset: %s: column %q: %w", r.t.where(i), columnOf(err, cmp.Or(r.Label, targetNames(r.Targets)), r.Identity), err))
	}
	c := r.d.cells
	for k := range r.Columns {
		if err := r.field(k, r.t.rows[i][r.position[k]]); err != nil {
			errs = append(errs, fmt.Errorf("dataset: %s: column %q: %w", r.t.where(i), r.Columns[k].Name, err))
		}
	}
	c.rows = append(c.rows, i+1)
	r.d.labels = append(r.d.labels, label)
	if r.subjects.identity != nil {
		r.d.identities = append(r.d.identities, identity)
	}
	return errs
}

// columnOf returns the column that an error of subjects.of is about.
func columnOf(err error, label, identity string) string {
	if errors.Is(err, feature.ErrLabel) {
		return label
	}
	return identity
}

// field appends the field of column k.
func (r *rowReader) field(k int, field string) error {
	c, cells := &r.Columns[k], r.d.cells
	gap := r.missing(field)
	if gap {
		if c.Fill == nil {
			return fmt.Errorf("%w: the value is missing (%q); see EncodingOptions.Impute", ErrFormat, field)
		}
		field = *c.Fill
		r.missed[k]++
	}
	var v float32
	var err error
	if c.Categories != nil {
		v, err = r.category(k, plainInteger(field))
	} else {
		v, err = c.number(field)
	}
	if err != nil {
		return err
	}
	cells.values = append(cells.values, v)
	if c.Indicator {
		cells.values = append(cells.values, float32(ifTrue(gap)))
	}
	return nil
}

// category returns the number of a category of column k.
func (r *rowReader) category(k int, field string) (float32, error) {
	c := &r.Columns[k]
	at, known := r.find[k].find(field)
	switch {
	case !known && c.Unknown:
		at = len(c.Categories)
	case !known:
		return 0, fmt.Errorf("%w: %q is not one of the %d categories %q", ErrFormat, field, len(c.Categories), few(slices.Clone(c.Categories)))
	}
	return math.Float32frombits(uint32(at)), nil
}

func (r *rowReader) set() *Set {
	for k, n := range r.missed {
		if n > 0 {
			r.d.imputed = append(r.d.imputed, Imputed{r.Columns[k].Name, n})
		}
	}
	return r.d
}

// cells are rows of a table: for each column a number, or the bits of the number
// of a category; then, where there is one, an indicator.
type cells struct {
	file   string
	rows   []int // their numbers in the file, from 1
	parts  []part
	values []float32 // rows×parts
}

// part is one value of a row: the element of a sample where it stands, or for a
// category that of the first one.
type part struct {
	at       int
	category bool
}

func newCells(e *Encoding, file string) *cells {
	c := &cells{file: file}
	at := 0
	for i := range e.Columns {
		col := &e.Columns[i]
		c.parts = append(c.parts, part{at, col.Categories != nil})
		at += col.width()
		if col.Indicator {
			c.parts = append(c.parts, part{at: at - 1})
		}
	}
	return c
}

// row writes sample k into dst.
func (c *cells) row(dst []float32, k int) {
	clear(dst)
	for i, v := range c.values[k*len(c.parts) : (k+1)*len(c.parts)] {
		p := c.parts[i]
		if p.category {
			dst[p.at+int(math.Float32bits(v))] = 1
			continue
		}
		dst[p.at] = v
	}
}

// Apply returns the samples of d, each as one vector, standardized by an encoding
// that LearnScale has learned. Labels, names of classes and identities stay. Errors
// wrap feature.ErrShape or feature.ErrNotFinite.
func (e *Encoding) Apply(d feature.Dataset) (*Set, error) {
	if err := e.check(); err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	if n := feature.Size(d.Shape()); n != len(e.Columns) || e.Label != "" || e.Targets != nil {
		return nil, fmt.Errorf("dataset: %w: samples of %d elements, an encoding of %d columns with label %q", feature.ErrShape, n, len(e.Columns), e.Label)
	}
	b, err := feature.ReadAll(d)
	if err != nil {
		return nil, err
	}
	n := len(e.Columns)
	for i, v := range b.X.Data {
		if b.X.Data[i], err = e.Columns[i%n].standardize(float64(v)); err != nil {
			return nil, fmt.Errorf("dataset: sample %d, element %d: %w", i/n, i%n, err)
		}
	}
	return beside(d, feature.Tensor{Shape: []int{d.Len(), n}, Data: b.X.Data}, b.Labels)
}
