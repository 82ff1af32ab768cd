// Receipt checks deletion receipts, such as examples/onnx writes:
//
//	go run ./examples/receipt verify -key PUB.pem -model M2.onnx M2.onnx.unlearn.intoto.json
//
// It checks the signature, the hashes of models and data, a chain of receipts and the
// proof for one photo; with -audit it computes the figures again from the data, and with
// -replay the new model, to the bit. prove makes a proof, page prints a receipt in plain
// words. stranger.sh does the first part with openssl, jq and sha256sum alone.
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

const usage = `Receipt checks a deletion receipt:

  go run ./examples/receipt verify [-key PUB.pem] [-model M2] [-input M1] [-trace FILE]
      [-chain OLDEST -chain ...] [-secret FILE] [-proof FILE -inclusion PHOTO]
      [-audit DIR] [-replay M1 -data DIR] [-ledger FILE] [-forgotten] RECEIPT
  go run ./examples/receipt prove -secret FILE -inclusion PHOTO -proof FILE RECEIPT
  go run ./examples/receipt page [-key PUB.pem] RECEIPT

DIR has the folders retain, forget, holdout and test that examples/onnx was given.

Exit status: 0 all that was asked for is right; 1 something is not; 2 wrong arguments.
With -forgotten, where all is right: 3 the outcome is not that the samples are
forgotten; 4 the outcome is that it cannot be told.

`

// The exit statuses.
const (
	exitRight = iota
	exitWrong
	exitArguments
	exitNotForgotten
	exitCannotTell
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// command runs the program and returns its exit status.
func command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	f, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fs := newFlagSet(new(flags))
		fs.SetOutput(stdout)
		fmt.Fprint(stdout, usage)
		fs.PrintDefaults()
		return exitRight
	}
	if err != nil {
		fmt.Fprintf(stderr, "receipt: %v; -h lists the flags\n", err)
		return exitArguments
	}
	switch f.command {
	case "verify":
		err = verify(ctx, f, stdout)
	case "prove":
		err = prove(f, stdout)
	case "page":
		err = page(f, stdout)
	}
	if err != nil {
		fmt.Fprintln(stderr, "receipt:", strings.TrimPrefix(err.Error(), "receipt: "))
	}
	switch {
	case err == nil:
		return exitRight
	case errors.Is(err, errCannotTell):
		return exitCannotTell
	case errors.Is(err, errNotForgotten):
		return exitNotForgotten
	}
	return exitWrong
}
