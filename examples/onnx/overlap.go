package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/dlfd-go/unlearn/feature/dataset"
)

// nearBits is how many of 64 bits of the hashes of two images may differ for them
// to be listed as looking alike. It is narrow, as images in one frame, such as
// clothes or portraits, resemble one another by their frame alone.
const nearBits = 1

// checkOverlap tells who stands where nobody should. What looks alike is listed
// and is no error: a hash does not know.
func checkOverlap(d *data, allow bool, w io.Writer) error {
	found := false
	for i, a := range d.parts {
		for _, b := range d.parts[i+1:] {
			shared, err := dataset.Overlap(a.set, b.set)
			if err != nil {
				return err
			}
			if len(shared.Identities)+len(shared.Images) > 0 {
				found = true
				fmt.Fprintf(w, "overlap of %s and %s: %d persons %.5q, %d equal images%s\n", a.name, b.name,
					len(shared.Identities), shared.Identities[:min(5, len(shared.Identities))], len(shared.Images), pairs(a, b, shared.Images))
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
	equal := make(map[dataset.Pair]bool)
	for _, p := range shared.Images {
		equal[p] = true
	}
	var alike []dataset.Pair
	for _, p := range near {
		if !equal[p] {
			alike = append(alike, p)
		}
	}
	if len(alike) > 0 {
		fmt.Fprintf(w, "look alike in %s and %s: %d pairs of images%s\n", a.name, b.name, len(alike), pairs(a, b, alike))
	}
	return nil
}

// pairs names the first pairs.
func pairs(a, b *part, all []dataset.Pair) (text string) {
	for _, p := range all[:min(3, len(all))] {
		text += fmt.Sprintf(", %s and %s", a.set.Path(p.A), b.set.Path(p.B))
	}
	return text
}
