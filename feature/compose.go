package feature

import (
	"fmt"
	"slices"
)

// Subset returns the samples of d at the given positions, in that order. What d
// offers beside Dataset, by [As], the subset offers too. It keeps index.
func Subset(d Dataset, index []int) (Dataset, error) {
	for i, k := range index {
		if k < 0 || k >= d.Len() {
			return nil, fmt.Errorf("feature: subset position %d asks for sample %d of %d", i, k, d.Len())
		}
	}
	return subset{d, index}, nil
}

type subset struct {
	of    Dataset
	index []int
}

func (s subset) Len() int     { return len(s.index) }
func (s subset) Shape() []int { return s.of.Shape() }
func (s subset) Classes() int { return s.of.Classes() }

func (s subset) Read(index []int, x []float32, labels []int) error {
	inner, err := s.inner(index)
	if err != nil {
		return err
	}
	return s.of.Read(inner, x, labels)
}

// inner returns the positions in the whole set.
func (s subset) inner(index []int) ([]int, error) {
	inner := make([]int, len(index))
	for i, k := range index {
		if k < 0 || k >= len(s.index) {
			return nil, fmt.Errorf("feature: read of sample %d of %d", k, len(s.index))
		}
		inner[i] = s.index[k]
	}
	return inner, nil
}

// As implements the look-through of [As].
func (s subset) As(target any) bool {
	switch t := target.(type) {
	case *Identified:
		of, ok := As[Identified](s.of)
		*t = identityFunc(func(i int) string { return of.Identity(s.index[i]) })
		return ok
	case *Labeled:
		of, ok := As[Labeled](s.of)
		*t = labelFunc(func(i int) int { return of.Label(s.index[i]) })
		return ok
	case *ClassNamed:
		return offer(t, s.of)
	case *MultiLabeled:
		return offer(t, s.of)
	case *Normalized:
		return offer(t, s.of)
	case *AheadReader:
		of, ok := As[AheadReader](s.of)
		*t = s.ahead(of)
		return ok
	}
	return false
}

// offer stores what v offers for T.
func offer[T any](to *T, v any) bool {
	t, ok := As[T](v)
	*to = t
	return ok
}

type identityFunc func(i int) string

func (f identityFunc) Identity(i int) string { return f(i) }

type labelFunc func(i int) int

func (f labelFunc) Label(i int) int { return f(i) }

// Concat returns the samples of all parts one after the other. The parts must
// agree on the shape, the number of classes, the targets, the names of the classes
// where they have names, and the normalization. The result is Identified, ClassNamed
// and an AheadReader if one part is, Labeled, MultiLabeled and Normalized if all parts
// are.
func Concat(parts ...Dataset) (Dataset, error) {
	if len(parts) == 0 {
		return nil, fmt.Errorf("feature: concat of no datasets")
	}
	c := concat{parts: parts}
	for i, p := range parts {
		if !slices.Equal(p.Shape(), parts[0].Shape()) || p.Classes() != parts[0].Classes() {
			return nil, fmt.Errorf("feature: %w: part %d has samples %v and %d classes, part 0 has %v and %d",
				ErrShape, i, p.Shape(), p.Classes(), parts[0].Shape(), parts[0].Classes())
		}
		for k, q := range parts[:i] {
			if err := CheckClasses(q, p); err != nil {
				return nil, fmt.Errorf("feature: concat of parts %d and %d: %w", k, i, err)
			}
		}
		if a, b := PixelsOf(p), PixelsOf(parts[0]); !slices.Equal(a.Mean, b.Mean) || !slices.Equal(a.Std, b.Std) {
			return nil, fmt.Errorf("feature: part %d is normalized by %v, part 0 by %v", i, a, b)
		}
		c.end = append(c.end, c.Len()+p.Len())
	}
	return c, nil
}

type concat struct {
	parts []Dataset
	end   []int // end[i] is the position after the last sample of part i
}

func (c concat) Len() int {
	if len(c.end) == 0 {
		return 0
	}
	return c.end[len(c.end)-1]
}
func (c concat) Shape() []int { return c.parts[0].Shape() }
func (c concat) Classes() int { return c.parts[0].Classes() }

// find returns the part that holds sample i and its position there.
func (c concat) find(i int) (part, k int) {
	part, _ = slices.BinarySearch(c.end, i+1)
	if part > 0 {
		i -= c.end[part-1]
	}
	return part, i
}

func (c concat) Read(index []int, x []float32, labels []int) error {
	n := Size(c.Shape())
	if err := CheckRead(c, index, x, labels); err != nil {
		return err
	}
	for i, k := range index {
		part, at := c.find(k)
		if err := c.parts[part].Read([]int{at}, x[i*n:(i+1)*n], labels[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// As implements the look-through of [As].
func (c concat) As(target any) bool {
	switch t := target.(type) {
	case *Identified:
		ids, some, _ := offers[Identified](c.parts)
		*t = identityFunc(func(i int) string {
			part, k := c.find(i)
			if ids[part] == nil {
				return ""
			}
			return ids[part].Identity(k)
		})
		return some
	case *Labeled:
		of, _, all := offers[Labeled](c.parts)
		*t = labelFunc(func(i int) int { part, k := c.find(i); return of[part].Label(k) })
		return all
	case *ClassNamed:
		return slices.ContainsFunc(c.parts, func(p Dataset) bool { return offer(t, p) })
	case *MultiLabeled:
		return offer(t, c.parts[0]) // and so all parts
	case *Normalized:
		_, _, all := offers[Normalized](c.parts)
		return all && offer(t, c.parts[0])
	case *AheadReader:
		_, some, _ := offers[AheadReader](c.parts)
		*t = aheadFunc(c.ahead)
		return some
	}
	return false
}

// offers returns what each part offers for T, nil where it offers nothing, and
// whether any and whether all of them do.
func offers[T any](parts []Dataset) (of []T, some, all bool) {
	all = true
	for _, p := range parts {
		t, ok := As[T](p)
		of, some, all = append(of, t), some || ok, all && ok
	}
	return of, some, all
}
