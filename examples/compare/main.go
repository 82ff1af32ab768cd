// Compare runs methods of unlearning on one or more tasks, over several seeds, and
// says in tables which forget best, for what they cost, and which cannot be told apart.
//
// The tasks with names of their own, of which all but the first need the packs of
// UNLEARN_TESTDATA, or -testdata:
//
//	go run ./examples/compare -task drawn-faces -seeds 5 -out out/drawn
//	go run ./examples/compare -task yaleb-light -seeds 5 -out out/yaleb
//	go run ./examples/compare -task cmu-pose -seeds 3 -out out/cmu
//	go run ./examples/compare -task fashion-cnn -seeds 5 -out out/folded
//	go run ./examples/compare -task fashion-cnn-bn -seeds 5 -out out/bn
//	go run ./examples/compare -task fashion-mlp -seeds 5 -out out/mlp
//
// The search for the settings of all methods, equal for each:
//
//	go run ./examples/compare -tune examples/compare/tuning.json -out out/tuning
//
// Other data:
//
//	go run ./examples/compare -data DIR -label COLUMN -out out/mine
//	go run ./examples/compare -idx DIR -forget random -share .05 -out out/idx
//	go run ./examples/compare -idx DIR -model M.onnx -epochs 14 -out out/model
//
// A run that was killed goes on where it was, given the same arguments. Eight processes
// share the work, in one folder or in several; whoever comes last, or a run without
// -shard, prints the tables. The digest at the end is that of one process:
//
//	for i in 0 1 2 3 4 5 6 7; do go run ./examples/compare -task drawn-faces -out out/drawn -shard $i/8 & done; wait
//	go run ./examples/compare -task drawn-faces -out out/drawn
//
// Where the shards have folders of their own, -merge out/a,out/b,… names the others, and
// nothing that they have is done again. The folder recipes has such runs as a Slurm array, as
// a Kubernetes Job and with xargs; -plan says before what all of it costs. Many reference
// models are trained once, by -fleet, and used by -references:
//
//	go run ./examples/compare -task drawn-faces -fleet -retrains 64 -out out/fleet
//	go run ./examples/compare -task drawn-faces -references out/fleet -out out/drawn
//
// The audits that look whether what was forgotten comes back take most of the time;
// -deep N has them for N runs of each method alone, and -swap N does a second run with
// exchanged sets for N runs of each method; -1 leaves them out. -partial prints the tables of what is there so far.
// Run it with -h for all flags.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/dlfd-go/unlearn/dlfd/experiment"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second interrupt kills
	code := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// command runs the program and returns its exit code: 1 if it fails, 2 for wrong
// arguments.
func command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	f, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		printUsage(stdout)
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "compare: %v; -h lists the flags\n", err)
		return 2
	}
	if err := run(ctx, f, stdout, stderr); err != nil {
		if errors.Is(err, context.Canceled) {
			err = errors.New("interrupted; the same command goes on")
		}
		fmt.Fprintln(stderr, "compare:", err)
		return 1
	}
	return 0
}

// run carries out the jobs that are not done, and writes the tables when all are.
func run(ctx context.Context, f *flags, stdout, stderr io.Writer) error {
	plan, err := f.jobs(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "manifest %s, %d jobs, in %s\n", plan.Digest(), len(plan.Jobs()), f.out)
	dirs := append([]string{f.out}, f.merge...)
	switch {
	case f.partial:
		return show(stdout, plan, dirs)
	case f.plan:
		return f.printPlan(ctx, stdout, plan, dirs)
	}
	p := newProgress(stderr, f.ownJobs(plan))
	err = plan.Run(ctx, f.out, &experiment.RunOptions{Runner: f.runner(), Only: f.only(), From: f.merge, Observer: p.event, Now: time.Now})
	p.end()
	if err != nil {
		return err
	}
	results, err := plan.Merge(dirs...)
	if errors.Is(err, experiment.ErrMissing) && (f.shard.Of > 1 || f.stage > 0) {
		_, err = fmt.Fprintf(stdout, "this share is done; %v\n", err)
		return err
	}
	if err != nil {
		return err
	}
	if f.fleet {
		_, err := fmt.Fprintf(stdout, "the fleet of %d models is in %s; digest %s\n", len(plan.Jobs()), strings.Join(dirs, ", "), results.Digest)
		return err
	}
	if err := write(ctx, stdout, f.out, dirs, results); err != nil || f.search == nil {
		return err
	}
	return f.search.writeChoices(stdout, f.out, results)
}
