package drawnfaces

import (
	"fmt"
	"maps"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/dataset"
)

// answers is what can be asked about an image.
type answers struct {
	expression expression
	glasses    bool
	roll       float64 // of the head, in radians
}

// question is a label that an image can have.
type question struct {
	classes []string
	label   func(answers) int
}

// tilted is the roll, in radians, from which on a head counts as tilted: a third of the
// images to either side are.
const tilted = .04

// questions are the labels by name. Those of two classes are what MUCAC asks of a face.
var questions = map[string]question{
	"expression": {expressions, func(a answers) int { return int(a.expression) }},
	"smile":      {[]string{"no", "yes"}, func(a answers) int { return one(a.expression == smile) }},
	"glasses":    {[]string{"no", "yes"}, func(a answers) int { return one(a.glasses) }},
	"left":       {[]string{"no", "yes"}, func(a answers) int { return one(a.roll < 0) }},
	"tilt":       {[]string{"left", "none", "right"}, func(a answers) int { return one(a.roll >= -tilted) + one(a.roll > tilted) }},
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

// DrawLabels draws the images of Draw with several labels each, two or more of
// "expression" (four classes), "tilt" (left, none, right), "smile", "glasses" and "left"
// (no and yes), in the given order.
func DrawLabels(c Crowd, names ...string) (Splits, error) {
	var targets []feature.Target
	for _, name := range names {
		q, ok := questions[name]
		if !ok {
			return Splits{}, fmt.Errorf("drawn faces have no label %q, only %q", name, slices.Sorted(maps.Keys(questions)))
		}
		targets = append(targets, feature.Target{Name: name, Classes: len(q.classes), ClassNames: q.classes})
	}
	return c.splits(func(s *dataset.Samples, all []answers) error {
		s.Classes, s.Targets = nil, targets
		for i, a := range all {
			labels := make([]int, len(names))
			for k, name := range names {
				labels[k] = questions[name].label(a)
			}
			var err error
			if s.Labels[i], err = feature.CombineLabels(targets, labels); err != nil {
				return err
			}
		}
		return nil
	})
}
