module github.com/dlfd-go/unlearn

go 1.25.0

require (
	// feature/dataset: resampling of images to one size (package draw). The
	// newest release that still builds with go 1.25.
	golang.org/x/image v0.45.0
	// distance, metrics: dense linear algebra (Cholesky, SVD) and statistics.
	gonum.org/v1/gonum v0.17.0
)

// examples only: nothing that a program imports from this module reaches these.
require (
	// The progress bar of examples/faces, and whether there is a terminal to
	// show it on.
	github.com/schollz/progressbar/v3 v3.19.1
	golang.org/x/term v0.44.0
)

require (
	github.com/mitchellh/colorstring v0.0.0-20190213212951-d06e56a500db // indirect
	github.com/rivo/uniseg v0.4.7 // indirect
	golang.org/x/sys v0.47.0 // indirect
)
