package dataset

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/atomicfile"
	"github.com/dlfd-go/unlearn/internal/finite"
)

// Encoding says how the fields of a row become the numbers of a sample.
// [LearnEncoding] learns one from a table and [LearnScale] one from vectors; Save
// and [LoadEncoding] keep it beside the model, which understands no other. It may
// be used by several goroutines at once.
//
// A sample is a vector with the numbers of the columns in their order:
//
//   - a numeric column gives (x − Mean) / Std, computed in float64 and rounded once
//   - a categorical column gives one number for each of its categories, 1 for
//     the category of the row and 0 for the others; with Unknown one more at the
//     end, which is 1 for a category that is not known
//   - either gives, with Indicator, one number more at the end, which is 1 where the
//     field is missing
//
// What is learned from rows is a trace of them, if a faint one: learn statistics
// from the rows that are retained wherever the model can still be trained on them.
// Categories are learned from all rows, as classes are.
type Encoding struct {
	// Label is the column with the name of the class, and Classes has the names in
	// the order of their numbers. Both are empty for vectors.
	Label   string   `json:"label,omitempty"`
	Classes []string `json:"classes,omitempty"`
	// Targets are the columns of several labels a sample, in the place of Label.
	Targets []feature.Target `json:"targets,omitempty"`
	// Identity is the column that says whose row it is. If it is empty, identities
	// are unknown.
	Identity string `json:"identity,omitempty"`
	// Missing has the fields that stand for a missing value.
	Missing []string `json:"missing,omitempty"`
	Columns []Column `json:"columns"`
}

// Column says how one column is encoded.
type Column struct {
	Name string `json:"name"`
	// Categories has the categories in the order of their numbers. If it is nil,
	// the column is numeric.
	Categories []string `json:"categories,omitempty"`
	// Unknown gives categories that are not in the list a number of their own. If it is
	// false, they are an error.
	Unknown bool `json:"unknown,omitempty"`
	// Mean and Std are the mean and the standard deviation (with divisor n) of the
	// fields that are not missing. Where all are equal, Constant is true and Std 1.
	Mean     float64 `json:"mean,omitempty"`
	Std      float64 `json:"std,omitempty"`
	Constant bool    `json:"constant,omitempty"`
	// Fill is the field that stands in for a missing one. If it is nil, a missing
	// field is an error.
	Fill      *string `json:"fill,omitempty"`
	Indicator bool    `json:"indicator,omitempty"`
}

// width returns how many numbers of a sample the column gives.
func (c *Column) width() int {
	n := 1
	if c.Categories != nil {
		n = len(c.Categories)
	}
	return n + ifTrue(c.Unknown) + ifTrue(c.Indicator)
}

func ifTrue(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Names returns what each number of a sample is, such as "age", "city=Paris",
// "city (unknown)" and "age (missing)".
func (e *Encoding) Names() []string {
	var names []string
	for _, c := range e.Columns {
		if c.Categories == nil {
			names = append(names, c.Name)
		}
		for _, k := range c.Categories {
			names = append(names, c.Name+"="+k)
		}
		if c.Unknown {
			names = append(names, c.Name+" (unknown)")
		}
		if c.Indicator {
			names = append(names, c.Name+" (missing)")
		}
	}
	return names
}

// Len returns the number of elements of a sample.
func (e *Encoding) Len() int {
	n := 0
	for i := range e.Columns {
		n += e.Columns[i].width()
	}
	return n
}

// Save writes the encoding to a file, as JSON. A file under that name is replaced at
// once or not at all.
func (e *Encoding) Save(file string) error {
	err := e.check()
	if err == nil {
		err = atomicfile.Write(file, func(w io.Writer) error {
			enc := json.NewEncoder(w)
			enc.SetIndent("", " ")
			return enc.Encode(e)
		})
	}
	if err != nil {
		return fmt.Errorf("dataset: %s: %w", file, err)
	}
	return nil
}

// LoadEncoding reads what Encoding.Save has written. A file that is something else,
// or that breaks what the fields of Encoding promise, gives an error wrapping
// ErrFormat or ErrTooLarge.
func LoadEncoding(file string) (*Encoding, error) {
	f, err := openFile(file)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	defer f.Close()
	e, err := parseEncoding(f)
	if err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", file, err)
	}
	return e, nil
}

