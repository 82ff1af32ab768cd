package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

const usage = `Faces trains a classifier on faces (retain and forget), makes copies of it
forget the persons of forget by several methods, and audits each of them.

  go run ./examples/faces
  go run ./examples/faces -data DIR -label COLUMN [-seeds N]
  go run ./examples/faces [-data DIR] -label COLUMN,COLUMN,...

DIR holds metadata.csv with the columns path, identity, split (retain, forget,
test, unseen; by persons), holdout (only rows with 0 are used) and labels.
Without -data, faces are drawn and the label is their expression. Several columns
are several labels an image, and a head of the network for each: of drawn faces,
two or more of expression, tilt, smile, glasses and left. Then there is a table
for each label, and one with the means.

`

const columns = `
Columns of the table (* see below):
  retain forget test  accuracy on these splits; test has persons never seen
  AUC [95%]           attack that tells forget from unseen samples by their
                      loss, on equally many of each class; .5 tells nothing *
  gap                 distance to Retrained of the same seed: mean of
                      |Δ test|, |Δ forget| and |Δ AUC|. Retrained 2 differs from
                      Retrained by its seed alone; its gap, the band, is what a
                      perfect method scores
  FS (floor)          published forgetting score 2·|attack accuracy - ½|, 0 is
                      best; (floor): what the majority answer alone scores *
  NoMUS               ½·(test accuracy + 1 - FS), as published; 1 is best
  bal.                the same with the balanced attack of the column AUC
  sec.                wall time of the method
  passes              samples run forward or backward, in thousands
  stop                why the method ended; diverged: it failed and left the
                      model as it was
* on the report half of forget and unseen, which no method was steered by.

After each seed its models and all results so far are written: an interrupt
keeps the seeds that are done.
`

// flags are the arguments, checked.
type flags struct {
	data, label, out string
	seeds            int
	seed             uint64
	epochs           int
}

// newFlagSet returns the flags, which fill f.
func newFlagSet(f *flags) *flag.FlagSet {
	fs := flag.NewFlagSet("faces", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // errors and usage are told by the caller
	fs.StringVar(&f.data, "data", "", "`folder` with metadata.csv; empty: draw faces")
	fs.StringVar(&f.label, "label", "", "`column` of metadata.csv to learn; several, with commas between them, are several labels an image")
	fs.IntVar(&f.seeds, "seeds", 1, "number of seeds, from -seed on")
	fs.Uint64Var(&f.seed, "seed", 1, "first seed, of training and unlearning; the data stay the same")
	fs.IntVar(&f.epochs, "epochs", 0, "`epochs` of the original and of the retrained model; 0: 16 for drawn faces, 30 for a pack")
	fs.StringVar(&f.out, "out", filepath.Join("out", "faces"), "`folder` for result.json, timing.json, faces.png and the models")
	return fs
}

// printUsage writes the text of -h.
func printUsage(w io.Writer) {
	fs := newFlagSet(new(flags))
	fs.SetOutput(w)
	fmt.Fprint(w, usage)
	fs.PrintDefaults()
	fmt.Fprint(w, columns)
}

// parse reads and checks the arguments. The error is flag.ErrHelp where they
// ask for help.
func parse(args []string) (flags, error) {
	var f flags
	fs := newFlagSet(&f)
	if err := fs.Parse(args); err != nil {
		return f, err
	}
	return f, f.check(fs.Args())
}

func (f flags) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q", rest[0])
	case f.data == "" && f.label != "" && !strings.Contains(f.label, ","):
		return fmt.Errorf("-label %s needs -data; drawn faces have their expression as the one label", f.label)
	case f.data != "" && f.label == "":
		return fmt.Errorf("-data %s needs -label, a column of its metadata.csv", f.data)
	case f.seeds < 1 || f.seeds > 100:
		return fmt.Errorf("-seeds %d is not in 1 to 100", f.seeds)
	case f.epochs < 0 || f.epochs > 1000:
		return fmt.Errorf("-epochs %d is not in 0 to 1000", f.epochs)
	case f.out == "":
		return errors.New("-out is empty")
	}
	return nil
}
