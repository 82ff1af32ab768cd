package graph

import "math"

// add adds x to dst.
func add(dst, x []float32) {
	x = x[:len(dst)]
	for i := range dst {
		dst[i] += x[i]
	}
}

// accumulate adds x to dst, or copies it where dst is fresh. dst may be x.
func accumulate(fresh bool, dst, x []float32) {
	if fresh {
		copy(dst, x)
	} else {
		add(dst, x)
	}
}

// sum returns Σ xᵢ in float64, with four chains of additions.
func sum(x []float32) float64 {
	var a, b, c, d float64
	for len(x) >= 4 {
		a += float64(x[0])
		b += float64(x[1])
		c += float64(x[2])
		d += float64(x[3])
		x = x[4:]
	}
	for _, v := range x {
		a += float64(v)
	}
	return (a + b) + (c + d)
}

// dotSum returns Σ yᵢ and Σ yᵢ(xᵢ − mean), in float64.
func dotSum(y, x []float32, mean float64) (s, d float64) {
	var s0, s1, d0, d1 float64
	x = x[:len(y)]
	i := 0
	for ; i+1 < len(y); i += 2 {
		a, b := float64(y[i]), float64(y[i+1])
		s0 += a
		s1 += b
		d0 += a * (float64(x[i]) - mean)
		d1 += b * (float64(x[i+1]) - mean)
	}
	if i < len(y) {
		s0 += float64(y[i])
		d0 += float64(y[i]) * (float64(x[i]) - mean)
	}
	return s0 + s1, d0 + d1
}

// squares returns Σ (xᵢ − mean)² in float64.
func squares(x []float32, mean float64) float64 {
	var a, b, c, d float64
	for len(x) >= 4 {
		p, q, r, s := float64(x[0])-mean, float64(x[1])-mean, float64(x[2])-mean, float64(x[3])-mean
		a += p * p
		b += q * q
		c += r * r
		d += s * s
		x = x[4:]
	}
	for _, v := range x {
		a += (float64(v) - mean) * (float64(v) - mean)
	}
	return (a + b) + (c + d)
}

// affine writes (x − mean)·scale + shift into dst, which may be x.
func affine(dst, x []float32, mean, scale, shift float32) {
	x = x[:len(dst)]
	for i := range dst {
		dst[i] = (x[i]-mean)*scale + shift
	}
}

// addScaled adds scale·x to dst, or writes it where dst is fresh. dst may be x.
func addScaled(fresh bool, dst, x []float32, scale float32) {
	x = x[:len(dst)]
	if fresh {
		for i := range dst {
			dst[i] = scale * x[i]
		}
		return
	}
	for i := range dst {
		dst[i] += scale * x[i]
	}
}

// addProduct adds x·y to dst, or writes it where dst is fresh. dst may be x.
func addProduct(fresh bool, dst, x, y []float32) {
	x, y = x[:len(dst)], y[:len(dst)]
	if fresh {
		for i := range dst {
			dst[i] = x[i] * y[i]
		}
		return
	}
	for i := range dst {
		dst[i] += x[i] * y[i]
	}
}

// addConstant adds v to every element.
func addConstant(dst []float32, v float32) {
	for i := range dst {
		dst[i] += v
	}
}

// normVJP adds a·dy + b·(x − mean) + shift to dx, or writes it where dx is
// fresh. dx may be dy.
func normVJP(fresh bool, dx, dy, x []float32, mean, a, b, shift float32) {
	dy, x = dy[:len(dx)], x[:len(dx)]
	if fresh {
		for i := range dx {
			dx[i] = a*dy[i] + b*(x[i]-mean) + shift
		}
		return
	}
	for i := range dx {
		dx[i] += a*dy[i] + b*(x[i]-mean) + shift
	}
}

// relu writes max(x, 0) into dst, which may be x. NaN stays.
func relu(dst, x []float32) {
	x = x[:len(dst)]
	for i, v := range x {
		dst[i] = max(v, 0)
	}
}

// reluVJP adds dy where y > 0 to dx, or writes it where dx is fresh. dx may be
// dy. y is a rectifier's output, +0 or above: its bits, as an integer, are above
// 0 where it is. Branches would be mispredicted on random signs.
func reluVJP(fresh bool, dx, dy, y []float32) {
	dy, y = dy[:len(dx)], y[:len(dx)]
	if fresh {
		for i, v := range y {
			mask := -int32(math.Float32bits(v)) >> 31
			dx[i] = math.Float32frombits(math.Float32bits(dy[i]) & uint32(mask))
		}
		return
	}
	for i, v := range y {
		mask := -int32(math.Float32bits(v)) >> 31
		dx[i] += math.Float32frombits(math.Float32bits(dy[i]) & uint32(mask))
	}
}
