package dataset

import (
	"fmt"
	"strings"

	"github.com/dlfd-go/unlearn/feature"
)

// plainInteger takes the decimals off an integer: pandas writes a column of
// integers that has a gap as 7.0, 8.0. What is no such number stays as it is.
func plainInteger(s string) string {
	if whole, decimals, ok := strings.Cut(s, "."); ok && isDigits(unsigned(whole)) && strings.Trim(decimals, "0") == "" {
		return whole
	}
	return s
}

// decimal returns the one spelling of a decimal number, such as 7 for 07, +7 and
// 7.00, and reports whether s is one. It compares exactly, however many digits
// there are.
func decimal(s string) (string, bool) {
	whole, fraction, point := strings.Cut(s, ".")
	if !isDigits(unsigned(whole)) || point && fraction != "" && !isDigits(fraction) {
		return "", false
	}
	value := strings.TrimLeft(unsigned(whole), "0")
	if value == "" {
		value = "0"
	}
	if fraction = strings.TrimRight(fraction, "0"); fraction != "" {
		value += "." + fraction
	}
	if s[0] == '-' && value != "0" {
		value = "-" + value
	}
	return value, true
}

func unsigned(s string) string {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		return s[1:]
	}
	return s
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// sameValue returns what all spellings of one value have in common.
func sameValue(s string) string {
	if v, ok := decimal(s); ok {
		return v
	}
	return s
}

// spellings remembers how the numbers of a column are written.
type spellings map[string]string

// check returns an error if another field spells the same number otherwise.
func (s spellings) check(field string) error {
	value := sameValue(field)
	if first, ok := s[value]; ok && first != field {
		return fmt.Errorf("%w: %q and %q are two spellings of one number", ErrFormat, first, field)
	}
	s[value] = field
	return nil
}

// classNumbers finds classes by name, and by value where the name is a number.
type classNumbers struct{ exact, value map[string]int }

func newClassNumbers(classes []string) classNumbers {
	c := classNumbers{numbers(classes), map[string]int{}}
	for i, name := range classes {
		v, ok := decimal(name)
		if _, twice := c.value[v]; twice {
			i = -1 // "7" and "07" are different classes here: only exact names count
		}
		if ok {
			c.value[v] = i
		}
	}
	return c
}

func (c classNumbers) find(label string) (int, bool) {
	if k, ok := c.exact[label]; ok {
		return k, true
	}
	v, ok := decimal(label)
	if !ok {
		return 0, false
	}
	k, ok := c.value[v]
	return k, ok && k >= 0
}

// sharedIdentities returns the identities that stand in both datasets, sorted,
// as a spells them. Numbers are compared by value.
func sharedIdentities(a, b feature.Dataset) []string {
	in := map[string]bool{}
	for _, id := range feature.Identities(b) {
		in[sameValue(id)] = true
	}
	var both []string
	for _, id := range feature.Identities(a) {
		if in[sameValue(id)] {
			both = append(both, id)
		}
	}
	return both
}
