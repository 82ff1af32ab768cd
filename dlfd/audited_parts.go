package dlfd

import "github.com/dlfd-go/unlearn/metrics"

// Utility says how useful the model is beside its accuracy.
type Utility struct {
	TestECE  float64 `json:"test_ece"`  // expected calibration error on Test, 15 bins; see metrics.Outputs.CalibrationError
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

// TwoSample is the outcome of a permutation test (distance.TwoSample) by the energy
// distance of the hypothesis that the features of members and of non-members of the
// same classes have one distribution. Whole persons are exchanged where they are
// known, so that it does not take persons for membership.
type TwoSample struct {
	Value      float64 `json:"value"` // the energy distance
	P          float64 `json:"p"`
	SE         float64 `json:"p_se"` // standard error of P
	Members    int     `json:"members"`
	NonMembers int     `json:"non_members"`
	Blocks     int     `json:"blocks"` // persons, or single samples
	// Detects is the share of the members that would have to look like retained
	// samples for P to be at most .05 in four of five draws: what P does not show.
	// It rests on the energy distance of a mixture going with the square of the share.
	// Nil where retained samples look like unseen ones.
	Detects *float64 `json:"detects,omitempty"`
}

// NewHead has the accuracies of a last layer that is fitted anew (metrics.FitHead) on
// the features of some retained samples: 2 % of them, but at least 256 and at most
// 1,024. Where the lead is above that of retrained models, only the old last layer
// forgot.
type NewHead struct {
	Member    float64 `json:"member"`
	NonMember float64 `json:"non_member"` // each class with the weight that it has among members
	Lead      float64 `json:"lead"`       // Member less NonMember
	FittedOn  int     `json:"fitted_on"`  // retained samples
}

// Prototypes has the accuracies on members of classes of which nothing is retained,
// before and after up to ten other members of each class are put into the last layer
// as prototypes (metrics.Head.Relearn).
type Prototypes struct {
	Classes  []int   `json:"classes"`
	Shots    int     `json:"shots"`  // members put in, of all classes
	Judged   int     `json:"judged"` // members judged
	Before   float64 `json:"before"`
	After    float64 `json:"after"`
	Regained float64 `json:"regained"` // After less Before
}

// GoneClasses says how much of classes that go as a whole the model still knows by
// samples that it was never trained on. A model that was trained without the classes
// hardly ever gives one of them.
type GoneClasses struct {
	Classes []int `json:"classes"`
	// Unseen is the accuracy on the samples of Test of these classes, with an interval
	// at 95 %. Nil where Test has none.
	Unseen        *metrics.Estimate `json:"unseen,omitempty"`
	UnseenSamples int               `json:"unseen_samples"`
	// Others is the accuracy on the samples of Test of the other classes: the test
	// accuracy without the classes. Audited.TestAccuracy is that with them.
	Others        float64 `json:"others"`
	OthersSamples int     `json:"others_samples"`
}

// WrongLabels says how much of wrong labels the model still gives, and what is known of
// those that were not found.
type WrongLabels struct {
	Wrong float64 `json:"wrong"` // share of Forget that is given the wrong label: the forget accuracy
	// Right is the share of Forget that is given its right label; nil where right labels
	// are not known for each sample of Forget.
	Right *float64 `json:"right,omitempty"`
	// Doubted is the share of retained samples, and DoubtedUnseen that of Test, whose
	// label is contradicted by a last layer that is fitted to the features of other
	// retained samples. Left is the difference, with an interval at 95 %: an estimate of
	// the share of retained samples whose label is wrong too. It is low where the
	// features were shaped by the wrong labels. Nil where no such layer could be fitted.
	Doubted       *float64          `json:"doubted,omitempty"`
	DoubtedUnseen *float64          `json:"doubted_unseen,omitempty"`
	Left          *metrics.Estimate `json:"left,omitempty"`
}

// Margins has the outcome of metrics.KLoM of the model and its siblings.
type Margins struct {
	P95  float64 `json:"p95"` // of the members
	Mean float64 `json:"mean"`
	// Floor is the same figure between two halves of the retrained models, nil with
	// less than six.
	Floor     *float64 `json:"floor_p95,omitempty"`
	Unlearned int      `json:"unlearned"` // models
	Retrained int      `json:"retrained"`
}

// Hardest judges the members that were memorized most: the tenth whose loss grows
// most from the original to the retrained models (metrics.MostMemorized). Such samples
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

// ReferenceAttacks has what attackers reach who have the retrained models, on
// members and non-members of equal numbers of every class, as means over five
// matchings, the ends of intervals too.
type ReferenceAttacks struct {
	// LiRA is that of metrics.Referenced.LiRA, by all retrained models but one in turn, if
	// there are two or more: as many as judge each retrained model in Retrained.
	LiRA metrics.Strength `json:"lira"`
	RMIA metrics.Strength `json:"rmia"` // see metrics.Referenced.RMIA
	IAM  metrics.Strength `json:"iam"`  // see metrics.Referenced.IAM
	// Original has the AUC of LiRA on the original, likewise, and Retrained on each
	// retrained model, by the others; nil with less than two.
	Original  float64   `json:"original_lira_auc"`
	Retrained []float64 `json:"retrained_lira_auc,omitempty"`
}

// Completeness says how far a member is forgotten.
type Completeness struct {
	Index    int     `json:"index"`              // position in Member
	Identity string  `json:"identity,omitempty"` // who is shown, where that is known
	Value    float64 `json:"completeness"`       // from 0 to 1; see metrics.Referenced.IAM
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
	Rate    float64           `json:"rate"`    // that of Training
	Trained int               `json:"trained"` // samples of Forget trained on
	Judged  int               `json:"judged"`  // samples of Forget judged
	Points  []RelearningPoint `json:"points"`  // after 0, 10 and 40 steps; none where the training diverged
	// Slow is the same at a tenth of the rate. At the rate at which trainings start, a
	// trained model may collapse, retrained or not, and then nothing is learned.
	Slow *RelearningCurve `json:"slow,omitempty"`
	// Area is the area between the curve of accuracies and that of the first
	// retrained model, as a mean difference, with an interval at 95 %; see
	// metrics.Regrowth.Relearning. Above that of retrained models, the half was hidden;
	// below, the model was pushed away from it. Retrained has the same of each retrained
	// model, 0 for the first. Both are nil without retrained models.
	Area      *metrics.Estimate `json:"area,omitempty"`
	Retrained []float64         `json:"retrained_areas,omitempty"`
	// AreaRate is the rate of the curves that Area compares: Rate, or that of Slow where
	// a retrained model collapsed at Rate, which is to lose half of its accuracy.
	AreaRate float64 `json:"area_rate,omitempty"`
}

// RelearningCurve is a relearning at one learning rate.
type RelearningCurve struct {
	Rate   float64           `json:"rate"`
	Points []RelearningPoint `json:"points"`
}

// RelearningPoint is a point of the curve of a Relearning.
type RelearningPoint struct {
	Steps    int     `json:"steps"`
	Accuracy float64 `json:"accuracy"`
	Loss     float64 `json:"loss"`
	// Right has a 1 for every sample that is told right and a 0 for the others.
	Right string `json:"right"`
}
