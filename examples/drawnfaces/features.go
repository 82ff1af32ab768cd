package drawnfaces

import "math"

// features paints eyes, brows, nose, mouth and what is worn, at place (x, y) of
// the face in half heads, and returns the tone.
func (a *painter) features(tone, x, y float64) float64 {
	tone = a.nose(tone, x, y)
	if a.beard {
		d := max(ellipse(x, y+.62, .72, .52), -ellipse(x, y-a.mouthY, a.mouthW*1.05, .13))
		tone = over(tone, over(a.hair, a.skin, .25), .8*edge(d))
	}
	tone = a.mouth(tone, x, y)
	for _, s := range []float64{-1, 1} {
		tone = a.eye(tone, s*(x-s*a.eyeGap), y-a.eyeY, s)
	}
	if a.glasses {
		tone = a.rims(tone, x, y)
	}
	return tone
}

// eye paints an eye and its brow at (x, y) from the middle of the eye, where x
// grows outwards; s is the side, -1 or 1.
func (a *painter) eye(tone, x, y, s float64) float64 {
	open := a.eyeH * a.lids
	socket := ellipse(x, y-.02, a.eyeW*1.5, a.eyeH*2.2)
	tone = over(tone, tone*.85, edge(socket))
	white := ellipse(x, y, a.eyeW, open)
	tone = over(tone, .55+.4*a.skin, edge(white))
	pupil := ellipse(x-s*a.gaze, y, .075, .09)
	tone = over(tone, a.iris, edge(max(pupil, white)))
	lid := math.Abs(ellipse(x, y, a.eyeW*1.08, open*1.25)) - .012
	if y > 0 {
		tone = over(tone, a.skin*.3, edge(lid))
	}
	raise := a.browY + a.restBrow + a.browRaise + a.browTilt*x - .5*x*x
	brow := max(math.Abs(y-raise)-a.browThick, math.Abs(x-.01)-a.eyeW*1.4)
	return over(tone, over(a.hair, a.skin, .2)*.8, edge(brow))
}

// nose paints the bridge, brighter than the skin, its far side, the tip and
// the nostrils.
func (a *painter) nose(tone, x, y float64) float64 {
	if y < a.noseY-.1 || y > a.eyeY+.1 {
		return tone
	}
	down := (a.eyeY - y) / (a.eyeY - a.noseY) // 0 at the eyes, 1 at the tip
	half := a.noseW * (.35 + .65*max(down, 0))
	away := x
	if a.light[0] > 0 {
		away = -x
	}
	tone = over(tone, tone*(1+a.bridge), edge(math.Abs(x)-half*.4))
	tone = over(tone, tone*.78, edge(math.Abs(away-half)-.045))
	for _, s := range []float64{-1, 1} {
		tone = over(tone, a.skin*.35, edge(ellipse(x-s*a.noseW*.55, y-a.noseY, a.noseW*.42, .05)))
	}
	return tone
}

// mouth paints lips along a parabola, and the inside where they are apart.
func (a *painter) mouth(tone, x, y float64) float64 {
	half := a.mouthW * a.mouthWide
	t := x / half
	curve, open := a.restCurve+a.mouthCurve, a.restOpen+a.mouthOpen
	d := math.Abs(y - a.mouthY - curve*(t*t-.35))
	gap := max(open, 0) * (1 - t*t)
	ends := math.Abs(x) - half
	tone = over(tone, a.skin*.35, edge(max(d-gap-a.lip*(1-.6*t*t), ends)))
	return over(tone, .06, edge(max(d-gap-.012, ends)))
}

// rims paints glasses.
func (a *painter) rims(tone, x, y float64) float64 {
	y -= a.eyeY - .02
	d := math.Abs(y) - .02
	d = max(d, math.Abs(x)-a.eyeGap+.2) // the bridge
	for _, s := range []float64{-1, 1} {
		d = min(d, math.Abs(ellipse(x-s*a.eyeGap, y, .27, .2))-.022)
	}
	return over(tone, .08, edge(d))
}
