package dataset

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dlfd-go/unlearn/feature"
)

// labelColumn finds the class of a row in one column.
type labelColumn struct {
	column  string
	field   func(Row) string
	classes []string
	number  classNumbers
}

// targetColumns finds the columns of several labels a sample; nil where o has one label.
func (t *table) targetColumns(o *CSVOptions) ([]labelColumn, error) {
	if len(o.Targets) == 0 {
		if len(o.TargetClasses) > 0 {
			return nil, fmt.Errorf("dataset: %s: %w: TargetClasses without Targets", t.file, feature.ErrParameter)
		}
		return nil, nil
	}
	if len(o.Targets) < 2 || o.Label != "" || o.LabelFunc != nil || o.Classes != nil {
		return nil, fmt.Errorf("dataset: %s: %w: Targets %q: want two or more, and neither Label, LabelFunc nor Classes", t.file, feature.ErrParameter, o.Targets)
	}
	var columns []labelColumn
	for i, name := range o.Targets {
		if slices.Contains(o.Targets[:i], name) || name == o.Identity {
			return nil, fmt.Errorf("dataset: %s: %w: column %q is named twice in the options", t.file, feature.ErrParameter, name)
		}
		field, err := t.field("Targets", name, nil)
		if err != nil {
			return nil, err
		}
		columns = append(columns, labelColumn{column: name, field: field})
	}
	for name := range o.TargetClasses {
		if !slices.Contains(o.Targets, name) {
			return nil, fmt.Errorf("dataset: %s: %w: TargetClasses of %q, which is not in Targets %q", t.file, feature.ErrParameter, name, o.Targets)
		}
	}
	return columns, nil
}

// nameTargets takes over the names of the classes of each target, or those in the
// table, and returns the targets.
func nameTargets(t *table, columns []labelColumn, classes map[string][]string) ([]feature.Target, error) {
	var targets []feature.Target
	for i := range columns {
		c := &columns[i]
		if c.classes = slices.Clone(classes[c.column]); c.classes == nil {
			var err error
			if c.classes, err = t.distinct(fmt.Sprintf("label %q", c.column), c.field); err != nil {
				return nil, err
			}
		}
		if err := checkClasses(c.classes); err != nil {
			return nil, err
		}
		if len(c.classes) < 2 {
			return nil, fmt.Errorf("dataset: %s: %w: column %q has the classes %q, want two or more; see TargetClasses", t.file, feature.ErrLabel, c.column, c.classes)
		}
		c.number = newClassNumbers(c.classes)
		targets = append(targets, feature.Target{Name: c.column, Classes: len(c.classes), ClassNames: c.classes})
	}
	if _, err := feature.Combinations(targets); err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", t.file, bare(err))
	}
	return targets, nil
}

// combination returns the combination of the labels of a row.
func (s *subjects) combination(r Row) (int, error) {
	labels := make([]int, len(s.columns))
	for i, c := range s.columns {
		name := plainInteger(c.field(r))
		label, known := c.number.find(name)
		switch {
		case name == "":
			return 0, fmt.Errorf("%w: label %q is missing", feature.ErrLabel, c.column)
		case !known:
			return 0, fmt.Errorf("%w: label %q: %q is not one of the classes %q", feature.ErrLabel, c.column, name, few(slices.Clone(c.classes)))
		}
		labels[i] = label
	}
	return feature.CombineLabels(s.targets, labels)
}

// describe gives d the classes or the targets.
func (s *subjects) describe(d *Set) {
	if s.targets == nil {
		d.name(s.classes)
		return
	}
	d.setTargets(s.targets)
}

// setTargets says that labels are combinations of those of the targets.
func (d *Set) setTargets(targets []feature.Target) {
	d.targets = slices.Clone(targets)
	d.count, _ = feature.Combinations(targets) // checked before
}

type targetList []feature.Target

// Targets implements feature.MultiLabeled.
func (t targetList) Targets() []feature.Target { return t }

// combinationName returns what to call a combination in a text.
func (d *Set) combinationName(label int) string {
	var parts []string
	for i, k := range feature.SplitLabel(d.targets, label) {
		t := d.targets[i]
		name := fmt.Sprint(k)
		if k < len(t.ClassNames) {
			name = t.ClassNames[k]
		}
		parts = append(parts, t.Name+"="+name)
	}
	return strings.Join(parts, ", ")
}

// checkTargets returns an error unless targets can be those of a set whose classes have
// the given names, which must be none.
func checkTargets(classes []string, targets []feature.Target) error {
	if classes != nil || len(targets) < 2 {
		return fmt.Errorf("dataset: %w: %d targets and names of %d classes, want two targets or more and no names", ErrFormat, len(targets), len(classes))
	}
	for i, t := range targets {
		if err := checkClasses(t.ClassNames); err != nil {
			return err
		}
		if n := len(t.ClassNames); n != 0 && n != t.Classes || t.Classes < 2 {
			return fmt.Errorf("dataset: %w: target %d (%q) has %d classes and %d names", ErrFormat, i, t.Name, t.Classes, n)
		}
	}
	if _, err := feature.Combinations(targets); err != nil {
		return featureError{err}
	}
	return nil
}

// targetNames lists the columns of targets for an error.
func targetNames(targets []feature.Target) string {
	var names []string
	for _, t := range targets {
		names = append(names, t.Name)
	}
	return strings.Join(names, ", ")
}
