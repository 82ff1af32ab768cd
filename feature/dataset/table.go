package dataset

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// TableOptions says how a table is written. Fields lose the white space around
// them; a byte order mark and Windows line ends are accepted; empty lines are
// passed over. A column without a name is called by its position from 0.
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

// maxTable is the largest size of a table in bytes.
const maxTable = 1 << 28

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
		return 0, fmt.Errorf("dataset: %s: %w: %q, there are %q", t.file, ErrColumn, name, t.columns)
	}
	return k, nil
}

func readTable(file string, o TableOptions) (*table, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	defer f.Close()
	return parseTable(f, file, o)
}

// parseTable reads a table. Every row has as many fields as there are columns.
func parseTable(r io.Reader, file string, o TableOptions) (*table, error) {
	if o.Comma == 0 {
		o.Comma = ','
	}
	br := bufio.NewReader(&bounded{r, maxTable})
	skipped, err := skip(br, o.Skip)
	if err != nil {
		return nil, fmt.Errorf("dataset: %s: line %d: %w: %w", file, skipped+1, ErrFormat, err)
	}
	next := separated(br, o.Comma, skipped)
	if o.Comma == ' ' {
		next = spaced(br, skipped)
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
	var errs []error
	for i, row := range t.rows {
		if len(row) != len(t.columns) {
			errs = append(errs, fmt.Errorf("dataset: %s: %w: %d fields in %d columns", t.where(i), ErrFormat, len(row), len(t.columns)))
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
		return fmt.Errorf("dataset: %s: %w: %d columns, but names %q for %d", t.file, ErrFormat, len(t.columns), o.Columns, len(o.Columns))
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

// skip passes over a byte order mark and n lines, and returns how many.
func skip(r *bufio.Reader, n int) (int, error) {
	const mark = "\ufeff"
	if head, _ := r.Peek(len(mark)); string(head) == mark {
		if _, err := r.Discard(len(mark)); err != nil {
			return 0, err
		}
	}
	for i := range n {
		if _, err := r.ReadString('\n'); err != nil {
			return i, fmt.Errorf("%d lines to skip: %w", n, err)
		}
	}
	return max(n, 0), nil
}

// separated returns a function that gives one record and its line at a time;
// before is the number of lines above r.
func separated(r io.Reader, comma rune, before int) func() ([]string, int, error) {
	cr := csv.NewReader(r)
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
func spaced(r io.Reader, line int) func() ([]string, int, error) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	return func() ([]string, int, error) {
		for s.Scan() {
			line++
			if fields := strings.Fields(s.Text()); len(fields) > 0 {
				return fields, line, nil
			}
		}
		if err := s.Err(); err != nil {
			return nil, 0, fmt.Errorf("line %d: %w", line+1, err)
		}
		return nil, 0, io.EOF
	}
}

// bounded fails where io.LimitReader would end silently.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("%w: the table is larger than %d bytes", ErrTooLarge, maxTable)
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
