// Package baseline has the methods of machine unlearning that DLFD is compared
// with, each a dlfd.Unlearner, by their original definitions.
//
// Beside them are decorators, methods that run another: [Rewind] gives back a
// checkpoint on the way, [EarlyStop] ends a run when a score is met, [Budget] when a
// number of passes is spent, and [Sequential] forgets in several requests. [ByName]
// makes any of them from a text.
//
// [ExactHead] and [NewtonHead] are for models of which the last layer alone was trained
// on the forget samples: there forgetting is retraining, and takes a second.
//
// A method that drives the model away from its answers has a [Limit], which ends a
// run that harms the task, and says so: dlfd.TaskHarmed.
package baseline
