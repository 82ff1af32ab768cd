package experiment

import (
	"fmt"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
)

// swapEntry is what the manifest says of Experiment.Swap. A number stands there only
// where some runs are swapped and others are not.
func swapEntry(runs int) any {
	if runs > 0 {
		return runs
	}
	return runs == 0
}

// swapRuns returns how many runs of each method on a task are done a second time with
// Unseen in the place of the forget set.
func (p *Plan) swapRuns(task int) int {
	originals, runs := p.runs(task)
	switch all := originals * runs; {
	case p.swap < 0 || p.problems[task].Original != nil:
		return 0
	case p.swap == 0:
		return all
	default:
		return min(p.swap, all)
	}
}

// swapModels returns how many models these runs need.
func (p *Plan) swapModels(task int) int {
	_, runs := p.runs(task)
	return (p.swapRuns(task) + runs - 1) / runs
}

// swap exchanges the forget set and as many samples of Unseen, class by class, as far
// as there are so many.
func (p *problem) swap() error {
	lost, err := matched(p.request.Forget, p.Unseen)
	if err != nil {
		return fmt.Errorf("unseen in the place of the forget set: %w", err)
	}
	kept := p.request.Retain.Len()
	if p.swappedTrained, err = feature.Concat(p.request.Retain, lost); err != nil {
		return err
	}
	req, err := dlfd.NewRequest(p.swappedTrained, func(i int) bool { return i >= kept }, p.request.Forget)
	if err != nil {
		return fmt.Errorf("unseen in the place of the forget set: %w", err)
	}
	p.swapped, p.swappedJudge = req.Data, req.AuditData
	p.swappedJudge.Forget, p.swappedJudge.Test = lost, p.judge.Test
	return nil
}

// matched returns, of each class, as many samples of from as like has, or all if
// there are fewer, at equal distances.
func matched(like, from feature.Dataset) (feature.Dataset, error) {
	want, err := feature.Labels(like)
	if err != nil {
		return nil, err
	}
	have, err := feature.Labels(from)
	if err != nil {
		return nil, err
	}
	need, total, seen := make(map[int]int), make(map[int]int), make(map[int]int)
	for _, c := range want {
		need[c]++
	}
	for _, c := range have {
		total[c]++
	}
	var index []int
	for i, c := range have {
		n := min(need[c], total[c])
		if seen[c]*n/total[c] < (seen[c]+1)*n/total[c] { // n of total steps
			index = append(index, i)
		}
		seen[c]++
	}
	return feature.Subset(from, index)
}
