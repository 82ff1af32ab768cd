package main

import (
	"strings"

	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/dlfd/experiment"
	"github.com/dlfd-go/unlearn/dlfd/released"
)

// methodNames lists what -methods all stands for: all that baseline.ByName knows but
// the one that every method is measured against and the two for models of which the
// last layer alone was trained, and the released code.
func methodNames() (names []string) {
	for _, name := range baseline.Names() {
		if name != "retrain" && name != "exacthead" && name != "newtonhead" {
			names = append(names, name)
		}
	}
	return append(names, "released")
}

// method returns the method that a text names.
func method(text string) (m experiment.Method, err error) {
	m = experiment.Method{Name: text, Group: group(text)}
	if text == "released" {
		m.Unlearner = released.Method{}
		return m, nil
	}
	m.Unlearner, err = baseline.ByName(text)
	return m, err
}

// group leaves out the settings of a text: those of one group make a front.
func group(text string) string {
	var words []string
	for word := range strings.SplitSeq(text, ":") {
		if !strings.Contains(word, "=") {
			words = append(words, word)
		}
	}
	return strings.Join(words, ":")
}

// chosen returns the methods of the flags.
func (f *flags) chosen() (all []experiment.Method, err error) {
	if f.search != nil {
		return f.search.all()
	}
	for _, text := range f.methods {
		texts := []string{text}
		if text == "all" {
			texts = methodNames()
		}
		for _, text := range texts {
			m, err := method(text)
			if err != nil {
				return nil, err
			}
			all = append(all, m)
		}
	}
	return all, nil
}
