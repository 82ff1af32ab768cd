package feature

import (
	"context"
	"errors"
)

// ErrNoNorms is wrapped by the error of a NormInserter that has no place for a
// norm.
var ErrNoNorms = errors.New("no layer can be given a batch norm")

// NormInserter is implemented by models that can be given batch norm for a while.
// A model without any, such as one whose norms an export has folded into its
// convolutions, loses its scale when its weights are shrunk. With norms it can be
// changed as a model that was trained with them, and have its own form again at
// the end.
//
// The models of packages feature/nn and feature/onnx put a norm behind every
// convolution and linear layer whose output, as it is or behind pooling, dropout
// and changes of shape, meets a nonlinearity or an addition: convolution →
// rectifier, and convolution → addition → rectifier. The last layer before the
// logits has none, nor has a layer that a norm (batch, layer, group or instance
// norm) follows already, nor the queries, keys and values of attention. The scale
// is √(variance + 1e-5) and the shift the mean of the layer's own output, over up
// to 2,048 samples at equal distances in d. Where a layer has no bias that could
// take the shift, where its weight or bias serves another layer too, and where
// these do not train, there is no norm, and Notes says so. Cost: one forward pass
// of these samples.
//
// A wrapper that changes what passes through a model must not offer this
// interface in the model's name.
type NormInserter interface {
	// InsertNorms returns a model that computes what this one does and has batch
	// norms, whose scale, shift, mean and variance are statistics of the layers'
	// outputs on samples of d.
	//
	// Laws: no logit of the new model differs from the old one's by more than
	// 1e-5 of the largest. Its Spec is the old one's with more Params: of each
	// norm the scale, a Weight, and the shift, a Bias, both Trainable, and two
	// Statistics. It shares no parameter with the old model, which stays as it is
	// until Fold. Errors: ErrNoNorms, ErrShape, ErrNotFinite, those of d, and
	// ctx's. The result is a ModeGrader.
	InsertNorms(ctx context.Context, d Dataset) (Normed, error)
}

// Normed is a model with inserted norms.
type Normed interface {
	Trainable

	// Fold writes the weights into the model that the norms were inserted into,
	// each norm folded into the weight and the bias of its layer, so that this
	// model computes in evaluation mode what the normed one does, but for
	// rounding. A layer whose weights and norm have not changed keeps its bits.
	// On an error, which wraps ErrNotFinite, nothing is written. Fold may be
	// called again after more changes.
	Fold() error

	// Notes names the layers that have no norm and says why not, one sentence
	// each. Layers that need none are not among them: those that have a norm, and
	// those that feed neither a nonlinearity nor an addition.
	Notes() []string
}
