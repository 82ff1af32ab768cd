package report

import "github.com/dlfd-go/unlearn/metrics"

// Report is what there is to say about one task: one set of samples that had to
// be forgotten, and the models that forgot it. A section that is nil or empty is
// left out of the page.
type Report struct {
	Title   string  `json:"title"`
	Verdict Verdict `json:"verdict"`
	Facts   []Fact  `json:"facts,omitempty"` // what was run, shown below the verdict

	Table      *Table   `json:"table,omitempty"`
	Fronts     []Front  `json:"fronts,omitempty"`
	Losses     []Losses `json:"losses,omitempty"`
	Attack     *Attack  `json:"attack,omitempty"`
	Resurgence []Plot   `json:"resurgence,omitempty"`
	Relearning []Plot   `json:"relearning,omitempty"`
	Classes    *Classes `json:"classes,omitempty"`
	Maps       *Maps    `json:"maps,omitempty"`
	Depth      []Depth  `json:"depth,omitempty"`
	Trace      []Plot   `json:"trace,omitempty"`
	Persons    *Persons `json:"persons,omitempty"`

	// NotJudged lists what was left out, and why.
	NotJudged []Omission `json:"not_judged,omitempty"`
}

// Role says what a model is there for. It chooses the color and the marker.
type Role string

// The roles. The zero value is a method that had to forget.
const (
	Method    Role = ""
	Retrained Role = "retrained" // trained without the forgotten samples: the reference
	Original  Role = "original"  // the model before anything was forgotten
	Floor     Role = "floor"     // a method that every other must beat, such as ShortRetrain
)

// Finding is a verdict in one word.
type Finding string

// The findings. The zero value gives no finding, only words.
const (
	Within         Finding = "within the band"
	UnderUnlearned Finding = "under-unlearned"
	Hidden         Finding = "hidden"
	OverUnlearned  Finding = "over-unlearned"
	CannotTell     Finding = "cannot tell"
	// Outside is of what audits find within the band, and whose gap is not.
	Outside Finding = "outside the band"
)

// Verdict is what a reader sees first.
type Verdict struct {
	Finding  Finding  `json:"finding,omitempty"`
	Headline string   `json:"headline"`          // one sentence
	Reasons  []string `json:"reasons,omitempty"` // a sentence each, the weightiest first
}

// Fact is a name with its value, such as "Seeds" and "5".
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Omission names something that was not judged, and says why.
type Omission struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// Value is a figure, in most cases a mean over seeds.
type Value struct {
	Mean float64 `json:"mean"`
	SE   float64 `json:"se"` // standard error of the mean; 0 where N is below 2
	N    int     `json:"n"`  // seeds that have the figure; 0: there is no figure, shown as –
	// Interval is a confidence interval, where there is one.
	Interval *metrics.Interval `json:"interval,omitempty"`
}

// Single returns the Value of one number without a spread.
func Single(v float64) Value { return Value{Mean: v, N: 1} }

// Table compares all methods. The trade-off figure is drawn from it too.
type Table struct {
	// Band is the gap between two retrained models. What lies inside is not ranked.
	Band    Value    `json:"band"`
	Columns []Column `json:"columns"` // of Row.Figures
	// Utility is the name of the column on the vertical axis of the trade-off figure;
	// if it is empty, "test" is used. Without such a column there is no figure.
	Utility string `json:"utility,omitempty"`
	// Rows may come in any order. The page shows Retrained and Original first, then
	// floors and methods inside the band by name, the others by their gaps, and those
	// without a gap at the end.
	Rows  []Row    `json:"rows"`
	Notes []string `json:"notes,omitempty"` // sentences below the table
}

// Column is a figure of a table.
type Column struct {
	Name  string `json:"name"`
	About string `json:"about,omitempty"` // a sentence that explains it
	// Floor is what the figure is without any knowledge, such as the AUC of an attacker
	// who knows the label alone. It has a row of its own if any column has one.
	Floor Value `json:"floor"`
}

// Row is a model of a table.
type Row struct {
	Name     string  `json:"name"`
	Role     Role    `json:"role,omitempty"`
	Gap      Value   `json:"gap"`                // distance from the retrained model
	Bands    Value   `json:"gap_in_bands"`       // Gap over the mean of the band
	Figures  []Value `json:"figures"`            // one for each of Table.Columns
	Passes   Value   `json:"passes"`             // samples run forward and backward
	Share    Value   `json:"retrain_passes"`     // Passes over those of a retraining
	Less     Value   `json:"difference"`         // gap less that of the best, seed by seed
	Standing string  `json:"standing,omitempty"` // such as "behind; 2× stopped early"; not shown up to the semicolon inside the band
	Tied     bool    `json:"tied,omitempty"`     // tied with the best
	Note     string  `json:"note,omitempty"`     // such as the reason why runs failed
}

