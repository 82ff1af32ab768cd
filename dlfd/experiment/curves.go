package experiment

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/metrics/report"
)

// value is a figure of a model that is shown, over seeds.
func (w *reporting) value(s shown, read func(a *dlfd.Audited) (float64, bool)) Value {
	return summary(w.average(w.task, s.kind, s.method, func(f Finding) (float64, bool) { return read(f.Audit) }))
}

// curve averages a curve over seeds: points returns those of one audit, in the same
// number and at the same places wherever there are any.
func (w *reporting) curve(s shown, points func(a *dlfd.Audited) (x, y []float64)) report.Curve {
	c := report.Curve{Model: s.name, Role: s.role}
	for i := 0; ; i++ {
		at := func(pick func(x, y []float64) float64) Value {
			return w.value(s, func(a *dlfd.Audited) (float64, bool) {
				x, y := points(a)
				if i >= len(x) {
					return 0, false
				}
				return pick(x, y), true
			})
		}
		y := at(func(_, y []float64) float64 { return y[i] })
		if y.N == 0 {
			if c.Seeds < 2 {
				c.SE = nil
			}
			return c
		}
		c.X = append(c.X, at(func(x, _ []float64) float64 { return x[i] }).Mean)
		c.Y, c.SE, c.Seeds = append(c.Y, y.Mean), append(c.SE, y.SE), y.N
	}
}

// plots leaves out curves without points, and plots without curves.
func plots(all ...report.Plot) (kept []report.Plot) {
	for _, p := range all {
		p.Lines = slices.DeleteFunc(p.Lines, func(c report.Curve) bool { return len(c.X) < 2 })
		if len(p.Lines) > 0 {
			kept = append(kept, p)
		}
	}
	return kept
}

// resurgence has a panel for each rate.
func (w *reporting) resurgence() []report.Plot {
	panels := make([]report.Plot, 2)
	for k, title := range []string{"Trained on retain at the rate of the training", "Trained on retain at a tenth of that rate"} {
		panels[k] = report.Plot{Title: title, X: "epochs", Y: "accuracy on forget less that on test", Zero: true}
		for _, s := range w.shown {
			panels[k].Lines = append(panels[k].Lines, w.curve(s, func(a *dlfd.Audited) (x, y []float64) {
				if a.Resurgence == nil || k >= len(a.Resurgence.Curves) {
					return nil, nil
				}
				for _, p := range a.Resurgence.Curves[k].Points {
					x, y = append(x, float64(p.Epochs)), append(y, p.Lead)
				}
				return x, y
			}))
		}
	}
	return plots(panels...)
}

// relearning has a panel for the rate of training and one for a tenth of it.
func (w *reporting) relearning() []report.Plot {
	var panels []report.Plot
	for _, slow := range []bool{false, true} {
		panel := report.Plot{Title: "Trained on one half of forget", X: "steps", Y: "accuracy on the other half"}
		if slow {
			panel.Title += ", a tenth of the rate"
		}
		for _, s := range w.shown {
			panel.Lines = append(panel.Lines, w.curve(s, func(a *dlfd.Audited) (x, y []float64) {
				if a.Relearning == nil || slow && a.Relearning.Slow == nil {
					return nil, nil
				}
				points := a.Relearning.Points
				if slow {
					points = a.Relearning.Slow.Points
				}
				for _, p := range points {
					x, y = append(x, float64(p.Steps)), append(y, p.Accuracy)
				}
				return x, y
			}))
		}
		panels = append(panels, panel)
	}
	return plots(panels...)
}

// trace shows the losses of the first run of each method.
func (w *reporting) trace() []report.Plot {
	panel := report.Plot{Title: "Loss that was stepped on, first run", X: "share of the run", Y: "loss"}
	for _, s := range w.shown {
		i, ok := w.plan.place[Job{Kind: s.kind, task: w.task, method: max(s.method, 0)}]
		if !ok || s.kind != JudgeMethod {
			continue
		}
		c := report.Curve{Model: s.name, Role: s.role, Y: w.Outcomes[i].Losses}
		for k := range c.Y {
			c.X = append(c.X, (float64(k)+.5)/float64(len(c.Y)))
		}
		panel.Lines = append(panel.Lines, c)
	}
	return plots(panel)
}

// classes has the accuracies on what is forgotten, class by class.
func (w *reporting) classes() *report.Classes {
	q := w.plan.problems[w.task]
	c := &report.Classes{Names: feature.ClassNamesOf(q.Train), Forget: make([]bool, q.Train.Classes())}
	for k := len(c.Names); k < len(c.Forget); k++ {
		c.Names = append(c.Names, fmt.Sprint(k))
	}
	for _, s := range w.shown {
		m := report.ClassAccuracy{Model: s.name, Role: s.role}
		known := 0
		for k := range c.Forget {
			v := w.value(s, func(a *dlfd.Audited) (float64, bool) {
				if a.Utility == nil || k >= len(a.Utility.Forget) || a.Utility.Forget[k] < 0 {
					return 0, false
				}
				return a.Utility.Forget[k], true
			})
			c.Forget[k] = c.Forget[k] || v.N > 0
			known += v.N
			m.Accuracy = append(m.Accuracy, report.Value(v))
		}
		if known > 0 {
			c.Models = append(c.Models, m)
		}
	}
	if len(c.Models) == 0 {
		return nil
	}
	return c
}

// first returns the audit of the first run of the first method that is shown and is no
// floor, or nil.
func (w *reporting) first() (*dlfd.Audited, string) {
	for _, s := range w.shown {
		i, ok := w.plan.place[Job{Kind: s.kind, task: w.task, method: max(s.method, 0)}]
		if ok && s.kind == JudgeMethod && s.role == report.Method && len(w.Outcomes[i].Audits) > 0 {
			return w.Outcomes[i].Audits[0], s.name
		}
	}
	return nil, ""
}

// persons lists who is forgotten least, samples of one person together.
func (w *reporting) persons() *report.Persons {
	a, name := w.first()
	if a == nil || len(a.Least) == 0 {
		return nil
	}
	p := &report.Persons{Measure: "completeness under " + name + " in the first run, of the samples forgotten least; 1 is forgotten"}
	of := make(map[string][]float64)
	var order []string
	for _, s := range a.Least {
		who := s.Identity
		if who == "" {
			who = fmt.Sprintf("sample %d", s.Index)
		}
		if of[who] == nil {
			order = append(order, who)
		}
		of[who] = append(of[who], s.Value)
	}
	for _, who := range order {
		p.Samples = append(p.Samples, report.Person{Name: who, Count: len(of[who]), Score: report.Value(summarize(of[who]))})
	}
	slices.SortStableFunc(p.Samples, func(a, b report.Person) int { return cmp.Compare(a.Score.Mean, b.Score.Mean) })
	return p
}

// addOmissions lists what the audit of the first method that is shown left out.
func (w *reporting) addOmissions() {
	a, _ := w.first()
	if a == nil {
		return
	}
	for _, text := range a.NotJudged {
		what, why := cutSentence(text)
		w.NotJudged = append(w.NotJudged, report.Omission{What: what, Why: why})
	}
}
