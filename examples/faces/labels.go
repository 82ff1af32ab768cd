package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/metrics"
)

// judged is the judgment of a model on one of several labels.
type judged struct {
	Name  string        `json:"name"`
	Audit *dlfd.Audited `json:"audit"`
	Gap   metrics.Gap   `json:"retrain_gap"`
}

// heads returns the heads that the labels need, a sigmoid for a label of two classes;
// nil for one label a sample.
func (k *pack) heads() feature.Heads {
	var heads feature.Heads
	for _, t := range feature.TargetsOf(k.retain) {
		h := feature.Head{Name: t.Name, Width: t.Classes}
		if t.Classes == 2 {
			h = feature.Head{Name: t.Name, Kind: feature.SigmoidHead, Width: 1}
		}
		heads = append(heads, h)
	}
	return heads
}

// classes returns the outputs of the network, 0 where the heads say it.
func (k *pack) classes() int {
	if k.heads() != nil {
		return 0
	}
	return k.retain.Classes()
}

// describe lists the classes, or the labels with the classes of each.
func (k *pack) describe() string {
	targets := feature.TargetsOf(k.retain)
	if targets == nil {
		return "classes: " + strings.Join(k.retain.ClassNames(), ", ")
	}
	var parts []string
	for _, t := range targets {
		parts = append(parts, fmt.Sprintf("%s (%s)", t.Name, strings.Join(t.ClassNames, ", ")))
	}
	return "labels: " + strings.Join(parts, "; ")
}

// audit judges a model, on each label where there are several.
func (t *trial) audit(ctx context.Context, o *outcome) (err error) {
	opt := &dlfd.AuditOptions{Seed: t.seed}
	if t.heads() == nil {
		o.Audit, err = dlfd.Audit(ctx, o.model, t.judge, opt)
		return err
	}
	a, err := dlfd.AuditHeads(ctx, o.model, t.judge, opt)
	if err != nil {
		return err
	}
	for _, h := range a.Heads {
		o.Labels = append(o.Labels, judged{Name: h.Name, Audit: h.Audited})
	}
	o.Audit = meanAudit(a)
	return nil
}

// meanAudit puts the means over the labels where the table looks for the figures of one.
func meanAudit(a *dlfd.AuditedHeads) *dlfd.Audited {
	m := &dlfd.Audited{
		RetainAccuracy: a.Mean.RetainAccuracy, ForgetAccuracy: a.Mean.ForgetAccuracy, TestAccuracy: a.Mean.TestAccuracy,
		ForgettingScore: a.Mean.ForgettingScore, NoMUS: a.Mean.NoMUS, BalancedNoMUS: a.Mean.BalancedNoMUS,
	}
	m.LossAttack.AUC = a.Mean.AUC
	n := float64(len(a.Heads))
	for _, h := range a.Heads {
		m.LossAttack.AUCInterval.Lo += h.LossAttack.AUCInterval.Lo / n
		m.LossAttack.AUCInterval.Hi += h.LossAttack.AUCInterval.Hi / n
		m.PublishedMajority += h.PublishedMajority / n
	}
	return m
}

// label returns the run as it is judged on label k.
func (r seedRun) label(k int) seedRun {
	of := seedRun{Seed: r.Seed}
	for _, o := range r.Models {
		o.Audit, o.Gap, o.Labels = o.Labels[k].Audit, o.Labels[k].Gap, nil
		of.Models = append(of.Models, o)
	}
	return of
}

// labelNames returns the names of several labels, nil for one.
func (r seedRun) labelNames() []string {
	var names []string
	for _, l := range r.Models[0].Labels {
		names = append(names, l.Name)
	}
	return names
}

// compareLabels sets the gaps of every label, and their means.
func (r *seedRun) compareLabels() error {
	names := r.labelNames()
	for i := range r.Models {
		r.Models[i].Gap = metrics.Gap{}
	}
	for k, name := range names {
		of := r.label(k)
		if err := of.compareOne(); err != nil {
			return fmt.Errorf("label %s: %w", name, err)
		}
		for i := range r.Models {
			o, g, n := &r.Models[i], of.Models[i].Gap, float64(len(names))
			o.Labels[k].Gap = g
			o.Gap.Retain += g.Retain / n
			o.Gap.Forget += g.Forget / n
			o.Gap.Test += g.Test / n
			o.Gap.AUC += g.AUC / n
			o.Gap.Mean += g.Mean / n
			o.Gap.TugOfWar += g.TugOfWar / n
		}
	}
	return nil
}
