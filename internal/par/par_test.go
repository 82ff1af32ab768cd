package par

import (
	"runtime"
	"sync/atomic"
	"testing"
)

func TestForCoversEveryItemOnce(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, procs := range []int{1, 2, 4} {
		runtime.GOMAXPROCS(procs)
		for n := range 40 {
			for grain := 1; grain < 9; grain++ {
				hits := make([]atomic.Int32, n)
				For(n, grain, func(lo, hi int) {
					if lo%grain != 0 || hi-lo > grain {
						t.Errorf("n=%d grain=%d: chunk [%d,%d)", n, grain, lo, hi)
					}
					for i := lo; i < hi; i++ {
						hits[i].Add(1)
					}
				})
				for i := range hits {
					if hits[i].Load() != 1 {
						t.Fatalf("procs=%d n=%d grain=%d: item %d visited %d times", procs, n, grain, i, hits[i].Load())
					}
				}
			}
		}
	}
}

func TestEachWorkerNumbersNeverOverlap(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	const n = 200
	busy := make([]atomic.Bool, Workers(n))
	Each(n, func(w, i int) {
		if busy[w].Swap(true) {
			t.Errorf("worker %d runs twice at once", w)
		}
		runtime.Gosched()
		busy[w].Store(false)
	})
}

func TestEachAllocatesNothing(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	var sum atomic.Int64
	f := func(_, i int) { sum.Add(int64(i)) }
	// A collection may empty the pool in between.
	if n := testing.AllocsPerRun(200, func() { Each(50, f) }); n >= 1 {
		t.Errorf("Each allocates %v times", n)
	}
	if want := int64(201 * 50 * 49 / 2); sum.Load() != want {
		t.Errorf("sum is %d, want %d", sum.Load(), want)
	}
}
