package dataset

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/dlfd-go/unlearn/feature"
)

// Imputation says what stands in for a missing field.
type Imputation int

// The imputations. Each is taken of the rows that statistics are learned from.
const (
	// Refuse makes a missing field an error. It is the zero value.
	Refuse Imputation = iota
	// ImputeMean takes the mean of the numbers, and the most frequent category.
	ImputeMean
	// ImputeMedian takes the median of the numbers, and the most frequent category.
	ImputeMedian
	// ImputeMostFrequent takes the most frequent number or category; of several, the
	// smallest number or the first category.
	ImputeMostFrequent
)

// EncodingOptions says what the columns of a table mean. Label or Targets must be set.
type EncodingOptions struct {
	Table TableOptions

	// Label is the column with the name of the class, and Identity the one that
	// says whose row it is. Both are treated as those of [CSVOptions]; Identity may
	// be empty.
	Label, Identity string
	// Classes names the classes, in the order of their numbers. If it is nil, they
	// are the different labels of the whole table, as in CSVOptions.
	Classes []string
	// Targets and TargetClasses are those of CSVOptions, for several labels a sample.
	Targets       []string
	TargetClasses map[string][]string

	// Numeric and Categorical name the columns that are encoded. If both are nil, all
	// columns but Label, Targets, Identity and those in Ignore are: as numbers where all
	// fields that are not missing are numbers, and as categories where none is. A
	// column with both is an error.
	Numeric, Categorical []string
	// Ignore names columns that are left out.
	Ignore []string

	// Where and Keep choose the rows that means, deviations and imputations are
	// learned from, the retain set; see CSVOptions. If both are nil, all rows are.
	// Classes and categories are those of all rows.
	Where map[string][]string
	Keep  func(Row) bool

	// Missing has the fields that stand for a missing value, such as "NA" or "?". If
	// it is nil, the empty field does.
	Missing []string
	// Impute says what stands in for a missing value. If it is zero, a missing value
	// is an error.
	Impute Imputation
	// Indicators gives every column a number that tells where a value was missing.
	// It needs Impute.
	Indicators bool
	// Unknown gives every categorical column a number for categories that are not in
	// this table. If it is false, they are an error.
	Unknown bool
	// Raw leaves numbers as they are: the means are 0 and the deviations 1.
	Raw bool
}

// LearnEncoding learns from a table, in CSV or as TableOptions say, how its rows
// become samples. Two spellings of one number among the categories, such as 7 and
// 07, are an error; integers with decimals, such as 7.0, lose them.
//
// Errors name the file, and where it applies the row, its line and the column, up to
// five of them. They wrap ErrColumn, ErrFormat, ErrEmpty (no rows, or none is kept),
// ErrTooLarge, feature.ErrNotFinite, feature.ErrParameter or the file system's.
func LearnEncoding(file string, o EncodingOptions) (*Encoding, error) {
	if o.Impute < Refuse || o.Impute > ImputeMostFrequent || o.Indicators && o.Impute == Refuse {
		return nil, fmt.Errorf("dataset: %w: Impute %d, Indicators %v", feature.ErrParameter, o.Impute, o.Indicators)
	}
	t, err := readTable(file, o.Table)
	if err != nil {
		return nil, err
	}
	return learn(t, o)
}

// learn is LearnEncoding for a table that has been read.
func learn(t *table, o EncodingOptions) (_ *Encoding, err error) {
	l := &learner{EncodingOptions: o, t: t}
	l.e = &Encoding{Label: o.Label, Identity: o.Identity, Missing: slices.Clone(o.Missing)}
	if o.Missing == nil {
		l.e.Missing = []string{""}
	}
	if l.keep, err = t.filter(o.Where, o.Keep); err != nil {
		return nil, err
	}
	s, err := l.e.subjects(t, CSVOptions{Label: o.Label, Identity: o.Identity, Classes: o.Classes, Targets: o.Targets, TargetClasses: o.TargetClasses})
	if err != nil {
		return nil, err
	}
	if err := s.nameClasses(t, o.Classes, o.TargetClasses); err != nil {
		return nil, err
	}
	l.e.Classes, l.e.Targets = s.classes, s.targets
	if err := l.columns(); err != nil {
		return nil, err
	}
	if err := l.e.check(); err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", t.file, err)
	}
	return l.e, nil
}

// learner is a table that is being learned from.
type learner struct {
	EncodingOptions
	t    *table
	e    *Encoding
	keep []bool // by row
}

