package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

// group is a set of cases that share their data and are timed in turns, so that
// a machine that drifts treats them alike.
type group struct {
	names []string
	setUp func() ([]func() error, error) // one function a name
}

// row holds the measurements of one case.
type row struct {
	name         string
	seconds, cpu []float64
	allocs       []uint64
}

func (r row) csv(threads int) string {
	slices.Sort(r.seconds)
	slices.Sort(r.allocs)
	n := len(r.seconds)
	return fmt.Sprintf("%s,%d,%.6f,%.6f,%.6f,%d,%.6f", r.name, threads, median(r.seconds), r.seconds[0], r.seconds[n-1], r.allocs[n/2], median(r.cpu))
}

func median(x []float64) float64 {
	slices.Sort(x)
	n := len(x)
	return (x[(n-1)/2] + x[n/2]) / 2
}

func (r *row) add(t timing) {
	r.seconds, r.cpu, r.allocs = append(r.seconds, t.seconds), append(r.cpu, t.cpu), append(r.allocs, t.allocs)
}

// measure runs the cases of a group whose names contain f.only.
func measure(g group, f flags) ([]row, error) {
	if !slices.ContainsFunc(g.names, func(name string) bool { return strings.Contains(name, f.only) }) {
		return nil, nil
	}
	runs, err := g.setUp()
	if err != nil {
		return nil, err
	}
	rows := make([]row, len(runs))
	for k := range f.repeats + 1 {
		for i, run := range runs {
			rows[i].name = g.names[i]
			if !strings.Contains(g.names[i], f.only) {
				continue
			}
			t, err := clock(run, f.least)
			if err != nil {
				return nil, err
			}
			if k > 0 {
				rows[i].add(t)
			}
		}
	}
	return slices.DeleteFunc(rows, func(r row) bool { return len(r.seconds) == 0 }), nil
}

// timing is what one call of a case took.
type timing struct {
	seconds, cpu float64
	allocs       uint64
}

// clock runs a case once, and again until the least time has passed.
func clock(run func() error, least time.Duration) (timing, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, start, calls := cpuSeconds(), time.Now(), 0
	for calls == 0 || time.Since(start) < least {
		if err := run(); err != nil {
			return timing{}, err
		}
		calls++
	}
	n := float64(calls)
	t := timing{seconds: time.Since(start).Seconds() / n, cpu: (cpuSeconds() - cpu) / n}
	runtime.ReadMemStats(&after)
	t.allocs = (after.Mallocs - before.Mallocs) / uint64(calls)
	return t, nil
}
