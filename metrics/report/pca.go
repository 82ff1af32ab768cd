package report

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"github.com/dlfd-go/unlearn/metrics"
)

// PCA returns the coordinates of every sample on the first two principal components
// of its features, and the shares of the variance that the two hold. Components are
// ordered by variance, and the coordinate of largest size on each is positive. With
// one dimension, or samples on a line, the second coordinate is zero up to rounding.
//
// Errors wrap those of package metrics: ErrEmpty for no samples or no dimensions,
// ErrShape if Data has not N·Dim elements, ErrNotFinite, and ErrDegenerate if all
// samples are equal. Labels are not read. Cost: O(n·d·min(n, d)).
func PCA(f metrics.Features) (xy [][2]float64, share [2]float64, err error) {
	x, err := centered(f)
	if err != nil {
		return nil, share, err
	}
	// Scores of the components are eigenvectors of XXᵀ times singular values, or X
	// times eigenvectors of XᵀX: the smaller matrix is decomposed.
	byRows := f.N < f.Dim
	var gram mat.SymDense
	if byRows {
		gram.SymOuterK(1, x)
	} else {
		gram.SymOuterK(1, x.T())
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(&gram, true) {
		return nil, share, fmt.Errorf("report: %w: principal components of %d×%d features", metrics.ErrNotConverged, f.N, f.Dim)
	}
	values := eigen.Values(nil) // ascending
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	total := mat.Trace(&gram)
	xy = make([][2]float64, f.N)
	for k := range min(2, len(values)) {
		at := len(values) - 1 - k
		column := mat.NewVecDense(len(values), mat.Col(nil, at, &vectors))
		size := math.Sqrt(max(values[at], 0))
		if !byRows {
			var scores mat.VecDense
			scores.MulVec(x, column)
			column, size = &scores, 1
		}
		share[k] = max(values[at], 0) / total
		project(xy, k, column, size)
	}
	return xy, share, nil
}

// project sets the k-th coordinates, the largest of them positive.
func project(xy [][2]float64, k int, v *mat.VecDense, size float64) {
	largest := 0.0
	for i := range xy {
		if c := v.AtVec(i); math.Abs(c) > math.Abs(largest)*(1+1e-9) {
			largest = c
		}
	}
	if largest < 0 {
		size = -size
	}
	for i := range xy {
		xy[i][k] = v.AtVec(i) * size
	}
}

// centered returns the features less their means, divided by the largest of them.
func centered(f metrics.Features) (*mat.Dense, error) {
	if f.N < 1 || f.Dim < 1 {
		return nil, fmt.Errorf("report: %w: features are %d×%d", metrics.ErrEmpty, f.N, f.Dim)
	}
	if len(f.Data) != f.N*f.Dim {
		return nil, fmt.Errorf("report: %w: %d×%d features have %d elements", metrics.ErrShape, f.N, f.Dim, len(f.Data))
	}
	x := mat.NewDense(f.N, f.Dim, nil)
	for i, v := range f.Data {
		if v64 := float64(v); math.IsNaN(v64) || math.IsInf(v64, 0) {
			return nil, fmt.Errorf("report: %w: feature %d of sample %d is %v", metrics.ErrNotFinite, i%f.Dim, i/f.Dim, v)
		}
		x.Set(i/f.Dim, i%f.Dim, float64(v))
	}
	largest := 0.0
	for j := range f.Dim {
		mean := mat.Sum(x.ColView(j)) / float64(f.N)
		for i := range f.N {
			c := x.At(i, j) - mean
			x.Set(i, j, c)
			largest = max(largest, math.Abs(c))
		}
	}
	if largest == 0 {
		return nil, fmt.Errorf("report: %w: all %d samples have equal features", metrics.ErrDegenerate, f.N)
	}
	x.Scale(1/largest, x)
	return x, nil
}

// NewMaps draws features of the same samples under several models, such as before
// and after, each by its own PCA. Every map after the first is turned, or mirrored
// and turned, to lie on the first as well as it can, because the direction of
// principal components means nothing. Features.Labels gives the classes,
// whose names are the strings of classes; forget marks the forgotten samples.
//
// Errors: those of PCA, ErrEmpty for no features, ErrShape if numbers of titles,
// samples, labels or marks differ, and ErrLabel for a label without a name.
func NewMaps(titles []string, features []metrics.Features, forget []bool, classes []string) (*Maps, error) {
	if len(features) == 0 {
		return nil, fmt.Errorf("report: %w: no features to map", metrics.ErrEmpty)
	}
	if len(titles) != len(features) {
		return nil, fmt.Errorf("report: %w: %d titles of %d maps", metrics.ErrShape, len(titles), len(features))
	}
	m := &Maps{Classes: slices.Clone(classes)}
	var first [][2]float64
	for i, f := range features {
		if len(f.Labels) != f.N || len(forget) != f.N {
			return nil, fmt.Errorf("report: %w: map %d has %d samples, %d labels and %d marks of forgotten ones", metrics.ErrShape, i, f.N, len(f.Labels), len(forget))
		}
		xy, share, err := PCA(f)
		if err != nil {
			return nil, fmt.Errorf("report: map %d: %w", i, err)
		}
		if i == 0 {
			first = xy
		}
		turn(xy, first)
		q := Map{Title: titles[i]}
		for k, p := range xy {
			if y := f.Labels[k]; y < 0 || y >= len(classes) {
				return nil, fmt.Errorf("report: %w: label %d of sample %d in map %d, of %d classes", metrics.ErrLabel, y, k, i, len(classes))
			}
			q.Points = append(q.Points, Point{X: p[0], Y: p[1], Class: f.Labels[k], Forget: forget[k]})
		}
		m.Maps = append(m.Maps, q)
		m.Note += fmt.Sprintf("%s: two components hold %s of the variance. ", titles[i], percent(share[0]+share[1]))
	}
	return m, nil
}

// turn applies to xy the orthogonal map of the plane that brings it nearest to
// target: the rotation by atan2(b − c, a + d), or after mirroring the second
// coordinate, whichever has the larger Σ xy·target. Here (a, b; c, d) = Σ xyᵀ target.
//
// Reference: Schönemann, "A generalized solution of the orthogonal Procrustes
// problem", Psychometrika 31 (1966); in the plane it has this closed form.
func turn(xy, target [][2]float64) {
	var a, b, c, d float64
	for i, p := range xy {
		a += p[0] * target[i][0]
		b += p[0] * target[i][1]
		c += p[1] * target[i][0]
		d += p[1] * target[i][1]
	}
	mirror := 1.0
	if math.Hypot(a-d, b+c) > math.Hypot(a+d, b-c)*(1+1e-12) {
		mirror, c, d = -1, -c, -d
	}
	sin, cos := math.Sincos(math.Atan2(b-c, a+d))
	for i, p := range xy {
		x, y := p[0], mirror*p[1]
		xy[i] = [2]float64{cos*x - sin*y, sin*x + cos*y}
	}
}
