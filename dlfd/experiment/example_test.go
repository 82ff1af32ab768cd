package experiment_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/dlfd/experiment"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/train"
)

// halve is a method of one's own: it halves all weights.
type halve struct{}

func (halve) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, "halve", m, data, opt, dlfd.Needs{}, func(_ context.Context, s *dlfd.Session) error {
		for i, p := range s.Model.Spec().Params {
			halved := func(w []float32) {
				for k := range w {
					w[k] /= 2
				}
			}
			if err := feature.UpdateParam(s.Model, i, make([]float32, feature.Size(p.Shape)), halved); err != nil {
				return err
			}
		}
		return nil
	})
}

// A method and a distance of one's own take part like those of the library.
func Example() {
	e := experiment.Experiment{
		Tasks: []*experiment.Task{{
			Name:   "clouds",
			Train:  featuretest.NewBlobs(60, 4, 3, 1.5, 1, 2),
			Forget: func(i int) bool { return i < 15 },
			Unseen: featuretest.NewBlobs(40, 4, 3, 1.5, 1, 3),
			Recipe: experiment.Recipe{
				Fresh:  func(seed uint64) (feature.Trainable, error) { return featuretest.NewMLP(4, 8, 3, seed), nil },
				Epochs: 6, BatchSize: 10, Optimizer: train.SGD{Rate: .1, Momentum: .9},
			},
		}},
		Methods: []experiment.Method{{Unlearner: baseline.FineTune{}}},
		Seeds:   experiment.Seeds{First: 1, Training: 2},
		Swap:    -1,
	}
	e.Methods = append(e.Methods, experiment.Method{Name: "halve", Unlearner: halve{}})
	e.Distances = append(e.Distances, experiment.Distance{Name: "energy", Distance: distance.MMD{Kernel: distance.Energy{}}})

	plan, err := experiment.New(context.Background(), e)
	if err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "experiment")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := plan.Run(context.Background(), dir, nil); err != nil {
		log.Fatal(err)
	}
	results, err := plan.Merge(dir)
	if err != nil {
		log.Fatal(err)
	}
	table := results.Tables()[0]
	fmt.Printf("%d jobs, %d rows, columns %v\n", len(plan.Jobs()), len(table.Rows), table.Columns)
	for _, row := range table.Rows {
		if row.Name == "halve" {
			fmt.Printf("%s over %d seeds, from %d retrained models\n", row.Name, row.Gap.N, table.Retrained)
		}
	}
	// Output:
	// 21 jobs, 6 rows, columns [AUC test retain forget resurgence relearning scatter SMI IAM SWAP energy]
	// halve over 2 seeds, from 3 retrained models
}
