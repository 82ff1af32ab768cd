package distance_test

import (
	"bufio"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/dlfd-go/unlearn/distance"
)

var timing = flag.Bool("timing", false, "compare times with POT, scipy and numpy under /usr/bin/python3")

// TestTiming prints the median processor times of this package and of
// Python's, one thread each, in turn. Both start from the samples.
func TestTiming(t *testing.T) {
	if !*timing {
		t.Skip("wants -timing and python3 with POT")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	ask := python(t)
	fmt.Printf("%-24s %5s %12s %12s %7s\n", "", "n=m", "Go ms", "Python ms", "ratio")
	for _, row := range []struct {
		name, task string
		eps        float64
		d          distance.Distance
	}{
		{"Sinkhorn ε=.05", "sinkhorn", .05, distance.Sinkhorn{Epsilon: .05, Sharp: true}},
		{"Sinkhorn ε=.01", "sinkhorn", .01, distance.Sinkhorn{Epsilon: .01, Sharp: true}},
		{"EMD / ot.emd2", "emd", 0, distance.EMD{}},
		{"EMD weighted / ot.emd2", "weighted", 0, distance.EMD{}},
		{"EMD / scipy", "assignment", 0, distance.EMD{}},
		{"MMD / numpy", "mmd", 10, distance.MMD{Kernel: distance.Gaussian{Sigma: 10}}},
	} {
		for _, n := range []int{64, 256, 1024} {
			x, y := features(1, n, 128, 0), features(2, n, 128, .2)
			file := filepath.Join(t.TempDir(), "samples")
			save(t, file, x, y)
			if row.task == "weighted" {
				x.W, y.W = cycle(n, 7), cycle(n, 5)
			}
			own, theirs := compare(t, row.d, 1e-5, x, y, func() (float64, float64) {
				return ask(fmt.Sprintln(row.task, n, 128, row.eps, file))
			})
			fmt.Printf("%-24s %5d %12.3f %12.3f %7.1f\n", row.name, n, own*1e3, theirs*1e3, theirs/own)
		}
	}
}

// TestTimingDimensions is TestTiming in 1, 2, 8 and 128 dimensions, with squared
// costs; directions differ between the sides of sliced, hence its tolerance.
func TestTimingDimensions(t *testing.T) {
	if !*timing {
		t.Skip("wants -timing and python3 with POT")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	ask := python(t)
	for _, row := range []struct {
		name, task string
		tol        float64
		d          distance.Distance
	}{
		{"sliced / numpy", "sliced", 1, distance.SlicedWasserstein{L: 64}},
		{"EMD / ot.emd2", "emdsq", 1e-6, distance.EMD{Cost: distance.SqEuclidean{}}},
		{"EMD / scipy", "assignmentsq", 1e-6, distance.EMD{Cost: distance.SqEuclidean{}}},
	} {
		for _, dim := range []int{1, 2, 8, 128} {
			for _, n := range []int{64, 256, 1024} {
				x, y := normal(1, n, dim, 0), normal(2, n, dim, .3)
				file := filepath.Join(t.TempDir(), "samples")
				save(t, file, x, y)
				own, theirs := compare(t, row.d, row.tol, x, y, func() (float64, float64) {
					return ask(fmt.Sprintln(row.task, n, dim, 0, file))
				})
				fmt.Printf("%-16s %5d × %-3d %12.3f %12.3f %7.2f\n", row.name, n, dim, own*1e3, theirs*1e3, theirs/own)
			}
		}
	}
}

// cycle returns n weights in the proportions 1, 2 … period, 1, 2 …
func cycle(n, period int) []float64 {
	w := make([]float64, n)
	var sum float64
	for i := range w {
		w[i] = float64(1 + i%period)
		sum += w[i]
	}
	for i := range w {
		w[i] /= sum
	}
	return w
}

// compare times both in turn and returns the medians.
func compare(t *testing.T, d distance.Distance, tol float64, x, y distance.Sample, other func() (sec, value float64)) (own, theirs float64) {
	t.Helper()
	ws := new(distance.Workspace)
	var a, b []float64
	for rounds := 7; len(a) < rounds; {
		repeats := 1
		start := cpu(t)
		v, err := d.Eval(ws, nil, nil, x, y)
		for ; cpu(t)-start < .02; repeats++ {
			v, err = d.Eval(ws, nil, nil, x, y)
		}
		a = append(a, (cpu(t)-start)/float64(repeats))
		sec, want := other()
		b = append(b, sec)
		if sec > 2 {
			rounds = 1
		}
		if err != nil || math.Abs(v-want) > tol*math.Abs(want) {
			t.Errorf("%T: %v, %v, in Python %v", d, v, err, want)
		}
	}
	slices.Sort(a)
	slices.Sort(b)
	return a[len(a)/2], b[len(b)/2]
}

// cpu returns the seconds of processor time that this process has used, which
// other processes on the machine disturb less than the clock.
func cpu(t *testing.T) float64 {
	t.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()).Seconds()
}

func save(t *testing.T, file string, x, y distance.Sample) {
	t.Helper()
	var buf []byte
	for _, v := range append(slices.Clone(x.X), y.X...) {
		buf = binary.LittleEndian.AppendUint64(buf, math.Float64bits(v))
	}
	if err := os.WriteFile(file, buf, 0o600); err != nil {
		t.Fatal(err)
	}
}

// python starts the script and returns what asks it.
func python(t *testing.T) func(line string) (sec, value float64) {
	t.Helper()
	cmd := exec.Command("/usr/bin/python3", "testdata/timing.py")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	answers := bufio.NewReader(out)
	return func(line string) (sec, value float64) {
		if _, err := io.WriteString(in, line); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fscanln(answers, &sec, &value); err != nil {
			t.Fatal(err)
		}
		return sec, value
	}
}
