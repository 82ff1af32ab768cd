// Benchmark times the engine on the cases of a PyTorch script and prints them
// in the same form, so that the two outputs join on the first column:
//
//	case,threads,median_s,min_s,max_s,allocs
//
// Cases are steps of ResNet18 at batch 32 (resnet18-STEM-PIXELS-infer,
// -input-grad, -train), Sinkhorn distances with gradient between N points in 64
// dimensions (sinkhorn-N), and one step of DLFD as published (dlfd-step) with
// what it is made of: dlfd-parts runs the network's passes alone, so that
// dlfd-step over dlfd-parts tells what the method adds. allocs is the number of
// heap allocations of one run, the median of the repeats.
//
// Matrix products are timed as linear layers (sgemm-M-K-N: a batch of M, from K
// to N features); go test -bench Sgemm ./internal/kernel times them bare.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
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

func main() {
	threads := flag.Int("threads", 2, "number of cores to use")
	repeats := flag.Int("repeats", 7, "timed runs of each case, after one that is not timed")
	only := flag.String("only", "", "run the cases whose names contain this")
	flag.Parse()
	if *threads < 1 || *repeats < 1 {
		fmt.Fprintln(os.Stderr, "benchmark: -threads and -repeats must be at least 1")
		os.Exit(2)
	}
	runtime.GOMAXPROCS(*threads)
	fmt.Println("case,threads,median_s,min_s,max_s,allocs")
	for _, g := range slices.Concat(networkCases(), sgemmCases(), distanceCases(), dlfdCases()) {
		rows, err := measure(g, *only, *repeats)
		if err != nil {
			log.Fatalf("benchmark: %v: %v", g.names, err)
		}
		for _, r := range rows {
			fmt.Println(r.csv(*threads))
		}
	}
}

// row holds the measurements of one case.
type row struct {
	name    string
	seconds []float64
	allocs  []uint64
}

func (r row) csv(threads int) string {
	slices.Sort(r.seconds)
	slices.Sort(r.allocs)
	n := len(r.seconds)
	median := (r.seconds[(n-1)/2] + r.seconds[n/2]) / 2
	return fmt.Sprintf("%s,%d,%.6f,%.6f,%.6f,%d", r.name, threads, median, r.seconds[0], r.seconds[n-1], r.allocs[n/2])
}

// measure runs the cases of a group whose names contain only.
func measure(g group, only string, repeats int) ([]row, error) {
	if !slices.ContainsFunc(g.names, func(name string) bool { return strings.Contains(name, only) }) {
		return nil, nil
	}
	runs, err := g.setUp()
	if err != nil {
		return nil, err
	}
	rows := make([]row, len(runs))
	for k := range repeats + 1 {
		for i, run := range runs {
			rows[i].name = g.names[i]
			if !strings.Contains(g.names[i], only) {
				continue
			}
			seconds, allocs, err := clock(run)
			if err != nil {
				return nil, err
			}
			if k > 0 {
				rows[i].seconds, rows[i].allocs = append(rows[i].seconds, seconds), append(rows[i].allocs, allocs)
			}
		}
	}
	return slices.DeleteFunc(rows, func(r row) bool { return len(r.seconds) == 0 }), nil
}

// clock runs a case once.
func clock(run func() error) (seconds float64, allocs uint64, err error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	err = run()
	seconds = time.Since(start).Seconds()
	runtime.ReadMemStats(&after)
	return seconds, after.Mallocs - before.Mallocs, err
}