// Front is what one method reaches for what it costs: a point for each setting.
type Front struct {
	Method string       `json:"method"`
	Points []FrontPoint `json:"points"`
}

// FrontPoint is one setting of a method.
type FrontPoint struct {
	Name      string `json:"name"`
	Passes    Value  `json:"passes"`
	Share     Value  `json:"retrain_passes"`
	Gap       Value  `json:"gap"`
	Bands     Value  `json:"gap_in_bands"`
	Retain    Value  `json:"retain"`    // accuracy
	Test      Value  `json:"test"`      // accuracy
	Dominated bool   `json:"dominated"` // another point is better and costs no more
}

// Losses holds the loss of every sample under one model. A set may be empty. The
// histograms of the first model whose role is Retrained are drawn behind those of
// all others.
type Losses struct {
	Model   string    `json:"model"`
	Role    Role      `json:"role,omitempty"`
	Forget  []float64 `json:"forget"`
	Holdout []float64 `json:"holdout"`
	Retain  []float64 `json:"retain"`
}

// Attack shows membership attacks as ROC curves.
type Attack struct {
	Curves []ROC `json:"curves"`
	// Floor is the AUC of an attacker who does not see the model, such as
	// metrics.LabelFloor gives; FloorName says which.
	Floor     Value  `json:"floor"`
	FloorName string `json:"floor_name,omitempty"`
}

// ROC is the curve of one attack: the share TPR of members that a threshold accepts
// against the share FPR of non-members. Both rise from 0 to 1. NewROC makes one
// from scores.
type ROC struct {
	Model string    `json:"model"`
	Role  Role      `json:"role,omitempty"`
	FPR   []float64 `json:"fpr"`
	TPR   []float64 `json:"tpr"`
	AUC   Value     `json:"auc"`
}

// Plot is a panel with lines, such as the accuracy on forget less that on test
// against epochs of training on the retain set.
type Plot struct {
	Title string  `json:"title"`
	X     string  `json:"x"` // what the axis shows, with its unit
	Y     string  `json:"y"`
	Zero  bool    `json:"zero,omitempty"` // the vertical axis holds zero
	Lines []Curve `json:"lines"`
}

// Curve is a line of a plot.
type Curve struct {
	Model string    `json:"model"`
	Role  Role      `json:"role,omitempty"`
	X     []float64 `json:"x"` // not falling
	Y     []float64 `json:"y"`
	SE    []float64 `json:"se,omitempty"`    // standard errors of Y over Seeds; none, or one for each
	Seeds int       `json:"seeds,omitempty"` // that Y is a mean over; 0: not told
}

// Classes holds accuracies class by class.
type Classes struct {
	Names  []string        `json:"names"`
	Forget []bool          `json:"forget,omitempty"` // classes with forgotten samples; nil: none is marked
	Models []ClassAccuracy `json:"models"`
}

// ClassAccuracy holds the accuracies of one model, one for each of Classes.Names.
type ClassAccuracy struct {
	Model    string  `json:"model"`
	Role     Role    `json:"role,omitempty"`
	Accuracy []Value `json:"accuracy"`
}

// Maps shows features in two dimensions. NewMaps makes it from features by
// principal components.
type Maps struct {
	Classes []string `json:"classes"` // names; Point.Class counts in them
	Maps    []Map    `json:"maps"`    // such as before, after and retrained
	Note    string   `json:"note,omitempty"`
}

// Map is one picture of Maps.
type Map struct {
	Title  string  `json:"title"`
	Points []Point `json:"points"`
}

// Point is a sample of a map.
type Point struct {
	X      float64 `json:"x"`
	Y      float64 `json:"y"`
	Class  int     `json:"class"`
	Forget bool    `json:"forget,omitempty"`
}

// Depth is a panel that shows a figure layer by layer, such as CKA with the
// retrained model or the AUC of a probe.
type Depth struct {
	Title  string      `json:"title"`
	Y      string      `json:"y"`
	Layers []string    `json:"layers"` // from the input to the output
	Lines  []DepthLine `json:"lines"`
}

// DepthLine is one model of a Depth.
type DepthLine struct {
	Model  string  `json:"model"`
	Role   Role    `json:"role,omitempty"`
	Values []Value `json:"values"` // one for each of Depth.Layers
}

// Persons lists who was forgotten least.
type Persons struct {
	Measure string   `json:"measure"` // what Score is, such as "completeness; 1 is forgotten"
	Samples []Person `json:"samples"` // least forgotten first
}

// Person is a person or a sample of the forget set.
type Person struct {
	Name  string `json:"name"`
	Class string `json:"class,omitempty"`
	Count int    `json:"count,omitempty"` // samples
	Score Value  `json:"score"`
}
