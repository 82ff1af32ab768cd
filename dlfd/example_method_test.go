package dlfd_test

import (
	"context"
	"fmt"
	"log"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/dlfdtest"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/train"
)

// Uncertain is a method of one's own: it trains on in the retain set, and beside
// that pulls the model's answers on forget samples towards "all classes alike".
type Uncertain struct{ Weight float64 }

func (Uncertain) Name() string { return "Uncertain" }

func (u Uncertain) Unlearn(ctx context.Context, m feature.Trainable, data dlfd.Data, opt *dlfd.Options) (*dlfd.Result, error) {
	return dlfd.Run(ctx, u.Name(), m, data, opt, dlfd.Needs{Retain: true, Forget: true}, func(ctx context.Context, s *dlfd.Session) error {
		s.Result.Settings = u
		forget, stop := s.Cycle(s.Data.Forget, "forget order")
		defer stop()
		logits := []string{m.Spec().Logits}
		return s.Descend(ctx, dlfd.Descent{Epochs: 2, Optimizer: train.SGD{Rate: .01, Momentum: .9}, Gradient: func(ctx context.Context, step *dlfd.Step) (err error) {
			step.Point.Loss, err = step.CrossEntropy(ctx, step.Mode, step.Batch.X, step.Batch.Labels, 1)
			if err != nil {
				return err
			}
			f, err := forget()
			if err != nil {
				return err
			}
			return step.Accumulate(ctx, step.ModeFor(f), f.X, logits, func(val, cot []feature.Tensor) (err error) {
				uniform := feature.NewTensor(val[0].Shape...) // equal logits
				step.Point.ForgetTerm, err = feature.KLDivergence(val[0], cot[0], uniform, 1, u.Weight)
				return err
			})
		}})
	})
}

// A method of one's own is one call of Run and one of Descend.
func ExampleSession_Descend() {
	model, err := nn.MLP(nn.MLPConfig{Input: []int{24}, Classes: 3, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	data := dlfd.Data{Retain: samples(1, 480), Forget: samples(2, 240)}
	res, err := Uncertain{Weight: .5}.Unlearn(context.Background(), model, data, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %s after %d steps, %d samples forward\n", res.Method, res.Stop, res.Ledger.Steps, res.Ledger.Forward)
	// Output:
	// Uncertain: completed after 30 steps, 1872 samples forward
}

// A request divides a training set once: what steers a method is not reported on.
func ExampleNewRequest() {
	request, err := dlfd.NewRequest(samples(1, 300), func(i int) bool { return i < 40 }, samples(2, 100))
	if err != nil {
		log.Fatal(err)
	}
	data, audit := request.Data, request.AuditData
	fmt.Println(data.Retain.Len(), "retained,", data.Forget.Len(), "forgotten,", data.Holdout.Len(), "held out to steer by")
	fmt.Println(audit.Member.Len(), "forgotten and", audit.NonMember.Len(), "unseen samples to report on")
	// Output:
	// 260 retained, 40 forgotten, 50 held out to steer by
	// 20 forgotten and 50 unseen samples to report on
}

// A request for a class: its unseen samples count as forgotten too.
func ExampleDemand_Request() {
	request, err := dlfd.Demand{Kind: dlfd.KindClass, Classes: []int{2}}.Request(samples(1, 300), samples(2, 120))
	if err != nil {
		log.Fatal(err)
	}
	data, audit := request.Data, request.AuditData
	fmt.Println(data.Retain.Len(), "retained,", data.Forget.Len(), "forgotten,", data.Holdout.Len(), "held out to steer by")
	fmt.Println(audit.NonMember.Len(), "unseen samples of the class, of", audit.Test.Len(), "to report on")
	// Output:
	// 184 retained, 116 forgotten, 60 held out to steer by
	// 24 unseen samples of the class, of 60 to report on
}

func TestOwnMethod(t *testing.T) { dlfdtest.Run(t, Uncertain{Weight: .5}) }
