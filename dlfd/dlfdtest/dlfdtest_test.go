package dlfdtest_test

import (
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/dlfd/dlfdtest"
	"github.com/dlfd-go/unlearn/dlfd/released"
)

func TestEveryMethod(t *testing.T) {
	for _, u := range []dlfd.Unlearner{
		dlfd.Align{},
		dlfd.DLFD{},
		released.Method{},
		baseline.FineTune{},
		baseline.NegGradPlus{},
		baseline.Retrain{Fresh: dlfdtest.Model, Epochs: 3},
		baseline.ShortRetrain{Fresh: dlfdtest.Model},
		baseline.ShortRetrain{},
		baseline.ShrinkPerturb{},
		baseline.CFk{},
		baseline.EUk{},
		baseline.NegGrad{},
		baseline.RandomLabel{},
		baseline.L1Sparse{},
		baseline.SCRUB{},
		baseline.BadTeacher{},
		baseline.SalUn{},
		baseline.Surgery{},
		baseline.UNSIR{},
		baseline.BoundaryShrink{},
		baseline.DUCK{},
		baseline.AMUN{},
		baseline.MSG{},
		baseline.JiT{},
		baseline.ReGUn{},
		baseline.Rewind{Of: baseline.SCRUB{}},
		baseline.EarlyStop{Of: baseline.NegGradPlus{}, Every: 4},
		baseline.Budget{Of: baseline.FineTune{}, Passes: 1 << 40},
		baseline.Sequential{Of: baseline.FineTune{}},
	} {
		t.Run(dlfd.NameOf(u), func(t *testing.T) { dlfdtest.Run(t, u) })
	}
}

// SSD draws nothing where it takes the gradients of all samples. The two sets here come
// from one distribution, where few weights matter ten times as much for one of them.
func TestSSD(t *testing.T) {
	dlfdtest.RunExcept(t, baseline.SSD{Alpha: 1, Lambda: .9}, dlfdtest.SeedLaw)
}
