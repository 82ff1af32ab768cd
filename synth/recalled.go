package synth

import (
	"fmt"

	"github.com/dlfd-go/unlearn/feature"
)

// Recalled are samples that a model recalled. It is a feature.Dataset with labels and
// pixels, in memory.
type Recalled struct {
	// Loss is the mean cross-entropy of the samples before the last step, and Statistics
	// the mean of R: 0 where the model keeps no statistics, and 1 where those of the batch
	// are as far from them as the activations are large.
	Loss, Statistics float64
	// Forward and Backward count the samples that were run either way.
	Forward, Backward int64

	x       feature.Tensor
	labels  []int
	classes int
	pixels  feature.Pixels
}

// Len implements feature.Dataset.
func (d *Recalled) Len() int { return len(d.labels) }

// Shape implements feature.Dataset.
func (d *Recalled) Shape() []int { return d.x.Shape[1:] }

// Classes implements feature.Dataset.
func (d *Recalled) Classes() int { return d.classes }

// Label implements feature.Labeled.
func (d *Recalled) Label(i int) int { return d.labels[i] }

// Pixels implements feature.Normalized.
func (d *Recalled) Pixels() feature.Pixels { return d.pixels }

// Read implements feature.Dataset.
func (d *Recalled) Read(index []int, x []float32, labels []int) error {
	if err := feature.CheckRead(d, index, x, labels); err != nil {
		return fmt.Errorf("synth: %w", err)
	}
	n := d.x.RowLen()
	for i, k := range index {
		copy(x[i*n:(i+1)*n], d.x.Row(k))
		labels[i] = d.labels[k]
	}
	return nil
}

// prior returns V and N at x, and adds the derivatives of Variation·V + Norm·N into dx.
func (c *recall) prior(x feature.Tensor, dx []float32) (variation, norm float64) {
	size := float64(len(x.Data))
	if c.Norm != Off {
		for i, v := range x.Data {
			norm += float64(v) * float64(v) / size
			dx[i] += float32(2 * c.Norm / size * float64(v))
		}
	}
	if len(x.Shape) != 4 || c.Variation == Off {
		return 0, norm
	}
	h, w := x.Shape[2], x.Shape[3]
	for lo := 0; lo < len(x.Data); lo += h * w {
		variation += c.plane(x.Data[lo:lo+h*w], dx[lo:lo+h*w], w, size)
	}
	return variation, norm
}

// plane is the part of V of one channel of one sample.
func (c *recall) plane(x, dx []float32, w int, size float64) (sum float64) {
	add := func(i, j int) {
		d := float64(x[i]) - float64(x[j])
		sum += d * d / size
		dx[i] += float32(2 * c.Variation / size * d)
		dx[j] -= float32(2 * c.Variation / size * d)
	}
	for i := range x {
		if (i+1)%w != 0 {
			add(i, i+1)
		}
		if i+w < len(x) {
			add(i, i+w)
		}
	}
	return sum
}
