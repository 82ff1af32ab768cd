// Distancegallery shows what each distance does to a cloud of points: it prints
// value, time and iterations for a pair of clouds, and draws how the gradient
// moves one cloud towards, and away from, the other.
//
//	go run ./examples/distancegallery -out distances.png
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"text/tabwriter"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"github.com/dlfd-go/unlearn/distance"
)

var names = []string{
	"sinkhorn:sqeuclidean:eps=.1", "divergence:sqeuclidean:eps=.1", "emd:sqeuclidean", "emd:euclidean",
	"unbalanced:sqeuclidean:eps=.1:rho=1", "mmd", "mmd:sigma=.3", "energy", "fourier",
	"sliced", "maxsliced", "bures", "coral", "divergence",
}

func main() {
	log.SetFlags(0)
	out := flag.String("out", "distances.png", "picture to write")
	seed := flag.Uint64("seed", 1, "seed of the clouds")
	flag.Parse()
	rnd := rand.New(rand.NewPCG(*seed, 0))
	x, y := cloud(rnd, 60, 2, 1.5, .35), crescent(rnd, 60)
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "distance\tvalue\ttime µs\tsweeps\tNewton\tgap\t")
	var tiles [][]*plot.Plot
	for _, name := range names {
		d, err := distance.ByName(name)
		if err != nil {
			log.Fatal(err)
		}
		ws := new(distance.Workspace)
		value, micros := timed(ws, d, x, y)
		s := ws.Stats
		fmt.Fprintf(table, "%s\t%.5f\t%.0f\t%d\t%d\t%.1g\t\n", name, value, micros, s.Iterations, s.NewtonSteps, s.DualityGap)
		tiles = append(tiles, []*plot.Plot{
			picture(name, x, y, flow(d, x, y, -.05, 1)),
			picture("towards", x, y, flow(d, x, y, -.05, 60)),
			picture("away", x, y, flow(d, x, y, .05, 25)),
		})
	}
	table.Flush()
	if err := write(*out, tiles); err != nil {
		log.Fatal(err)
	}
}

// timed returns the value with gradient and the time of a warm evaluation.
func timed(ws *distance.Workspace, d distance.Distance, x, y distance.Sample) (value, micros float64) {
	g := make([]float64, len(x.X))
	const rounds = 20
	var start time.Time
	for i := range rounds + 1 {
		if i == 1 {
			start = time.Now()
		}
		value = eval(ws, d, g, x, y)
	}
	return value, float64(time.Since(start).Microseconds()) / rounds
}

// eval takes a value that has not converged for what it is.
func eval(ws *distance.Workspace, d distance.Distance, g []float64, x, y distance.Sample) float64 {
	v, err := d.Eval(ws, g, nil, x, y)
	if err != nil && !errors.Is(err, distance.ErrNotConverged) {
		log.Fatal(err)
	}
	return v
}

// flow moves x along its gradient, by steps of the root mean square length
// step, and returns the way of each point.
func flow(d distance.Distance, x, y distance.Sample, step float64, steps int) []plotter.XYs {
	ws, g := new(distance.Workspace), make([]float64, len(x.X))
	z := distance.Sample{N: x.N, Dim: 2, X: append([]float64(nil), x.X...)}
	ways := make([]plotter.XYs, x.N)
	for k := range steps + 1 {
		for i := range ways {
			ways[i] = append(ways[i], plotter.XY{X: z.Row(i)[0], Y: z.Row(i)[1]})
		}
		eval(ws, d, g, z, y)
		var norm float64
		for _, v := range g {
			norm += v * v
		}
		scale := step / math.Sqrt(norm/float64(x.N)+1e-30)
		if steps == 1 && k == 0 {
			scale *= 5 // the field alone: long enough to be seen
		}
		for i, v := range g {
			z.X[i] += scale * v
		}
	}
	return ways
}

func cloud(rnd *rand.Rand, n int, cx, cy, spread float64) distance.Sample {
	s := distance.Sample{N: n, Dim: 2}
	for range n {
		s.X = append(s.X, cx+spread*rnd.NormFloat64(), cy+spread*rnd.NormFloat64())
	}
	return s
}

func crescent(rnd *rand.Rand, n int) distance.Sample {
	s := distance.Sample{N: n, Dim: 2}
	for i := range n {
		a := math.Pi * (1.05 + .9*float64(i)/float64(n))
		s.X = append(s.X, 1.2*math.Cos(a)+.06*rnd.NormFloat64(), 1.2*math.Sin(a)+.06*rnd.NormFloat64()+.5)
	}
	return s
}
