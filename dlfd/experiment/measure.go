package experiment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
)

// distanceSamples is the most samples of either side that a distance is taken of.
const distanceSamples = 256

// addDistances adds a column for each distance.
func (p *Plan) addDistances(all []Distance) error {
	p.columns = Columns()
	for _, d := range all {
		if d.Distance == nil || d.Name == "" || slices.ContainsFunc(p.columns, func(c Column) bool { return c.Name == d.Name }) {
			return fmt.Errorf("%w: distance %q is nil, or its name is empty or that of another column", dlfd.ErrParameter, d.Name)
		}
		settings, err := json.Marshal(d.Distance)
		if err != nil {
			settings = nil // a function of the user's: the name must do
		}
		p.manifest.Distances = append(p.manifest.Distances, fmt.Sprintf("%s: %T %s", d.Name, d.Distance, settings))
		p.columns = append(p.columns, Column{
			Name: d.Name, About: "Distance between the features of forgotten and unseen samples of the same classes.",
			Value: func(f Finding) (float64, bool) { v, ok := f.Outcome.Distances[d.Name]; return v, ok },
		})
	}
	p.distance = all
	return nil
}

// measure takes all distances for a model.
func (p *Plan) measure(ctx context.Context, m feature.Model, data dlfd.AuditData, o *Outcome) error {
	if len(p.distance) == 0 || data.Member.Len() == 0 || data.NonMember.Len() == 0 {
		return nil
	}
	x, err := features(ctx, m, data.Member)
	if err != nil {
		return err
	}
	y, err := features(ctx, m, data.NonMember)
	if err != nil {
		return err
	}
	o.Distances = make(map[string]float64)
	for _, d := range p.distance {
		v, err := distance.ClassConditional{D: d.Distance}.Eval(nil, nil, nil, x, y)
		if err != nil && !errors.Is(err, distance.ErrNotConverged) {
			return fmt.Errorf("distance %s: %w", d.Name, err)
		}
		o.Distances[d.Name] = v
	}
	return nil
}

// features are those of some of the samples.
func features(ctx context.Context, m feature.Model, d feature.Dataset) (distance.Sample, error) {
	some, err := thin(d, distanceSamples)
	if err != nil {
		return distance.Sample{}, err
	}
	out, labels, err := feature.Predict(ctx, m, some, []string{m.Spec().Features}, 256)
	if err != nil {
		return distance.Sample{}, err
	}
	s := distance.FromFloat32(nil, out[0].Data, some.Len())
	s.Labels = labels
	return s, nil
}
