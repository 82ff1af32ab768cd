// Package baseline has the methods of machine unlearning that DLFD is compared
// with, each a dlfd.Unlearner, by their original definitions.
//
// Beside them are decorators, methods that run another: [Rewind] gives back a
// checkpoint on the way, [EarlyStop] ends a run when a score is met, [Budget] when a
// number of passes is spent, [Sequential] forgets in several requests, and [RetainFree]
// does without a retain set. [ByName] makes any of them from a text.
//
// [ExactHead] and [NewtonHead] are for models of which the last layer alone was trained
// on the forget samples: there forgetting is retraining, at the cost of a few passes over cached features.
//
// A method that drives the model away from its answers has a [Limit], which ends a
// run that harms the task, and says so: dlfd.TaskHarmed.
//
// Defaults come from one search with twelve settings for every method, on seed 1 of
// two tasks, Extended Yale B and a perceptron on Fashion-MNIST:
// examples/compare/tuning.json has the settings and the rule, chosen.json beside it
// what came out. Three stay as they were before: ShortRetrain, whose epochs are those
// of the method that it is the floor of; the K of CFk, which that search set for
// nets of one size; and what Align and ShrinkPerturb share.
package baseline
