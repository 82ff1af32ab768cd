package distance_test

import (
	"flag"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/dlfd-go/unlearn/distance"
)

var large = flag.Int("large", 0, "number of points to evaluate without an n×n matrix, such as 100000")

// TestLarge prints time and memory of streamed evaluations.
func TestLarge(t *testing.T) {
	if *large == 0 {
		t.Skip("wants -large")
	}
	x, y := features(1, *large, 8, 0), features(2, *large, 8, .2)
	for _, name := range []string{"energy", "mmd", "sinkhorn:eps=.2"} {
		d, err := distance.ByName(name)
		if err != nil {
			t.Fatal(err)
		}
		ws := new(distance.Workspace)
		start := time.Now()
		v, err := d.Eval(ws, nil, nil, x, y)
		var mem runtime.MemStats
		runtime.ReadMemStats(&mem)
		fmt.Printf("%s %d×%d: %v, %v in %v, %d MiB from the system, %+v\n", name, x.N, y.N, v, err, time.Since(start), mem.Sys>>20, ws.Stats)
	}
}
