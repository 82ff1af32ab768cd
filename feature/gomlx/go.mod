// GoMLX graphs as models. A module of its own, so that no importer of the library
// has these requirements.
module github.com/dlfd-go/unlearn/feature/gomlx

go 1.26.5

replace github.com/dlfd-go/unlearn => ../..

require (
	// The first release; in this repository, what is here.
	github.com/dlfd-go/unlearn v0.1.0
	github.com/gomlx/compute v0.1.2
	// Tests with the tag xla.
	github.com/gomlx/go-xla v0.4.0
	github.com/gomlx/gomlx v0.28.1
)

require (
	github.com/go-logr/logr v1.4.3 // indirect
	github.com/gofrs/flock v0.13.0 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/pkg/errors v0.9.1 // indirect
	golang.org/x/exp v0.0.0-20260410095643-746e56fc9e2f // indirect
	golang.org/x/image v0.45.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
	golang.org/x/term v0.44.0 // indirect
	gonum.org/v1/gonum v0.17.0 // indirect
	google.golang.org/protobuf v1.36.11 // indirect
	k8s.io/klog/v2 v2.140.0 // indirect
)
