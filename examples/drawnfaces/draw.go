// Package drawnfaces draws faces of persons who do not exist, with one of four
// expressions, so that examples have images of persons without any person's image.
package drawnfaces

import "math"

// Side is the height and the width of the images, in pixels.
const Side = 32

// expression is what a face is doing, and the label of the generated set.
type expression int

const (
	neutral expression = iota
	smile
	frown
	astonished
)

var expressions = []string{"neutral", "smile", "frown", "astonished"}

// person holds what all images of one person share. Lengths of the head are in
// half image sides, positions on the face in half heads, tones in [0, 1].
type person struct {
	width, height, jaw         float64 // half axes of the head, and how far it narrows below
	skin, hair, cloth          float64
	hairline, parting, temples float64
	curls                      float64 // how uneven the hairline is
	long, bald, glasses, beard bool
	eyeGap, eyeY, eyeW, eyeH   float64
	iris                       float64
	browY, browTilt, browThick float64
	noseW, noseY, bridge       float64
	mouthY, mouthW, lip        float64
	// What the mouth does at rest. It differs between persons by about as much
	// as between expressions: only who knows the person can be sure.
	restCurve, restOpen, restBrow float64
}

// scene holds what belongs to one image: how the person looks, stands and is
// lit. Angles are in radians.
type scene struct {
	mouthCurve, mouthOpen, mouthWide, browRaise, lids float64
	yaw, pitch, roll, dx, dy, zoom, gaze              float64
	light                                             [3]float64 // unit vector to the lamp
	ambient, exposure                                 float64
	background, slope                                 float64
}

// painter draws one face. All distances that it compares are in the units of
// the place: image sides outside of the face, half heads on it.
type painter struct {
	*person
	*scene
	cosYaw, sinYaw, cosPitch, sinPitch, cosRoll, sinRoll float64
}

func newPainter(p *person, s *scene) *painter {
	a := &painter{person: p, scene: s}
	a.sinYaw, a.cosYaw = math.Sincos(s.yaw)
	a.sinPitch, a.cosPitch = math.Sincos(s.pitch)
	a.sinRoll, a.cosRoll = math.Sincos(s.roll)
	return a
}

// face fills img, Side×Side, with brightness before the sensor: each pixel is
// the mean of 2×2 points, and edges are soft by a third of a pixel.
func (a *painter) face(img []float64) {
	const grid = 2
	for i := range img {
		var sum float64
		for k := range grid * grid {
			px := float64(i%Side) + (float64(k%grid)+.5)/grid
			py := float64(i/Side) + (float64(k/grid)+.5)/grid
			sum += a.point(2*px/Side-1, 1-2*py/Side)
		}
		img[i] = sum / (grid * grid) * a.exposure
	}
}

// edge is the coverage of a shape at signed distance d from its outline,
// negative inside.
func edge(d float64) float64 {
	const width = 2. / Side / 3
	return min(max(.5-d/width, 0), 1)
}

// over paints tone over base with the given coverage.
func over(base, tone, cover float64) float64 { return base + (tone-base)*cover }

// ellipse is about the signed distance of (x, y) from an ellipse with half
// axes rx and ry: exact on the axes, and of the right sign everywhere.
func ellipse(x, y, rx, ry float64) float64 {
	return (math.Sqrt(x*x/(rx*rx)+y*y/(ry*ry)) - 1) * min(rx, ry)
}

// point is the brightness at (x, y) of the image, both in [-1, 1], y upwards.
func (a *painter) point(x, y float64) float64 {
	tone := a.background + a.slope*x
	x, y = (x-a.dx)/a.zoom, (y-a.dy)/a.zoom
	u, v := x*a.cosRoll+y*a.sinRoll, y*a.cosRoll-x*a.sinRoll
	tone = a.body(tone, u, v)
	taper := 1.
	if v < 0 {
		taper = 1 - a.jaw*v*v/(a.height*a.height)
	}
	nx, ny := u/(a.width*taper), v/a.height
	q := nx*nx + ny*ny
	if q < 1.3 {
		tone = a.head(tone, nx, ny, q)
	}
	return tone
}

// body paints what is behind the head: long hair, ears, neck and shoulders.
func (a *painter) body(tone, u, v float64) float64 {
	if a.long {
		d := ellipse(u, v+.12, a.width*1.22, a.height*1.12)
		tone = over(tone, a.hair*.8*a.shade(u, 0, .6), edge(d))
	}
	tone = over(tone, a.skin*.62*a.shade(u, -.3, .8), edge(max(math.Abs(u)-.36*a.width/.6, v+.3)))
	tone = over(tone, a.cloth*a.shade(u, 0, .8), edge(ellipse(u, v+1.42, 1.02, .56)))
	if !a.long {
		for _, s := range []float64{-1, 1} {
			at := s*a.width*1.01 - .12*a.sinYaw
			tone = over(tone, a.skin*.8*a.shade(s, 0, .3), edge(ellipse(u-at, v+.02, .085, .15)))
		}
	}
	return tone
}

// shade is the light on a surface with the given normal (of any length).
func (a *painter) shade(x, y, z float64) float64 {
	dot := (x*a.light[0] + y*a.light[1] + z*a.light[2]) / math.Sqrt(x*x+y*y+z*z)
	return a.ambient + (1-a.ambient)*max(dot, 0)
}

// head paints the head, an ellipsoid, where (nx, ny) is the place on it as
// seen, in half heads, and q is nx² + ny². Turning the place back by the pose
// gives the place on the face, so that features move and shrink as they turn.
func (a *painter) head(tone, nx, ny, q float64) float64 {
	nz := math.Sqrt(max(1-q, 0))
	light := a.shade(nx, ny, nz+.15)
	cover := edge((math.Sqrt(q) - 1) * a.width)
	x, z := nx*a.cosYaw-nz*a.sinYaw, nx*a.sinYaw+nz*a.cosYaw
	y, z := ny*a.cosPitch-z*a.sinPitch, ny*a.sinPitch+z*a.cosPitch
	skin := a.skin
	if z > 0 {
		skin = a.features(skin, x, y)
	}
	tone = over(tone, skin*light, cover)
	if !a.bald {
		volume := edge((math.Sqrt(q) - 1.07) * a.width)
		tone = over(tone, a.hair*light, volume*a.scalp(x, y, z))
	}
	return tone
}

// scalp is the coverage by hair at a place on the head.
func (a *painter) scalp(x, y, z float64) float64 {
	line := a.hairline - .22*(x-a.parting)*(x-a.parting) + a.curls*math.Sin(9*x+4*a.parting)
	front := edge(line - y)
	back := edge(z + a.temples) // the side of the head
	if y < -.25 && !a.long {
		back = 0
	}
	return max(front, back)
}
