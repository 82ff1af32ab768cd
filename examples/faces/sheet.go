package main

import (
	"image"
	"image/color"
	"image/png"
	"io"

	"github.com/dlfd-go/unlearn/feature"
)

// contactSheet writes a PNG with a row for each of the first persons of each
// dataset, enlarged, so that one can look at what is being learned.
func contactSheet(w io.Writer, persons, images int, sets ...feature.Dataset) error {
	const zoom, gap = 3, 2
	var rows [][]int
	var of []feature.Dataset
	for _, d := range sets {
		for _, row := range byPerson(d, persons, images) {
			rows, of = append(rows, row), append(of, d)
		}
	}
	pitch := side*zoom + gap
	sheet := image.NewGray(image.Rect(0, 0, images*pitch+gap, len(rows)*pitch+gap))
	for i, row := range rows {
		for j, k := range row {
			if err := paste(sheet, gap+j*pitch, gap+i*pitch, zoom, of[i], k); err != nil {
				return err
			}
		}
	}
	return png.Encode(w, sheet)
}

// byPerson returns the positions of the first images of the first persons.
func byPerson(d feature.Dataset, persons, images int) [][]int {
	var rows [][]int
	seen := make(map[string]int)
	for i := range d.Len() {
		id := feature.IdentityOf(d, i)
		at, known := seen[id]
		if !known && len(rows) < persons {
			at, known = len(rows), true
			seen[id], rows = at, append(rows, nil)
		}
		if known && len(rows[at]) < images {
			rows[at] = append(rows[at], i)
		}
	}
	return rows
}

// paste copies sample k of d into the sheet, undoing its normalization.
func paste(sheet *image.Gray, left, top, zoom int, d feature.Dataset, k int) error {
	x := make([]float32, side*side)
	if err := d.Read([]int{k}, x, []int{0}); err != nil {
		return err
	}
	mean, std := feature.PixelsOf(d).Channel(0)
	for i := range side * zoom * side * zoom {
		px, py := i%(side*zoom), i/(side*zoom)
		v := float64(x[py/zoom*side+px/zoom])*std + mean
		sheet.SetGray(left+px, top+py, color.Gray{Y: uint8(255*min(max(v, 0), 1) + .5)})
	}
	return nil
}
