package dlfd

import (
	"context"
	"errors"
	"time"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/metrics"
	"github.com/dlfd-go/unlearn/synth"
)

// Errors that Unlearn wraps beside those of the model and the data. All but
// ErrOverlap are those of packages feature and train, under the names that they have
// here.
var (
	ErrEmpty      = feature.ErrEmpty
	ErrParameter  = feature.ErrParameter
	ErrDiverged   = feature.ErrDiverged
	ErrOverlap    = errors.New("sets overlap")
	ErrCheckpoint = train.ErrCheckpoint
)

// Off, as the value of a weight, turns a term off whose zero value means a
// default.
const Off = synth.Off

// Data is what an unlearning request is about. Shapes and numbers of classes
// agree.
type Data struct {
	// Retain is what the model was trained on and may keep.
	Retain feature.Dataset
	// Forget is what the model was trained on and must lose.
	Forget feature.Dataset
	// Holdout was never trained on. Methods may steer by it; reports must use
	// other samples. It may be nil where a method does not need it.
	Holdout feature.Dataset
	// Demand says what kind of request it is; nil is one of KindSample. Of a person of
	// Forget neither Retain nor Holdout may have a sample, where identities are known,
	// and of a class of Forget Retain none: that is ErrOverlap, as in
	// Options.AllowOverlap. Of KindMislabeled, Retain may have samples and persons of
	// Forget, the samples with other labels.
	Demand *Demand
}

// Unlearner is a method of machine unlearning.
//
// Unlearn changes the parameters of m so that m behaves as if Forget had not
// been in its training set. Laws: after any error, cancellation included, and
// after a panic of the model, of a dataset or of the observer, m holds the weights
// that it came with; equal arguments give equal bits at any GOMAXPROCS; a nil opt
// means the defaults; a wrapper of m or of a dataset changes no bit; where
// Options.Checkpoint is set, a run that was stopped goes on to the same bits and the
// same result, or the option is refused with an error wrapping ErrParameter. An Unlearner
// is read-only configuration and may be used for many requests.
type Unlearner interface {
	Unlearn(ctx context.Context, m feature.Trainable, data Data, opt *Options) (*Result, error)
}

// Namer is implemented by methods that have a name for tables and files.
type Namer interface {
	Name() string
}

// NameOf returns the name of u, or the empty string if it has none.
func NameOf(u Unlearner) string {
	if n, ok := u.(Namer); ok {
		return n.Name()
	}
	return ""
}

// Recommended returns the method to use where nothing speaks for another: [Align]
// with its defaults.
func Recommended() Unlearner { return Align{} }

// Needs says which data a method reads, what it can work on, and whether it can be
// interrupted.
type Needs struct {
	Retain, Forget, Holdout bool
	// Heads says that the method works on models with several heads, by the losses of
	// feature.Heads. Unless it is set, Run refuses such a model.
	Heads bool
	// Resumes says that the method goes on from a checkpoint to the same bits: all its
	// weight updates are those of Session.Descend and Session.Fit, and it gives
	// Session.Keep what must be kept, and sets Result.Settings before the first of
	// them. Options.Checkpoint is refused without it.
	Resumes bool
}

// Needer is implemented by methods that say which data they read.
type Needer interface {
	Needs() Needs
}

// NeedsOf returns what u reads: all of it, unless u is a Needer.
func NeedsOf(u Unlearner) Needs {
	if n, ok := u.(Needer); ok {
		return n.Needs()
	}
	return Needs{Retain: true, Forget: true, Holdout: true}
}

// Options are the settings that all methods share. A nil *Options means the
// defaults.
type Options struct {
	// Seed fixes every random choice. Zero is a seed like any other.
	Seed uint64
	// BatchSize is the number of samples a step, at most train.MaxBatch. If it is
	// zero, 32 is used. See train.Descent on batches of one sample.
	BatchSize int
	// Observer, where not nil, is told of progress from the goroutine that
	// called Unlearn.
	Observer func(Event)
	// Budget ends a run early. The zero value is no limit.
	Budget Budget
	// RetrainEpochs is the number of epochs that training anew takes, for
	// Result.Retraining. If it is zero, 30 is assumed, and the result says so.
	RetrainEpochs int
	// AllowOverlap lets a run go on although an identity or a sample stands both
	// in Retain and in Forget, or a sample of Holdout in either. By default that is
	// an error wrapping ErrOverlap: what is kept would teach the model what it
	// should lose, and what was trained on would steer as if it had not been.
	AllowOverlap bool
	// Watch, where not nil, is called after every weight update of Session.Descend,
	// but for those of a Descent.Between, and with done once more when the method is done and the model of the request
	// holds its weights. It may score s.Model, keep checkpoints, and end the run; see
	// Session.Scorer, Checkpoint and End. What it passes through s.Model is counted.
	// An error ends the run as one of the method does.
	Watch func(ctx context.Context, s *Session, done bool) error
	// Checkpoint says where the run writes its state, so that the same call goes on after
	// the process was killed; see train.Checkpoint. By default it does not. Every counts
	// the weight updates of the run. An Observer is told again of what precedes the
	// descents; a Watch gives Session.Keep what it keeps between its calls. A method that
	// cannot go on refuses the option with an error wrapping ErrParameter; see
	// Needs.Resumes.
	Checkpoint train.Checkpoint
	// Now tells the time, for Ledger.Wall and Budget.Time; use time.Now. If it
	// is nil, no time is measured.
	Now func() time.Time
}

// Budget limits the work of a run. A method stops at the first step that finds
// a limit reached, and returns what it has.
type Budget struct {
	// Passes is the number of sample-passes, forward and backward together,
	// after which no step is begun. What ends a run (Align: the statistics of batch
	// norm and a last score) comes on top. Zero is no limit.
	Passes int64
	// Time is the wall time after which no step is begun. Zero is no limit. It needs Options.Now.
	Time time.Duration
}

