// Benchmark times the engine on the cases of a PyTorch script and prints them
// in the same form, so that the two outputs join on the first column:
//
//	case,threads,median_s,min_s,max_s,allocs,cpu_s
//
// Cases are steps of ResNet18 at batch 32 (resnet18-STEM-PIXELS-infer,
// -input-grad, -train), Sinkhorn distances with gradient between N points in 64
// dimensions (sinkhorn-N), and one step of DLFD as published (dlfd-step) with
// what it is made of: dlfd-parts runs the network's passes alone, so that
// dlfd-step over dlfd-parts tells what the method adds. allocs is the number of
// heap allocations of one run, the median of the repeats; cpu_s is the processor
// time of one run over all cores, likewise, 0 where the system does not tell.
//
// With -model, the passes of an ONNX file are timed instead, in turns, on a batch
// of random pixels: FILE-BATCH-infer, -input-grad and -train. The first line,
// after a number sign, has the sizes and the kernels.
//
// Matrix products are timed as linear layers (sgemm-M-K-N: a batch of M, from K
// to N features); go test -bench Sgemm ./internal/kernel times them bare.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"time"
)

// flags are the arguments.
type flags struct {
	threads, repeats   int
	only, model, input string
	batch              int
	least              time.Duration
	profile            string
}

func main() {
	var f flags
	flag.IntVar(&f.threads, "threads", 2, "number of cores to use")
	flag.IntVar(&f.repeats, "repeats", 7, "timed runs of each case, after one that is not timed")
	flag.StringVar(&f.only, "only", "", "run the cases whose names contain this")
	flag.StringVar(&f.model, "model", "", "time this ONNX file")
	flag.IntVar(&f.batch, "batch", batch, "samples of a batch, with -model")
	flag.StringVar(&f.input, "input", "", "shape of one sample, as 3x224x224, with -model whose file leaves it open")
	flag.DurationVar(&f.least, "least", 0, "a timed run repeats its case until this much time has passed; the times are those of one")
	flag.StringVar(&f.profile, "cpuprofile", "", "write a profile of the timed runs to this file")
	flag.Parse()
	if flag.NArg() > 0 || f.threads < 1 || f.repeats < 1 || f.batch < 1 || f.least < 0 {
		fmt.Fprintln(os.Stderr, "benchmark: -threads, -repeats and -batch must be at least 1, -least not negative, and nothing follows the flags")
		os.Exit(2)
	}
	if err := run(f); err != nil {
		log.Fatal("benchmark: ", err)
	}
}

func run(f flags) error {
	runtime.GOMAXPROCS(f.threads)
	groups, err := cases(f)
	if err != nil {
		return err
	}
	fmt.Println("case,threads,median_s,min_s,max_s,allocs,cpu_s")
	stop, err := startProfile(f.profile)
	if err != nil {
		return err
	}
	for _, g := range groups {
		rows, err := measure(g, f)
		if err != nil {
			return errors.Join(fmt.Errorf("%v: %w", g.names, err), stop())
		}
		for _, r := range rows {
			fmt.Println(r.csv(f.threads))
		}
	}
	return stop()
}

// cases returns what there is to time, and prints what is to be known about it.
func cases(f flags) ([]group, error) {
	if f.model == "" {
		return slices.Concat(networkCases(), sgemmCases(), distanceCases(), dlfdCases()), nil
	}
	input, err := parseShape(f.input)
	if err != nil {
		return nil, err
	}
	groups, info, err := modelCases(f.model, f.batch, input)
	if err == nil {
		fmt.Println("#", info)
	}
	return groups, err
}

// parseShape reads numbers with an x between each two; nothing is nil.
func parseShape(text string) ([]int, error) {
	if text == "" {
		return nil, nil
	}
	var shape []int
	for _, s := range strings.Split(text, "x") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("-input %q: want sizes of at least 1 with an x between, as 3x224x224", text)
		}
		shape = append(shape, n)
	}
	return shape, nil
}

// startProfile starts a profile unless path is empty; stop ends it.
func startProfile(path string) (stop func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}
