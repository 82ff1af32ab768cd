package receipt

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dlfd-go/unlearn/metrics"
)

// Page returns the receipt in plain words, as Markdown: what was asked, what was done,
// what an attacker sees now, what it does not prove, and how to check it. Equal
// receipts give equal pages.
func (o *Opened) Page() []byte {
	p := new(page)
	p.line("# Receipt of the deletion request %s", o.Request.ID)
	p.line("")
	if o.Signed {
		p.line("The receipt behind this page is signed, and its signature was valid when the page was written.")
	} else {
		p.line("**The receipt behind this page is not signed, or its signature was not checked: anybody may have written it.**")
	}
	p.asked(o)
	p.done(o)
	p.seen(&o.Audit)
	p.earlier(o.Earlier)
	p.head("What this does not prove")
	p.list(o.Limits)
	p.check(o)
	return []byte(p.String())
}

type page struct{ strings.Builder }

func (p *page) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

func (p *page) head(text string) { p.line("\n## %s\n", text) }

func (p *page) list(lines []string) {
	for _, s := range lines {
		p.line("- %s", s)
	}
}

var scenarios = map[Scenario]string{
	Sample: "to forget single samples", Person: "to forget a person", Class: "to forget a class", Mislabeled: "to forget samples with wrong labels",
}

var outcomes = map[Outcome]string{
	Forgotten:    "The run ended with the samples forgotten, as far as it was measured.",
	NotForgotten: "**The run ended, and the samples are not forgotten.**",
	CannotTell:   "**The run ended, and whether the samples are forgotten cannot be told from what was measured.**",
	Refused:      "**The request was refused, and the model is as it was.**",
}

var verdicts = map[string]string{
	metrics.CannotTell.String():     "what was measured does not show whether the samples are forgotten",
	metrics.WithinBand.String():     "nothing that was measured tells the model from one that was never trained on the samples",
	metrics.UnderUnlearned.String(): "the samples still stand out as trained on",
	metrics.Hidden.String():         "the outputs of the model do not show the samples, and their influence is still in it",
	metrics.OverUnlearned.String():  "the model treats the samples worse than unseen ones, which gives them away too",
	NoVerdict:                       "there was nothing to judge by",
}

func (p *page) asked(o *Opened) {
	p.head("What was asked")
	p.line("Request %s of %s asked %s: %s of %d that the model had been trained on. %s", o.Request.ID, o.Request.Received,
		o.Request.scenario(), plural(o.Data.Forget.Count, "sample"), o.Data.Forget.Count+o.Data.Retain.Count, outcomes[o.Request.Outcome])
}

// scenario says what was asked.
func (q Request) scenario() string {
	if q.Persons > 1 {
		return fmt.Sprintf("to forget %d persons", q.Persons)
	}
	return scenarios[q.Scenario]
}

func (p *page) done(o *Opened) {
	p.head("What was done")
	m, t := o.Method, o.Tool
	p.line("The method %s changed the model in %s, with %d sample passes forward and %d backward; it ended because: %s.",
		m.Name, plural(o.Ledger.Steps, "step"), o.Ledger.Forward, o.Ledger.Backward, m.Stop)
	p.line("It was given %s to retain%s.", plural(o.Data.Retain.Count, "sample"), o.steered())
	p.line("It was computed by %s %s with %s on %s; seed %d.", t.Module, t.Version, t.Go, t.Kernel, m.Seed)
	if o.Overlap != (Overlap{}) {
		p.line("**Not everything was apart: %s stood both in what was kept and in what was to be forgotten, and %s in two of the sets.**",
			plural(o.Overlap.Persons, "person"), plural(o.Overlap.Samples, "sample"))
	}
	if o.Input.Previous != nil {
		p.line("Another request was carried out before; its receipt has SHA-256 %s.", *o.Input.Previous)
	}
}

