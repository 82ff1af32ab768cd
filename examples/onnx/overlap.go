package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/dataset"
)

// Images look alike if the hashes of dataset.NearDuplicates differ in at most
// nearBits of 64 bits, and their pixels correlate by at least nearPixels. Images in
// one frame, such as clothes or portraits, often agree in their hashes alone; a
// copy in another size, compression or contrast agrees in both.
const (
	nearBits   = 4
	nearPixels = .99
)

// checkOverlap tells who stands where nobody should. What looks alike is listed
// and is no error: a hash does not know.
// Wrong labels are no matter of persons, and their images may be retained under the
// right name.
func checkOverlap(d *data, allow bool, kind dlfd.Kind, w io.Writer) error {
	found := false
	for i, a := range d.parts {
		for _, b := range d.parts[i+1:] {
			shared, err := dataset.Overlap(a.set, b.set)
			if err != nil {
				return err
			}
			if kind == dlfd.KindMislabeled && a == d.retain && b == d.forget {
				shared.Identities = nil
				shared.Images = slices.DeleteFunc(shared.Images, func(p dataset.Pair) bool { return a.set.Label(p.A) != b.set.Label(p.B) })
			}
			if len(shared.Identities)+len(shared.Images) > 0 {
				found = true
				fmt.Fprintf(w, "overlap of %s and %s: %s%s%s\n", a.name, b.name, persons(shared.Identities), count(len(shared.Images), "equal image"), pairs(a, b, shared.Images))
			}
			if err := listNear(w, a, b, shared); err != nil {
				return err
			}
		}
	}
	switch {
	case found && !allow:
		return errors.New("the sets overlap: what stands in two of them would be kept and forgotten at once, or judged as unseen; -allow-overlap goes on all the same")
	case found:
	case personsKnown(d):
		fmt.Fprintln(w, "no person and no image stands in two sets")
	default:
		fmt.Fprintln(w, "no image stands in two sets; whether a person does is not known without -identity")
	}
	return nil
}

// personsKnown reports whether every image shows somebody known.
func personsKnown(d *data) bool {
	for _, p := range d.parts {
		for i := range p.set.Len() {
			if p.set.Identity(i) == "" {
				return false
			}
		}
	}
	return true
}

// listNear prints the images of two sets that look alike and are not equal.
func listNear(w io.Writer, a, b *part, shared dataset.Shared) error {
	near, err := dataset.NearDuplicates(a.set, b.set, nearBits)
	if err != nil {
		return err
	}
	near, err = alike(a.set, b.set, near, shared.Images)
	if err != nil {
		return err
	}
	if len(near) > 0 {
		fmt.Fprintf(w, "look alike in %s and %s: %s%s\n", a.name, b.name, count(len(near), "pair"), pairs(a, b, near))
	}
	return nil
}

// alike returns those pairs whose pixels correlate and that are not equal.
func alike(a, b *dataset.Set, near, equal []dataset.Pair) (kept []dataset.Pair, err error) {
	known := make(map[dataset.Pair]bool)
	for _, p := range equal {
		known[p] = true
	}
	size := feature.Size(a.Shape())
	x, y, label := make([]float32, size), make([]float32, size), []int{0}
	read := -1
	for _, p := range near {
		if known[p] {
			continue
		}
		if p.A != read {
			if err := a.Read([]int{p.A}, x, label); err != nil {
				return nil, err
			}
			read = p.A
		}
		if err := b.Read([]int{p.B}, y, label); err != nil {
			return nil, err
		}
		if correlation(x, y) >= nearPixels {
			kept = append(kept, p)
		}
	}
	return kept, nil
}

// correlation is that of the pixels of two images; 1 where neither changes.
func correlation(x, y []float32) float64 {
	var mx, my float64
	for i := range x {
		mx, my = mx+float64(x[i]), my+float64(y[i])
	}
	mx, my = mx/float64(len(x)), my/float64(len(y))
	var xx, yy, xy float64
	for i := range x {
		dx, dy := float64(x[i])-mx, float64(y[i])-my
		xx, yy, xy = xx+dx*dx, yy+dy*dy, xy+dx*dy
	}
	if xx == 0 || yy == 0 {
		if xx == yy {
			return 1
		}
		return 0
	}
	return xy / math.Sqrt(xx*yy)
}

// persons names the first of some persons.
func persons(all []string) string {
	if len(all) == 0 {
		return ""
	}
	return fmt.Sprintf("%s %q, ", count(len(all), "person"), all[:min(5, len(all))])
}

// pairs names the first pairs.
func pairs(a, b *part, all []dataset.Pair) (text string) {
	for i, p := range all[:min(2, len(all))] {
		text += []string{": ", "; "}[i] + a.path(p.A) + " and " + b.path(p.B)
	}
	if len(all) > 2 {
		text += "; …"
	}
	return text
}

// path is the path of an image below its folder.
func (p *part) path(i int) string {
	if short, err := filepath.Rel(p.dir, p.set.Path(i)); err == nil {
		return short
	}
	return p.set.Path(i)
}
