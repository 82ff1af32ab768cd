package experiment_test

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd/experiment"
)

// TestSwapSome: the first runs of each method are swapped, with as few models as they
// need, and the manifest says as much. Of two originals with two runs each, three runs
// need both models.
func TestSwapSome(t *testing.T) {
	for _, c := range []struct {
		swap, models, runs int
		entry              string
	}{{-1, 0, 0, "false"}, {0, 2, 4, "true"}, {1, 1, 1, "1"}, {2, 1, 2, "2"}, {3, 2, 3, "3"}, {9, 2, 4, "9"}} {
		e := small()
		e.Tasks, e.Methods, e.Seeds.Unlearning, e.Swap = e.Tasks[:1], e.Methods[:1], 2, c.swap
		p := plan(t, e)
		kinds := make(map[experiment.Kind]int)
		for _, j := range p.Jobs() {
			kinds[j.Kind]++
		}
		want := map[experiment.Kind]int{
			experiment.TrainOriginal: 2, experiment.TrainRetrained: 3, experiment.JudgeOriginal: 2,
			experiment.JudgeRetrained: 3, experiment.JudgeBand: 3, experiment.JudgeMethod: 4,
		}
		if c.runs > 0 {
			want[experiment.TrainSwapped], want[experiment.SwapOriginal], want[experiment.SwapMethod] = c.models, c.models, c.runs
		}
		if !maps.Equal(kinds, want) {
			t.Errorf("Swap %d: jobs %v, want %v", c.swap, kinds, want)
		}
		if entry, err := json.Marshal(p.Manifest().Swap); err != nil || string(entry) != c.entry {
			t.Errorf("Swap %d: the manifest has %s (%v), want %s", c.swap, entry, err, c.entry)
		}
	}
}

// TestSwapOneSeed: the column has the figure of one seed, the one that it has where all
// seeds are swapped.
func TestSwapOneSeed(t *testing.T) {
	e := small()
	e.Tasks, e.Seeds.Training, e.Swap = e.Tasks[:1], 1, 0
	all := swapFigures(t, e)
	e.Seeds.Training, e.Swap = 2, 1
	one := swapFigures(t, e)
	for _, name := range []string{"Original", "FineTune", "NegGrad+:beta=1"} {
		if one[name].N != 1 || one[name] != all[name] {
			t.Errorf("%s: SWAP %+v of the first seed, %+v where there is no other", name, one[name], all[name])
		}
	}
	if one["Retrained"].N != 3 {
		t.Errorf("Retrained: %+v; it costs nothing to swap", one["Retrained"])
	}
}

// swapFigures returns the column SWAP by row.
func swapFigures(t *testing.T, e experiment.Experiment) map[string]experiment.Value {
	t.Helper()
	p, dir := plan(t, e), t.TempDir()
	run(t, p, dir, nil)
	r, err := p.Merge(dir)
	if err != nil {
		t.Fatal(err)
	}
	figures := make(map[string]experiment.Value)
	table := r.Tables()[0]
	for _, row := range table.Rows {
		for k, column := range table.Columns {
			if column == "SWAP" {
				figures[row.Name] = row.Figures[k]
			}
		}
	}
	return figures
}
