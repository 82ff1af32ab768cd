// Package distance measures how far apart two samples of points are, with the
// gradient in every point: optimal transport, exact and entropic, kernel
// distances, and distances of moments and projections.
//
//	d := distance.Sinkhorn{Debiased: true}
//	ws := new(distance.Workspace)
//	value, err := d.Eval(ws, gx, nil, x, y)
//
// Distances are plain structs whose zero value is ready; every default stands
// in its field's comment. They agree on one method, Eval (see Distance), and
// may offer more: Planner, WeightGradienter, Freezer, Propertied.
//
//	EMD                 exact transport: sorting, Jonker–Volgenant, network simplex, certificate
//	Sinkhorn            entropic transport: regularized, sharp; debiased; unbalanced
//	SlicedWasserstein   mean or maximum over projections; Wasserstein1D
//	MMD, RandomFourier  Gaussian, Laplacian, Energy, Linear, Polynomial, … or one's own Kernel
//	Partial, OTDD       exact transport of a share of the mass, and between samples with classes
//	Bures, CORAL        distances of means and covariances; Bures with DDof 1 is the FID
//	HSIC                a dependence of paired samples, with an interface of its own
//	Weighted, Root, ClassConditional, Func, Numeric    made from others
//	Subsets             a mean over random subsets, with standard error; its zero value is the KID
//	TwoSample           whether two samples differ: a permutation test with any of them
//
// Costs of transport are Cosine, SqEuclidean, Euclidean, CityBlock or the
// user's own Cost. Package distancetest tests a distance, a cost, a kernel or a
// dependence of one's own in one line.
//
// A field that is out of range gives ErrParameter, a sample that is not what it
// says ErrShape, and a value beyond the largest float ErrNotFinite: see errors.Is.
//
// Gradients are those of the value that is returned, with three exceptions,
// each stated where it applies: settings that are taken from the data count as
// constants (Freezer); at kinks it is one subgradient; and Sinkhorn that has
// not converged returns ErrNotConverged beside value and gradients.
//
// # Numbers
//
// All arithmetic is in float64. Euclidean costs are computed from points less
// their mean, so that a common offset costs no digits (or less a median, where a
// few far points draw the mean away), and pairs of close points coordinate by
// coordinate. The same arguments give the same bits, from any Workspace and at
// any GOMAXPROCS, on one architecture; WarmStart is the exception. Work is done
// on the calling goroutine, save for streamed problems (Sinkhorn.MaxEntries) and
// MMD with 65536 pairs of points or more.
//
// # Speed
//
// After the first call at given sizes nothing is allocated, apart from work on
// several goroutines. The comparison with POT, scipy and numpy, on one thread each, is
//
//	go test ./distance -run TestTiming -timing -v
//
// which wants /usr/bin/python3 with the package POT. Benchmarks are
//
//	GOMAXPROCS=1 go test ./distance -run xxx -bench Eval
//
// and evaluation of samples too large for a matrix of costs is shown by
//
//	go test ./distance -run TestLarge -large 100000 -v -timeout 1h
package distance
