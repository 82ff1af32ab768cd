package kernel

import "unsafe"

// The transforms of F(2×2, 3×3), for winograd.go.

// evenOddRows copies every other element of rows of n elements to even and odd,
// from the first on.
func evenOddRows(rows, n int, x []float32, xStep int, even, odd []float32, step int) {
	if useAsm {
		evenOddRowsF32(rows, n, unsafe.SliceData(x), 4*xStep, unsafe.SliceData(even), unsafe.SliceData(odd), 4*step)
		return
	}
	for r := range rows {
		for i, v := range x[r*xStep:][:n] {
			if i%2 == 0 {
				even[r*step+i/2] = v
			} else {
				odd[r*step+i/2] = v
			}
		}
	}
}

// copyRows copies rows of n elements, xStep apart, to rows step apart.
func copyRows(rows, n int, x []float32, xStep int, dst []float32, step int) {
	if useAsm {
		copyRowsF32(rows, n, unsafe.SliceData(x), 4*xStep, unsafe.SliceData(dst), 4*step)
		return
	}
	for r := range rows {
		copy(dst[r*step:][:n], x[r*xStep:])
	}
}

// finishRows stores max(floor, x+bias), or max(floor, x+dst+bias) with add; NaN
// stays.
func finishRows(rows, n int, x []float32, xStep int, dst []float32, step int, bias, floor float32, add bool) {
	if useAsm {
		finishRowsF32(rows, n, unsafe.SliceData(x), 4*xStep, unsafe.SliceData(dst), 4*step, bias, floor, add)
		return
	}
	for r := range rows {
		from, to := x[r*xStep:][:n], dst[r*step:][:n]
		for i, v := range from {
			if add {
				v += to[i]
			}
			to[i] = max(floor, v+bias)
		}
	}
}

// winogradInput stores Bᵀ·d·B of n tiles in dst, its sixteen elements step
// apart. split holds four phases of size elements, rows pitch apart.
func winogradInput(n int, split []float32, size, pitch int, dst []float32, step int) {
	if useAsm {
		winoInputF32(n, &split[0], &split[size], &split[2*size], &split[3*size], 4*pitch, &dst[0], 4*step)
		return
	}
	for i := range n {
		var t [4][4]float32 // Bᵀ·d
		for j := range 4 {
			at := func(row int) float32 { return split[(row%2*2+j%2)*size+row/2*pitch+j/2+i] }
			t[0][j], t[1][j], t[2][j], t[3][j] = at(0)-at(2), at(1)+at(2), at(2)-at(1), at(1)-at(3)
		}
		for e, v := range t {
			to := dst[4*e*step+i:]
			to[0], to[step], to[2*step], to[3*step] = v[0]-v[2], v[1]+v[2], v[2]-v[1], v[1]-v[3]
		}
	}
}

// winogradOutput stores Aᵀ·m·A of n tiles in top and bottom, 2n elements each
// and up to 14 more. Elements of m are step apart.
func winogradOutput(n int, m []float32, step int, top, bottom []float32) {
	if useAsm {
		winoOutputF32(n, unsafe.SliceData(m), 4*step, unsafe.SliceData(top), unsafe.SliceData(bottom))
		return
	}
	for i := range n {
		var s [2][4]float32 // Aᵀ·m
		for j := range 4 {
			at := func(row int) float32 { return m[(4*row+j)*step+i] }
			s[0][j], s[1][j] = at(1)+at(2)+at(0), at(1)-at(2)-at(3)
		}
		top[2*i], top[2*i+1] = s[0][1]+s[0][2]+s[0][0], s[0][1]-s[0][2]-s[0][3]
		bottom[2*i], bottom[2*i+1] = s[1][1]+s[1][2]+s[1][0], s[1][1]-s[1][2]-s[1][3]
	}
}

// winogradWeights stores G·g·Gᵀ of n columns of have kernels, padded with zeros
// to mr, whose taps are in reverse order with flip: dst[e·step + k·mr + r] for
// column k and row r.
func winogradWeights(n, have int, w []float32, perColumn, perRow int, flip bool, dst []float32, step int) {
	first, tap := 0, 1
	if flip {
		first, tap = 8, -1
	}
	if useAsm && have == mr {
		s := int32(perRow)
		lanes := [8]int32{0, s, 2 * s, 3 * s, 4 * s, 5 * s}
		winoWeightsF32(n, &w[first], 4*perColumn, 4*tap, &lanes[0], &dst[0], 4*step)
		return
	}
	for k := range n {
		for r := range mr {
			var u [16]float32
			if r < have {
				u = transformKernel(w, first+k*perColumn+r*perRow, tap)
			}
			for e, v := range u {
				dst[e*step+k*mr+r] = v
			}
		}
	}
}

func transformKernel(w []float32, at, tap int) (u [16]float32) {
	column := func(x, y, z float32) [4]float32 {
		s, h := (x+z)*0.5, y*0.5
		return [4]float32{x, s + h, s - h, z}
	}
	var a [3][4]float32
	for j := range a {
		a[j] = column(w[at+j*tap], w[at+(3+j)*tap], w[at+(6+j)*tap])
	}
	for i := range 4 {
		row := column(a[0][i], a[1][i], a[2][i])
		copy(u[4*i:], row[:])
	}
	return u
}
