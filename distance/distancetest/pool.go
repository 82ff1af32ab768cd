package distancetest

import (
	"fmt"

	"github.com/dlfd-go/unlearn/distance"
)

// poolLaw: the function of a Pooler gives for each division of the rows what Eval
// gives for its sides, with the settings taken from x and y.
func poolLaw(c *checker, s Size) error {
	p, ok := c.d.(distance.Pooler)
	if !ok {
		return nil
	}
	x, y := c.pair(s, false)
	value, scale, err := p.Pool(nil, x, y)
	if err != nil || value == nil {
		return err
	}
	d, err := c.frozen(x, y)
	if err != nil {
		return err
	}
	rnd := c.rng(s, 7)
	for range 5 {
		inX := make([]bool, s.N+s.M)
		for _, i := range rnd.Perm(len(inX))[:s.N] {
			inX[i] = true
		}
		got, err := value(inX)
		if err != nil {
			return err
		}
		zx, zy := divided(inX, x, y)
		want, err := d.Eval(nil, nil, nil, zx, zy)
		if err != nil {
			return err
		}
		if err := closeTo(fmt.Sprintf("value of Pool for %v", inX), got, want, scale, c.valueTol()); err != nil {
			return err
		}
	}
	return nil
}

// divided returns the rows that inX puts on the side of x, and the others.
func divided(inX []bool, x, y distance.Sample) (zx, zy distance.Sample) {
	zx.Dim, zy.Dim = x.Dim, x.Dim
	for i, in := range inX {
		z, s, r := &zy, y, i-x.N
		if in {
			z = &zx
		}
		if i < x.N {
			s, r = x, i
		}
		z.N++
		z.X = append(z.X, s.Row(r)...)
		if s.Labels != nil {
			z.Labels = append(z.Labels, s.Labels[r])
		}
	}
	return zx, zy
}
