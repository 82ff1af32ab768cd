package dataset

import (
	"bytes"
	"fmt"
	"io"
	"unicode/utf8"
)

// maxTable is the largest size of a table in bytes.
const maxTable = 1 << 28

// readText reads a whole text in UTF-8, takes its byte order mark off and turns
// all line ends into \n.
func readText(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxTable+1))
	switch {
	case err != nil:
		return nil, bareError(err)
	case len(b) > maxTable:
		return nil, fmt.Errorf("%w: the table is larger than %d bytes", ErrTooLarge, maxTable)
	}
	if err := checkUTF8(b); err != nil {
		return nil, err
	}
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	if bytes.IndexByte(b, '\r') >= 0 {
		b = bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n"))
		b = bytes.ReplaceAll(b, []byte("\r"), []byte("\n"))
	}
	return b, nil
}

// marks are byte order marks of other encodings, the longer ones first.
var marks = []struct{ mark, name string }{
	{"\xff\xfe\x00\x00", "UTF-32"}, {"\x00\x00\xfe\xff", "UTF-32"}, {"\xff\xfe", "UTF-16"}, {"\xfe\xff", "UTF-16"},
}

func checkUTF8(b []byte) error {
	for _, m := range marks {
		if bytes.HasPrefix(b, []byte(m.mark)) {
			return fmt.Errorf("%w: the table is in %s; save it as UTF-8", ErrFormat, m.name)
		}
	}
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return fmt.Errorf("%w: line %d has a zero byte: the table is binary, or in UTF-16 without a byte order mark; save it as UTF-8",
			ErrFormat, lineOf(b, i))
	}
	if utf8.Valid(b) {
		return nil
	}
	at := 0
	for at < len(b) {
		r, n := utf8.DecodeRune(b[at:])
		if r == utf8.RuneError && n == 1 {
			break
		}
		at += n
	}
	return fmt.Errorf("%w: line %d is not UTF-8, it has the byte %#x; save the table as UTF-8", ErrFormat, lineOf(b, at), b[at])
}

// lineOf returns the line of position i, from 1, whatever its line ends are.
func lineOf(b []byte, i int) int {
	head := b[:i]
	return 1 + bytes.Count(head, []byte("\n")) + bytes.Count(head, []byte("\r")) - bytes.Count(head, []byte("\r\n"))
}
