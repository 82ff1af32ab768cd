package dataset

import (
	"slices"
	"strings"
	"testing"
)

func TestParseTable(t *testing.T) {
	for name, c := range map[string]struct {
		text    string
		o       TableOptions
		columns string
		rows    string // fields joined by |, rows by /
		lines   []int
	}{
		"plain":         {"a,b\n1,2\n3,4\n", TableOptions{}, "a|b", "1|2/3|4", []int{2, 3}},
		"BOM and CRLF":  {"\ufeffa,b\r\n1,2\r\n", TableOptions{}, "a|b", "1|2", []int{2}},
		"no last end":   {"a\n1", TableOptions{}, "a", "1", []int{2}},
		"quotes":        {"a,\"b,c\"\n\"x \"\"y\"\"\", \"p\nq\"\nz,\"\"\n", TableOptions{}, "a|b,c", "x \"y\"|p\nq/z|", []int{2, 4}},
		"spaces":        {" a , b\n 1 ,2 \n", TableOptions{}, "a|b", "1|2", []int{2}},
		"empty lines":   {"\na,b\n\n1,2\n\n", TableOptions{}, "a|b", "1|2", []int{4}},
		"semicolon":     {"a;b\n1,5;2\n", TableOptions{Comma: ';'}, "a|b", "1,5|2", []int{2}},
		"tabs":          {"a\tb\tc\n\t2\t\n", TableOptions{Comma: '\t'}, "a|b|c", "|2|", []int{2}},
		"no header":     {"1,2\n3,4\n", TableOptions{NoHeader: true}, "0|1", "1|2/3|4", []int{1, 2}},
		"named":         {"1,2\n", TableOptions{NoHeader: true, Columns: []string{"x", "y"}}, "x|y", "1|2", []int{1}},
		"renamed":       {"a,b\n1,2\n", TableOptions{Columns: []string{"x", "y"}}, "x|y", "1|2", []int{2}},
		"pandas index":  {",a\n0,x\n1,y\n", TableOptions{}, "0|a", "0|x/1|y", []int{2, 3}},
		"white space":   {"f.jpg   1\r\n\ng.jpg\t-1  \n", TableOptions{Comma: ' ', NoHeader: true}, "0|1", "f.jpg|1/g.jpg|-1", []int{1, 3}},
		"CelebA":        {"2\nMale Young\nf.jpg -1  1\ng.jpg  1 -1\n", TableOptions{Comma: ' ', Skip: 1}, "0|Male|Young", "f.jpg|-1|1/g.jpg|1|-1", []int{3, 4}},
		"CR":            {"a,b\r1,2\r\r3,\"4\r5\"\r", TableOptions{}, "a|b", "1|2/3|4\n5", []int{2, 4}},
		"CR and spaces": {"a b\r1 2\r", TableOptions{Comma: ' '}, "a|b", "1|2", []int{2}},
		"skip and mark": {"\ufeffmade by hand\na\n1\n", TableOptions{Skip: 1}, "a", "1", []int{3}},
	} {
		t.Run(name, func(t *testing.T) {
			tab, err := parseTable(strings.NewReader(c.text), "m.csv", c.o)
			if err != nil {
				t.Fatal(err)
			}
			var rows []string
			for _, r := range tab.rows {
				rows = append(rows, strings.Join(r, "|"))
			}
			if got := strings.Join(tab.columns, "|"); got != c.columns {
				t.Errorf("columns %q, want %q", got, c.columns)
			}
			if got := strings.Join(rows, "/"); got != c.rows {
				t.Errorf("rows %q, want %q", got, c.rows)
			}
			equal(t, "lines", tab.lines, c.lines)
		})
	}
}

func TestParseTableErrors(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		o    TableOptions
		want error
		say  string
	}{
		"empty":          {"", TableOptions{}, ErrEmpty, "m.csv"},
		"header only":    {"a,b\n", TableOptions{}, ErrEmpty, "no rows"},
		"short row":      {"a,b\n1,2\n3\n", TableOptions{}, ErrFormat, "row 2 (line 3)"},
		"long row":       {"a,b\n\n1,2,3\n", TableOptions{}, ErrFormat, "row 1 (line 3): malformed data: the number of fields is 3, the header has 2"},
		"ragged list":    {"a b\nc\n", TableOptions{Comma: ' ', NoHeader: true}, ErrFormat, "row 2 (line 2)"},
		"open quote":     {"x\na,b\n1,2\n3,\"4\n", TableOptions{Skip: 1}, ErrFormat, "parse error on line 4"},
		"bare quote":     {"a,b\n1,2\"\n", TableOptions{}, ErrFormat, "line 2"},
		"equal names":    {"a,a\n1,2\n", TableOptions{}, ErrFormat, "columns 0 and 1"},
		"too few names":  {"a,b\n1,2\n", TableOptions{Columns: []string{"x"}}, ErrFormat, "the table has 2 columns"},
		"skip too much":  {"a\n", TableOptions{Skip: 2}, ErrFormat, "line 2"},
		"quote as comma": {"a\n1\n", TableOptions{Comma: '"'}, ErrFormat, "m.csv"},
		"ragged rows":    {"1,2\n3\n", TableOptions{NoHeader: true}, ErrFormat, "row 2 (line 2): malformed data: the number of fields is 1, the first row has 2"},
		"UTF-16":         {"\xff\xfep\x00,\x00l\x00", TableOptions{}, ErrFormat, "in UTF-16; save it as UTF-8"},
		"UTF-16 BE":      {"\xfe\xff\x00p", TableOptions{}, ErrFormat, "in UTF-16"},
		"UTF-32":         {"\xff\xfe\x00\x00p\x00\x00\x00", TableOptions{}, ErrFormat, "in UTF-32"},
		"no mark":        {"p\r\nq\x00", TableOptions{}, ErrFormat, "line 2 has a zero byte"},
		"Latin-1":        {"who\rann\rJos\xe9\r", TableOptions{}, ErrFormat, "line 3 is not UTF-8, it has the byte 0xe9"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseTable(strings.NewReader(c.text), "m.csv", c.o)
			wantError(t, err, c.want, "m.csv", c.say)
		})
	}
}

func TestSortLabels(t *testing.T) {
	for _, c := range [][2]string{
		{"10 9 2 1", "1 2 9 10"},
		{"1 -1 0.5", "-1 0.5 1"},
		{"b a 10 9", "10 9 a b"},
		{"nan 10 9", "10 9 nan"},
		{"inf 10 9", "10 9 inf"},
		{"2 02 1", "1 02 2"},
	} {
		got := strings.Join(sortLabels(slices.Clone(strings.Fields(c[0]))), " ")
		if got != c[1] {
			t.Errorf("%s sorted is %s, want %s", c[0], got, c[1])
		}
	}
}
