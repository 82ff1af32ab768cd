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
	} {
		t.Run(dlfd.NameOf(u), func(t *testing.T) { dlfdtest.Run(t, u) })
	}
}
