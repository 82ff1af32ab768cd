// Onnx makes a classifier that came as an ONNX file forget some of its training
// samples, and writes it back as the same file with other weights, with a receipt:
//
//	go run ./examples/onnx -model M.onnx -retain DIR -forget DIR -holdout DIR -out M2.onnx
//
// -inspect M.onnx lists operators, taps and parameters; -verify M.onnx X.npy Y.npy
// [GX.npy] compares logits, and the gradient of Σ logits² in the input, with those
// of another program.
//
// Before any work it prints which folder is which logit, and refuses to go on
// where the accuracy on retain is not that of training data; see guard.go for the
// rule. The exit status is 0 only if the audit says that the model forgot;
// see exitNotForgotten and exitCannotTell.
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
)

// The exit statuses.
const (
	exitForgot       = iota
	exitFailed       // an error, or an interrupt; nothing was written
	exitArguments    // wrong arguments
	exitNotForgotten // the run ended, and the model has not forgotten or is not changed
	exitCannotTell   // the run ended, and the audit cannot tell whether the model forgot
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second interrupt kills
	code := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// command runs the program and returns its exit status.
func command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	f, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		printUsage(stdout)
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "onnx: %v; -h lists the flags\n", err)
		return exitArguments
	}
	switch {
	case f.inspect != "":
		err = inspect(f, stdout)
	case f.verify:
		err = verify(ctx, f, stdout)
	default:
		err = unlearn(ctx, f, stdout, stderr)
	}
	return report(ctx, stderr, err)
}

// report tells an error and returns the exit status.
func report(ctx context.Context, stderr io.Writer, err error) int {
	switch {
	case err == nil:
		return exitForgot
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		fmt.Fprintln(stderr, "onnx: interrupted; nothing was written")
		return exitFailed
	}
	fmt.Fprintln(stderr, "onnx:", explain(err))
	switch {
	case errors.Is(err, errNotForgotten):
		return exitNotForgotten
	case errors.Is(err, errCannotTell):
		return exitCannotTell
	}
	return exitFailed
}

// explain is the text of an error in which settings of the library are called by
// the flags that set them.
func explain(err error) string {
	return strings.NewReplacer(
		": onnx: ", ": ",
		"set Options.Input", "give its size with -input CxHxW",
		"Options.Logits", "-logits",
		"ImageOptions.SkipUnreadable", "-skip-unreadable",
		"Options.AllowOverlap", "-allow-overlap",
		"Data.Holdout", "-holdout",
	).Replace(strings.TrimPrefix(err.Error(), "onnx: "))
}
