package experiment

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"github.com/dlfd-go/unlearn/dlfd"
)

// Runner decides which of n jobs run, where, and in which order. Jobs with smaller
// numbers make what others need; one that is missing is made when it is needed.
//
// Run calls do for each job that it chooses, at most once and on any goroutine, and
// returns when no call is running. It returns the first error of a call, or ctx's.
type Runner interface {
	Run(ctx context.Context, n int, do func(ctx context.Context, job int) error) error
}

// Local runs all jobs in this process, in order.
type Local struct {
	// Workers is the number of jobs at a time. If it is zero, it is GOMAXPROCS.
	// Results do not depend on it.
	Workers int
}

// Run implements Runner. After an error no job is begun, and ctx of those that run
// is canceled.
func (l Local) Run(ctx context.Context, n int, do func(context.Context, int) error) error {
	workers := l.Workers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	if workers < 0 {
		return fmt.Errorf("%w: %d Workers", dlfd.ErrParameter, workers)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	jobs := make(chan int)
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for i := range jobs {
				if err := do(ctx, i); err != nil {
					cancel(err) // the first one stays
				}
			}
		})
	}
	for i := 0; i < n && ctx.Err() == nil; i++ {
		select {
		case jobs <- i:
		case <-ctx.Done():
		}
	}
	close(jobs)
	wait.Wait()
	return context.Cause(ctx)
}

// Index runs the jobs whose number leaves the remainder I when divided by Of, one
// at a time: the share of one of Of processes.
type Index struct{ I, Of int }

// Run implements Runner.
func (s Index) Run(ctx context.Context, n int, do func(context.Context, int) error) error {
	if s.Of < 1 || s.I < 0 || s.I >= s.Of {
		return fmt.Errorf("%w: Index %d of %d", dlfd.ErrParameter, s.I, s.Of)
	}
	for i := s.I; i < n; i += s.Of {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := do(ctx, i); err != nil {
			return err
		}
	}
	return nil
}
