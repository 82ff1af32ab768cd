package graph

import (
	"math"

	"github.com/dlfd-go/unlearn/internal/kernel"
)

// runs divides one sample of the output of a broadcast into stretches of n
// elements through which each input either advances by one element an element,
// or stays where it is: neighboring axes that behave alike are one. The walk goes
// from stretch to stretch.
type runs struct {
	walk
	n      int
	vector [2]bool // input k advances
	whole  [2]bool // input k has an element of its own for each of the output
}

// newRuns returns the runs of two inputs that broadcast.
func newRuns(in []Arg, out []int) *runs {
	r := &runs{n: 1}
	var step [2]int
	for k := range 2 {
		r.batch[k] = size(in[k].Shape)
		r.whole[k] = !in[k].Param && r.batch[k] == size(out)
		if in[k].Param {
			r.batch[k] = 0
		}
	}
	for _, ax := range axesOf(in, out) {
		last := r.rank - 1
		if last >= 0 && r.stride[0][last] == ax.stride[0]*ax.dim && r.stride[1][last] == ax.stride[1]*ax.dim {
			r.dim[last] *= ax.dim
			r.stride[0][last], r.stride[1][last] = ax.stride[0], ax.stride[1]
			continue
		}
		r.dim[r.rank], r.stride[0][r.rank], r.stride[1][r.rank] = ax.dim, ax.stride[0], ax.stride[1]
		r.rank++
	}
	if r.rank > 0 { // the innermost axis is the run
		r.rank--
		r.n, step = r.dim[r.rank], [2]int{r.stride[0][r.rank], r.stride[1][r.rank]}
	}
	r.vector = [2]bool{step[0] == 1, step[1] == 1}
	return r
}

// broadcastAxis is an axis of the output, and how far two inputs step along it.
type broadcastAxis struct {
	dim    int
	stride [2]int
}

// axesOf returns the axes of the output that are longer than 1.
func axesOf(in []Arg, out []int) []broadcastAxis {
	list := make([]broadcastAxis, len(out))
	for i := range out {
		list[i].dim = out[i]
	}
	for k := range 2 {
		shape := in[k].Shape
		step := 1
		for i := len(out) - 1; i >= 0; i-- {
			if at := len(shape) - (len(out) - i); at >= 0 && shape[at] > 1 {
				list[i].stride[k] = step
				step *= shape[at]
			}
		}
	}
	long := list[:0]
	for _, ax := range list {
		if ax.dim > 1 {
			long = append(long, ax)
		}
	}
	return long
}

// pairKernel computes one run of an operator on two inputs, of which the first,
// the second or none is the same number throughout.
type pairKernel struct {
	both   func(dst, a, b []float32)
	first  func(dst []float32, a float32, b []float32)
	second func(dst, a []float32, b float32)
}

// forward computes every run.
func (r *runs) forward(c *Call, k pairKernel) {
	a, b, y := c.In[0], c.In[1], c.Out
	n := r.n
	r.each(c.N, func(o, i, j int) {
		dst := y[o*n : (o+1)*n]
		switch {
		case r.vector[0] == r.vector[1]: // vectors, or a run of one element
			k.both(dst, a[i:i+n], b[j:j+n])
		case r.vector[0]:
			k.second(dst, a[i:i+n], b[j])
		default:
			k.first(dst, a[i], b[j:j+n])
		}
	})
}

// spot is where a run is in the output, in a and in b.
type spot struct{ o, a, b int }

// addRuns adds to input k's gradient: where it is a vector in every run, by add, which
// adds to that or, where fresh, overwrites it; and where it is one number, the terms
// of all runs in a row that read it, in float64.
func (r *runs) addRuns(c *Call, k int, add func(p spot, dst []float32, fresh bool), term func(p spot) float64) {
	fresh := c.Fresh[k] && r.whole[k]
	if !fresh { // what is fresh and whole may be in the place of DOut
		c.Clear(k)
	}
	last, sum := -1, 0.0
	r.each(c.N, func(o, i, j int) {
		p, at := spot{o * r.n, i, j}, i
		if k == 1 {
			at = j
		}
		if r.vector[k] || r.whole[k] {
			add(p, c.DIn[k][at:at+r.n], fresh)
			return
		}
		if at != last && last >= 0 {
			c.DIn[k][last] += float32(sum)
			sum = 0
		}
		last = at
		sum += term(p)
	})
	if last >= 0 {
		c.DIn[k][last] += float32(sum)
	}
}

func (r *runs) dy(c *Call, p spot) []float32 { return c.DOut[p.o : p.o+r.n] }

// read returns the elements of input k that a run reads: n, or one.
func (r *runs) read(c *Call, k int, p spot) []float32 {
	at := p.a
	if k == 1 {
		at = p.b
	}
	if r.vector[k] {
		return c.In[k][at : at+r.n]
	}
	return c.In[k][at : at+1]
}

// addSum adds sign·dy to the gradient of input k.
func (r *runs) addSum(c *Call, k int, sign float32) {
	r.addRuns(c, k, func(p spot, dst []float32, fresh bool) { addScaled(fresh, dst, r.dy(c, p), sign) },
		func(p spot) float64 { return float64(sign) * kernel.Sum32(r.dy(c, p)) })
}

