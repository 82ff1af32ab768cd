// Onnx makes a classifier that came as an ONNX file forget some of its training
// samples, and writes it back as the same file with other weights, with a receipt:
//
//	go run ./examples/onnx -model M.onnx -retain DIR -forget DIR -holdout DIR -out M2.onnx
//
// -inspect M.onnx lists operators, taps and parameters; -verify M.onnx X.npy Y.npy
// [GX.npy] compares logits, and the gradient of Σ logits² in the input, with those
// of another program.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
)

// flags are the arguments.
type flags struct {
	model, retain, forget, holdout, out string
	method                              string
	identity, classes, logits           string
	mean, std                           numbers
	seed                                uint64
	epochs, fit                         int
	rate, shrink                        float64
	overlap                             bool
	inspect                             string
	verify                              bool
}

// numbers is a list such as 0.485,0.456,0.406.
type numbers []float64

func (n *numbers) String() string { return strings.Trim(fmt.Sprint([]float64(*n)), "[]") }

func (n *numbers) Set(s string) error {
	*n = nil
	for _, part := range strings.Split(s, ",") {
		v, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil {
			return err
		}
		*n = append(*n, v)
	}
	return nil
}

const usage = `Onnx makes a classifier forget samples:

  go run ./examples/onnx -model M.onnx -retain DIR -forget DIR -holdout DIR -out M2.onnx
  go run ./examples/onnx -inspect M.onnx
  go run ./examples/onnx -verify M.onnx X.npy Y.npy [GX.npy]

A DIR has one subfolder of images a class. Beside M2.onnx, the receipt
M2.onnx.json is written.

`

func newFlagSet(f *flags) *flag.FlagSet {
	fs := flag.NewFlagSet("onnx", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // errors and usage are told by the caller
	fs.StringVar(&f.model, "model", "", "`file` of the trained model")
	fs.StringVar(&f.retain, "retain", "", "`folder` of training images to keep")
	fs.StringVar(&f.forget, "forget", "", "`folder` of training images to forget")
	fs.StringVar(&f.holdout, "holdout", "", "`folder` of images that were not trained on: half steers, half judges")
	fs.StringVar(&f.out, "out", "", "`file` to write")
	fs.StringVar(&f.method, "method", "dlfd", "dlfd, finetune or neggrad+")
	fs.StringVar(&f.classes, "classes", "", "`names` of the subfolders in the order of the logits, with commas; empty: in the order of retain's names")
	fs.StringVar(&f.logits, "logits", "", "`name` of the tensor or node that has them; empty: the output, or what a softmax there reads")
	fs.StringVar(&f.identity, "identity", "", "regular `expression` whose first group is the person in an image's path")
	fs.Var(&f.mean, "mean", "`numbers` that normalise the channels: (pixel in [0, 1] - mean)/std")
	fs.Var(&f.std, "std", "`numbers`, see -mean")
	fs.Uint64Var(&f.seed, "seed", 1, "seed of unlearning and of the audit")
	fs.IntVar(&f.epochs, "epochs", 0, "`epochs` of unlearning; 0: the method's")
	fs.Float64Var(&f.rate, "rate", 0, "learning `rate` of unlearning; 0: the method's")
	fs.Float64Var(&f.shrink, "shrink", 0, "`factor` of the weights at the start of dlfd; 0: its own, which is 1 without batch norm")
	fs.IntVar(&f.fit, "fit", 0, "first train `epochs` on retain and forget, to try the program on an untrained model")
	fs.BoolVar(&f.overlap, "allow-overlap", false, "go on where persons or images stand both in retain and forget")
	fs.StringVar(&f.inspect, "inspect", "", "list what is in a `file`, and stop")
	fs.BoolVar(&f.verify, "verify", false, "compare a model with arrays of NumPy, and stop")
	return fs
}

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
	var f flags
	fs := newFlagSet(&f)
	err := fs.Parse(args)
	if err == nil {
		err = f.check(fs.Args())
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		fs.SetOutput(stdout)
		fmt.Fprint(stdout, usage)
		fs.PrintDefaults()
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "onnx: %v; -h lists the flags\n", err)
		return 2
	}
	switch {
	case f.inspect != "":
		err = inspect(f, stdout)
	case f.verify:
		err = verify(ctx, f, fs.Args(), stdout)
	default:
		err = unlearn(ctx, f, stdout, stderr)
	}
	if err != nil {
		fmt.Fprintln(stderr, "onnx:", err)
		return 1
	}
	return 0
}

func (f flags) check(rest []string) error {
	switch {
	case f.verify && len(rest) != 3 && len(rest) != 4:
		return fmt.Errorf("-verify wants M.onnx X.npy Y.npy [GX.npy], got %q", rest)
	case f.verify || f.inspect != "" && len(rest) == 0:
		return nil
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q", rest[0])
	case f.model == "" || f.retain == "" || f.forget == "" || f.holdout == "" || f.out == "":
		return errors.New("-model, -retain, -forget, -holdout and -out are needed")
	case f.epochs < 0 || f.fit < 0:
		return fmt.Errorf("-epochs %d and -fit %d are not to be negative", f.epochs, f.fit)
	}
	return nil
}
