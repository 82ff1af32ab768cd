package main

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/dlfd-go/unlearn/dlfd/experiment"
)

// list is one such as a,b,c.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(s string) error {
	*l = nil
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part == "" {
			return fmt.Errorf("an entry of %q is empty", s)
		}
		*l = append(*l, part)
	}
	return nil
}

// numbers is a list such as .286,.353.
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

// shard is one such as 2/8.
type shard experiment.Index

func (s *shard) String() string {
	if s.Of == 0 {
		return ""
	}
	return fmt.Sprintf("%d/%d", s.I, s.Of)
}

func (s *shard) Set(text string) error {
	i, n, ok := strings.Cut(text, "/")
	var err error
	if i == "auto" {
		return s.auto(n, ok)
	}
	if s.I, err = strconv.Atoi(i); ok && err == nil {
		s.Of, err = strconv.Atoi(n)
	}
	if !ok || err != nil || s.Of < 1 || s.I < 0 || s.I >= s.Of {
		return fmt.Errorf("wants i/n with i from 0 to n-1, such as 0/8, or auto, or auto/n")
	}
	return nil
}

// auto takes the share from the environment. n, where given, is the number of shares.
func (s *shard) auto(n string, given bool) (err error) {
	of := 0
	if given {
		if of, err = strconv.Atoi(n); err != nil || of < 1 {
			return fmt.Errorf("wants auto/n with n of at least 1, such as auto/8")
		}
	}
	index, err := experiment.IndexFromEnv(os.LookupEnv, of)
	*s = shard(index)
	return err
}
