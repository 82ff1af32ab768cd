package testkit

import (
	"testing"

	"github.com/dlfd-go/unlearn/feature/featuretest"
)

func TestMLPKeepsTheLaws(t *testing.T) { featuretest.Run(t, NewMLP(5, 7, 3, 1), nil) }
