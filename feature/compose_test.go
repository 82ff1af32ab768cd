package feature

import (
	"errors"
	"slices"
	"testing"
)

// plain is a dataset of numbers with no optional interface.
type plain struct{ labels []int }

func (d plain) Len() int     { return len(d.labels) }
func (d plain) Shape() []int { return []int{2} }
func (d plain) Classes() int { return 3 }
func (d plain) Read(index []int, x []float32, labels []int) error {
	if err := CheckRead(d, index, x, labels); err != nil {
		return err
	}
	for i, k := range index {
		x[2*i], x[2*i+1], labels[i] = float32(k), float32(-k), d.labels[k]
	}
	return nil
}

type identified struct{ Dataset }

func (identified) Identity(i int) string { return string(rune('a' + i)) }

type labeled struct{ Dataset }

func (l labeled) Label(i int) int { return l.Dataset.(plain).labels[i] }

type named struct {
	Dataset
	names []string
}

func (n named) ClassNames() []string { return n.names }

type normalized struct{ Dataset }

func (normalized) Pixels() Pixels { return Pixels{Mean: []float64{.5}} }

// claims returns which of the optional interfaces d offers.
func claims(d Dataset) [4]bool {
	var c [4]bool
	_, c[0] = As[Identified](d)
	_, c[1] = As[Labeled](d)
	_, c[2] = As[ClassNamed](d)
	_, c[3] = As[Normalized](d)
	return c
}

// A wrapper offers exactly what the wrapped set offers, itself wrapped or not.
func TestWrappersClaimWhatTheyHave(t *testing.T) {
	base := plain{[]int{0, 1, 2, 1}}
	for _, d := range []Dataset{base, identified{base}, labeled{base}, named{base, []string{"x", "y", "z"}}, normalized{base}} {
		sub, err := Subset(d, []int{0, 1, 2, 3})
		if err != nil {
			t.Fatal(err)
		}
		both, err := Concat(d, sub)
		if err != nil {
			t.Fatal(err)
		}
		nested, err := Subset(both, []int{5, 0})
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range []Dataset{sub, both, nested} {
			if got, want := claims(w), claims(d); got != want {
				t.Errorf("%T of %T claims %v, want %v", w, d, got, want)
			}
		}
	}
}

func TestWrappersTranslatePositions(t *testing.T) {
	base := plain{[]int{0, 1, 2, 1}}
	a, err := Subset(identified{base}, []int{3, 1})
	if err != nil {
		t.Fatal(err)
	}
	c, err := Concat(a, base, labeled{base})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range c.Len() {
		got = append(got, IdentityOf(c, i))
	}
	if want := []string{"d", "b", "", "", "", "", "", "", "", ""}; !slices.Equal(got, want) {
		t.Errorf("identities are %q, want %q", got, want)
	}
	if labels, err := Labels(c); err != nil || !slices.Equal(labels, []int{1, 1, 0, 1, 2, 1, 0, 1, 2, 1}) {
		t.Errorf("labels are %v, %v", labels, err)
	}
	s, err := Subset(labeled{base}, []int{2, 0})
	if err != nil {
		t.Fatal(err)
	}
	if labels, err := Labels(s); err != nil || !slices.Equal(labels, []int{2, 0}) {
		t.Errorf("labels of the subset are %v, %v", labels, err)
	}
}

func TestConcatNeedsOneMeaningOfClasses(t *testing.T) {
	base := plain{[]int{0, 1, 2, 1}}
	a, b := named{base, []string{"cat", "dog", "eel"}}, named{base, []string{"dog", "eel", "fox"}}
	if _, err := Concat(a, base, b); !errors.Is(err, ErrClasses) {
		t.Errorf("error is %v, want ErrClasses", err)
	}
	c, err := Concat(base, a)
	if err != nil {
		t.Fatal(err)
	}
	if got := ClassNamesOf(c); !slices.Equal(got, a.names) {
		t.Errorf("names are %q, want %q", got, a.names)
	}
}

// Labels outside the classes are told apart from reading trouble.
func TestLabelsOutOfRange(t *testing.T) {
	for _, d := range []Dataset{plain{[]int{0, 3}}, labeled{plain{[]int{-1}}}} {
		if _, err := Labels(d); !errors.Is(err, ErrLabel) {
			t.Errorf("%T: error is %v, want ErrLabel", d, err)
		}
	}
}
