// Package unlearn is the documentation root of a library for machine
// unlearning: given a trained classifier and the samples that must be
// forgotten, it removes their influence and keeps the model useful.
//
// The root package holds no code. Import the package that you need:
//
//   - feature says what a model and a dataset must offer; feature/nn has
//     networks that offer it, feature/onnx reads and writes them, feature/train
//     fits them, feature/dataset reads images and tables, and feature/featuretest
//     checks a model or a dataset of your own. feature/gomlx, a module of its own, has
//     GoMLX graphs as models.
//   - distance measures how far apart two samples are, with gradients;
//     distance/distancetest checks a distance of your own.
//   - synth perturbs samples along input gradients.
//   - dlfd has the interface Unlearner, the recommended method Align, the
//     published method DLFD and the audit; dlfd/baseline has methods to compare
//     with, dlfd/released the code that was released with the paper,
//     dlfd/experiment compares them on tasks and seeds, dlfd/receipt writes down what
//     was done, signed, and dlfd/dlfdtest checks a method of your own.
//   - metrics judges the result: utility, membership attacks, whether what was
//     forgotten comes back, the verdict; metrics/report makes a page of it.
//
// It works on 64-bit platforms only. amd64 and arm64 have kernels in assembly.
//
// The published method is Distribution-Level Feature Distancing (Choi & Na, AAAI
// 2025, arXiv 2409.14747).
package unlearn
