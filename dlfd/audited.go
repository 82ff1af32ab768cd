package dlfd

import "github.com/dlfd-go/unlearn/metrics"

// Audited is the judgment of a model. Parts that are nil, and figures that
// NotJudged names, were not judged. Figures that are written as they stand in a
// table are plain fields; each instrument beyond has a part of its own.
type Audited struct {
	// Kind is that of AuditData.Demand; empty without one.
	Kind Kind `json:"kind,omitempty"`

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
	// SMI is the share of the members that the features show as forgotten, with an
	// interval at 95 %: 1 for a retrained model and 0 for the original; see
	// metrics.SMI.
	SMI *metrics.Estimate `json:"smi,omitempty"`
	// SDE is the dependence of the logits of random halves of the members; see
	// metrics.SDE.
	SDE *metrics.Dependence `json:"sde,omitempty"`
	// Head says how much of the members the features bring back under a new last
	// layer.
	Head *NewHead `json:"new_head,omitempty"`
	// Class says what is left of classes that go as a whole, in a request for them.
	Class *GoneClasses `json:"class,omitempty"`
	// Mislabeled says what is left of wrong labels, in a request for them.
	Mislabeled *WrongLabels `json:"mislabeled,omitempty"`
	// Prototypes says how much of classes that go as a whole a few images bring back.
	Prototypes *Prototypes `json:"prototypes,omitempty"`
	// TwoSample is a test whether the features of members and non-members have one
	// distribution.
	TwoSample *TwoSample `json:"two_sample,omitempty"`
	// Hardest judges the most memorized tenth of the members.
	Hardest *Hardest `json:"hardest_tenth,omitempty"`
	// Attacks has the attacks that use retrained models, and Least the members that
	// are forgotten least, up to 20; both need an original and a retrained model.
	Attacks *ReferenceAttacks `json:"reference_attacks,omitempty"`
	Least   []Completeness    `json:"least_forgotten,omitempty"`
	// Resurgence and Relearning say whether what was forgotten comes back.
	Resurgence *Resurgence `json:"resurgence,omitempty"`
	Relearning *Relearning `json:"relearning,omitempty"`
	// Residual is how much more often the model is right near members than the first
	// retrained one, with an interval at 95 %: 1 is as retrained; see
	// metrics.ResidualKnowledge.
	Residual *metrics.Estimate `json:"residual_knowledge,omitempty"`
	// KLoM compares margins on members with those of the retrained models; it needs
	// three of them and Siblings.
	KLoM *Margins `json:"klom,omitempty"`
	// Gap compares the model with the retrained ones.
	Gap *RetrainedGap `json:"gap,omitempty"`

	// Judgment is the verdict with what it rests on; nil where there is no evidence.
	// Its attack is LiRA where there are an original and two retrained models, unless
	// the loss attack alone is outside its band, and the loss attack otherwise.
	Judgment *metrics.Judgment `json:"judgment,omitempty"`
	// NotJudged has a sentence for everything that was left out, with the reason:
	// the data are too few, or what an instrument needs was not given. The fields
	// that it names are zero or nil.
	NotJudged []string `json:"not_judged,omitempty"`
	// Notes says what a reader must know of the figures, one sentence each: a retrained
	// model that did not learn its task, wrong labels that may still be retained.
	Notes []string `json:"notes,omitempty"`
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

// Scores returns the four figures by which models are compared.
func (a *Audited) Scores() metrics.Scores {
	return metrics.Scores{Retain: a.RetainAccuracy, Forget: a.ForgetAccuracy, Test: a.TestAccuracy, AUC: a.LossAttack.AUC}
}
