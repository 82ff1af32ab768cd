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
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second interrupt kills
	code := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// command runs the program and returns its exit code: 1 if it fails, 2 for
// wrong arguments.
func command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	f, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		printUsage(stdout)
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "faces: %v; -h lists the flags\n", err)
		return 2
	}
	if done, err := run(ctx, f, defaults(), stdout, stderr); err != nil {
		if errors.Is(err, context.Canceled) {
			err = errors.New("interrupted; " + kept(f.out, done))
		}
		fmt.Fprintln(stderr, "faces:", err)
		return 1
	}
	return 0
}

// kept says what an interrupt left.
func kept(dir string, done int) string {
	switch done {
	case 0:
		return "nothing was written"
	case 1:
		return "the first seed is in " + dir
	}
	return fmt.Sprintf("the first %d seeds are in %s", done, dir)
}

// run loads the data, carries out the experiment, and writes what came out, after
// each seed. It returns how many of them are written.
func run(ctx context.Context, f flags, set settings, stdout, stderr io.Writer) (done int, err error) {
	set = set.apply(f)
	begin := time.Now()
	if err := tryFolder(f.out); err != nil {
		return 0, err
	}
	p, err := load(f, set)
	if err != nil {
		return 0, err
	}
	fmt.Fprintln(stdout, p)
	runs, err := experiment(ctx, p, set, newBar(stderr), func(runs []seedRun) error {
		if err := printSeed(stdout, runs[len(runs)-1]); err != nil {
			return err
		}
		err := store(f.out, p, set, runs, time.Since(begin))
		if err == nil {
			done = len(runs)
		}
		return err
	})
	if err != nil {
		return done, err
	}
	if err := printMeans(stdout, runs); err != nil {
		return done, err
	}
	_, err = fmt.Fprintf(stdout, "\n%.1f s in all; models, result.json and faces.png are in %s\n", time.Since(begin).Seconds(), f.out)
	return done, err
}
