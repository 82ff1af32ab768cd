package distance

import "math"

// medianPoints is the number of points over which the median is taken at most.
const medianPoints = 2048

// MedianDistance returns the median of |zᵢ−zⱼ| over i < j, where z are the
// points of both samples, whatever their weights; of more than 2048 points, it
// takes 2048 at equal spacing. If the median is zero, it returns the least
// positive distance, or 1 if there is none.
//
// This is the "median heuristic" for bandwidths in the form of Gretton et al.
// 2012, §8, without a factor.
func MedianDistance(ws *Workspace, x, y Sample) float64 {
	ws = ws.Enter()
	defer ws.Leave()
	z := pool(ws, x, y)
	n := z.N
	d := ws.Floats(n * n)
	SqEuclidean{}.Matrix(ws, d, z, z)
	var k int
	for i := range n {
		k += copy(d[k:], d[i*n+i+1:(i+1)*n])
	}
	if k == 0 {
		return 1
	}
	med := quickselect(d[:k], k/2)
	if k%2 == 0 {
		med = (math.Sqrt(med) + math.Sqrt(largest(d[:k/2]))) / 2
	} else {
		med = math.Sqrt(med)
	}
	if med > 0 {
		return med
	}
	least := math.Inf(1)
	for _, v := range d[:k] {
		if v > 0 {
			least = min(least, v)
		}
	}
	if math.IsInf(least, 1) {
		return 1
	}
	return math.Sqrt(least)
}

// pool returns the rows of x and y together, thinned to medianPoints.
func pool(ws *Workspace, x, y Sample) Sample {
	total := x.N + y.N
	n := min(total, medianPoints)
	z := Sample{N: n, Dim: x.Dim, X: ws.Floats(n * x.Dim)}
	for k := range n {
		i := k * total / n
		row := z.Row(k)
		if i < x.N {
			copy(row, x.Row(i))
		} else {
			copy(row, y.Row(i-x.N))
		}
	}
	return z
}

func largest(x []float64) float64 {
	m := math.Inf(-1)
	for _, v := range x {
		m = max(m, v)
	}
	return m
}

// quickselect puts the element of rank k into x[k], with none above it before
// and none below it behind, and returns it.
func quickselect(x []float64, k int) float64 {
	lo, hi := 0, len(x)-1
	for lo < hi {
		i, j := lo, hi
		p := median3(x[lo], x[(lo+hi)/2], x[hi])
		for i <= j {
			for x[i] < p {
				i++
			}
			for x[j] > p {
				j--
			}
			if i <= j {
				x[i], x[j] = x[j], x[i]
				i++
				j--
			}
		}
		switch {
		case k <= j:
			hi = j
		case k >= i:
			lo = i
		default:
			return x[k]
		}
	}
	return x[k]
}

func median3(a, b, c float64) float64 {
	return max(min(a, b), min(max(a, b), c))
}
