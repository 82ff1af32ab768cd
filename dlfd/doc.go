// Package dlfd removes the influence of samples from a trained classifier.
//
// [Unlearner] is the one interface that every method implements. [Recommended]
// returns the method to use, [Align]. [DLFD] is Distribution-Level Feature
// Distancing (Choi & Na, AAAI 2025, arXiv 2409.14747) as published, package
// dlfd/released the code that was released with it, and package dlfd/baseline has
// the methods to compare them with.
//
// [NewRequest] divides a training set into what is retained and what is
// forgotten, and keeps apart what steers a method and what a report may use.
// [Demand.Request] does so for a person, several persons, a class or wrong labels, each
// with what it refuses. [Audit] judges a model before and after, and [Drift] what a chain
// of requests has made of it.
//
// A method of your own needs one call of [Run], which checks the request, counts
// the work, and puts the old weights back if anything goes wrong, and in it one of
// [Session.Descend]. Package dlfd/dlfdtest tests it in one line.
package dlfd