func parseEncoding(r io.Reader) (*Encoding, error) {
	limited := &io.LimitedReader{R: r, N: maxTable}
	dec := json.NewDecoder(limited)
	dec.DisallowUnknownFields()
	e := new(Encoding)
	err := dec.Decode(e)
	if err == nil {
		if _, more := dec.Token(); more != io.EOF {
			err = fmt.Errorf("text after the end of the encoding")
		}
	}
	switch {
	case limited.N == 0:
		return nil, fmt.Errorf("%w: the encoding is larger than %d bytes", ErrTooLarge, maxTable)
	case err != nil:
		return nil, fmt.Errorf("%w: not an encoding: %w", ErrFormat, err)
	}
	return e, e.check()
}

// check returns an error wrapping ErrFormat unless the encoding can be applied.
func (e *Encoding) check() error {
	if len(e.Columns) == 0 {
		return fmt.Errorf("%w: the encoding has no columns", ErrFormat)
	}
	if (e.Label == "") != (len(e.Classes) == 0) {
		return fmt.Errorf("%w: the label is in column %q and there are %d classes", ErrFormat, e.Label, len(e.Classes))
	}
	if err := checkClasses(e.Classes); err != nil {
		return bare(err)
	}
	if e.Targets != nil {
		if err := checkTargets(e.Classes, e.Targets); err != nil {
			return bare(err)
		}
	}
	seen := map[string]bool{e.Label: e.Label != "", e.Identity: e.Identity != ""}
	for _, t := range e.Targets {
		seen[t.Name] = true
	}
	for i := range e.Columns {
		c := &e.Columns[i]
		err := c.check()
		if err == nil && (seen[c.Name] || c.Name == "") {
			err = fmt.Errorf("the name is empty, or taken by another column")
		}
		if err != nil {
			return fmt.Errorf("%w: column %q of the encoding: %w", ErrFormat, c.Name, err)
		}
		seen[c.Name] = true
	}
	return nil
}

func (c *Column) check() error {
	switch {
	case c.Indicator && c.Fill == nil:
		return fmt.Errorf("an indicator without what stands in for a missing field")
	case c.Categories == nil:
		return c.checkNumeric()
	case len(c.Categories) == 0:
		return fmt.Errorf("no categories")
	}
	if err := checkClasses(c.Categories); err != nil {
		return bare(err)
	}
	if c.Fill != nil && !slices.Contains(c.Categories, *c.Fill) {
		return fmt.Errorf("%q stands in for a missing field and is no category", *c.Fill)
	}
	return nil
}

func (c *Column) checkNumeric() error {
	if !finite.Is(c.Mean) || !finite.Is(c.Std) || !(c.Std > 0) || c.Unknown {
		return fmt.Errorf("numeric with mean %v, std %v, unknown %v", c.Mean, c.Std, c.Unknown)
	}
	if c.Fill == nil {
		return nil
	}
	_, err := c.number(*c.Fill)
	return err
}

// number returns the standardized number that a field spells.
func (c *Column) number(field string) (float32, error) {
	v, err := parseNumber(field)
	if err != nil {
		return 0, err
	}
	return c.standardize(v)
}

func (c *Column) standardize(v float64) (float32, error) {
	x := float32((v - c.Mean) / c.Std)
	if !finite.Is(x) {
		return 0, fmt.Errorf("%w: (%v − %v) / %v is beyond float32", feature.ErrNotFinite, v, c.Mean, c.Std)
	}
	return x, nil
}

// parseNumber reads a finite decimal number.
func parseNumber(field string) (float64, error) {
	v, err := strconv.ParseFloat(field, 64)
	for i := 0; i < len(field) && err == nil; i++ {
		if c := field[i]; c == 'x' || c == 'X' || c == '_' { // Go's own spellings
			err = strconv.ErrSyntax
		}
	}
	if err != nil && finite.Is(v) {
		return 0, fmt.Errorf("%w: %q is not a number; if it stands for a missing value, name it in Missing", ErrFormat, field)
	}
	if !finite.Is(v) {
		return 0, fmt.Errorf("%w: %q", feature.ErrNotFinite, field)
	}
	return v, nil
}
