// Faces trains a classifier on faces, makes it forget some of the persons by
// several methods, and shows in one table how well each of them did.
//
// Without arguments it draws its own faces and learns their expressions. With
// -data and -label it reads a folder of images with a table metadata.csv. Run
// it with -h for the flags and the meaning of the table.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

const usage = `Faces trains a classifier on faces (retain and forget), makes copies of it
forget the persons of forget by several methods, and audits each of them.

  go run ./examples/faces
  go run ./examples/faces -data DIR -label COLUMN [-seeds N]

DIR holds metadata.csv with the columns path, identity, split (retain, forget,
test, unseen; by persons), holdout (only rows with 0 are used) and labels.
Without -data, faces are drawn and the label is their expression.

`

const columns = `
Columns of the table (* see below):
  retain forget test  accuracy on these splits; test has persons never seen
  AUC [95%]           attack that tells forget from unseen samples by their
                      loss, on equally many of each class; .5 tells nothing *
  FS (floor)          published forgetting score 2·|attack accuracy - ½|, 0 is
                      best; (floor): what always giving one answer scores *
  NoMUS               ½·(test accuracy + 1 - FS), as published; 1 is best
  bal.NoMUS           the same with the balanced attack of the column AUC
  gap                 distance to Retrained of the same seed: mean of
                      |Δ test|, |Δ forget| and |Δ AUC|; 0 is best
  seconds             wall time of the method
  fwd bwd             samples run forward and backward, in thousands
  stop                why the method ended
* on the report half of forget and unseen, which no method was steered by.
`

// flags are the arguments, checked.
type flags struct {
	data, label, out string
	seeds            int
	seed             uint64
	epochs           int
}

var errUsage = errors.New("usage")

func parse(args []string, stderr io.Writer) (flags, error) {
	var f flags
	fs := flag.NewFlagSet("faces", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() {
		fmt.Fprint(stderr, usage)
		fs.PrintDefaults()
		fmt.Fprint(stderr, columns)
	}
	fs.StringVar(&f.data, "data", "", "`folder` with metadata.csv; empty: draw faces")
	fs.StringVar(&f.label, "label", "", "`column` of metadata.csv to learn")
	fs.IntVar(&f.seeds, "seeds", 1, "number of seeds, from -seed on")
	fs.Uint64Var(&f.seed, "seed", 1, "first seed, of training and unlearning; the data stay the same")
	fs.IntVar(&f.epochs, "epochs", 16, "epochs of the original and of the retrained model")
	fs.StringVar(&f.out, "out", filepath.Join("out", "faces"), "`folder` for result.json, timing.json, faces.png and the models")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return f, err
		}
		return f, errUsage // the flag set has told it already
	}
	if err := f.check(fs.Args()); err != nil {
		fmt.Fprintf(stderr, "faces: %v; -h lists the flags\n", err)
		return f, errUsage
	}
	return f, nil
}

func (f flags) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q", rest[0])
	case f.data == "" && f.label != "":
		return fmt.Errorf("-label %s needs -data", f.label)
	case f.data != "" && f.label == "":
		return fmt.Errorf("-data %s needs -label, a column of its metadata.csv", f.data)
	case f.seeds < 1 || f.seeds > 100:
		return fmt.Errorf("-seeds %d is not in 1 to 100", f.seeds)
	case f.epochs < 1 || f.epochs > 1000:
		return fmt.Errorf("-epochs %d is not in 1 to 1000", f.epochs)
	case f.out == "":
		return errors.New("-out is empty")
	}
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// command runs the program and returns its exit code: 1 if it fails, 2 for
// wrong arguments.
func command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	f, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	if err := run(ctx, f, defaults(), stdout, stderr); err != nil {
		if errors.Is(err, context.Canceled) {
			err = errors.New("interrupted; nothing was written")
		}
		fmt.Fprintln(stderr, "faces:", err)
		return 1
	}
	return 0
}

// run loads the data, carries out the experiment, and writes what came out.
func run(ctx context.Context, f flags, set settings, stdout, stderr io.Writer) error {
	set.Epochs, set.Label, set.Seed, set.Seeds = f.epochs, f.label, f.seed, f.seeds
	if err := os.MkdirAll(f.out, 0o755); err != nil {
		return err
	}
	begin := time.Now()
	p, err := load(f, set)
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, p)
	runs, err := experiment(ctx, p, set, newBar(stderr))
	if err != nil {
		return err
	}
	if err := printTables(stdout, runs); err != nil {
		return err
	}
	if err := store(f.out, p, set, runs, time.Since(begin)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "\n%.1f s in all; models, result.json and faces.png are in %s\n", time.Since(begin).Seconds(), f.out)
	return err
}
