package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dlfd-go/unlearn/dlfd"
)

const usage = `Onnx makes a classifier forget samples:

  go run ./examples/onnx -model M.onnx -retain DIR -forget DIR -holdout DIR -out M2.onnx
  go run ./examples/onnx -inspect M.onnx
  go run ./examples/onnx -verify M.onnx X.npy Y.npy [GX.npy]

A DIR has one subfolder of images a class. The order of retain's names, or
-classes, says which logit a subfolder is; subfolders of the other folders are
matched to it by name. Beside M2.onnx, M2.onnx.json is written, a record of the
run for yourself, and M2.onnx.unlearn.*: a receipt that others can check (see
examples/receipt), the same in words, and the secret for the one who asked.

Exit status: 0 the model forgot; 1 an error or an interrupt, nothing was
written; 2 wrong arguments; 3 the run ended, but the model has not forgotten, is
broken, or is not changed (then nothing was written); 4 the run ended, and the
audit cannot tell whether the model forgot: more images, or -reference, may show
it. The receipt says the same: forgotten, not forgotten or cannot tell. go run
shows them and exits with 1 itself: go build the program where a script asks.

Requests that come one after another: -ledger FILE remembers what had to go (as
hashes that name nobody without FILE.key), refuses it in a later -retain, and
judges earlier forget images, given as -past ID=DIR, on the new model.

`

// flags are the arguments.
type flags struct {
	model, out, receipt   string
	checkpoint            string
	dirs                  map[string]*string // by the names of sets
	references            texts
	method                string
	identity, logits      string
	classes               names
	person                *regexp.Regexp // of identity
	mean, std             numbers
	input                 shape
	bgr, skip             bool
	seed                  uint64
	epochs, fit           int
	rate, shrink          float64
	limit                 time.Duration
	always                bool
	overlap, force, write bool
	inspect               string
	verify                bool
	files                 []string // of -verify
	asked                 request
}

// sets are the folders in the order in which they are read.
var sets = []string{"retain", "forget", "holdout", "test"}

func (f *flags) dir(set string) string { return *f.dirs[set] }