// Stop is the reason why a run ended.
type Stop string

// The reasons.
const (
	Completed   Stop = "completed"        // all steps were taken
	BudgetSpent Stop = "budget spent"     // a limit of Options.Budget was reached
	CapNotMet   Stop = "cap was not met"  // all steps were taken; no checkpoint met the cap
	NothingDone Stop = "nothing was done" // the model holds the weights that it came with
	ScoreMet    Stop = "score was met"    // what the run was to reach was reached before the last step
	// The loss on the retain set rose above a limit: the run was ended, and the model
	// holds the last weights that were found below it. A note has the numbers.
	TaskHarmed Stop = "task harmed"
	// All steps were taken, and forget samples can be told from held-out ones as
	// well as before: the last score's interval lies above ½ and is not below the
	// first one's, or that of the lead in accuracy lies above 0 and is not below the
	// first one's.
	NotForgotten Stop = "not forgotten"
	// Forget samples could not be told from held-out ones to begin with: the first
	// score's interval ends below .52, and that of the lead in accuracy below .03. The
	// model holds the weights that it came with.
	NothingToForget Stop = "nothing to forget"
)

// Ledger counts the work of a run.
type Ledger struct {
	Forward  int64         `json:"forward"`           // samples run forward
	Backward int64         `json:"backward"`          // samples run backward, for gradients of any kind
	Steps    int           `json:"steps"`             // weight updates
	Wall     time.Duration `json:"wall_ns,omitempty"` // zero without Options.Now
}

// Result tells what a run did.
type Result struct {
	Method string `json:"method"`
	// Kind is that of Data.Demand; empty without one.
	Kind Kind `json:"kind,omitempty"`
	// Settings is the method with the values that its zero fields stood for.
	Settings any  `json:"settings,omitempty"`
	Stop     Stop `json:"stop"`
	// Best is the step after which the weights that the model now holds were
	// reached: the last, or an earlier one that scored better.
	Best int `json:"best"`
	// Last has the weights after the last step, where they are not the ones
	// that the model holds.
	Last feature.Weights `json:"-"`
	// Trace has one point a weight update.
	Trace []Point `json:"trace,omitempty"`
	// Scores has the evaluations that steered the run. The first and the last say
	// how far forget and held-out samples differed before, and how far they differ
	// now.
	Scores []Score `json:"scores,omitempty"`
	Ledger Ledger  `json:"ledger"`
	// Retraining compares the ledger with that of training anew; nil without a
	// retain set. Where the run took more, a note says so.
	Retraining *Retraining `json:"retraining,omitempty"`
	// Kernels is feature.Kernels: the same arguments give the same bits with these.
	Kernels string `json:"kernels"`
	// Overlap lists the identities that stand both in Retain and in Forget.
	Overlap []string `json:"overlap,omitempty"`
	// Notes says what else a user should know, one sentence each: which layers
	// could not be given batch norm.
	Notes []string `json:"notes,omitempty"`
	// Shared lists the samples that stand in two of the sets.
	Shared []Shared `json:"shared,omitempty"`
}

// Shared is a sample whose values stand in two sets, to the bit.
type Shared struct {
	Sets  [2]string `json:"sets"`  // "retain", "forget" or "holdout"
	Index [2]int    `json:"index"` // the position in either
}

// Point is the state of a run at a weight update. Fields that a method does not
// use are zero.
type Point struct {
	Step           int     `json:"step"`
	Loss           float64 `json:"loss"`                      // the loss that was stepped on
	DistanceBefore float64 `json:"distance_before,omitempty"` // D before perturbing the batch
	DistanceAfter  float64 `json:"distance_after,omitempty"`  // and after
	LossBefore     float64 `json:"loss_before,omitempty"`     // cross-entropy before perturbing the batch
	LossAfter      float64 `json:"loss_after,omitempty"`      // and after
	ForgetTerm     float64 `json:"forget_term,omitempty"`     // what the method asks of the forget batch
	NotConverged   int     `json:"not_converged,omitempty"`   // evaluations of the distance that did not converge
}

// Score is an evaluation that steers a run, on part of Forget and Holdout.
type Score struct {
	Step       int     `json:"step"`       // weight updates before it
	Forgetting float64 `json:"forgetting"` // 0 is best; see Steering
	// AUC is how well the loss tells forget samples from Holdout samples of the same
	// class: ½ is not at all. Interval has it at a level of 95 %. Both are zero where
	// a method scores otherwise.
	AUC         float64          `json:"auc"`
	Interval    metrics.Interval `json:"auc_interval"`
	ForgetLoss  float64          `json:"forget_loss"`
	HoldoutLoss float64          `json:"holdout_loss"`
	Accuracy    float64          `json:"holdout_accuracy"`
	// ForgetAccuracy is on the forget samples that were scored, and Lead by how much it
	// exceeds Accuracy, at a level of 95 % (Newcombe, Statistics in Medicine 17, 1998,
	// method 10). Lead is zero where a method scores otherwise.
	ForgetAccuracy float64          `json:"forget_accuracy"`
	Lead           metrics.Estimate `json:"accuracy_lead"`
	// Heads has the scores of the heads where the model has several; the fields above
	// are then their means, the bounds of Interval included.
	Heads []Score `json:"heads,omitempty"`
}

// Event tells an Observer of progress.
type Event struct {
	Method string
	// Step of Steps weight updates have been taken; a run may end before.
	Step, Steps int
	Point       *Point // set after a weight update
	Score       *Score // set after an evaluation
	// Overlap and Shared are set once, before any work, where there are such; see
	// Result.
	Overlap []string
	Shared  []Shared
	Ledger  Ledger
}
