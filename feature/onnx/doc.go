// Package onnx reads trained models in the ONNX format, runs and differentiates
// them, and writes them back with changed weights.
//
// [Load] reads a file, [Read] a stream; the [Model] is everything that package
// feature knows: Trainable, ModeGrader, ParamUpdater, Cloner and Sharer.
// [Model.Save] writes the bytes that were read, with nothing replaced but the
// weights that changed. [Check] says what Load would say, without reading large
// weights. [Model.Notes] tells which choices were made on the way.
//
// # What is read
//
// IR versions 3 to 13 and operator sets 7 to 25 of the default domain. The
// first graph input that has no initializer is the model's input; its first axis is
// the batch. Nodes may stand in any order. Functions of the model are expanded, and
// an If whose condition is known when the file is read takes its branch.
//
// # Logits
//
// Losses want logits, files often end in probabilities or labels. The first graph
// output that is no label is taken, or what Options.Logits names, and from there
// the way goes back over Identity, Cast, Reshape, Flatten, Squeeze, Clip and Log to
// a Softmax, a LogSoftmax or the operators that spell one out: the logits are its
// input. Before an ArgMax or a TopK they are found likewise. A sigmoid of one
// number z has the logits 0 and z. A sigmoid of several numbers makes a head of each
// (multi-label); Options.MultiLabel says the same of logits without one, and
// Options.Heads takes several outputs, one a label. Probabilities that were averaged or
// cut are refused with the reason.
//
// # Parameters
//
// Floating-point tensors that take part are parameters under their own names,
// whether they are initializers or in Constant nodes. Not all are trained: statistics
// of batch norm; what acts on the input before the first layer, as a mean and a
// deviation do; masks and tables that count up; numbers that operators need when the
// file is read, such as limits of Clip; and what Options.Freeze names. Options.Train
// names exceptions. Single numbers read by elementwise operators are constants.
// A model without a weight that can be trained is an error, unless Options.RunOnly
// is set.
//
// # Samples stay apart
//
// Samples do not see one another: a model in which they do is refused. Shape
// arithmetic is computed when a model is read, with the batch size as
// an unknown. A file whose batch size is fixed, in its input or in a target shape,
// runs at any batch size if it is shown, node by node, that samples stay apart, and
// is refused otherwise.
//
// Layers behave as in evaluation unless feature.Mode says otherwise, whatever
// the exporter's training flag. Where the exporter has folded batch norm into the
// convolutions before it, there is none left to train.
//
// Values on the way from the input to the logits are float32, whatever
// floating-point type the file has. An input of int64 numbers the words of a text: it
// is looked up in an embedding, and comes as whole numbers in float32, without a
// gradient. Other integers on the way, and operators without
// a useful derivative such as Round or ArgMax, are errors. Comparisons of
// activations make masks, which may choose by Where or switch off by Mul: the
// gradient is that of what they let through.
//
// # Trust
//
// Files are not trusted: sizes are checked against the bytes that are there
// before memory is taken, data outside of the file must be in its folder, Options
// bounds what a model may cost to read and to run, and every error says where it
// happened.
package onnx
