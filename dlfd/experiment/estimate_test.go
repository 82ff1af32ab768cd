package experiment_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/experiment"
)

// clock goes on by a second whenever it is read.
func clock() func() time.Time {
	var now time.Time
	return func() time.Time { now = now.Add(time.Second); return now }
}

// pieceOfTraining is a second, times six epochs over one, times 60 samples over the 29
// of the piece: half of 45 retained and 15 forgotten ones.
const pieceOfTraining = 360 * time.Second / 29

// TestEstimate counts the jobs of each sort, and multiplies the second that each job of
// the piece takes.
func TestEstimate(t *testing.T) {
	e := small()
	e.Tasks, e.Deep, e.Swap = e.Tasks[:1], 1, 1
	p := plan(t, e)
	costs, err := p.Estimate(t.Context(), []string{filepath.Join(t.TempDir(), "none")}, clock())
	if err != nil {
		t.Fatal(err)
	}
	jobs := 0
	type deep struct {
		kind experiment.Kind
		deep bool
	}
	sorts := make(map[deep]int)
	for _, c := range costs {
		jobs += c.Jobs
		sorts[deep{c.Kind, c.Deep}]++
		if c.Done != 0 || c.Timed != 0 || c.Wall < time.Second || c.Bytes == 0 || c.Failure != "" || c.Left() != time.Duration(c.Jobs)*c.Wall {
			t.Errorf("%+v", c)
		}
		if c.Kind == experiment.TrainOriginal && c.Wall != pieceOfTraining {
			t.Errorf("a training takes %v, want %v", c.Wall, pieceOfTraining)
		}
	}
	if jobs != len(p.Jobs()) || sorts[deep{experiment.JudgeMethod, true}] != 2 || sorts[deep{experiment.JudgeMethod, false}] != 2 || sorts[deep{experiment.JudgeRetrained, true}] != 1 || len(costs) != 14 {
		t.Errorf("%d of %d jobs, %d sorts: %v", jobs, len(p.Jobs()), len(costs), sorts)
	}
}

// TestEstimateOfWhatIsDone: times and bytes are those of finished jobs.
func TestEstimateOfWhatIsDone(t *testing.T) {
	e := small()
	e.Tasks, e.Swap = e.Tasks[:1], -1
	p, dir := plan(t, e), t.TempDir()
	if err := p.Run(t.Context(), dir, &experiment.RunOptions{
		Runner: experiment.Local{Workers: 1}, Now: clock(), Only: func(j experiment.Job) bool { return j.Kind.Stage() == 1 && j.Model < 2 },
	}); err != nil {
		t.Fatal(err)
	}
	costs, err := p.Estimate(t.Context(), []string{dir}, clock())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range costs {
		switch c.Kind {
		case experiment.TrainOriginal:
			if c.Jobs != 2 || c.Done != 2 || c.Timed != 2 || c.Wall != time.Second || c.Left() != 0 || math.Abs(float64(c.Bytes)/float64(sizes(t, dir, "*train-original*"))-1) > .01 {
				t.Errorf("%+v, and the files have %d bytes", c, sizes(t, dir, "*train-original*"))
			}
		case experiment.TrainRetrained:
			if c.Jobs != 3 || c.Done != 2 || c.Timed != 2 || c.Left() != time.Second {
				t.Errorf("%+v", c)
			}
		default:
			if c.Done != 0 || c.Timed != 0 || c.Wall == 0 {
				t.Errorf("%+v", c)
			}
		}
	}
	other := small()
	other.Tasks, other.Swap, other.Version = other.Tasks[:1], -1, "2"
	if _, err := plan(t, other).Estimate(t.Context(), []string{dir}, clock()); !errors.Is(err, experiment.ErrForeign) {
		t.Errorf("a folder of another experiment: %v", err)
	}
	if _, err := p.Estimate(t.Context(), nil, nil); !errors.Is(err, dlfd.ErrParameter) {
		t.Errorf("no clock: %v", err)
	}
}

// sizes adds up the files of both folders that match.
func sizes(t *testing.T, dir, pattern string) (sum int64) {
	t.Helper()
	for _, sub := range []string{"results", "models"} {
		files, err := filepath.Glob(filepath.Join(dir, sub, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			sum += info.Size()
		}
	}
	return sum
}

// TestEstimateOfGivenModelsAndFleets: what is given is not trained, and a fleet is
// nothing but trainings. A method that fails says so.
func TestEstimateOfGivenModelsAndFleets(t *testing.T) {
	e := small()
	e.Tasks = []*experiment.Task{given(t)}
	e.Methods = append(e.Methods, experiment.Method{Name: "fails", Unlearner: failing{errors.New("no such layer")}})
	costs, err := plan(t, e).Estimate(t.Context(), nil, clock())
	if err != nil || len(costs) != 6 {
		t.Fatalf("%d sorts, %v", len(costs), err)
	}
	for _, c := range costs {
		if (c.Failure != "") != (c.Method == "fails") || c.Wall == 0 {
			t.Errorf("%+v", c)
		}
	}
	fleet, err := experiment.NewFleet(t.Context(), tiny("blobs"), experiment.Seeds{Retrained: 64}, "")
	if err != nil {
		t.Fatal(err)
	}
	costs, err = fleet.Estimate(t.Context(), nil, clock())
	if err != nil || len(costs) != 1 || costs[0].Jobs != 64 || costs[0].Wall != pieceOfTraining {
		t.Errorf("%+v, %v", costs, err)
	}
}
