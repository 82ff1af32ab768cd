package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/dlfd-go/unlearn/dlfd/experiment"
)

// jobs plans what the flags ask for.
func (f *flags) jobs(ctx context.Context) (*experiment.Plan, error) {
	e, err := f.experiment(ctx)
	if err != nil {
		return nil, err
	}
	if f.fleet {
		return experiment.NewFleet(ctx, e.Tasks[0], e.Seeds, e.Version)
	}
	return experiment.New(ctx, *e)
}

// only says which jobs are of the stage; nil is all.
func (f *flags) only() func(experiment.Job) bool {
	if f.stage == 0 {
		return nil
	}
	return func(j experiment.Job) bool { return j.Kind.Stage() == f.stage }
}

// ownJobs returns the jobs of the stage and the share.
func (f *flags) ownJobs(plan *experiment.Plan) (own []experiment.Job) {
	only, k := f.only(), 0
	for _, j := range plan.Jobs() {
		if only != nil && !only(j) {
			continue
		}
		if f.shard.Of < 2 || k%f.shard.Of == f.shard.I {
			own = append(own, j)
		}
		k++
	}
	return own
}

// printPlan prints what the jobs cost, those of one sort in a line.
func (f *flags) printPlan(ctx context.Context, w io.Writer, plan *experiment.Plan, dirs []string) error {
	costs, err := plan.Estimate(ctx, dirs, time.Now)
	if err != nil {
		return err
	}
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "stage\ttask\tjobs\tnumber\tdone\ts each\th left\tMB\ts each is from")
	var sum experiment.Cost
	var left time.Duration
	for _, c := range costs {
		fmt.Fprintf(tab, "%d\t%s\t%s\t%d\t%d\t%.2f\t%.3f\t%.1f\t%s\n",
			c.Kind.Stage(), c.Task, jobsOf(c), c.Jobs, c.Done, c.Wall.Seconds(), c.Left().Hours(), megabytes(c.Bytes), basis(c))
		sum.Jobs, sum.Done, sum.Bytes, left = sum.Jobs+c.Jobs, sum.Done+c.Done, sum.Bytes+c.Bytes, left+c.Left()
	}
	if err := tab.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\n%d jobs, %d of them done; %.2f hours are left, and all files have %.1f MB.\n"+
		"Hours are those of one process on this machine that does one job at a time; n machines like it need an n-th.\n"+
		"Times from a piece are an estimate, good to a factor of about two: a share of the samples was run, and the time multiplied.\n",
		sum.Jobs, sum.Done, left.Hours(), megabytes(sum.Bytes))
	return err
}

func megabytes(n int64) float64 { return float64(n) / 1e6 }

func jobsOf(c experiment.Cost) string {
	text := string(c.Kind)
	if c.Method != "" {
		text += " " + c.Method
	}
	if c.Deep {
		text += ", with training"
	}
	return text
}

// basis says where the time comes from.
func basis(c experiment.Cost) string {
	switch {
	case c.Timed > 0:
		return fmt.Sprintf("%d finished jobs", c.Timed)
	case c.Done == c.Jobs:
		return "finished jobs without a time"
	case c.Failure != "":
		return "a piece that failed: " + c.Failure
	}
	return "a piece (estimate)"
}