// columns learns every column that is wanted, in the order of the table.
func (l *learner) columns() error {
	numeric, err := l.kinds()
	if err != nil {
		return err
	}
	for k, name := range l.t.columns {
		isNumber, wanted := numeric[name]
		if !wanted {
			continue
		}
		c := Column{Name: name}
		learn := l.categories
		if isNumber {
			learn = l.numbers
		}
		if err := learn(&c, k); err != nil {
			return err
		}
		l.e.Columns = append(l.e.Columns, c)
	}
	if len(l.e.Columns) == 0 {
		return fmt.Errorf("dataset: %s: %w: no column is left beside label, identity and Ignore, there are %q", l.t.file, ErrColumn, l.t.columns)
	}
	return nil
}

// kinds returns which columns are encoded, and whether as numbers.
func (l *learner) kinds() (map[string]bool, error) {
	numeric, used := map[string]bool{}, map[string]bool{l.Label: true, l.Identity: true}
	for _, name := range l.Targets {
		used[name] = true
	}
	for _, list := range [][]string{l.Ignore, l.Numeric, l.Categorical} {
		for _, name := range list {
			if _, err := l.t.column(name); err != nil {
				return nil, err
			}
			if used[name] {
				return nil, fmt.Errorf("dataset: %s: %w: column %q is named twice in the options", l.t.file, feature.ErrParameter, name)
			}
			used[name] = true
		}
	}
	for _, name := range l.Numeric {
		numeric[name] = true
	}
	for _, name := range l.Categorical {
		numeric[name] = false
	}
	if l.Numeric != nil || l.Categorical != nil {
		return numeric, nil
	}
	for k, name := range l.t.columns {
		if used[name] {
			continue
		}
		var err error
		if numeric[name], err = l.isNumeric(k); err != nil {
			return nil, err
		}
	}
	return numeric, nil
}

// isNumeric tells what the fields of column k are.
func (l *learner) isNumeric(k int) (bool, error) {
	first := -1
	numeric := false
	for i, row := range l.t.rows {
		if l.e.missing(row[k]) {
			continue
		}
		_, err := parseNumber(row[k])
		number := err == nil || errors.Is(err, feature.ErrNotFinite) // an error where it is learned from
		switch {
		case first < 0:
			first, numeric = i, number
		case numeric != number:
			return false, fmt.Errorf("dataset: %s: column %q: %w: %q beside %q in row %d: numbers and texts; name the column in Numeric, Categorical or Ignore, or what stands for a missing value in Missing",
				l.t.where(i), l.t.columns[k], ErrFormat, row[k], l.t.rows[first][k], first+1)
		}
	}
	if first < 0 {
		return false, fmt.Errorf("dataset: %s: column %q: %w: all fields are missing; name it in Ignore", l.t.file, l.t.columns[k], ErrEmpty)
	}
	return numeric, nil
}

// kept calls f for the fields of column k that are not missing, in the rows that are
// kept, and joins the first errors, which name row and column.
func (l *learner) kept(k int, f func(field string) error) error {
	var errs []error
	n := 0
	for i, row := range l.t.rows {
		if !l.keep[i] || l.e.missing(row[k]) {
			continue
		}
		n++
		if err := f(row[k]); err != nil {
			errs = append(errs, fmt.Errorf("dataset: %s: column %q: %w", l.t.where(i), l.t.columns[k], err))
		}
	}
	if n == 0 {
		return fmt.Errorf("dataset: %s: column %q: %w: all fields are missing in the rows that are learned from", l.t.file, l.t.columns[k], ErrEmpty)
	}
	return firstErrors(errs)
}

// numbers learns a numeric column.
func (l *learner) numbers(c *Column, k int) error {
	var x []float64
	if err := l.kept(k, func(field string) error {
		v, err := parseNumber(field)
		x = append(x, v)
		return err
	}); err != nil {
		return err
	}
	if err := c.learn(x, l.Raw); err != nil {
		return fmt.Errorf("dataset: %s: column %q: %w", l.t.file, c.Name, err)
	}
	slices.Sort(x)
	fill := c.Mean
	switch l.Impute {
	case Refuse:
		return nil
	case ImputeMean:
		fill = momentsOf(x).mean
	case ImputeMedian:
		fill = x[(len(x)-1)/2]/2 + x[len(x)/2]/2
	case ImputeMostFrequent:
		fill = mostFrequent(x)
	}
	c.fill(strconv.FormatFloat(fill, 'g', -1, 64), l.Indicators)
	return nil
}

