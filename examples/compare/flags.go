package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dlfd-go/unlearn/dlfd/experiment"
)

const usage = `Compare runs methods of unlearning on tasks, over several seeds, and writes
tables, results.json, results.csv and report.html into the folder of -out.

  go run ./examples/compare -task NAME,NAME -methods all -seeds N -out DIR
  go run ./examples/compare -data DIR -label COLUMN -out DIR
  go run ./examples/compare -idx DIR -forget random -out DIR
  go run ./examples/compare -idx DIR -model M.onnx -epochs N -out DIR

The same command goes on where an earlier one was killed.

`

// flags are the arguments, checked.
type flags struct {
	tasks                  list
	testdata               string
	data, label, idx       string
	model                  string
	retrained              list
	mean, std              numbers
	forget                 string
	share                  float64
	class                  int
	methods                list
	seeds, unlearnings     int
	evaluations, retrains  int
	seed                   uint64
	epochs, batch, workers int
	limit, deep, swap      int
	partial, plan, fleet   bool
	stage                  int
	references             list
	rate                   float64
	out, version, tune     string
	search                 *tuning // of -tune
	merge                  list
	shard                  shard
}

func newFlagSet(f *flags) *flag.FlagSet {
	fs := flag.NewFlagSet("compare", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // errors and usage are told by the caller
	fs.Var(&f.tasks, "task", "`names` of tasks, with commas: "+strings.Join(taskNames(), ", "))
	fs.StringVar(&f.testdata, "testdata", os.Getenv("UNLEARN_TESTDATA"), "`folder` with the packs of the named tasks; UNLEARN_TESTDATA by default")
	fs.StringVar(&f.data, "data", "", "`folder` of face images with metadata.csv: path, identity, split, holdout, labels")
	fs.StringVar(&f.label, "label", "", "`column` of metadata.csv to learn")
	fs.StringVar(&f.idx, "idx", "", "`folder` with the four files of MNIST, plain or gz")
	fs.StringVar(&f.model, "model", "", "ONNX `file` of a model trained on the data; empty: train a small network")
	fs.Var(&f.retrained, "retrained", "ONNX `files` of models retrained without what must go, with commas; empty: retrain")
	fs.Var(&f.mean, "mean", "`numbers` that normalize the channels; empty: those of the training images")
	fs.Var(&f.std, "std", "`numbers`, see -mean")
	fs.StringVar(&f.forget, "forget", "", "what must go: `random`; identity (all images of random persons); class (that of -class); mislabeled (random ones, which get wrong labels before anything is trained); memorized (what two trainings show as learned by heart); empty: what the data say, else random")
	fs.Float64Var(&f.share, "share", .05, "`share` of the training samples that must go")
	fs.IntVar(&f.class, "class", 0, "`number` of the class that must go, with -forget class")
	fs.IntVar(&f.limit, "limit", 10000, "use at most so many `images` of -idx for training, and as many unseen ones")
	fs.Var(&f.methods, "methods", "`methods` with settings, separated by commas, such as align,align:match=off,scrub; all: "+strings.Join(methodNames(), ", "))
	fs.IntVar(&f.seeds, "seeds", 3, "`number` of original models, with one run of each method on each")
	fs.IntVar(&f.unlearnings, "unlearnings", 1, "`runs` of each method on each original model")
	fs.IntVar(&f.evaluations, "evaluations", 1, "`audits` of each model with different seeds")
	fs.IntVar(&f.retrains, "retrains", 0, "`number` of retrained models; 0: as many as -seeds, and 3 at least")
	fs.IntVar(&f.deep, "deep", 0, "`runs` of each method whose audits look whether what was forgotten comes back, which takes eight epochs each; 0: all, -1: none")
	fs.IntVar(&f.swap, "swap", 0, "`runs` of each method that are done a second time with forget and unseen images exchanged, where no -model is given; 0: all, -1: none")
	fs.Uint64Var(&f.seed, "seed", 1, "`seed` that all others come from")
	fs.IntVar(&f.epochs, "epochs", 0, "`epochs` of training; 0: the task's own, 30 for -data and -idx")
	fs.IntVar(&f.batch, "batch", 32, "`samples` a step, in training and in unlearning")
	fs.Float64Var(&f.rate, "rate", .05, "learning `rate` of training, falling to zero along a cosine")
	fs.IntVar(&f.workers, "workers", 0, "`jobs` at a time; 0: one a CPU")
	fs.StringVar(&f.out, "out", filepath.Join("out", "compare"), "`folder` of the results")
	fs.StringVar(&f.version, "version", "", "`text` that tells the results of one version of the methods from another's")
	fs.StringVar(&f.tune, "tune", "", "`file` with a search for settings, such as examples/compare/tuning.json: its tasks, methods and seed take the place of those of the flags")
	fs.Var(&f.merge, "merge", "more `folders` with results of other shards, with commas; what they have is not done again")
	fs.BoolVar(&f.plan, "plan", false, "run nothing but a short piece of each kind of job, and print what all jobs cost: number, hours, bytes, what is done")
	fs.BoolVar(&f.fleet, "fleet", false, "train the -retrains retrained models of one task and nothing else, for -references of later runs")
	fs.Var(&f.references, "references", "`folders` of a -fleet of the same task, with commas: its models are the retrained ones")
	fs.IntVar(&f.stage, "stage", 0, "do the jobs of one `stage`, from 1 to 4, which need those of earlier stages alone; 0: all")
	fs.BoolVar(&f.partial, "partial", false, "run nothing, print the tables of what is there already")
	fs.Var(&f.shard, "shard", "`i/n`: do share i of n of the work, i from 0; auto: the share of this task of a Slurm array; auto/n: that, or of this pod of a Kubernetes Indexed Job with n completions")
	return fs
}

func printUsage(w io.Writer) {
	fs := newFlagSet(new(flags))
	fs.SetOutput(w)
	fmt.Fprint(w, usage)
	fs.PrintDefaults()
}

// parse reads and checks the arguments. The error is flag.ErrHelp where they ask
// for help.
func parse(args []string) (*flags, error) {
	f := &flags{methods: list{"all"}}
	fs := newFlagSet(f)
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if rest := fs.Args(); len(rest) > 0 {
		return nil, fmt.Errorf("unexpected argument %q", rest[0])
	}
	given := make(map[string]bool)
	fs.Visit(func(g *flag.Flag) { given[g.Name] = true })
	switch {
	case given["class"] && f.forget != "class":
		return nil, errors.New("-class is for -forget class")
	case given["retrains"] && len(f.references) > 0:
		return nil, errors.New("-retrains is for models that are trained; -references has its own")
	}
	if f.tune != "" {
		var err error
		if f.search, err = readTuning(f.tune); err != nil {
			return nil, err
		}
		f.search.apply(f)
	}
	return f, errors.Join(f.checkData(), f.checkModels(), f.checkNumbers(), f.checkForget())
}

// givenOf returns the names of flags that are given, as text.
func givenOf(flags ...flagGiven) (names []string) {
	for _, f := range flags {
		if f.given {
			names = append(names, f.name)
		}
	}
	return names
}

type flagGiven struct {
	name  string
	given bool
}

func (f *flags) checkData() error {
	sources := givenOf(flagGiven{"-task", len(f.tasks) > 0}, flagGiven{"-data", f.data != ""}, flagGiven{"-idx", f.idx != ""})
	switch {
	case len(sources) == 0:
		return errors.New("one of -task, -data and -idx is required")
	case len(sources) > 1:
		return fmt.Errorf("%s are given, and only one of them can be", strings.Join(sources, " and "))
	case f.data != "" && f.label == "":
		return errors.New("-data needs -label, a column of its metadata.csv")
	case f.data == "" && f.label != "":
		return errors.New("-label is a column of the metadata.csv of -data, which is not given")
	case f.testdata == "" && slices.ContainsFunc(f.tasks, func(t string) bool { return t != drawnTask }):
		return fmt.Errorf("-task %v needs -testdata, or the environment variable UNLEARN_TESTDATA", &f.tasks)
	case len(f.mean) != len(f.std):
		return fmt.Errorf("-mean has %d numbers and -std %d", len(f.mean), len(f.std))
	case f.out == "":
		return errors.New("-out is empty")
	}
	return nil
}

// checkModels looks at what says where models come from.
func (f *flags) checkModels() error {
	other := givenOf(flagGiven{"-model", f.model != ""}, flagGiven{"-retrained", len(f.retrained) > 0}, flagGiven{"-forget", f.forget != ""})
	switch {
	case len(f.tasks) > 0 && len(other) > 0:
		return fmt.Errorf("%s is for -data and -idx; a -task has its own", other[0])
	case len(f.retrained) > 0 && f.model == "":
		return errors.New("-retrained needs -model")
	case len(f.references) > 0 && len(f.retrained) > 0:
		return errors.New("-references and -retrained are given, and both say what the retrained models are")
	case len(f.references) > 0 && len(f.tasks) > 1:
		return fmt.Errorf("-references are of one task, and -task names %d", len(f.tasks))
	case !f.fleet:
		return nil
	case len(f.tasks) > 1:
		return fmt.Errorf("-fleet is of one task, and -task names %d", len(f.tasks))
	case len(f.references) > 0:
		return errors.New("-fleet trains models, and -references has them")
	case f.partial:
		return errors.New("-partial prints tables, and a -fleet has none")
	case f.search != nil:
		return errors.New("-tune searches settings of methods, and a -fleet has none")
	}
	return nil
}

func (f *flags) checkNumbers() error {
	for _, n := range []struct {
		name         string
		value, least int
	}{
		{"-seeds", f.seeds, 1}, {"-unlearnings", f.unlearnings, 1}, {"-evaluations", f.evaluations, 1}, {"-retrains", f.retrains, 0},
		{"-epochs", f.epochs, 0}, {"-batch", f.batch, 1}, {"-workers", f.workers, 0}, {"-limit", f.limit, 100}, {"-stage", f.stage, 0},
	} {
		if n.value < n.least {
			return fmt.Errorf("%s is %d, and must be at least %d", n.name, n.value, n.least)
		}
	}
	switch {
	case f.retrains == 1:
		return errors.New("-retrains is 1, and a band needs at least 2; 0 is the default")
	case f.stage > experiment.Stages:
		return fmt.Errorf("-stage is %d, and there are %d", f.stage, experiment.Stages)
	case !(f.rate > 0):
		return fmt.Errorf("-rate %v is not positive", f.rate)
	}
	return nil
}

func (f *flags) checkForget() error {
	switch f.forget { // British spellings of the same words
	case "mislabelled":
		f.forget = "mislabeled"
	case "memorised":
		f.forget = "memorized"
	}
	switch f.forget {
	case "", "random", "identity", "class", "mislabeled", "memorized":
	default:
		return fmt.Errorf("-forget %q is not random, identity, class, mislabeled or memorized", f.forget)
	}
	if !(f.share > 0 && f.share < 1) {
		return fmt.Errorf("-share %v is not between 0 and 1", f.share)
	}
	if f.class < 0 {
		return fmt.Errorf("-class %d is negative", f.class)
	}
	return nil
}

// runner returns who does which jobs.
func (f *flags) runner() experiment.Runner {
	if f.shard.Of > 1 {
		return experiment.Index(f.shard)
	}
	return experiment.Local{Workers: f.workers}
}
