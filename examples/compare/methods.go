package main

import (
	"fmt"
	"strings"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/dlfd/experiment"
	"github.com/dlfd-go/unlearn/dlfd/released"
)

// methodNames lists what -methods all stands for.
func methodNames() []string { return []string{"align", "dlfd", "released", "finetune", "neggrad+"} }

// method returns the method that a text names.
func method(text string) (experiment.Method, error) {
	m := experiment.Method{Name: text}
	switch strings.ToLower(text) {
	case "align":
		m.Unlearner = dlfd.Recommended()
	case "dlfd":
		m.Unlearner = dlfd.DLFD{}
	case "released":
		m.Unlearner = released.Method{}
	case "finetune":
		m.Unlearner = baseline.FineTune{}
	case "neggrad+":
		m.Unlearner = baseline.NegGradPlus{}
	default:
		return m, fmt.Errorf("no method is called %q; there are %s", text, strings.Join(methodNames(), ", "))
	}
	return m, nil
}

// chosen returns the methods of the flags.
func (f *flags) chosen() (all []experiment.Method, err error) {
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
