package experiment

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/metrics"
	"github.com/dlfd-go/unlearn/metrics/report"
)

// Limits of what figures show.
const (
	lossSamples = 1000 // of each set, in histograms and curves
	mapSamples  = 250  // of either set, in maps of features
	ckaSamples  = 200
	ckaLayers   = 8
)

// loaded is a model that is shown.
type loaded struct {
	shown
	model feature.Trainable
}

// addFigures adds what the weights of the first run are needed for.
func (w *reporting) addFigures(ctx context.Context) error {
	var models []loaded
	for _, s := range w.shown {
		m, err := w.load(s)
		if errors.Is(err, fs.ErrNotExist) {
			w.NotJudged = append(w.NotJudged, report.Omission{What: "losses, ROC, map and layers of " + s.name, Why: "its weights are in none of the folders"})
			continue
		}
		if err != nil {
			return err
		}
		models = append(models, loaded{s, m})
	}
	for _, add := range []func(context.Context, []loaded) error{w.addLosses, w.addMaps, w.addDepth} {
		if err := add(ctx, models); err != nil {
			return err
		}
	}
	return nil
}

// load returns the first model of a kind, or that of the first run of a method.
func (w *reporting) load(s shown) (feature.Trainable, error) {
	q := w.plan.problems[w.task]
	kind := s.kind
	switch {
	case kind == JudgeBand && len(q.Retrained) > 0:
		return clone(q.Retrained[0])
	case kind == JudgeBand:
		kind = TrainRetrained
	case kind == JudgeOriginal && q.Original != nil:
		return clone(q.Original)
	case kind == JudgeOriginal:
		kind = TrainOriginal
	}
	i := w.plan.place[Job{Kind: kind, task: w.task, method: max(s.method, 0)}]
	if w.Outcomes[i].Weights == "" {
		return nil, fs.ErrNotExist // the run is not done, or failed
	}
	m, err := q.fresh()
	if err != nil {
		return nil, err
	}
	return m, w.plan.loadWeights(w.dirs, w.plan.jobs[i], w.Outcomes[i].Weights, m)
}

// thin returns at most n samples at equal distances.
func thin(d feature.Dataset, n int) (feature.Dataset, error) {
	n = min(n, d.Len())
	index := make([]int, n)
	for k := range index {
		index[k] = k * d.Len() / n
	}
	return feature.Subset(d, index)
}

// minusLosses returns minus the losses of samples, which are the scores of the attack.
func minusLosses(ctx context.Context, m feature.Model, d feature.Dataset) (losses, scores []float64, err error) {
	out, labels, err := feature.Predict(ctx, m, d, []string{m.Spec().Logits}, 256)
	if err != nil {
		return nil, nil, err
	}
	losses = make([]float64, d.Len())
	if err := feature.CrossEntropies(losses, out[0], labels); err != nil {
		return nil, nil, err
	}
	for _, l := range losses {
		scores = append(scores, -l)
	}
	return losses, scores, nil
}

// addLosses adds histograms and ROC curves, on the samples that steered no method.
func (w *reporting) addLosses(ctx context.Context, models []loaded) error {
	q := w.plan.problems[w.task]
	if q.judge.Member.Len() == 0 || q.judge.NonMember.Len() == 0 {
		return nil
	}
	var sets [3]feature.Dataset
	for k, d := range []feature.Dataset{q.judge.Member, q.judge.NonMember, q.judge.Retain} {
		var err error
		if sets[k], err = thin(d, lossSamples); err != nil {
			return err
		}
	}
	attack := &report.Attack{}
	for _, m := range models {
		var losses, scores [3][]float64
		var err error
		for k, d := range sets {
			if losses[k], scores[k], err = minusLosses(ctx, m.model, d); err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
		}
		w.Losses = append(w.Losses, report.Losses{Model: m.name, Role: m.role, Forget: losses[0], Holdout: losses[1], Retain: losses[2]})
		roc, err := report.NewROC(m.name, m.role, scores[0], scores[1])
		if err != nil {
			return err
		}
		attack.Curves = append(attack.Curves, roc)
	}
	if a := w.Outcomes[w.plan.find(JudgeOriginal, w.task, 0)].Audits[0]; a.LabelFloor != nil {
		attack.Floor, attack.FloorName = report.Single(a.LabelFloor.AUC), "labels alone"
	}
	if len(attack.Curves) > 0 {
		w.Attack = attack
	}
	return nil
}

