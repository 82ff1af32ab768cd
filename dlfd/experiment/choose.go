package experiment

import (
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/dlfd"
)

// Choice is the setting of a method that a search ends with.
type Choice struct {
	Group    string  `json:"group"`
	Method   string  `json:"method"`   // the name of the setting
	Gap      float64 `json:"gap"`      // mean over the tasks
	Deficit  float64 `json:"deficit"`  // by how much its test accuracy falls short of that of the retrained models, on the worst task
	Settings int     `json:"settings"` // of the method, in the experiment
	Eligible int     `json:"eligible"` // those whose Deficit is at most the margin
}

// Choose ends a search over settings: of each group of methods it takes the one with
// the smallest mean gap over all tasks, among those whose test accuracy falls short of
// the mean of the retrained models by at most margin on every task; of equals the
// first. If there is none, it takes the one with the smallest shortfall, and Eligible
// is 0. Settings that failed on a task are not chosen; a group without others is left
// out. A fair search has equally many settings for every group. A negative margin
// gives an error wrapping dlfd.ErrParameter.
func (r *Results) Choose(margin float64) ([]Choice, error) {
	if !(margin >= 0) {
		return nil, fmt.Errorf("experiment: choose: %w: margin %v", dlfd.ErrParameter, margin)
	}
	var choices []Choice
	at := make(map[string]int)
	counts := make(map[string][2]int)
	tables := r.Tables()
	for _, m := range r.plan.methods {
		c, ok := candidate(tables, m)
		n := counts[m.Group]
		n[0]++
		if ok && c.Deficit <= margin {
			n[1]++
		}
		counts[m.Group] = n
		if !ok {
			continue
		}
		i, there := at[m.Group]
		switch {
		case !there:
			at[m.Group] = len(choices)
			choices = append(choices, c)
		case c.better(choices[i], margin):
			choices[i] = c
		}
	}
	for i := range choices {
		n := counts[choices[i].Group]
		choices[i].Settings, choices[i].Eligible = n[0], n[1]
	}
	return choices, nil
}

// candidate averages a setting over the tasks; false if it has no gap on one.
func candidate(tables []Table, m Method) (Choice, bool) {
	c := Choice{Group: m.Group, Method: m.Name, Deficit: math.Inf(-1)}
	for _, t := range tables {
		test := t.column("test")
		for _, row := range t.Rows[2:] {
			if row.Name != m.Name {
				continue
			}
			if row.Gap.N == 0 {
				return c, false
			}
			c.Gap += row.Gap.Mean / float64(len(tables))
			c.Deficit = max(c.Deficit, t.Rows[0].Figures[test].Mean-row.Figures[test].Mean)
		}
	}
	return c, true
}

// better reports whether c is chosen rather than d.
func (c Choice) better(d Choice, margin float64) bool {
	switch mine, other := c.Deficit <= margin, d.Deficit <= margin; {
	case mine != other:
		return mine
	case mine:
		return c.Gap < d.Gap
	}
	return c.Deficit < d.Deficit
}
