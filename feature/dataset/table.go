package dataset

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// TableOptions says how a table is written: in UTF-8, with or without a byte
// order mark; other encodings are an error. Lines end with LF, CRLF or CR; empty
// lines are passed over. Fields lose the white space around them. A column
// without a name is called by its position from 0.
type TableOptions struct {
	// Comma separates fields. If it is zero, ',' is used, with the quoting of
	// RFC 4180. ' ' stands for any run of spaces and tabs, without quoting.
	Comma rune

	// Skip is the number of lines before the header, or before the first row if
	// there is none.
	Skip int

	// NoHeader says that the first line is a row already.
	NoHeader bool

	// Columns names the columns in place of the header. If it is nil, the
	// names are those of the header, or "0", "1" and so on if there is none.
	// Where Comma is ' ', a header with one name less than the first row has
	// fields names all columns but the first, as in the lists of CelebA.
	Columns []string
}

// table is a rectangle of strings.
type table struct {
	file    string
	columns []string
	index   map[string]int // of a column
	rows    [][]string
	lines   []int // of a row, from 1

	unknown error // the first wrong name given to Row.Get
}

// Row is a row of a metadata table.
type Row struct {
	Number int // from 1, not counting the header
	t      *table
}

// Get returns the field of the given column. After a name that the table does
// not have, it returns "", and CSV returns an error.
func (r Row) Get(column string) string {
	k, err := r.t.column(column)
	if err != nil {
		if r.t.unknown == nil {
			r.t.unknown = err
		}
		return ""
	}
	return r.t.rows[r.Number-1][k]
}

func (t *table) row(i int) Row { return Row{Number: i + 1, t: t} }

// where names row i for an error.
func (t *table) where(i int) string {
	return fmt.Sprintf("%s: row %d (line %d)", t.file, i+1, t.lines[i])
}

// column returns the position of a column.
func (t *table) column(name string) (int, error) {
	k, ok := t.index[name]
	if !ok {
		return 0, fmt.Errorf("dataset: %s: %w: %q, there are %q%s", t.file, ErrColumn, name, t.columns, t.separatorHint())
	}
	return k, nil
}

// separatorHint helps where everything stands in one column.
func (t *table) separatorHint() string {
	if len(t.columns) == 1 && strings.ContainsAny(t.columns[0], ",;\t| ") {
		return "; is Comma, the separator of fields, right?"
	}
	return ""
}

func readTable(file string, o TableOptions) (*table, error) {
	f, err := openFile(file)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	defer f.Close()
	return parseTable(f, file, o)
}

// parseTable reads a table. Every row has as many fields as there are columns.
func parseTable(r io.Reader, file string, o TableOptions) (*table, error) {
	text, err := readText(r)
	if err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", file, err)
	}
	if text, err = skip(text, o.Skip); err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", file, err)
	}
	next := separated(text, cmp.Or(o.Comma, ','), max(o.Skip, 0))
	if o.Comma == ' ' {
		next = spaced(text, max(o.Skip, 0))
	}
	t := &table{file: file}
	for {
		fields, line, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("dataset: %s: %w: %w", file, ErrFormat, err)
		}
		t.rows = append(t.rows, fields)
		t.lines = append(t.lines, line)
	}
	return t, t.finish(o)
}

// finish takes the header off the rows and checks the shape.
func (t *table) finish(o TableOptions) error {
	if err := t.header(o); err != nil {
		return err
	}
	if len(t.rows) == 0 {
		return fmt.Errorf("dataset: %s: %w: the table has no rows", t.file, ErrEmpty)
	}
	by := "the header has"
	if o.NoHeader {
		by = "the first row has"
	}
	var errs []error
	for i, row := range t.rows {
		if len(row) != len(t.columns) {
			errs = append(errs, fmt.Errorf("dataset: %s: %w: the number of fields is %d, %s %d", t.where(i), ErrFormat, len(row), by, len(t.columns)))
		}
	}
	if len(errs) > 0 {
		return firstErrors(errs)
	}
	return t.name()
}

func (t *table) header(o TableOptions) error {
	if len(t.rows) == 0 {
		return fmt.Errorf("dataset: %s: %w: the table is empty", t.file, ErrEmpty)
	}
	t.columns = make([]string, len(t.rows[0]))
	if !o.NoHeader {
		t.columns = t.rows[0]
		t.rows, t.lines = t.rows[1:], t.lines[1:]
		if o.Comma == ' ' && len(t.rows) > 0 && len(t.rows[0]) == len(t.columns)+1 {
			t.columns = slices.Insert(slices.Clone(t.columns), 0, "")
		}
	}
	if o.Columns == nil {
		return nil
	}
	if len(o.Columns) != len(t.columns) {
		return fmt.Errorf("dataset: %s: %w: Columns has %d names %q, the table has %d columns",
			t.file, ErrFormat, len(o.Columns), o.Columns, len(t.columns))
	}
	t.columns = slices.Clone(o.Columns)
	return nil
}

// name numbers the columns without a name and indexes all.
func (t *table) name() error {
	t.index = make(map[string]int, len(t.columns))
	for i, name := range t.columns {
		if name == "" {
			name = strconv.Itoa(i)
			t.columns[i] = name
		}
		if k, twice := t.index[name]; twice {
			return fmt.Errorf("dataset: %s: %w: columns %d and %d are both called %q", t.file, ErrFormat, k, i, name)
		}
		t.index[name] = i
	}
	return nil
}

// skip takes n lines off a text.
func skip(text []byte, n int) ([]byte, error) {
	for i := range n {
		_, rest, more := bytes.Cut(text, []byte("\n"))
		if !more {
			return nil, fmt.Errorf("%w: Skip is %d, but the table ends in line %d", ErrFormat, n, i+1)
		}
		text = rest
	}
	return text, nil
}

// separated returns a function that gives one record and its line at a time;
// before is the number of lines above the text.
func separated(text []byte, comma rune, before int) func() ([]string, int, error) {
	cr := csv.NewReader(bytes.NewReader(text))
	cr.Comma, cr.FieldsPerRecord = comma, -1
	cr.TrimLeadingSpace = comma != '\t' // there it would swallow empty fields
	return func() ([]string, int, error) {
		fields, err := cr.Read()
		if bad := (*csv.ParseError)(nil); errors.As(err, &bad) {
			bad.StartLine += before
			bad.Line += before
		}
		if err != nil {
			return nil, 0, err
		}
		for i, f := range fields {
			fields[i] = strings.TrimSpace(f)
		}
		line, _ := cr.FieldPos(0)
		return fields, before + line, nil
	}
}

// spaced is separated for fields between white space.
func spaced(text []byte, line int) func() ([]string, int, error) {
	return func() ([]string, int, error) {
		for len(text) > 0 {
			var one []byte
			one, text, _ = bytes.Cut(text, []byte("\n"))
			line++
			if fields := strings.Fields(string(one)); len(fields) > 0 {
				return fields, line, nil
			}
		}
		return nil, 0, io.EOF
	}
}
