package dataset

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/finite"
)

// CSVOptions says what the columns of a metadata table mean. One of Path and
// NameFunc and one of Label, LabelFunc and Targets must be set.
//
// The functions see the rows one after another. LabelFunc is asked for all rows
// of the table unless Classes is given, the others for the rows that are kept.
type CSVOptions struct {
	Image ImageOptions
	Table TableOptions

	// Join adds the columns of other tables.
	Join []Join

	// Root is the folder that the images are named from. If it is empty, the
	// table's own folder is used. Names must not lead out of it.
	Root string

	// Path is the column that names the image.
	Path string
	// NameFunc returns the name of the image, instead of the field of Path.
	NameFunc func(Row) string

	// Label is the column with the name of the class.
	Label string
	// LabelFunc returns the name of the class, instead of the field of Label.
	LabelFunc func(Row) string

	// Classes names the classes, in the order of their numbers. If it is nil,
	// they are the different labels of the whole table, those of rows that are
	// not kept included, so that every split has the same; in numerical order
	// if all are numbers, else in the order of their bytes. Integers with
	// decimals, such as 7.0, lose them; two other spellings of one number, such
	// as 7 and 07, are an error.
	Classes []string

	// Targets are the columns of several labels a sample, two or more; the Set then
	// offers feature.MultiLabeled, in this order. A row that is kept must have a label
	// in each of them.
	Targets []string
	// TargetClasses names the classes of targets, by column, as Classes does. Those
	// of a column that it does not have are the different labels in the whole table.
	TargetClasses map[string][]string

	// Identity is the column that says whom an image shows. If it is empty and
	// IdentityFunc is nil, identities are unknown; else none may be empty.
	// Numbers are treated as those of labels are.
	Identity string
	// IdentityFunc returns whom an image shows, instead of the field of
	// Identity.
	IdentityFunc func(Row) string

	// Where keeps the rows whose field in each of these columns is one of the
	// given values, numbers in whatever spelling. A value that stands in no row
	// is an error.
	Where map[string][]string
	// Keep drops the rows for which it returns false. If it is nil, none is
	// dropped.
	Keep func(Row) bool
}

// Join is a table whose columns are added to the rows of the main one, found by
// a key; numbers match in whatever spelling. Fields of a row that it does not have
// are empty. Names of columns must
// differ from those of the main table.
type Join struct {
	File  string
	Table TableOptions
	Key   string // the column that holds what the main table has in On
	On    string // if it is empty, CSVOptions.Path is used
}

