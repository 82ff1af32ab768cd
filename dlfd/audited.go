package dlfd

import "github.com/dlfd-go/unlearn/metrics"

// Audited is the judgment of a model. Parts that are nil, and figures that
// NotJudged names, were not judged. Figures that are written as they stand in a
// table are plain fields; each instrument beyond has a part of its own.
type Audited struct {
	RetainAccuracy float64 `json:"retain_accuracy"`
	ForgetAccuracy float64 `json:"forget_accuracy"`
	TestAccuracy   float64 `json:"test_accuracy"`
	ForgetLoss     float64 `json:"forget_loss"` // mean cross-entropy
	TestLoss       float64 `json:"test_loss"`

	// LossAttack is the balanced, class-matched attack by a threshold on the loss,
	// its AUC the mean over all matchings; LogisticAttack is the one by a logistic
	// regression, averaged over five; see metrics.Attack.
	LossAttack     metrics.Strength `json:"loss_attack"`
	LogisticAttack metrics.Strength `json:"logistic_attack"`

	// Published is the attack of the published tables, PublishedMajority what
	// an attacker reaches there who always gives the same answer.
	Published         float64 `json:"published_attack"`
	PublishedMajority float64 `json:"published_majority"`
	// ForgettingScore and NoMUS are the published scores of Published and the
	// test accuracy; BalancedNoMUS puts in the balanced accuracy of LossAttack.
	ForgettingScore float64 `json:"forgetting_score"`
	NoMUS           float64 `json:"nomus"`
	BalancedNoMUS   float64 `json:"balanced_nomus"`

	// Counts has the sizes of the sets that were judged on.
	Counts Counts `json:"counts"`
	// LabelFloor is what an attacker on the unmatched members and non-members
	// reaches by their labels alone. The balanced attacks do not use labels; the
	// published one does.
	LabelFloor *metrics.Floor `json:"label_floor,omitempty"`
	// Utility has what else is known of the task.
	Utility *Utility `json:"utility,omitempty"`
	// Scatter compares the features of Forget with those of Test.
	Scatter *Scatter `json:"scatter,omitempty"`
	// TwoSample is a test whether the features of members and non-members have one
	// distribution.
	TwoSample *TwoSample `json:"two_sample,omitempty"`
	// Hardest judges the most memorized tenth of the members.
	Hardest *Hardest `json:"hardest_tenth,omitempty"`
	// Resurgence and Relearning say whether what was forgotten comes back.
	Resurgence *Resurgence `json:"resurgence,omitempty"`
	Relearning *Relearning `json:"relearning,omitempty"`
	// Gap compares the model with the retrained ones.
	Gap *RetrainedGap `json:"gap,omitempty"`

	// Judgment is the verdict with what it rests on; nil where there is no evidence.
	Judgment *metrics.Judgment `json:"judgment,omitempty"`
	// NotJudged has a sentence for everything that was left out, with the reason:
	// the data are too few, or what an instrument needs was not given. The fields
	// that it names are zero or nil.
	NotJudged []string `json:"not_judged,omitempty"`
	// Work counts the passes of the audit, those of references included.
	Work Ledger `json:"work"`

	// References has what the audit says of the models that it was compared with,
	// for use in Reference.Audited the next time.
	References References `json:"-"`
}

// Counts are numbers of samples.
type Counts struct {
	Retain    int `json:"retain"`
	Forget    int `json:"forget"`
	Test      int `json:"test"`
	Member    int `json:"member"`
	NonMember int `json:"non_member"`
}

// References has the audits of the references.
type References struct {
	Original  *Audited
	Retrained []*Audited
}

// Utility says how useful the model is beside its accuracy.
type Utility struct {
	TestTop2 float64 `json:"test_top2"` // share of Test with the label among the two largest logits
	// Retain, Forget and Test have the accuracy on each class, −1 where there is no
	// sample of it.
	Retain []float64 `json:"retain_by_class"`
	Forget []float64 `json:"forget_by_class,omitempty"`
	Test   []float64 `json:"test_by_class"`
	// JS is the mean Jensen-Shannon divergence, in nats, between the outputs of the
	// model and of the original on Retain; nil without an original.
	JS *float64 `json:"js_retain,omitempty"`
}

// Scatter has the scatter ratios (metrics.Features.ScatterRatio) of the features of
// forget and test samples, class by class as many of either. A model that was
// trained on samples gathers them by class. Ratio is near 1 where it treats
// forgotten samples as unseen ones, and stays above where only its outputs were
// changed.
type Scatter struct {
	Forget  float64          `json:"forget"`
	Test    float64          `json:"test"`
	Ratio   metrics.Estimate `json:"ratio"`   // Forget over Test, with an interval at 95 %
	Samples int              `json:"samples"` // of either
}

