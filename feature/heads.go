package feature

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// ErrHeads is wrapped by errors about models with several heads and datasets with
// several labels a sample: where they do not fit one another, and where something
// works on one label alone.
var ErrHeads = errors.New("several labels")

// HeadKind says how the logits of a head become probabilities.
type HeadKind int

// The kinds of heads.
const (
	// SoftmaxHead has one logit a class. It is the zero value.
	SoftmaxHead HeadKind = iota
	// SigmoidHead has one logit z and two classes, of which 1 has the probability
	// 1/(1 + exp(−z)): a softmax of (0, z).
	SigmoidHead
)

// String returns "softmax" or "sigmoid".
func (k HeadKind) String() string {
	switch k {
	case SoftmaxHead:
		return "softmax"
	case SigmoidHead:
		return "sigmoid"
	}
	return fmt.Sprintf("HeadKind(%d)", int(k))
}

// Head is the part of the logits that answers one question.
type Head struct {
	Name  string   `json:"name,omitempty"` // of the question; it may be empty
	Kind  HeadKind `json:"kind,omitempty"`
	Width int      `json:"width"` // logits: one a class, 1 for a sigmoid
}

// Classes returns the number of classes: Width, or 2 for a sigmoid.
func (h Head) Classes() int {
	if h.Kind == SigmoidHead {
		return 2
	}
	return h.Width
}

// Heads divide the logits of a sample, in order. Nil Heads stand for one softmax
// over all of them.
type Heads []Head

// Sigmoids returns n heads of one logit each: the multi-label classifier that is
// trained by binary cross-entropy. There is a name for each, or none at all.
func Sigmoids(n int, names ...string) Heads {
	h := make(Heads, n)
	for i := range h {
		h[i] = Head{Kind: SigmoidHead, Width: 1}
		if i < len(names) {
			h[i].Name = names[i]
		}
	}
	return h
}

// Check returns an error wrapping ErrHeads unless the heads make up the given
// number of logits: widths of 1 or more, and 1 for a sigmoid, 2 classes or more,
// names that differ where they are given, and as many combinations of classes as an
// int holds (62 sigmoids, on machines of 64 bits).
func (h Heads) Check(outputs int) error {
	if len(h) == 0 {
		return nil
	}
	width, names := 0, make(map[string]int, len(h))
	for i, head := range h {
		sigmoid := head.Kind == SigmoidHead
		if !sigmoid && head.Kind != SoftmaxHead || sigmoid && head.Width != 1 || !sigmoid && head.Width < 2 {
			return fmt.Errorf("feature: %w: head %d (%q) is a %v of %d logits; a softmax has 2 or more, a sigmoid 1", ErrHeads, i, head.Name, head.Kind, head.Width)
		}
		if k, twice := names[head.Name]; twice && head.Name != "" {
			return fmt.Errorf("feature: %w: heads %d and %d are both called %q", ErrHeads, k, i, head.Name)
		}
		names[head.Name] = i
		width += head.Width
	}
	if width != outputs {
		return fmt.Errorf("feature: %w: %d heads divide %d logits, the model has %d", ErrHeads, len(h), width, outputs)
	}
	if _, err := Combinations(h.targets()); err != nil {
		return err
	}
	return nil
}

// targets returns what the heads answer.
func (h Heads) targets() []Target {
	t := make([]Target, len(h))
	for i, head := range h {
		t[i] = Target{Name: head.Name, Classes: head.Classes()}
	}
	return t
}

// Target is one of several questions that a dataset answers for each sample.
type Target struct {
	Name       string   `json:"name,omitempty"`        // it may be empty
	Classes    int      `json:"classes"`               // labels are in [0, Classes)
	ClassNames []string `json:"class_names,omitempty"` // one for each class, or nil
}

// MultiLabeled is implemented by datasets with several labels a sample, one for
// each target: whether a face smiles, whether it has glasses, how it is turned.
//
// The label that Read and Label give is then the combination of all of them, one
// number: [CombineLabels] makes it and [SplitLabel] takes it apart. Classes is the
// number of combinations. So the labels of a sample stay together wherever samples
// are chosen, joined or divided, and what takes a label for a class of the model is
// told so; see [CheckHeads]. [OneLabel] is the dataset with one label alone.
type MultiLabeled interface {
	Targets() []Target // two or more; callers must not modify it
}

// TargetsOf returns the targets of d, nil where it has one label a sample.
func TargetsOf(d Dataset) []Target {
	if m, ok := As[MultiLabeled](d); ok {
		return m.Targets()
	}
	return nil
}

