// Package onnx reads trained models in the ONNX format, runs and differentiates
// them, and writes them back with changed weights.
//
// [Load] reads a file, [Read] a stream; the [Model] is everything that package
// feature knows: Trainable, ModeGrader, ParamUpdater, Cloner and Sharer.
// [Model.Save] writes the bytes that were read, with nothing replaced but the
// weights that changed. [Check] lists what an unsupported file lacks, without
// reading its weights.
//
// # What is read
//
// IR versions 3 to 13 and operator sets 7 to 25 of the default domain. The
// first graph input that has no initializer is the model's input; its first axis is
// the batch. The logits are the first graph output, or the input of the
// Softmax or LogSoftmax that makes it. Every float initializer that takes part is
// a parameter under its own name, but for numbers that only say how an operator
// works (limits of Clip, scales of Resize) and single numbers read by element-wise
// operators: those are constants. Constant nodes are constants. Statistics of batch
// norm are parameters that are not trainable.
//
// Samples do not see one another: a model in which they do is refused. Shape
// arithmetic is computed when a model is read, with the batch size as
// an unknown. A file whose batch size is fixed runs at any batch size if it is
// shown, node by node, that samples stay apart, and is refused otherwise.
//
// Layers behave as in evaluation unless feature.Mode says otherwise, whatever
// the exporter's training flag. Where the exporter has folded batch norm into the
// convolutions before it, there is none left to train.
//
// Values on the way from the input to the logits are float32, whatever
// floating-point type the file has; integers there, and operators without
// a useful derivative such as Round or ArgMax, are errors.
//
// # Trust
//
// Files are not trusted: sizes are checked against the bytes that are there
// before memory is taken, data outside of the file must be in its folder, and
// every error says where it happened.
package onnx
