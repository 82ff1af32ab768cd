package experiment

import (
	"context"
	"slices"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
)

// addFloors adds the methods that every other must beat, where they are missing,
// in front.
func addFloors(methods []Method) []Method {
	floors := []Method{
		{Name: "ShortRetrain", Unlearner: shortRetrain{Epochs: 3, Rate: .05}, Floor: true},
		{Name: "ShrinkPerturb", Unlearner: dlfd.Align{Match: dlfd.Off}, Floor: true},
	}
	floors = slices.DeleteFunc(floors, func(f Method) bool {
		return slices.ContainsFunc(methods, func(m Method) bool { return m.Name == f.Name })
	})
	return append(floors, methods...)
}

// shortRetrain trains fresh weights on the retain set for a few epochs.
type shortRetrain struct {
	Epochs int
	Rate   float64
}

func (r shortRetrain) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, "ShortRetrain", m, data, opt, dlfd.Needs{Retain: true}, func(ctx context.Context, s *dlfd.Session) error {
		s.Result.Settings = r
		if err := feature.Reinitialize(s.Model, nil, s.Seed("fresh weights")); err != nil {
			return err
		}
		o := train.SGD{Rate: r.Rate, Momentum: .9, WeightDecay: 5e-4}
		return s.Descend(ctx, dlfd.Descent{Epochs: r.Epochs, Optimizer: o, Schedule: train.Cosine})
	})
}
