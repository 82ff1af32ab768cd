// Package synth perturbs a batch of samples by following the gradient of a
// model in its inputs.
//
// A [Synthesizer] takes K steps uphill on
//
//	w · D(features(x*), reference) − λ · CE(logits(x*), labels),
//
// where D is any [distance.Distance]. With w and λ positive that is steps 1
// and 2 of Distribution-Level Feature Distancing (Choi & Na, AAAI 2025, arXiv
// 2409.14747): samples whose features lie far from those of the forget set and
// which the classifier still gets right.
//
// Sizes are given in pixel units, 1 being the range from black to white; the
// normalization of the data (feature.Pixels) turns them into the units that
// the model sees.
package synth
