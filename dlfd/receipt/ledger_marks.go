package receipt

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Kinds of marks in a ledger.
const (
	markSample  = "sample"
	markLabeled = "sample with label"
	markPerson  = "person"
	markClass   = "class"
)

// marks returns the marks by which a content may be known, by kind.
func (l *Ledger) marks(c Content) map[string]Hash {
	label := binary.BigEndian.AppendUint64(nil, uint64(int64(c.Label)))
	m := map[string]Hash{
		markSample:  mark(l.key, markSample, c.Sum[:]),
		markLabeled: mark(l.key, markLabeled, slices.Concat(label, c.Sum[:])),
		markClass:   mark(l.key, markClass, label),
	}
	if c.Identity != "" {
		m[markPerson] = mark(l.key, markPerson, []byte(c.Identity))
	}
	return m
}

// markOf is the kind of mark by which a sample of a request is known again: one with a
// wrong label may come back with another.
func markOf(s Scenario) string {
	if s == Mislabeled {
		return markLabeled
	}
	return markSample
}

// CheckReturned returns an error wrapping ErrReturned, which names the requests, if a
// sample, a person or a class that had to go is among the contents, such as the retain
// set of the next request. Samples with wrong labels may come back with other labels.
// Samples are known by their content, to the bit; a photo in another compression is
// known by its person alone. Cost: four short hashes a sample.
func (l *Ledger) CheckReturned(all Contents) error {
	known := make(map[Hash][]int) // entries by mark
	for i, e := range l.Entries {
		for _, h := range slices.Concat(e.Samples, e.Persons, e.Classes) {
			known[h] = append(known[h], i)
		}
	}
	back := make(map[int]*returned)
	n := 0
	for c, err := range all {
		if err != nil {
			return fmt.Errorf("receipt: sample %d: %w", n, err)
		}
		for kind, h := range l.marks(c) {
			for _, i := range known[h] {
				if back[i] == nil {
					back[i] = &returned{first: n, persons: make(map[Hash]bool)}
				}
				back[i].add(kind, h)
			}
		}
		n++
	}
	if len(back) == 0 {
		return nil
	}
	var texts []string
	for _, i := range slices.Sorted(maps.Keys(back)) {
		texts = append(texts, fmt.Sprintf("request %s: %s", l.Entries[i].ID, back[i].text(n)))
	}
	return fmt.Errorf("receipt: %w: %s", ErrReturned, strings.Join(texts, "; "))
}

// returned counts what came back of a request.
type returned struct {
	first, samples, ofClass int
	persons                 map[Hash]bool
}

func (r *returned) add(kind string, h Hash) {
	switch kind {
	case markPerson:
		r.persons[h] = true
	case markClass:
		r.ofClass++
	default:
		r.samples++
	}
}

func (r *returned) text(n int) string {
	text := fmt.Sprintf("samples %d, persons %d", r.samples, len(r.persons))
	if r.ofClass > 0 {
		text += fmt.Sprintf(", samples of a class that went %d", r.ofClass)
	}
	return text + fmt.Sprintf(", of %d samples; the first is sample %d", n, r.first)
}

// CheckPast returns an error wrapping ErrPast unless the contents are the forget set of
// the request with that id, in any order.
func (l *Ledger) CheckPast(id string, forget Contents) error {
	e := l.entry(id)
	if e == nil {
		return fmt.Errorf("receipt: %w: the ledger has no request %s", ErrPast, id)
	}
	left := make(map[Hash]int)
	for _, h := range e.Samples {
		left[h]++
	}
	n, strange, kind := 0, 0, markOf(e.Scenario)
	for c, err := range forget {
		if err != nil {
			return fmt.Errorf("receipt: sample %d: %w", n, err)
		}
		if h := l.marks(c)[kind]; left[h] > 0 {
			left[h]--
		} else {
			strange++
		}
		n++
	}
	if missing := len(e.Samples) - (n - strange); strange > 0 || missing > 0 {
		return fmt.Errorf("receipt: %w: request %s had %d samples; of %d here %d are others, and %d are missing", ErrPast, id, len(e.Samples), n, strange, missing)
	}
	return nil
}
