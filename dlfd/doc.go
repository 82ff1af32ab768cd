// Package dlfd removes the influence of samples from a trained classifier.
//
// [Unlearner] is the one interface that every method implements; [DLFD] is
// Distribution-Level Feature Distancing (Choi & Na, AAAI 2025, arXiv
// 2409.14747) and package dlfd/baseline has the methods to compare it with. A
// method of your own needs one call of [Run], which checks the request, counts
// the work, and puts the old weights back if anything goes wrong.
//
// [Audit] judges a model before and after.
package dlfd
