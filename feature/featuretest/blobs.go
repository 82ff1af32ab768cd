package featuretest

import (
	"fmt"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/rng"
)

// Blobs is the reference dataset of tests: Gaussian clouds, one a class, that any
// small network can learn. Tests may change its fields.
type Blobs struct {
	X        feature.Tensor
	Labels   []int
	Persons  []string // the identity of each sample
	NClasses int
	Scale    feature.Pixels
	// Multi, where not nil, makes the dataset a feature.MultiLabeled: a class is then
	// a combination of the classes of these targets, whose number is NClasses.
	Multi []feature.Target
}

// NewBlobs returns n samples of dim coordinates in the given number of classes,
// with the labels 0, 1, …, classes−1, 0, … and identities that no other seed
// gives. The centers are standard normal points drawn from centerSeed; spread is
// the standard deviation of the samples about them. Sets of one centerSeed have
// one distribution. Equal arguments give equal bits.
func NewBlobs(n, dim, classes int, spread float64, centerSeed, seed uint64) *Blobs {
	center := rng.Stream(centerSeed, "testkit centres") // the names fix the bits
	c := make([]float64, classes*dim)
	for i := range c {
		c[i] = center.NormFloat64()
	}
	r := rng.Stream(seed, "testkit samples")
	b := &Blobs{X: feature.NewTensor(n, dim), NClasses: classes}
	for i := range n {
		label := i % classes
		b.Labels = append(b.Labels, label)
		b.Persons = append(b.Persons, fmt.Sprintf("%d-%d", seed, i))
		for k, row := 0, b.X.Row(i); k < dim; k++ {
			row[k] = float32(c[label*dim+k] + spread*r.NormFloat64())
		}
	}
	return b
}

// Len implements feature.Dataset.
func (b *Blobs) Len() int { return len(b.Labels) }

// Shape implements feature.Dataset.
func (b *Blobs) Shape() []int { return b.X.Shape[1:] }

// Classes implements feature.Dataset.
func (b *Blobs) Classes() int { return b.NClasses }

// Label implements feature.Labeled.
func (b *Blobs) Label(i int) int { return b.Labels[i] }

// Identity implements feature.Identified.
func (b *Blobs) Identity(i int) string { return b.Persons[i] }

// Pixels implements feature.Normalized.
func (b *Blobs) Pixels() feature.Pixels { return b.Scale }

// Read implements feature.Dataset.
func (b *Blobs) Read(index []int, x []float32, labels []int) error {
	if err := feature.CheckRead(b, index, x, labels); err != nil {
		return err
	}
	n := b.X.RowLen()
	for i, k := range index {
		copy(x[i*n:(i+1)*n], b.X.Row(k))
		labels[i] = b.Labels[k]
	}
	return nil
}

// As implements the look-through of feature.As.
func (b *Blobs) As(target any) bool {
	m, ok := target.(*feature.MultiLabeled)
	if ok {
		*m = targets(b.Multi)
	}
	return ok && b.Multi != nil
}

type targets []feature.Target

// Targets implements feature.MultiLabeled.
func (t targets) Targets() []feature.Target { return t }
