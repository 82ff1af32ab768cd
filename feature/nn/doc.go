// Package nn has small trainable networks: multi-layer perceptrons ([MLP]),
// residual networks ([ResNet], [ResNet18]), [DenseNet121], [EfficientNetB0], and a [Builder] for others. They run
// on the CPU, on all cores, and give the same bits at any GOMAXPROCS.
//
// A [Network] implements feature.Trainable, ModeGrader, ParamUpdater, Cloner
// and Sharer. Layers and parameters have PyTorch-like names, such as
// "stage2.0.conv1.weight"; [Network.Save] and [Load] keep a network with its
// architecture in a file in the safetensors format.
//
// Batch norm follows PyTorch: Epsilon 1e-5; running statistics move by the share
// .1 towards the batch's mean and unbiased variance when Mode.Track is set;
// they are parameters with Trainable false.
//
// Convolutions and linear layers start from the normal distribution with
// variance 2/(number of inputs of a unit) (He, Zhang, Ren, Sun, "Delving deep
// into rectifiers", ICCV 2015, equation 10), the last linear layer with half of
// that, since no rectifier follows it; biases start at 0, the scale of batch
// norm at 1. The values depend on the seed and on the parameter's name alone.
package nn
