package experiment

import (
	"fmt"
	"strings"
)

// Kind says what a job does.
type Kind string

// The kinds of jobs, in the order in which one needs another.
const (
	TrainOriginal  Kind = "train original"  // a model on all training samples
	TrainRetrained Kind = "train retrained" // a model on what is retained
	TrainSwapped   Kind = "train swapped"   // a model on what is retained and on Unseen; see Experiment.Swap
	JudgeRetrained Kind = "judge retrained" // its audits by itself
	JudgeOriginal  Kind = "judge original"  // audits of an original model, and gaps to the retrained ones
	JudgeBand      Kind = "band"            // audits of a retrained model beside an original and the other retrained ones, and gaps to these
	JudgeMethod    Kind = "method"          // a run of a method, its audits, and gaps
	SwapOriginal   Kind = "swap original"   // audits of a swapped model
	SwapMethod     Kind = "swap method"     // a run of a method on a swapped model, and its audits
)

// Stages is the number of stages of an experiment.
const Stages = 4

// Stage returns the stage of a kind, from 1 to Stages. Jobs of one stage need those of
// earlier stages alone: where processes share the work of one stage after the other, none
// does what is another's.
func (k Kind) Stage() int {
	switch k {
	case TrainOriginal, TrainRetrained, TrainSwapped:
		return 1
	case JudgeRetrained, SwapOriginal, SwapMethod:
		return 2
	case JudgeOriginal:
		return 3
	}
	return 4
}

// ofRetrained reports whether a job judges a retrained model.
func (k Kind) ofRetrained() bool { return k == JudgeRetrained || k == JudgeBand }

// ofMethod reports whether a job runs a method.
func (k Kind) ofMethod() bool { return k == JudgeMethod || k == SwapMethod }

// swapped reports whether Unseen has the place of the forget set, and it that of Unseen.
func (k Kind) swapped() bool { return k == TrainSwapped || k == SwapOriginal || k == SwapMethod }

// Job is one piece of work. Which one it is, and what comes out, follows from the
// manifest and the index.
type Job struct {
	Index  int    `json:"index"`
	Kind   Kind   `json:"kind"`
	Task   string `json:"task"`
	Method string `json:"method,omitempty"`
	// Model is the number of the original or of the retrained model, and Run that
	// of the run of a method on that original model.
	Model int `json:"model"`
	Run   int `json:"run"`

	task, method int // positions in the Plan
}

// String returns the job in words, such as "yaleb: Align, model 2, run 0".
func (j Job) String() string {
	switch j.Kind {
	case JudgeMethod:
		return fmt.Sprintf("%s: %s, model %d, run %d", j.Task, j.Method, j.Model, j.Run)
	case SwapMethod:
		return fmt.Sprintf("%s: %s, swapped, model %d, run %d", j.Task, j.Method, j.Model, j.Run)
	}
	return fmt.Sprintf("%s: %s %d", j.Task, j.Kind, j.Model)
}

// file is the name of the job's files, without folder and ending.
func (j Job) file() string {
	name := fileName(j.Task) + "-" + strings.ReplaceAll(string(j.Kind), " ", "-")
	if j.Kind.ofMethod() {
		name += "-" + fileName(j.Method)
	}
	return fmt.Sprintf("%05d-%s-%d-%d", j.Index, name, j.Model, j.Run)
}

// fileName leaves letters, digits, dots and dashes of a name, for at most 60 bytes.
func fileName(name string) string {
	safe := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-':
			return r
		}
		return '_'
	}, name)
	return safe[:min(len(safe), 60)]
}

// runs returns how many originals a task has, and how many runs each gets.
func (p *Plan) runs(task int) (originals, runs int) {
	s := p.manifest.Seeds
	if p.problems[task].Original != nil {
		return 1, s.Training * s.Unlearning
	}
	return s.Training, s.Unlearning
}

// retrained returns the number of retrained models of a task.
func (p *Plan) retrained(task int) int {
	if n := len(p.problems[task].Retrained); n > 0 {
		return n
	}
	return p.manifest.Seeds.Retrained
}

// addJobs lists the jobs: models first, as others need them, and then one run of
// all methods after the other, so that a table has all its rows early.
func (p *Plan) addJobs() {
	if p.manifest.Fleet {
		p.addModels(0, TrainRetrained, p.retrained(0))
		return
	}
	for t, q := range p.problems {
		if originals, _ := p.runs(t); q.Original == nil {
			p.addModels(t, TrainOriginal, originals)
		}
		if len(q.Retrained) == 0 {
			p.addModels(t, TrainRetrained, p.retrained(t))
		}
		p.addModels(t, TrainSwapped, p.swapModels(t))
	}
	for t := range p.problems {
		originals, _ := p.runs(t)
		p.addModels(t, JudgeRetrained, p.retrained(t))
		p.addModels(t, JudgeOriginal, originals)
		p.addModels(t, JudgeBand, p.retrained(t))
		p.addModels(t, SwapOriginal, p.swapModels(t))
	}
	for t := range p.problems {
		originals, runs := p.runs(t)
		for o := range originals {
			for r := range runs {
				p.addRuns(t, JudgeMethod, o, r)
				if o*runs+r < p.swapRuns(t) {
					p.addRuns(t, SwapMethod, o, r)
				}
			}
		}
	}
}

func (p *Plan) addModels(task int, kind Kind, n int) {
	for k := range n {
		p.add(Job{Kind: kind, Model: k, task: task})
	}
}

func (p *Plan) addRuns(task int, kind Kind, original, run int) {
	for m := range p.methods {
		p.add(Job{Kind: kind, Method: p.methods[m].Name, Model: original, Run: run, task: task, method: m})
	}
}

func (p *Plan) add(j Job) {
	j.Index, j.Task = len(p.jobs), p.problems[j.task].Name
	p.place[j.key()] = j.Index
	p.jobs = append(p.jobs, j)
}

// find returns the job that trains or judges a model of a task.
func (p *Plan) find(kind Kind, task, model int) int {
	i, ok := p.place[Job{Kind: kind, task: task, Model: model}]
	if !ok {
		panic(fmt.Sprintf("experiment: no job %s %d of task %d", kind, model, task))
	}
	return i
}

// swapOf returns the job that does with swapped sets what j does.
func (p *Plan) swapOf(j Job) (i int, ok bool) {
	switch j.Kind {
	case JudgeOriginal:
		j.Kind = SwapOriginal
	case JudgeMethod:
		j.Kind = SwapMethod
	default:
		return 0, false
	}
	i, ok = p.place[j.key()]
	return i, ok
}

// key leaves of a job what tells it apart.
func (j Job) key() Job {
	j.Index, j.Task, j.Method = 0, "", ""
	return j
}
