// Receipts, as the libraries of in-toto and DSSE read them. A module of its own, so
// that no importer of the library has these requirements: go test, in this folder.
module github.com/dlfd-go/unlearn/ci/interop

go 1.25.0

replace github.com/dlfd-go/unlearn => ../..

require (
	github.com/dlfd-go/unlearn v0.0.0-00010101000000-000000000000
	github.com/in-toto/attestation v1.2.0
	github.com/secure-systems-lab/go-securesystemslib v0.11.1
	google.golang.org/protobuf v1.36.11
)

require (
	golang.org/x/crypto v0.55.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
	gonum.org/v1/gonum v0.17.0 // indirect
)
