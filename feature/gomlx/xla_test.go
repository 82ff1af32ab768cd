//go:build xla

package gomlx_test

import (
	"os"
	"testing"

	"github.com/gomlx/compute"
	_ "github.com/gomlx/go-xla/compute/xla"

	"github.com/dlfd-go/unlearn/feature/featuretest"
)

func TestX(t *testing.T) {
	b, err := compute.NewWithConfig(os.Getenv("UNLEARN_XLA"))
	if err != nil {
		t.Fatal(err)
	}
	_ = b
	_ = featuretest.Run
}