func newFlagSet(f *flags) *flag.FlagSet {
	fs := flag.NewFlagSet("onnx", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // errors and usage are told by the caller
	fs.StringVar(&f.model, "model", "", "`file` of the trained model")
	f.dirs = map[string]*string{
		"retain":  fs.String("retain", "", "`folder` of training images to keep"),
		"forget":  fs.String("forget", "", "`folder` of training images to forget"),
		"holdout": fs.String("holdout", "", "`folder` of images that were not trained on: half steers, half judges; with -test, all steer"),
		"test":    fs.String("test", "", "`folder` of more images that were not trained on, to judge by"),
	}
	fs.Var(&f.references, "reference", "`file` of a model retrained without the forget images, to compare with; may be repeated")
	fs.StringVar(&f.out, "out", "", "`file` to write")
	fs.BoolVar(&f.write, "overwrite", false, "let -out be the file of -model, and replace the receipt of an earlier run")
	fs.StringVar(&f.method, "method", "recommended", methodNames())
	fs.Var(&f.classes, "classes", "`names` of the subfolders in the order of the logits, with commas; empty: in the order of retain's names")
	fs.StringVar(&f.logits, "logits", "", "`name` of the tensor or node that has them; empty: the output, or what a softmax there reads")
	fs.Var(&f.input, "input", "`shape` CxHxW of an image, for a model that leaves it open")
	fs.StringVar(&f.identity, "identity", "", "regular `expression` whose first group is the person in an image's path")
	fs.Var(&f.mean, "mean", "`numbers` that normalize the channels: (pixel in [0, 1] - mean)/std")
	fs.Var(&f.std, "std", "`numbers`, see -mean")
	fs.BoolVar(&f.bgr, "bgr", false, "the model takes blue, green, red; -mean and -std are in that order too")
	fs.BoolVar(&f.skip, "skip-unreadable", false, "leave out images that cannot be read, and list them")
	fs.Uint64Var(&f.seed, "seed", 1, "seed of unlearning and of the audit")
	fs.IntVar(&f.epochs, "epochs", 0, "`epochs` of unlearning; 0: the method's")
	fs.Float64Var(&f.rate, "rate", 0, "learning `rate` of unlearning; 0: the method's")
	fs.Float64Var(&f.shrink, "shrink", 0, "`factor` of the weights at the start of align; 0: its own")
	fs.BoolVar(&f.always, "always", false, "let align go on where the model treats forget and unseen images alike already")
	fs.DurationVar(&f.limit, "time", 0, "`duration` such as 10m after which unlearning ends early; 0: no limit")
	fs.StringVar(&f.checkpoint, "checkpoint", "", "`file` in which unlearning writes its state every 100 steps; after a kill, the same command goes on from it")
	fs.IntVar(&f.fit, "fit", 0, "first train `epochs` on retain and forget, to try the program on an untrained model")
	fs.BoolVar(&f.overlap, "allow-overlap", false, "go on where persons or images stand in two sets")
	fs.BoolVar(&f.force, "force", false, "go on where the accuracy on retain is not that of training data")
	fs.StringVar(&f.asked.key, "key", "", "PEM `file` of the ECDSA P-256 key that signs the receipt; empty: it is unsigned")
	fs.StringVar(&f.asked.id, "request", "request", "`id` of the request for the receipt; it must not name a person")
	fs.StringVar(&f.asked.received, "received", "", "`date` of the request, such as 2026-11-26; empty: today")
	fs.StringVar(&f.asked.scenario, "scenario", "sample", "what is asked: to forget a sample, a person (or several), a class (give all -classes) or what is mislabelled (which -retain may have under the right name)")
	fs.StringVar(&f.asked.previous, "previous", "", "`file` of the receipt of the request before, for a chain; with its secret beside it, what it forgot is refused in -retain")
	fs.StringVar(&f.asked.ledger, "ledger", "", "`file` of the requests so far, which is made if it is not there; its key is beside it, as FILE.key")
	fs.Var(&f.asked.past, "past", "`ID=DIR`: images that an earlier request of the ledger had to forget, to judge again; may be repeated")
	fs.StringVar(&f.asked.first, "first", "", "`file` of the model that the ledger began with, to compare with")
	fs.StringVar(&f.inspect, "inspect", "", "list what is in a `file`, and stop")
	fs.BoolVar(&f.verify, "verify", false, "compare a model with arrays of NumPy, and stop")
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
	f := new(flags)
	fs := newFlagSet(f)
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	f.files, f.receipt = fs.Args(), f.out+".json"
	return f, f.check()
}

func (f *flags) check() error {
	switch n := len(f.files); {
	case f.verify && n != 3 && n != 4:
		return fmt.Errorf("-verify wants M.onnx X.npy Y.npy [GX.npy], got %q", f.files)
	case f.verify:
		return nil
	case n > 0:
		return fmt.Errorf("unexpected argument %q", f.files[0])
	case f.inspect != "":
		return nil
	}
	return errors.Join(f.checkRequired(), f.checkNumbers(), f.checkTexts())
}

func (f *flags) checkRequired() error {
	m, err := f.chosen()
	if err != nil {
		return err
	}
	var missing []string
	for _, c := range []struct{ name, value string }{
		{"-model", f.model}, {"-retain", f.dir("retain")}, {"-forget", f.dir("forget")}, {"-out", f.out},
	} {
		if c.value == "" {
			missing = append(missing, c.name)
		}
	}
	if dlfd.NeedsOf(m).Holdout && f.dir("holdout") == "" {
		missing = append(missing, "-holdout (which -method "+f.method+" reads)")
	}
	if len(missing) > 0 {
		return errors.New(strings.Join(missing, ", ") + " not given")
	}
	return nil
}

func (f *flags) checkNumbers() error {
	switch {
	case f.epochs < 0 || f.fit < 0:
		return fmt.Errorf("-epochs %d and -fit %d must not be negative", f.epochs, f.fit)
	case !(f.rate >= 0) || math.IsInf(f.rate, 0):
		return fmt.Errorf("-rate %v is not a positive number", f.rate)
	case !(f.shrink >= 0 && f.shrink <= 1):
		return fmt.Errorf("-shrink %v is not in (0, 1]", f.shrink)
	case f.limit < 0:
		return fmt.Errorf("-time %v must not be negative", f.limit)
	case len(f.mean) > 0 && len(f.std) > 0 && len(f.mean) != len(f.std):
		return fmt.Errorf("-mean has %d numbers and -std %d", len(f.mean), len(f.std))
	case slices.ContainsFunc(f.std, func(v float64) bool { return v <= 0 }):
		return fmt.Errorf("-std %v: must be above 0", f.std.String())
	}
	return nil
}

// demand is the kind of the request, for the method and the audit.
func (f *flags) demand() *dlfd.Demand { return &dlfd.Demand{Kind: dlfd.Kind(f.asked.scenario)} }

func (f *flags) checkTexts() (err error) {
	for _, p := range f.asked.past {
		if id, dir, ok := strings.Cut(p, "="); !ok || id == "" || dir == "" {
			return fmt.Errorf("-past %q is not ID=DIR", p)
		}
	}
	if f.asked.ledger == "" && (len(f.asked.past) > 0 || f.asked.first != "") {
		return errors.New("-past and -first are for -ledger")
	}
	if f.identity == "" {
		return nil
	}
	if f.person, err = regexp.Compile(f.identity); err != nil {
		return fmt.Errorf("-identity: %w", err)
	}
	if f.person.NumSubexp() < 1 {
		return fmt.Errorf("-identity %q has no group in parentheses, such as (\\d+)_", f.identity)
	}
	return nil
}

// who returns the person in an image's path, "" where it names none.
func (f *flags) who(path string) string {
	if m := f.person.FindStringSubmatch(path); m != nil {
		return m[1]
	}
	return ""
}

// options are the flags that change the outcome.
func (f *flags) options() map[string]string {
	options := make(map[string]string)
	for name, value := range map[string]any{
		"method": f.method, "epochs": f.epochs, "fit": f.fit, "seed": f.seed, "rate": f.rate, "shrink": f.shrink, "time": f.limit, "always": f.always,
		"logits": f.logits, "input": f.input.String(), "classes": f.classes.String(), "identity": f.identity,
		"mean": f.mean.String(), "std": f.std.String(), "bgr": f.bgr,
		"allow-overlap": f.overlap, "skip-unreadable": f.skip, "force": f.force,
	} {
		options[name] = fmt.Sprint(value)
	}
	return options
}

// numbers is a list such as 0.485,0.456,0.406.
type numbers []float64

func (n *numbers) String() string { return strings.Trim(fmt.Sprint([]float64(*n)), "[]") }

func (n *numbers) Set(s string) error {
	*n = nil
	for part := range strings.SplitSeq(s, ",") {
		v, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%q is not a number; numbers are separated by commas", part)
		}
		*n = append(*n, v)
	}
	return nil
}

// names is a list such as cat,dog.
type names []string

func (n *names) String() string { return strings.Join(*n, ",") }

func (n *names) Set(s string) error {
	*n = nil
	for part := range strings.SplitSeq(s, ",") {
		name := strings.TrimSpace(part)
		if name == "" || slices.Contains(*n, name) {
			return fmt.Errorf("the name %q is empty or given twice", name)
		}
		*n = append(*n, name)
	}
	return nil
}

// texts collects a flag that may be repeated.
type texts []string

func (t *texts) String() string     { return strings.Join(*t, " ") }
func (t *texts) Set(s string) error { *t = append(*t, s); return nil }

// shape is one such as 3x224x224.
type shape []int

func (s *shape) String() string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint([]int(*s)), "[]"), " ", "x")
}

func (s *shape) Set(text string) error {
	*s = nil
	for part := range strings.SplitSeq(text, "x") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 {
			return errors.New("wants a shape such as 3x224x224: channels, height, width")
		}
		*s = append(*s, n)
	}
	return nil
}