// learn sets the mean and the deviation of the numbers.
func (c *Column) learn(x []float64, raw bool) error {
	m := momentsOf(x)
	c.Mean, c.Std = m.mean, m.std()
	if c.Constant = m.min == m.max; c.Constant {
		c.Mean, c.Std = m.min, 1
	}
	if raw {
		c.Mean, c.Std = 0, 1
	}
	if math.IsInf(c.Mean, 0) || math.IsInf(c.Std, 0) || math.IsNaN(c.Std) || c.Std == 0 {
		return fmt.Errorf("%w: numbers from %v to %v have mean %v, std %v", feature.ErrNotFinite, m.min, m.max, c.Mean, c.Std)
	}
	return nil
}

func (c *Column) fill(field string, indicator bool) { c.Fill, c.Indicator = &field, indicator }

// mostFrequent returns the first of the longest runs of equal numbers.
func mostFrequent(sorted []float64) float64 {
	best, length := sorted[0], 0
	for i := 0; i < len(sorted); {
		j := i
		for j < len(sorted) && sorted[j] == sorted[i] {
			j++
		}
		if j-i > length {
			best, length = sorted[i], j-i
		}
		i = j
	}
	return best
}

// categories learns a categorical column.
func (l *learner) categories(c *Column, k int) (err error) {
	c.Unknown = l.Unknown
	if c.Categories, err = l.t.distinct(fmt.Sprintf("column %q", c.Name), func(r Row) string {
		return l.e.present(l.t.rows[r.Number-1][k])
	}); err != nil {
		return err
	}
	if len(c.Categories) == 0 {
		return fmt.Errorf("dataset: %s: column %q: %w: all fields are missing", l.t.file, c.Name, ErrEmpty)
	}
	if l.Impute == Refuse {
		return nil
	}
	count := map[string]int{}
	if err := l.kept(k, func(field string) error { count[plainInteger(field)]++; return nil }); err != nil {
		return err
	}
	most := slices.Max(slices.Collect(maps.Values(count)))
	at := slices.IndexFunc(c.Categories, func(s string) bool { return count[s] == most })
	c.fill(c.Categories[at], l.Indicators)
	return nil
}

// missing reports whether a field stands for a missing value.
func (e *Encoding) missing(field string) bool { return slices.Contains(e.Missing, field) }

// present returns the field, or "" if it stands for a missing value.
func (e *Encoding) present(field string) string {
	if e.missing(field) {
		return ""
	}
	return field
}

// subjects finds the columns of the label and the identity, where what stands for
// a missing value is empty.
func (e *Encoding) subjects(t *table, o CSVOptions) (subjects, error) {
	s, err := t.subjects(&o)
	if err != nil {
		return s, err
	}
	label, identity := s.label, s.identity
	s.label = func(r Row) string { return e.present(label(r)) }
	for i, c := range s.columns {
		s.columns[i].field = func(r Row) string { return e.present(c.field(r)) }
	}
	if identity != nil {
		s.identity = func(r Row) string { return e.present(identity(r)) }
	}
	return s, nil
}

// LearnScale learns the mean and the standard deviation of every element of vectors,
// such as embeddings. d is the retain set, and need not be of vectors: the elements of
// a sample are taken one after the other, and called "0", "1" and so on.
//
// The error wraps ErrEmpty if there are no samples. The cost is one pass over d.
func LearnScale(d feature.Dataset) (*Encoding, error) {
	n := feature.Size(d.Shape())
	if d.Len() == 0 || n == 0 {
		return nil, fmt.Errorf("dataset: %w: scale of %d samples of shape %v", ErrEmpty, d.Len(), d.Shape())
	}
	m := make([]moments, n)
	for b, err := range feature.Batches(d, 64, nil) {
		if err != nil {
			return nil, err
		}
		for i := range b.Labels {
			for j, v := range b.X.Row(i) {
				m[j].merge(moments{n: 1, mean: float64(v), min: float64(v), max: float64(v)})
			}
		}
	}
	e := &Encoding{Columns: make([]Column, n)}
	for j := range m {
		e.Columns[j] = Column{Name: strconv.Itoa(j), Mean: m[j].mean, Std: cmp.Or(m[j].std(), 1), Constant: m[j].min == m[j].max}
	}
	return e, nil
}
