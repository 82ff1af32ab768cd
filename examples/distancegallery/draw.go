package main

import (
	"errors"
	"image/color"
	"log"
	"os"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/dlfd-go/unlearn/distance"
)

func points(s distance.Sample, c color.Color, p *plot.Plot) {
	xys := make(plotter.XYs, s.N)
	for i := range xys {
		xys[i] = plotter.XY{X: s.Row(i)[0], Y: s.Row(i)[1]}
	}
	scatter, err := plotter.NewScatter(xys)
	if err != nil {
		log.Fatal(err)
	}
	scatter.GlyphStyle = draw.GlyphStyle{Color: c, Radius: 1.5, Shape: draw.CircleGlyph{}}
	p.Add(scatter)
}

// picture shows x, y and the ways of the points of x.
func picture(title string, x, y distance.Sample, ways []plotter.XYs) *plot.Plot {
	p := plot.New()
	p.Title.Text = title
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -2.5, 4.5, -2.5, 4
	p.HideAxes()
	for _, way := range ways {
		line, err := plotter.NewLine(way)
		if err != nil {
			log.Fatal(err)
		}
		line.Color = color.RGBA{R: 210, G: 80, B: 30, A: 255}
		p.Add(line)
	}
	points(y, color.Gray{Y: 120}, p)
	points(x, color.RGBA{R: 20, G: 80, B: 200, A: 255}, p)
	return p
}

// write saves the tiles as a PNG picture.
func write(name string, tiles [][]*plot.Plot) error {
	img := vgimg.New(21*vg.Centimeter, vg.Length(len(tiles))*6*vg.Centimeter)
	canvases := plot.Align(tiles, draw.Tiles{Rows: len(tiles), Cols: 3, PadX: 4, PadY: 4}, draw.New(img))
	for i, row := range tiles {
		for j, p := range row {
			p.Draw(canvases[i][j])
		}
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if _, err := (vgimg.PngCanvas{Canvas: img}).WriteTo(f); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}