// TwoSample is the outcome of a permutation test of the hypothesis that the features
// of members and of non-members of the same classes have one distribution.
type TwoSample struct {
	Distance string  `json:"distance"`
	Value    float64 `json:"value"`
	P        float64 `json:"p"`
	SE       float64 `json:"p_se"` // standard error of P
	Members  int     `json:"members"`
	// Blocks says that whole persons were exchanged, not single samples.
	Blocks bool `json:"blocks"`
}

// Hardest judges the members that were memorized most: the tenth with the largest
// margins under the original less those under the retrained models. Such samples
// are hard: a model that was not trained on them gets most of them wrong, and the
// AUC of a retrained model lies far below ½. Compare with Retrained.
type Hardest struct {
	Members  int              `json:"members"`
	Accuracy float64          `json:"accuracy"`
	Attack   metrics.Strength `json:"loss_attack"` // see metrics.Attack
	// Retrained has the AUC on each retrained model, on the tenth that is chosen
	// by the others; nil with less than two. A tenth chosen by the very model that
	// it is judged on would seem less known to it than it is.
	Retrained []float64 `json:"retrained_auc,omitempty"`
}

// RetrainedGap compares a model with retrained ones.
type RetrainedGap struct {
	// Gaps has metrics.RetrainGap to each retrained model, and Mean the mean of
	// their means.
	Gaps []metrics.Gap `json:"gaps"`
	Mean float64       `json:"mean"`
	// Band is the mean gap between the retrained models: a perfect method has it,
	// not zero. Bands is Mean over Band. Both are nil with less than three retrained
	// models, and Bands where these agree in all.
	Band  *float64 `json:"band,omitempty"`
	Bands *float64 `json:"bands,omitempty"`
}

// Resurgence says how far the forget set comes back when the model is trained on
// the retain set alone, at the rate of the training and at a tenth of it. If it
// comes back further than in a retrained model, it was hidden and not erased.
//
// Reference: Siddiqui et al., "From Dormant to Deleted", arXiv 2505.22310.
type Resurgence struct {
	// WeightChange is ‖w − w₀‖/‖w₀‖ over weights and biases, w₀ being those of the
	// original model; nil without a trainable original of the same parameters. Small
	// changes are undone easily.
	WeightChange *float64          `json:"weight_change,omitempty"`
	Curves       []ResurgenceCurve `json:"curves"`
	// Rise is the mean of the leads after the start, over all curves and points, less
	// the lead at the start, with an interval at 95 %; see metrics.Regrowth.Resurgence.
	// It is near 0 for a retrained model.
	Rise metrics.Estimate `json:"rise"`
}

// ResurgenceCurve is a descent on the retain set at one learning rate.
type ResurgenceCurve struct {
	Rate   float64           `json:"rate"`
	Points []ResurgencePoint `json:"points"` // after 0, 1 and 4 epochs
}

// ResurgencePoint is a point of a ResurgenceCurve.
type ResurgencePoint struct {
	Epochs         int     `json:"epochs"`
	ForgetAccuracy float64 `json:"forget_accuracy"`
	TestAccuracy   float64 `json:"test_accuracy"`
	ForgetLoss     float64 `json:"forget_loss"`
	TestLoss       float64 `json:"test_loss"`
	// Lead is ForgetAccuracy less TestAccuracy.
	Lead float64 `json:"lead"`
	// Moved is ‖w − w₁‖/‖w₁‖, w₁ being the weights at the start of the curve.
	Moved float64 `json:"moved"`
}

// Relearning says how much of one half of the forget set comes back when the model
// is trained on the other half.
type Relearning struct {
	Rate    float64           `json:"rate"`
	Trained int               `json:"trained"` // samples of Forget trained on
	Judged  int               `json:"judged"`  // samples of Forget judged
	Points  []RelearningPoint `json:"points"`  // after 0, 10 and 40 steps
	// Area is the area between the curve of accuracies and that of the first
	// retrained model, as a mean difference, with an interval at 95 %; see
	// metrics.Regrowth.Relearning. Retrained has the same of each retrained model, 0
	// for the first. Both are nil without retrained models.
	Area      *metrics.Estimate `json:"area,omitempty"`
	Retrained []float64         `json:"retrained_areas,omitempty"`
}

// RelearningPoint is a point of the curve of a Relearning.
type RelearningPoint struct {
	Steps    int     `json:"steps"`
	Accuracy float64 `json:"accuracy"`
	Loss     float64 `json:"loss"`
	// Right has a 1 for every sample that is told right and a 0 for the others.
	Right string `json:"right"`
}

// Scores returns the four figures by which models are compared.
func (a *Audited) Scores() metrics.Scores {
	return metrics.Scores{Retain: a.RetainAccuracy, Forget: a.ForgetAccuracy, Test: a.TestAccuracy, AUC: a.LossAttack.AUC}
}
