// Package experiment compares methods of unlearning: tasks × methods × seeds as
// independent jobs, and tables of what came out.
//
// An Experiment names tasks, methods and seeds. New turns it into a Plan: a
// Manifest, whose digest stands in every result, and a list of jobs, each a pure
// function of the manifest and its index. A Plan runs in a folder:
//
//   - Each result is one file that is written whole or not at all, and a job whose
//     file is there is not done again. A run that was killed goes on where it was.
//   - A Runner says which jobs run, and where. Local runs all of them in this
//     process, Index every n-th: n processes, on one machine or on several, share
//     the work, each in a folder of its own or all in one.
//     IndexFromEnv has the share of a task of a Slurm array and of a pod of a Kubernetes
//     Indexed Job. Shares in one folder that do one stage after the other, with
//     RunOptions.Only and Kind.Stage, do nothing twice.
//   - Original and retrained models are jobs of their own, shared by all methods,
//     and so is the band, the gaps between retrained models.
//   - NewFleet plans retrained models alone, as references for audits; LoadFleet returns
//     them.
//
// Merge reads the results of one or more folders, refuses what is missing and what
// belongs to another experiment, and returns them all with a digest that
// depends neither on the Runner nor on the number of interruptions. Times are kept
// beside the results and do not count in any digest.
//
// Seeds of training, unlearning and evaluation are derived apart from one number,
// so that each can vary while the others stay.
//
// Results are equal to the bit for one manifest, one version of the program and
// the same kernels, which the manifest names too; a program whose methods
// change should change Experiment.Version, or use a new folder.
package experiment

import "errors"

// Errors that functions of this package wrap, beside those of the models, the data
// and the methods.
var (
	// ErrForeign is of a file that belongs to another experiment, or to none.
	ErrForeign = errors.New("not of this experiment")
	// ErrMissing is of results that are not there.
	ErrMissing = errors.New("results are missing")
)