// CSV reads a metadata table and the images that it names. See the examples for
// the layouts of MUFAC, MUCAC and RAF-DB. Images are opened below Root; a name or
// a link that leads out of it is refused, and so is a name that occurs twice. An
// image that cannot be read is an error, or with ImageOptions.SkipUnreadable an
// entry of Set.Skipped.
//
// Errors name the file and the row, up to five of them in the order of the rows;
// "row 3 (line 4)" counts rows without and lines with the header. They wrap
// ErrColumn, ErrFormat, ErrIdentity, ErrTooLarge, ErrEmpty (no rows, or none is
// kept), feature.ErrLabel, feature.ErrShape or fs.ErrNotExist.
func CSV(file string, o *CSVOptions) (*Set, error) {
	if o == nil {
		o = &CSVOptions{}
	}
	opt, err := o.Image.resolve()
	if err != nil {
		return nil, err
	}
	t, err := readTable(file, o.Table)
	if err != nil {
		return nil, err
	}
	for _, j := range o.Join {
		if err := t.join(j, cmp.Or(j.On, o.Path)); err != nil {
			return nil, err
		}
	}
	p, err := newPlan(t, o)
	if err != nil {
		return nil, err
	}
	items, err := p.items()
	if err != nil {
		return nil, err
	}
	root, err := openRoot(p.root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	d, err := load(root, items, opt)
	if err != nil {
		return nil, err
	}
	p.describe(d)
	return d, nil
}

// join adds the columns of another table to t.
func (t *table) join(j Join, on string) error {
	other, err := readTable(j.File, j.Table)
	if err != nil {
		return err
	}
	key, err := other.column(j.Key)
	if err != nil {
		return err
	}
	col, err := t.column(on)
	if err != nil {
		return err
	}
	found := make(map[string]int, len(other.rows))
	for i, row := range other.rows {
		value := sameValue(row[key])
		if k, twice := found[value]; twice {
			return fmt.Errorf("dataset: %s: %w: %q stands in row %d already", other.where(i), ErrFormat, row[key], k+1)
		}
		found[value] = i
	}
	empty := make([]string, len(other.columns)-1)
	for i, row := range t.rows {
		add := empty
		if k, ok := found[sameValue(row[col])]; ok {
			add = slices.Delete(slices.Clone(other.rows[k]), key, key+1)
		}
		t.rows[i] = slices.Concat(row, add)
	}
	t.columns = slices.Concat(t.columns, other.columns[:key], other.columns[key+1:])
	return t.name()
}

// plan is what is to be read from a table.
type plan struct {
	*CSVOptions
	subjects
	t    *table
	root string
	name func(Row) string
	keep []bool // by row
}

// newPlan finds the columns, the rows and the classes.
func newPlan(t *table, o *CSVOptions) (*plan, error) {
	p := &plan{CSVOptions: o, t: t, root: cmp.Or(o.Root, filepath.Dir(t.file))}
	var err error
	if p.name, err = t.field("Path", o.Path, o.NameFunc); err != nil {
		return nil, err
	}
	if p.subjects, err = t.subjects(o); err != nil {
		return nil, err
	}
	if p.keep, err = t.filter(o.Where, o.Keep); err != nil {
		return nil, err
	}
	if err := p.nameClasses(t, o.Classes, o.TargetClasses); err != nil {
		return nil, err
	}
	return p, t.unknown
}

// subjects finds the class and the identity of rows.
type subjects struct {
	label, identity func(Row) string // identity may be nil
	classes         []string
	number          classNumbers
	persons         spellings

	columns []labelColumn // of several labels a sample, in the place of label; else nil
	targets []feature.Target
}

// subjects finds the columns.
func (t *table) subjects(o *CSVOptions) (s subjects, err error) {
	s.persons = spellings{}
	if s.columns, err = t.targetColumns(o); err != nil {
		return s, err
	}
	if s.columns == nil {
		if s.label, err = t.field("Label", o.Label, o.LabelFunc); err != nil {
			return s, err
		}
	}
	if o.Identity != "" || o.IdentityFunc != nil {
		s.identity, err = t.field("Identity", o.Identity, o.IdentityFunc)
	}
	return s, err
}

// nameClasses takes over the names of the classes, or those in the table.
func (s *subjects) nameClasses(t *table, classes []string, ofTargets map[string][]string) (err error) {
	if s.columns != nil {
		s.targets, err = nameTargets(t, s.columns, ofTargets)
		return err
	}
	if s.classes = slices.Clone(classes); classes == nil {
		if s.classes, err = t.distinct("the label", s.label); err != nil {
			return err
		}
	}
	s.number = newClassNumbers(s.classes)
	return checkClasses(s.classes)
}

// of returns what a row shows.
func (s *subjects) of(r Row) (label int, identity string, err error) {
	if label, err = s.class(r); err != nil {
		return 0, "", err
	}
	if s.identity == nil {
		return label, "", nil
	}
	if identity = plainInteger(s.identity(r)); identity == "" {
		return 0, "", ErrIdentity
	}
	if err := s.persons.check(identity); err != nil {
		return 0, "", fmt.Errorf("the identity: %w", err)
	}
	return label, identity, nil
}

// class returns the class of a row, or the combination of its labels.
func (s *subjects) class(r Row) (int, error) {
	if s.columns != nil {
		return s.combination(r)
	}
	name := plainInteger(s.label(r))
	label, known := s.number.find(name)
	if !known {
		return 0, fmt.Errorf("%w: %q is not one of the classes %q", feature.ErrLabel, name, few(slices.Clone(s.classes)))
	}
	return label, nil
}

// field returns f if there is one, else a function that gets the column.
func (t *table) field(option, column string, f func(Row) string) (func(Row) string, error) {
	switch {
	case f != nil:
		return f, nil
	case column == "":
		return nil, fmt.Errorf("dataset: %s: %w: %s is not set, there are %q", t.file, ErrColumn, option, t.columns)
	}
	k, err := t.column(column)
	return func(r Row) string { return t.rows[r.Number-1][k] }, err
}

// filter returns which rows are kept.
func (t *table) filter(where map[string][]string, f func(Row) bool) ([]bool, error) {
	keep := slices.Repeat([]bool{true}, len(t.rows))
	for _, column := range slices.Sorted(maps.Keys(where)) {
		k, err := t.column(column)
		if err != nil {
			return nil, err
		}
		wanted, seen := map[string]bool{}, map[string]string{} // by value
		for _, v := range where[column] {
			wanted[sameValue(v)] = true
		}
		for i, row := range t.rows {
			value := sameValue(row[k])
			seen[value] = row[k]
			keep[i] = keep[i] && wanted[value]
		}
		for _, v := range where[column] {
			if _, ok := seen[sameValue(v)]; !ok {
				return nil, fmt.Errorf("dataset: %s: %w: no row has %q in column %q, there are %q",
					t.file, ErrEmpty, v, column, few(slices.Sorted(maps.Values(seen))))
			}
		}
	}
	for i := range keep {
		keep[i] = keep[i] && (f == nil || f(t.row(i)))
	}
	if t.unknown == nil && !slices.Contains(keep, true) {
		return nil, fmt.Errorf("dataset: %s: %w: none of %d rows is kept", t.file, ErrEmpty, len(t.rows))
	}
	return keep, t.unknown
}

// few returns the first values of a list that may be long.
func few(values []string) []string {
	if len(values) > 10 {
		return append(values[:10:10], "…")
	}
	return values
}

// distinct returns the different labels, or fields of another name, of all rows, in
// order.
func (t *table) distinct(name string, label func(Row) string) ([]string, error) {
	seen, written := map[string]bool{}, spellings{}
	for i := range t.rows {
		l := plainInteger(label(t.row(i)))
		if err := written.check(l); err != nil {
			return nil, fmt.Errorf("dataset: %s: %s: %w", t.where(i), name, err)
		}
		seen[l] = true
	}
	delete(seen, "") // an error where the row is kept
	return sortLabels(slices.Collect(maps.Keys(seen))), nil
}

// sortLabels sorts by value if all labels are numbers, else by bytes.
func sortLabels(labels []string) []string {
	slices.Sort(labels)
	number := make(map[string]float64, len(labels))
	for _, l := range labels {
		v, err := strconv.ParseFloat(l, 64)
		if err != nil || !finite.Is(v) {
			return labels
		}
		number[l] = v
	}
	slices.SortStableFunc(labels, func(a, b string) int { return cmp.Compare(number[a], number[b]) })
	return labels
}

// items returns the samples to be read.
func (p *plan) items() ([]item, error) {
	var items []item
	var errs []error
	first := map[string]int{} // row that names a path
	for i, keep := range p.keep {
		if !keep {
			continue
		}
		it, err := p.item(i)
		if k, twice := first[it.path]; err == nil && twice {
			err = fmt.Errorf("%w: image %s stands in row %d already", ErrFormat, it.name, k+1)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("dataset: %s: %w", p.t.where(i), err))
			continue
		}
		first[it.path] = i
		items = append(items, it)
	}
	if p.t.unknown != nil {
		return nil, p.t.unknown
	}
	return items, firstErrors(errs)
}

// item reads what row i says.
func (p *plan) item(i int) (item, error) {
	r := p.t.row(i)
	it := item{name: p.name(r), where: p.t.where(i)}
	if it.name == "" {
		return it, fmt.Errorf("%w: the name of the image is empty", ErrFormat)
	}
	local := filepath.FromSlash(it.name)
	if !filepath.IsLocal(local) {
		return it, fmt.Errorf("%w: the name of the image, %q, leads out of %s", ErrFormat, it.name, p.root)
	}
	it.path = filepath.Clean(local)
	var err error
	it.label, it.identity, err = p.of(r)
	return it, err
}