// Combinations returns the number of combinations of the classes of targets, the
// product of all Classes. An error wraps ErrHeads: a target has no class, or there
// are more combinations than an int holds.
func Combinations(targets []Target) (int, error) {
	n := 1
	for i, t := range targets {
		if t.Classes < 1 {
			return 0, fmt.Errorf("feature: %w: target %d (%q) has %d classes", ErrHeads, i, t.Name, t.Classes)
		}
		if t.Classes > math.MaxInt/n {
			return 0, fmt.Errorf("feature: %w: %d targets have more combinations of classes than fit in %d", ErrHeads, len(targets), math.MaxInt)
		}
		n *= t.Classes
	}
	return n, nil
}

// CombineLabels returns the one number that stands for a label of each target: of
// labels a, b and c, (a·n + b)·m + c, where the second target has n classes and the
// third m. Equal combinations have equal numbers, and their order is that of the
// first label, then of the second, and so on. An error wraps ErrHeads for another
// number of labels, or ErrLabel.
func CombineLabels(targets []Target, labels []int) (int, error) {
	if len(labels) != len(targets) {
		return 0, fmt.Errorf("feature: %w: %d labels for %d targets", ErrHeads, len(labels), len(targets))
	}
	label := 0
	for i, t := range targets {
		if labels[i] < 0 || labels[i] >= t.Classes {
			return 0, fmt.Errorf("feature: %w: target %d (%q) has label %d of %d classes", ErrLabel, i, t.Name, labels[i], t.Classes)
		}
		label = label*t.Classes + labels[i]
	}
	return label, nil
}

// SplitLabel returns the label of each target: the vector that a combination stands
// for.
func SplitLabel(targets []Target, label int) []int {
	labels := make([]int, len(targets))
	for i := len(targets) - 1; i >= 0; i-- {
		n := targets[i].Classes
		labels[i] = label % n
		label /= n
	}
	return labels
}

// Vectors returns the labels of n samples for each target, n×targets, from the
// combinations that a Batch or [Predict] has. An error wraps ErrLabel.
func Vectors(targets []Target, labels []int) ([][]int, error) {
	n, err := Combinations(targets)
	if err != nil {
		return nil, err
	}
	out := make([][]int, len(labels))
	for i, label := range labels {
		if label < 0 || label >= n {
			return nil, fmt.Errorf("feature: %w: row %d has label %d of %d combinations", ErrLabel, i, label, n)
		}
		out[i] = SplitLabel(targets, label)
	}
	return out, nil
}

// CheckHeads returns an error wrapping ErrHeads unless the labels of d fit the heads
// of a model: as many targets as heads, in the same order where both have names, with
// the same numbers of classes. A dataset with one label a sample has one target, which
// may have fewer classes than the head. Where the model has one softmax, all that is
// asked is that d has one label a sample.
func CheckHeads(s Spec, d Dataset) error {
	targets := TargetsOf(d)
	if len(s.Heads) == 0 {
		if len(targets) > 0 {
			return fmt.Errorf("feature: %w: a sample has %d labels %s, the model one softmax over %d classes", ErrHeads, len(targets), targetNames(targets), s.Outputs())
		}
		return nil
	}
	if len(targets) == 0 {
		if len(s.Heads) == 1 && d.Classes() <= s.Classes() {
			return nil
		}
		targets = []Target{{Classes: d.Classes()}}
	}
	heads := s.Heads.targets()
	if len(targets) != len(heads) {
		return fmt.Errorf("feature: %w: a sample has %d labels %s, the model %d heads %s", ErrHeads, len(targets), targetNames(targets), len(heads), targetNames(heads))
	}
	for i, t := range targets {
		if t.Classes != heads[i].Classes {
			return fmt.Errorf("feature: %w: label %d (%q) has %d classes, head %d (%q) has %d", ErrHeads, i, t.Name, t.Classes, i, heads[i].Name, heads[i].Classes)
		}
		if at := slices.IndexFunc(heads, func(h Target) bool { return h.Name == t.Name }); at >= 0 && at != i && t.Name != "" {
			return fmt.Errorf("feature: %w: %q is label %d of a sample and head %d of the model", ErrHeads, t.Name, i, at)
		}
	}
	return nil
}

func targetNames(targets []Target) string {
	names := make([]string, len(targets))
	for i, t := range targets {
		names[i] = t.Name
	}
	return fmt.Sprintf("%q", names)
}

// CheckOneHead returns an error wrapping ErrHeads if a model has heads: for what
// takes the logits for those of one softmax over all classes. [OneHead] has one.
func CheckOneHead(s Spec) error {
	if len(s.Heads) == 0 {
		return nil
	}
	return fmt.Errorf("feature: %w: the model has %d heads %s, and this works on one softmax over all classes; see feature.OneHead and feature.OneLabel", ErrHeads, len(s.Heads), targetNames(s.Heads.targets()))
}
