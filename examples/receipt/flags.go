package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// flags are the arguments.
type flags struct {
	command, receipt           string
	key, model, input, trace   string
	secret, proof, inclusion   string
	audit, replay, data, named string
	classes                    string
	ledger                     string
	forgotten                  bool
	chain                      texts
	identity                   *regexp.Regexp
	tolerance                  float64
}

func newFlagSet(f *flags) *flag.FlagSet {
	fs := flag.NewFlagSet("receipt", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // errors and usage are told by the caller
	fs.StringVar(&f.key, "key", "", "PEM `file` of the public key; without one the signature is not checked")
	fs.StringVar(&f.model, "model", "", "`file` of the new model")
	fs.StringVar(&f.input, "input", "", "`file` of the model before")
	fs.StringVar(&f.trace, "trace", "", "`file` of the run's trace")
	fs.Var(&f.chain, "chain", "`file` of an earlier receipt; may be repeated, the oldest first")
	fs.StringVar(&f.ledger, "ledger", "", "`file` of the ledger that has the request, with its key beside it as FILE.key")
	fs.BoolVar(&f.forgotten, "forgotten", false, "ask too that the outcome is forgotten")
	fs.StringVar(&f.secret, "secret", "", "`file` of the request's secret")
	fs.StringVar(&f.proof, "proof", "", "`file` of a proof")
	fs.StringVar(&f.inclusion, "inclusion", "", "`file` of the photo that it is for")
	fs.StringVar(&f.audit, "audit", "", "`folder` of data to compute the figures from; wants -model")
	fs.StringVar(&f.replay, "replay", "", "`file` of the model before, to compute the new one from; wants -data")
	fs.StringVar(&f.data, "data", "", "`folder` of data for -replay")
	fs.StringVar(&f.named, "identity", "", "regular `expression` whose first group is the person in a path, as the run had it")
	fs.StringVar(&f.classes, "classes", "", "`names` of the classes in the order of the logits, as the run had them")
	fs.Float64Var(&f.tolerance, "tolerance", .005, "by how `much` figures may differ where version, machine or kernels are not those of the receipt")
	return fs
}

// parse reads and checks the arguments.
func parse(args []string) (f *flags, err error) {
	f = new(flags)
	if len(args) == 0 {
		return nil, errors.New("verify, prove or page?")
	}
	if f.command = args[0]; f.command == "-h" || f.command == "-help" {
		return nil, flag.ErrHelp
	}
	fs := newFlagSet(f)
	if err := fs.Parse(args[1:]); err != nil {
		return nil, err
	}
	if fs.NArg() != 1 {
		return nil, fmt.Errorf("one receipt is wanted after the flags, got %q", fs.Args())
	}
	f.receipt = fs.Arg(0)
	if f.named != "" {
		f.identity, err = regexp.Compile(f.named)
		if err == nil && f.identity.NumSubexp() < 1 {
			err = fmt.Errorf("-identity %q has no group in parentheses", f.named)
		}
	}
	return f, errors.Join(err, f.check())
}

func (f *flags) check() error {
	switch {
	case f.command != "verify" && f.command != "prove" && f.command != "page":
		return fmt.Errorf("%q is not verify, prove or page", f.command)
	case f.command == "prove" && (f.secret == "" || f.inclusion == "" || f.proof == ""):
		return errors.New("prove wants -secret, -inclusion and -proof")
	case f.command == "verify" && (f.inclusion == "") != (f.proof == ""):
		return errors.New("-inclusion wants -proof, and -proof wants -inclusion")
	case f.audit != "" && f.model == "":
		return errors.New("-audit wants -model")
	case (f.replay == "") != (f.data == ""):
		return errors.New("-replay wants -data, and -data wants -replay")
	}
	return nil
}

// texts collects a flag that may be repeated.
type texts []string

func (t *texts) String() string     { return strings.Join(*t, " ") }
func (t *texts) Set(s string) error { *t = append(*t, s); return nil }
