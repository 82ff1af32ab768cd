module github.com/dlfd-go/unlearn

go 1.25.0

require (
	// feature/dataset: resampling of images to one size (package draw). The
	// newest release that still builds with go 1.25.
	golang.org/x/image v0.45.0
	// distance, metrics: dense linear algebra (Cholesky, SVD) and statistics.
	gonum.org/v1/gonum v0.17.0
	// feature/onnx: the wire format of protobuf (package protowire, alone).
	google.golang.org/protobuf v1.36.6
)
