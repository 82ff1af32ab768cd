// Package par runs loops on several goroutines so that the result does not
// depend on how many there are.
//
// Work is cut into chunks whose bounds depend on the length and the grain
// alone, never on GOMAXPROCS. Where chunks write to disjoint places, any
// schedule gives the same bits; where they reduce, each writes a partial
// result under its chunk number and the caller adds them in that order.
package par

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Chunks returns the number of chunks that For and Each cut n items into.
func Chunks(n, grain int) int {
	if n <= 0 {
		return 0
	}
	return (n + grain - 1) / grain
}

// For calls f for consecutive chunks [lo, hi) of at most grain items that
// together cover [0, n). Calls may run at the same time. It returns when all
// have returned.
func For(n, grain int, f func(lo, hi int)) {
	Each(Chunks(n, grain), func(_, c int) {
		f(c*grain, min((c+1)*grain, n))
	})
}

// Each calls f(worker, i) for every i in [0, n). Calls with different worker
// numbers may run at the same time, calls with the same number never do, so
// worker may index scratch memory; worker < Workers(n).
func Each(n int, f func(worker, i int)) {
	w := Workers(n)
	if w <= 1 {
		for i := range n {
			f(0, i)
		}
		return
	}
	j := jobs.Get().(*job)
	j.n, j.f = n, f
	j.next.Store(0)
	j.running.Add(w - 1)
	for k := 1; k < w; k++ {
		go j.start(k)()
	}
	j.loop(0)
	j.running.Wait()
	j.f = nil
	jobs.Put(j)
}

// job is one call of Each. Jobs are used again, so that a call allocates
// nothing.
type job struct {
	n       int
	f       func(worker, i int)
	next    atomic.Int64
	running sync.WaitGroup
	starts  []func() // starts[k-1] is the body of goroutine k
}

var jobs = sync.Pool{New: func() any { return new(job) }}

func (j *job) loop(worker int) {
	for {
		i := int(j.next.Add(1)) - 1
		if i >= j.n {
			return
		}
		j.f(worker, i)
	}
}

// start returns the body of goroutine k ≥ 1.
func (j *job) start(k int) func() {
	for len(j.starts) < k {
		worker := len(j.starts) + 1
		j.starts = append(j.starts, func() {
			defer j.running.Done()
			j.loop(worker)
		})
	}
	return j.starts[k-1]
}

// Workers returns how many worker numbers Each uses for n items:
// min(n, GOMAXPROCS).
func Workers(n int) int { return min(n, runtime.GOMAXPROCS(0)) }
