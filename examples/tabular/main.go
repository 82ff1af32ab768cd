// Tabular trains a perceptron on the rows of a table, makes it forget some of them,
// and prints an audit before and after.
//
// Without arguments it draws a table of customers, who may have asked to be deleted.
// A table of your own is given by -data with -label, the column of the class, and
// -forget, which rows must go:
//
//	tabular -data people.csv -label income -forget name=ann -ignore notes
//
// Half of the rows that stay, or of their persons, are left out of the training, for
// the audit. Numbers are standardized by the rows that are retained; missing values are
// imputed, and marked.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature/dataset"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/train"
)

// settings are what the flags say.
type settings struct {
	data, label, identity string
	ignore                []string
	numeric, categorical  []string
	missing               []string
	column, value         string // of the rows that must go
	epochs                int
	seed                  uint64
}

func parse(args []string) (s settings, err error) {
	f := flag.NewFlagSet("tabular", flag.ContinueOnError)
	f.StringVar(&s.data, "data", "", "table in CSV; if it is empty, one is drawn")
	f.StringVar(&s.label, "label", "churn", "column of the class")
	f.StringVar(&s.identity, "identity", "", "column that says whose row it is, if there is one")
	forget := f.String("forget", "request=delete", "rows to be forgotten: COLUMN=VALUE")
	ignore := f.String("ignore", "", "columns that are left out, separated by commas; the one of -forget always is")
	numeric := f.String("numeric", "", "columns that are numbers, separated by commas; with -categorical the columns that are used. If neither is given, all are, by what they hold")
	categorical := f.String("categorical", "", "columns of categories, separated by commas")
	missing := f.String("missing", "", "fields that stand for a missing value, separated by commas, such as NA,?; the empty field always does")
	f.IntVar(&s.epochs, "epochs", 60, "epochs of the training")
	f.Uint64Var(&s.seed, "seed", 1, "seed of everything that is drawn")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	var ok bool
	if s.column, s.value, ok = strings.Cut(*forget, "="); !ok || f.NArg() > 0 {
		return s, fmt.Errorf("-forget %q is not COLUMN=VALUE, or %q is too much", *forget, f.Args())
	}
	for _, name := range append(strings.Split(*ignore, ","), s.column) {
		if name != "" && name != s.label && name != s.identity {
			s.ignore = append(s.ignore, name)
		}
	}
	s.numeric, s.categorical = list(*numeric), list(*categorical)
	if *missing != "" {
		s.missing = append(list(*missing), "")
	}
	return s, nil
}

// list splits a text at commas; nil if it is empty.
func list(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// leaves reports whether a row must be forgotten.
func (s settings) leaves(r dataset.Row) bool { return r.Get(s.column) == s.value }

// request reads the table and divides it.
func (s settings) request(file string, w io.Writer) (*dlfd.Request, *dataset.Set, error) {
	encoding, err := dataset.LearnEncoding(file, dataset.EncodingOptions{
		Label: s.label, Identity: s.identity, Ignore: s.ignore,
		Numeric: s.numeric, Categorical: s.categorical, Missing: s.missing,
		Impute: dataset.ImputeMedian, Indicators: true,
		Keep: func(r dataset.Row) bool { return !s.leaves(r) && !s.unseen(r) },
	})
	if err != nil {
		return nil, nil, err
	}
	var leaves []bool // by sample of the training set
	trained, err := encoding.Read(file, &dataset.RowOptions{Keep: func(r dataset.Row) bool {
		if s.unseen(r) {
			return false
		}
		leaves = append(leaves, s.leaves(r))
		return true
	}})
	if err != nil {
		return nil, nil, err
	}
	unseen, err := encoding.Read(file, &dataset.RowOptions{Keep: s.unseen})
	if err != nil {
		return nil, nil, err
	}
	for _, c := range trained.Imputed() {
		fmt.Fprintf(w, "%d values of %s are missing, and imputed\n", c.Rows, c.Column)
	}
	if !slices.Contains(leaves, true) {
		return nil, nil, fmt.Errorf("no row of %s has %q in column %q: there is nothing to forget", file, s.value, s.column)
	}
	r, err := dlfd.NewRequest(trained, func(i int) bool { return leaves[i] }, unseen)
	return r, trained, err
}

func run(ctx context.Context, w io.Writer, args []string) error {
	s, err := parse(args)
	if err != nil {
		return err
	}
	file := s.data
	if file == "" {
		dir, err := os.MkdirTemp("", "tabular")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		file = filepath.Join(dir, "customers.csv")
		if err := os.WriteFile(file, []byte(customers(s.seed)), 0o666); err != nil {
			return err
		}
	}
	request, trained, err := s.request(file, w)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "trained on %d rows of %d numbers, %d of which must go\n", trained.Len(), trained.Shape()[0], request.Data.Forget.Len())
	model, err := nn.MLP(nn.MLPConfig{Input: trained.Shape(), Classes: trained.Classes(), Seed: s.seed})
	if err != nil {
		return err
	}
	if _, err := train.Fit(ctx, model, trained, &train.Options{Epochs: s.epochs, Seed: s.seed}); err != nil {
		return err
	}
	if err := audit(ctx, w, "before", model, request); err != nil {
		return err
	}
	result, err := dlfd.Recommended().Unlearn(ctx, model, request.Data, &dlfd.Options{Seed: s.seed})
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s: %s after %d steps\n", result.Method, result.Stop, result.Ledger.Steps)
	return audit(ctx, w, "after", model, request)
}

func main() {
	switch err := run(context.Background(), os.Stdout, os.Args[1:]); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "tabular:", err)
		os.Exit(1)
	}
}
