package experiment

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dlfd-go/unlearn/dlfd"
)

// The environment variables of a task of a Slurm array and of a pod of a Kubernetes
// Indexed Job.
const (
	slurmTask  = "SLURM_ARRAY_TASK_ID"
	slurmMin   = "SLURM_ARRAY_TASK_MIN"
	slurmMax   = "SLURM_ARRAY_TASK_MAX"
	slurmStep  = "SLURM_ARRAY_TASK_STEP"
	slurmCount = "SLURM_ARRAY_TASK_COUNT"
	kubeIndex  = "JOB_COMPLETION_INDEX"
)

// IndexFromEnv returns the share of a process that Slurm or Kubernetes has started, by
// the variables of its environment:
//
//   - A task of a Slurm array has SLURM_ARRAY_TASK_ID, _MIN, _MAX, _STEP and _COUNT. Its
//     share is (ID − MIN)/STEP of COUNT. The ids of an array must be equally far apart.
//   - A pod of an Indexed Job of Kubernetes has JOB_COMPLETION_INDEX, from 0. No
//     variable tells the number of completions: of must be that number.
//
// lookup is os.LookupEnv, or what stands in for it. of is the number of shares; 0 leaves
// it to the environment. An environment of neither kind or of both, one that lacks
// a variable, variables that contradict each other and a number of tasks other than
// of are errors that name the variables and wrap dlfd.ErrParameter.
func IndexFromEnv(lookup func(name string) (value string, ok bool), of int) (Index, error) {
	s, err := environment(lookup).index(of)
	if err != nil {
		return Index{}, fmt.Errorf("experiment: %w: %w", dlfd.ErrParameter, err)
	}
	return s, nil
}

type environment func(string) (string, bool)

func (env environment) index(of int) (Index, error) {
	_, pod := env(kubeIndex)
	slurm := env.present(slurmTask, slurmMin, slurmMax, slurmStep, slurmCount)
	switch {
	case of < 0:
		return Index{}, fmt.Errorf("%d shares", of)
	case pod && len(slurm) > 0:
		return Index{}, fmt.Errorf("both %s and %s are set: the process has two shares", kubeIndex, slurm[0])
	case pod:
		return env.pod(of)
	case len(slurm) > 0:
		return env.slurm(of)
	}
	return Index{}, fmt.Errorf("neither %s nor %s is set", slurmTask, kubeIndex)
}

func (env environment) present(names ...string) []string {
	return slices.DeleteFunc(names, func(name string) bool { _, ok := env(name); return !ok })
}

// pod is the share of a pod of of.
func (env environment) pod(of int) (Index, error) {
	var i int
	if err := env.read(kubeIndex, &i); err != nil {
		return Index{}, err
	}
	switch {
	case of == 0:
		return Index{}, fmt.Errorf("%s is %d, and no variable has the number of completions, which must be given", kubeIndex, i)
	case i >= of:
		return Index{}, fmt.Errorf("%s is %d, of %d completions", kubeIndex, i, of)
	}
	return Index{i, of}, nil
}

// slurm is the share of a task of an array.
func (env environment) slurm(of int) (Index, error) {
	var id, first, last, step, count int
	for _, v := range []struct {
		name string
		to   *int
	}{{slurmTask, &id}, {slurmMin, &first}, {slurmMax, &last}, {slurmStep, &step}, {slurmCount, &count}} {
		if err := env.read(v.name, v.to); err != nil {
			return Index{}, err
		}
	}
	switch {
	case step < 1 || count < 1 || last < first || (last-first)/step+1 != count || (last-first)%step != 0:
		return Index{}, fmt.Errorf("%s %d, %s %d and %s %d do not make %s %d: give an array without gaps, such as --array=0-7",
			slurmMin, first, slurmMax, last, slurmStep, step, slurmCount, count)
	case id < first || id > last || (id-first)%step != 0:
		return Index{}, fmt.Errorf("%s %d is none of the tasks from %s %d to %s %d in steps of %d", slurmTask, id, slurmMin, first, slurmMax, last, step)
	case of != 0 && of != count:
		return Index{}, fmt.Errorf("%s is %d, and the number of shares is to be %d", slurmCount, count, of)
	}
	return Index{(id - first) / step, count}, nil
}

// read reads a number from 0.
func (env environment) read(name string, to *int) error {
	text, ok := env(name)
	if !ok {
		return fmt.Errorf("%s is not set", name)
	}
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 0 {
		return fmt.Errorf("%s is %q, want a number from 0", name, text)
	}
	*to = n
	return nil
}