// addProducts adds the product of dy and the other input to the gradient of input
// k.
func (r *runs) addProducts(c *Call, k int) {
	r.addRuns(c, k, func(p spot, dst []float32, fresh bool) {
		if other := r.read(c, 1-k, p); len(other) < r.n {
			addScaled(fresh, dst, r.dy(c, p), other[0])
		} else {
			addProduct(fresh, dst, r.dy(c, p), other)
		}
	}, func(p spot) float64 { return kernel.Dot32(r.dy(c, p), r.read(c, 1-k, p)) })
}

// addQuotients adds dy/b to the gradient of a.
func (r *runs) addQuotients(c *Call) {
	r.addRuns(c, 0, func(p spot, dst []float32, fresh bool) {
		b := r.read(c, 1, p)
		if len(b) < r.n {
			addScaled(fresh, dst, r.dy(c, p), 1/b[0])
			return
		}
		r.chunks(func(lo, hi int) {
			t := c.Scratch[:hi-lo]
			kernel.Div32(t, r.dy(c, p)[lo:hi], b[lo:hi])
			accumulate(fresh, dst[lo:hi], t)
		})
	}, func(p spot) (sum float64) {
		r.chunks(func(lo, hi int) {
			t := c.Scratch[:hi-lo]
			kernel.Div32(t, r.dy(c, p)[lo:hi], r.read(c, 1, p)[lo:hi])
			sum += kernel.Sum32(t)
		})
		return sum
	})
}

// addDivisor adds −dy·a/b² to the gradient of b.
func (r *runs) addDivisor(c *Call) {
	r.addRuns(c, 1, func(p spot, dst []float32, fresh bool) {
		dy, a, b := r.dy(c, p), r.read(c, 0, p), r.read(c, 1, p)
		r.chunks(func(lo, hi int) {
			t, u := c.Scratch[:hi-lo], c.Scratch[chunk:chunk+hi-lo]
			kernel.Div32(t, dy[lo:hi], b[lo:hi])
			if len(a) < r.n {
				kernel.DivInto32(u, a[0], b[lo:hi])
			} else {
				kernel.Div32(u, a[lo:hi], b[lo:hi])
			}
			kernel.Mul32(t, t, u)
			addScaled(fresh, dst[lo:hi], t, -1)
		})
	}, func(p spot) float64 {
		b := float64(r.read(c, 1, p)[0])
		return -kernel.Dot32(r.dy(c, p), r.read(c, 0, p)) / float64(b*b)
	})
}

// addLeaked adds dy, or b·dy where a is below zero, to the gradient of a.
func (r *runs) addLeaked(c *Call) {
	r.addRuns(c, 0, func(p spot, dst []float32, fresh bool) {
		a, b, dy := r.read(c, 0, p), r.read(c, 1, p), r.dy(c, p)
		r.chunks(func(lo, hi int) {
			t := c.Scratch[:hi-lo]
			leakGrad(t, dy[lo:hi], a[lo:hi], b, lo)
			accumulate(fresh, dst[lo:hi], t)
		})
	}, func(p spot) (sum float64) {
		a, b, dy := r.read(c, 0, p), r.read(c, 1, p), r.dy(c, p)
		for i, v := range dy {
			if a[0] < 0 {
				v *= b[i]
			}
			sum += float64(v)
		}
		return sum
	})
}

// leakGrad stores dy, times b where a is below zero, in t; b is one number, or one for
// each of a run, of which t starts at lo.
func leakGrad(t, dy, a, b []float32, lo int) {
	if len(b) == 1 {
		kernel.LeakyReLUGrad(t, dy, a, b[0])
		return
	}
	for i, v := range dy {
		if a[i] < 0 {
			v *= b[lo+i]
		}
		t[i] = v
	}
}

// addBelow adds dy·min(a, 0) to the gradient of b.
func (r *runs) addBelow(c *Call) {
	least := float32(math.Inf(-1))
	r.addRuns(c, 1, func(p spot, dst []float32, fresh bool) {
		a, dy := r.read(c, 0, p), r.dy(c, p)
		if len(a) < r.n {
			addScaled(fresh, dst, dy, min(a[0], 0))
			return
		}
		r.chunks(func(lo, hi int) {
			t := c.Scratch[:hi-lo]
			kernel.Clip(t, a[lo:hi], least, 0)
			addProduct(fresh, dst[lo:hi], dy[lo:hi], t)
		})
	}, func(p spot) (sum float64) {
		r.chunks(func(lo, hi int) {
			t := c.Scratch[:hi-lo]
			kernel.Clip(t, r.read(c, 0, p)[lo:hi], least, 0)
			sum += kernel.Dot32(r.dy(c, p)[lo:hi], t)
		})
		return sum
	})
}

// chunk is how many elements an operator without scratch of its own works on at a
// time where it needs room for a result.
const chunk = 1024

// chunks calls f for pieces of a run.
func (r *runs) chunks(f func(lo, hi int)) {
	for lo := 0; lo < r.n; lo += chunk {
		f(lo, min(lo+chunk, r.n))
	}
}
