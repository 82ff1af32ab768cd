module github.com/dlfd-go/unlearn

go 1.25.0

// Resizing images in feature/dataset. v0.45.0 is the last that go 1.25 builds.
require golang.org/x/image v0.45.0
