// Package feature says what a model and a dataset must offer to be unlearned.
//
// A [Model] maps a batch of inputs to named activations, its taps; one of them
// is the logits. A [Differentiable] also gives gradients: one call runs the
// model forward, hands the tapped values to a [LossFunc], and propagates the
// cotangents which that function returns back to the inputs, the parameters,
// or both. A [Trainable] has parameters that can be read and written. Anything
// with these few methods (the networks of feature/nn, a model read from a file,
// a wrapper around another engine) can be unlearned, audited, or attacked.
//
// A [Dataset] reads labelled samples by index; [Batches] runs over one.
//
// A sample may have several labels ([MultiLabeled]), each answered by a head of the
// model ([Heads]): a softmax of its own, or a sigmoid. The label of a sample is then the
// combination of its labels, and the loss is the mean over the heads. [OneHead] and
// [OneLabel] see one of them as an ordinary classifier and an ordinary dataset.
//
// Package featuretest checks that a model keeps the laws stated here.
package feature
