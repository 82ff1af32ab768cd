// Package metrics judges a classifier that had to forget: how useful it still
// is, how much an attacker can tell about the forgotten samples, and how far it
// is from a model retrained without them.
//
// The functions take and return numbers only. They keep no state, modify and
// retain none of their arguments, and give the same bits for the same arguments
// at any GOMAXPROCS; whatever draws at random takes a seed.
//
// # Conventions
//
// Outputs holds the logits of a classifier, Features any activation; both are
// row-major float32 with one row a sample. Lists of scores are []float64.
// Logarithms are natural, so losses, entropies and divergences are in nats.
//
// In every attack the members are the samples whose membership is in question
// (the forget set) and the non-members are samples that no model was trained
// on. A score is larger the more its sample looks like a member. The attacker's
// AUC is P(member score > non-member score) + ½ P(equal): ½ says nothing, and an
// AUC below ½ leaks as much as one above it, since the attacker may turn it round.
//
// # What to ask
//
// Is it as useful: Outputs.TopK, Confusion, CalibrationError, JS. Is it treated as
// by a retrained model, by one observer: Attack; by all that can be afforded:
// Referenced (IAM, RMIA, LiRA), Exchange, KLoM, ResidualKnowledge, on the whole
// forget set and on what MostMemorized picks from it. Was it erased or only hidden:
// Regrowth, Features.RelativeScatter, Probed.Difference, FitHead, Head.Relearn.
// Without a retrained model: SMI, SDE. Over a chain of requests: the AUC of each
// earlier one, with JS and CKA to the first model. Judge weighs what there is and
// says what the verdict rests on.
//
// An Interval covers the randomness of samples, none of training: take that from
// several seeds. On noise it holds its level, .95 as .92 to .98, also with one or
// two samples a class.
//
// # Errors
//
// Bad input gives an error that wraps one of the package's sentinels and never a
// silent NaN. Every function checks its arguments, which costs one pass.
package metrics

import "errors"

// Errors that the functions of this package wrap.
var (
	ErrEmpty        = errors.New("no samples")
	ErrTooFew       = errors.New("too few samples")
	ErrShape        = errors.New("shape mismatch")
	ErrNotFinite    = errors.New("value is not finite")
	ErrLabel        = errors.New("label out of range")
	ErrRange        = errors.New("value out of range")
	ErrOneClass     = errors.New("only one class")
	ErrDegenerate   = errors.New("no variation")
	ErrNotConverged = errors.New("not converged")
)