// addMaps shows the features of forgotten and unseen samples under the original, the
// best method and the retrained model.
func (w *reporting) addMaps(ctx context.Context, models []loaded) error {
	q := w.plan.problems[w.task]
	best := 0
	for best < len(models) && (models[best].kind != JudgeMethod || models[best].role == report.Floor) {
		best++
	}
	if len(models) < 3 || best == len(models) || models[0].kind != JudgeBand || models[1].kind != JudgeOriginal || q.judge.Member.Len() == 0 {
		return nil
	}
	samples, forget, err := w.mapData()
	if err != nil {
		return err
	}
	var titles []string
	var features []metrics.Features
	for _, m := range []loaded{models[1], models[best], models[0]} {
		out, labels, err := feature.Predict(ctx, m.model, samples, []string{m.model.Spec().Features}, 256)
		if err != nil {
			return err
		}
		titles = append(titles, m.name)
		features = append(features, metrics.Features{N: samples.Len(), Dim: out[0].RowLen(), Data: out[0].Data, Classes: samples.Classes(), Labels: labels})
	}
	names := feature.ClassNamesOf(q.Train)
	for k := len(names); k < q.Train.Classes(); k++ {
		names = append(names, fmt.Sprint(k))
	}
	w.Maps, err = report.NewMaps(titles, features, forget, names)
	if errors.Is(err, metrics.ErrDegenerate) { // a model that is constant has no map
		w.NotJudged = append(w.NotJudged, report.Omission{What: "map of features", Why: err.Error()})
		return nil
	}
	return err
}

// mapData has forgotten samples and then unseen ones.
func (w *reporting) mapData() (feature.Dataset, []bool, error) {
	q := w.plan.problems[w.task]
	member, err := thin(q.judge.Member, mapSamples)
	if err != nil {
		return nil, nil, err
	}
	unseen, err := thin(q.judge.NonMember, mapSamples)
	if err != nil {
		return nil, nil, err
	}
	forget := make([]bool, member.Len()+unseen.Len())
	for i := range member.Len() {
		forget[i] = true
	}
	all, err := feature.Concat(member, unseen)
	return all, forget, err
}

// addDepth compares the layers of all models with those of the retrained one, on
// forgotten samples.
func (w *reporting) addDepth(ctx context.Context, models []loaded) error {
	q := w.plan.problems[w.task]
	if len(models) < 2 || models[0].kind != JudgeBand || q.judge.Member.Len() < 3 {
		return nil
	}
	samples, err := thin(q.judge.Member, ckaSamples)
	if err != nil {
		return err
	}
	depth := report.Depth{Title: "CKA with a retrained model on forget", Y: "CKA", Layers: layersOf(models)}
	if len(depth.Layers) == 0 {
		return nil
	}
	reference, _, err := feature.Predict(ctx, models[0].model, samples, depth.Layers, 64)
	if err != nil {
		return err
	}
	for _, m := range models[1:] {
		out, _, err := feature.Predict(ctx, m.model, samples, depth.Layers, 64)
		if err != nil {
			return err
		}
		line := report.DepthLine{Model: m.name, Role: m.role}
		for k := range out {
			v, err := activation(out[k]).CKA(activation(reference[k]))
			switch {
			case err == nil:
				line.Values = append(line.Values, report.Single(v))
			case errors.Is(err, metrics.ErrDegenerate):
				line.Values = append(line.Values, report.Value{})
			default:
				return fmt.Errorf("%s, %s: %w", m.name, depth.Layers[k], err)
			}
		}
		depth.Lines = append(depth.Lines, line)
	}
	w.Depth = []report.Depth{depth}
	return nil
}

func activation(t feature.Tensor) metrics.Features {
	return metrics.Features{N: t.Rows(), Dim: t.RowLen(), Data: t.Data}
}

// layersOf returns up to ckaLayers taps at equal distances that all models have.
func layersOf(models []loaded) (layers []string) {
	var common []string
	for _, tap := range models[0].model.Spec().Taps {
		everywhere := true
		for _, m := range models {
			_, err := m.model.Spec().Tap(tap.Name)
			everywhere = everywhere && err == nil
		}
		if everywhere {
			common = append(common, tap.Name)
		}
	}
	n := min(ckaLayers, len(common))
	for k := range n {
		layers = append(layers, common[(k+1)*len(common)/n-1])
	}
	return layers
}

// cutSentence divides what an audit left out from the reason.
func cutSentence(text string) (what, why string) {
	what, why, found := strings.Cut(text, ": ")
	if !found {
		return text, "not judged"
	}
	return what, why
}
