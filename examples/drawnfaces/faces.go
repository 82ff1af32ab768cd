package drawnfaces

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"sync"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/dataset"
)

// Crowd says how many faces to draw: persons for every split, and images of a
// person in every expression.
type Crowd struct {
	Seed   uint64 `json:"seed"`
	Retain int    `json:"retain"`
	Forget int    `json:"forget"`
	Test   int    `json:"test"`
	Unseen int    `json:"unseen"`
	Images int    `json:"images"`
}

// Default is the crowd of the examples: 1,440 images of 90 persons.
func Default() Crowd { return Crowd{Seed: 1, Retain: 45, Forget: 15, Test: 15, Unseen: 15, Images: 4} }

// stream returns the random numbers for a purpose and a position. Every person
// and every image has its own, so that one more of either changes no other.
func stream(seed uint64, purpose string, position ...int) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprint(h, purpose, position)
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

func between(r *rand.Rand, lo, hi float64) float64 { return lo + (hi-lo)*r.Float64() }

func newPerson(r *rand.Rand) *person {
	p := &person{
		width: between(r, .54, .68), height: between(r, .76, .9), jaw: between(r, .02, .3),
		skin: between(r, .42, .95), cloth: between(r, .1, .9),
		hairline: between(r, .48, .75), parting: between(r, -.4, .4), temples: between(r, -.35, .05),
		curls: between(r, 0, .07),
		long:  r.Float64() < .4, bald: r.Float64() < .12, glasses: r.Float64() < .25, beard: r.Float64() < .2,
		eyeGap: between(r, .33, .46), eyeY: between(r, .08, .2), eyeW: between(r, .13, .2), eyeH: between(r, .06, .11),
		iris:  between(r, .02, .25),
		browY: between(r, .2, .3), browTilt: between(r, -.35, .35), browThick: between(r, .02, .065),
		noseW: between(r, .1, .22), noseY: between(r, -.3, -.16), bridge: between(r, .02, .14),
		mouthY: between(r, -.58, -.5), mouthW: between(r, .36, .5), lip: between(r, .035, .07),
		restCurve: .04 * r.NormFloat64(), restOpen: .02 * r.NormFloat64(), restBrow: .03 * r.NormFloat64(),
	}
	p.hair = between(r, .03, .75) * (.4 + .6*p.skin)
	p.long = p.long && !p.beard
	p.bald = p.bald && !p.long
	return p
}

func newScene(r *rand.Rand, e expression) *scene {
	azimuth, elevation := between(r, -.8, .8), between(r, -.1, .7)
	s := &scene{
		mouthWide: between(r, .92, 1.08), mouthCurve: .02 * r.NormFloat64(), lids: between(r, .65, 1.1),
		yaw: between(r, -.3, .3), pitch: between(r, -.15, .15), roll: between(r, -.12, .12),
		dx: between(r, -.05, .05), dy: between(r, -.05, .05), zoom: between(r, 1, 1.12), gaze: between(r, -.06, .06),
		light:   [3]float64{math.Sin(azimuth) * math.Cos(elevation), math.Sin(elevation), math.Cos(azimuth) * math.Cos(elevation)},
		ambient: between(r, .35, .65), exposure: between(r, .75, 1.15),
		background: between(r, .05, .85), slope: between(r, -.15, .15),
	}
	s.express(e, between(r, .6, 1.2))
	return s
}

// express moves the face; strength 1 is a plain expression.
func (s *scene) express(e expression, strength float64) {
	switch e {
	case smile:
		s.mouthCurve += .24 * strength
		s.mouthWide *= 1 + .12*strength
		s.lids *= 1 - .2*strength
	case frown:
		s.mouthCurve -= .22 * strength
		s.browRaise -= .07 * strength
	case astonished:
		s.mouthOpen += .15 * strength
		s.mouthWide *= 1 - .25*strength
		s.browRaise += .09 * strength
	}
}

// shoot draws a face and takes it with a sensor: shot and read noise, then 8
// bits. Pixels are in [0, 1]. Elsewhere than on amd64 a compiler may fuse
// multiplications and additions, so a few pixels may differ by 1/255 there.
func shoot(p *person, s *scene, r *rand.Rand, dst []float32) {
	img := make([]float64, Side*Side)
	newPainter(p, s).face(img)
	for i, v := range img {
		v += r.NormFloat64() * math.Sqrt(.0004+.0008*max(v, 0))
		dst[i] = float32(math.Round(255*min(max(v, 0), 1))) / 255
	}
}

// Splits holds the four person-disjoint splits of a face data set.
type Splits struct{ Retain, Forget, Test, Unseen *dataset.Set }

// Draw draws the set. Every split has as many images of each expression, which is
// the label. Equal crowds give equal images on one architecture.
func Draw(c Crowd) (Splits, error) {
	return c.splits(func(*dataset.Samples, []answers) error { return nil })
}

// splits draws the splits, whose labels relabel may change.
func (c Crowd) splits(relabel func(s *dataset.Samples, all []answers) error) (p Splits, err error) {
	first := 0
	for _, split := range []struct {
		set *(*dataset.Set)
		n   int
	}{{&p.Retain, c.Retain}, {&p.Forget, c.Forget}, {&p.Test, c.Test}, {&p.Unseen, c.Unseen}} {
		s, all := drawPersons(c.Seed, first, split.n, c.Images)
		if err := relabel(&s, all); err != nil {
			return p, err
		}
		if *split.set, err = dataset.Memory(s); err != nil {
			return p, err
		}
		first += split.n
	}
	return p, nil
}

// drawPersons draws n persons from number first on, each on a goroutine of its
// own: what a face looks like depends on its numbers alone.
func drawPersons(seed uint64, first, n, images int) (dataset.Samples, []answers) {
	per := images * len(expressions)
	s := dataset.Samples{
		X: feature.NewTensor(n*per, 1, Side, Side), Labels: make([]int, n*per),
		Classes: expressions, Identities: make([]string, n*per),
	}
	all := make([]answers, n*per)
	var wait sync.WaitGroup
	for k := range n {
		wait.Go(func() {
			p := newPerson(stream(seed, "person", first+k))
			for j := range per {
				i := k*per + j
				s.Labels[i], s.Identities[i] = j%len(expressions), fmt.Sprintf("person%03d", first+k)
				r := stream(seed, "image", first+k, j)
				c := newScene(r, expression(s.Labels[i]))
				all[i] = answers{expression(s.Labels[i]), p.glasses, c.roll}
				shoot(p, c, r, s.X.Row(i))
			}
		})
	}
	wait.Wait()
	return s, all
}
