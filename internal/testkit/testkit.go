// Package testkit forwards to package featuretest.
//
// Deprecated: import feature/featuretest.
package testkit

import "github.com/dlfd-go/unlearn/feature/featuretest"

// MLP is featuretest.MLP.
type MLP = featuretest.MLP

// Blobs is featuretest.Blobs.
type Blobs = featuretest.Blobs

// ErrBroken is featuretest.ErrBroken.
var ErrBroken = featuretest.ErrBroken

// NewMLP is featuretest.NewMLP.
func NewMLP(in, hidden, out int, seed uint64) *MLP { return featuretest.NewMLP(in, hidden, out, seed) }

// NewBlobs is featuretest.NewBlobs.
func NewBlobs(n, dim, classes int, spread float64, centerSeed, seed uint64) *Blobs {
	return featuretest.NewBlobs(n, dim, classes, spread, centerSeed, seed)
}
