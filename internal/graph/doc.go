// Package graph runs an operator graph over float32 and its vector-Jacobian
// product side by side.
//
// Every value has the batch on axis 0; shapes are those of one sample and are
// fixed when the graph is built. Parameters are values without a batch axis
// whose contents the caller passes at run time, so that copies of a network
// share one graph. An operator is a small type with shape inference, forward
// and VJP (see [Op]); its attributes follow ONNX.
//
// [Cache.Get] compiles a [Request] (batch size, taps, mode, wanted gradients)
// into phases: work on a few samples at a time, cut by barriers where an
// operator needs the whole batch. A group of samples passes through all phases
// between two barriers while it is in the cache; such groups are the unit of
// parallel work; layers with few positions take more samples at once. Their
// bounds and the order in which partial sums are added depend on sizes alone, so
// the result has the same bits at any GOMAXPROCS.
//
// Within a plan, a convolution takes up the batch norm that follows it where nobody
// wants their parameters' gradients or sees the values between, and limits such as
// those of a rectifier or of Clip; batch norms and sums take up rectifiers. Layer
// normalization, attention, GELU, SiLU, HardSwish and linear layers with their bias are
// one operator where a graph spells them out, as files do; the graph itself stays as it
// was built. Their values differ from those of the chain by roundings of float32.
//
// An inference on one sample divides convolutions among cores by output channels,
// large linear layers by rows, and attention by heads, into as many pieces as there are
// cores: the bits do not depend on it. What is packed from parameters is
// used again under the same [Stamp].
package graph