func (o *Opened) steered() string {
	if o.Data.Holdout == nil {
		return ""
	}
	return fmt.Sprintf(" and %s that the model had never been trained on, to compare with", plural(o.Data.Holdout.Count, "sample"))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// seen says what an attacker sees now.
func (p *page) seen(a *Audit) {
	p.head("What an attacker sees now")
	if f, ok := a.value("loss attack AUC"); ok {
		p.line("%s", attackerSays(f))
	} else {
		p.line("No attack could be judged.")
	}
	p.line("Verdict: **%s**: %s.", a.Verdict, verdicts[a.Verdict])
	p.list(a.Because)
	if len(a.Figures) > 0 {
		p.line("\n| figure | before | after | 95 %% interval | if nothing were remembered | retrained models |\n|---|---|---|---|---|---|")
	}
	for _, f := range a.Figures {
		p.line("| %s | %s | %s | %s | %s | %s |", f.Metric, number(f.Before), number(&f.Value), span(f.Interval), number(f.Floor), span(f.Band))
	}
	if len(a.Notes) > 0 {
		p.line("\nTo be known with these figures:\n")
		p.list(a.Notes)
	}
	if len(a.NotJudged) > 0 {
		p.line("\nNot judged:\n")
		p.list(a.NotJudged)
	}
	if a.Retrained == 0 {
		p.line("\nNo model was retrained without the samples to compare with, so what a retrained model would show is not known.")
	}
}

// earlier says how the model treats what earlier requests had to forget.
func (p *page) earlier(e *Earlier) {
	if e == nil || e.Drift == nil {
		return
	}
	p.head("Earlier requests")
	p.line("The model went through %s before. What %s had to forget was judged again.", plural(e.Requests, "request"), plural(len(e.Drift.Past), "request"))
	if len(e.Drift.Past) > 0 {
		p.line("\n| request | samples | loss attack AUC | 95 %% interval |\n|---|---|---|---|")
	}
	for _, q := range e.Drift.Past {
		p.line("| %s | %d | %s | %s |", q.ID, q.Samples, number(&q.Attack.AUC), span(&[2]float64{q.Attack.AUCInterval.Lo, q.Attack.AUCInterval.Hi}))
	}
	for _, text := range e.Drift.NotJudged {
		p.line("\nNot judged: %s.", text)
	}
	for _, text := range e.Drift.Advice {
		p.line("\n**It is time to retrain the model: %s.**", text)
	}
}

func attackerSays(f Figure) string {
	text := fmt.Sprintf("An attacker who sees the model's loss is shown one forgotten and one unseen sample of the same class, and guesses which is which: right in %s of 100 cases now", percent(f.Value))
	if f.Before != nil {
		text += fmt.Sprintf(", and %s before", percent(*f.Before))
	}
	text += "; 50 is what guessing gives"
	if f.Band != nil {
		text += fmt.Sprintf(", and %s to %s what models gave that were retrained without the samples", percent(f.Band[0]), percent(f.Band[1]))
	}
	switch {
	case f.Interval == nil:
	case (metrics.Interval{Lo: f.Interval[0], Hi: f.Interval[1]}).Contains(.5):
		text += ". The difference to guessing is within the uncertainty of the measurement"
	default:
		text += ". The difference to guessing is larger than the uncertainty of the measurement"
	}
	return text + "."
}

func percent(v float64) string { return strconv.FormatFloat(100*v, 'f', 0, 64) }

func number(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'f', 3, 64)
}

func span(v *[2]float64) string {
	if v == nil {
		return ""
	}
	return number(&v[0]) + " to " + number(&v[1])
}

// check says how a reader can check the receipt.
func (p *page) check(o *Opened) {
	p.head("How to check it")
	p.line("- The file of the receipt has SHA-256 %s.", o.Hash)
	p.line("- The new model has SHA-256 %s, the one before %s.", o.Model.File, o.Input.Model)
	for i, h := range o.Model.External {
		p.line("- File %d of %d with weights of the new model has SHA-256 %s.", i+1, len(o.Model.External), h)
	}
	p.line("- Who was given the secret of the request, or a proof for a photo, can show that the photo was part of it.")
	if o.Method.Timed {
		p.line("- Who has the models and the data can compute the figures again. The run had a limit of time, so that it may not repeat.")
	} else {
		p.line("- Who has the models and the data can compute the figures and the new model again, to the bit on %s.", o.Tool.Kernel)
	}
}
