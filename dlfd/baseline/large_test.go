package baseline_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/nn"
)

// errAtOnce is what a read of many samples at once gives.
var errAtOnce = errors.New("so many samples are read at once")

// virtual is a dataset whose samples are nowhere: they are made when they are read.
// With every 64th read it looks at how much memory is in use.
type virtual struct {
	n, first int
	reads    *atomic.Int64
	live     *atomic.Uint64 // the most bytes that were in use
}

const virtualSize = 8192

func (d virtual) Len() int        { return d.n }
func (d virtual) Shape() []int    { return []int{virtualSize} }
func (d virtual) Classes() int    { return 3 }
func (d virtual) Label(i int) int { return (d.first + i) % 3 }

func (d virtual) Read(index []int, x []float32, labels []int) error {
	if err := feature.CheckRead(d, index, x, labels); err != nil {
		return err
	}
	if len(index) > 256 {
		return fmt.Errorf("%w: %d", errAtOnce, len(index))
	}
	if d.reads.Add(1)%64 == 1 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		d.live.Store(max(d.live.Load(), s.HeapAlloc))
	}
	for i, k := range index {
		labels[i] = d.Label(k)
		row := x[i*virtualSize : (i+1)*virtualSize]
		row[0] = float32(d.first+k) / 1024 // no two are equal
		for j := 1; j < len(row); j++ {
			row[j] = float32((j*j+(d.first+k)*(j%7+1))%64)/64 + float32(j%3*labels[i])/8
		}
	}
	return nil
}

// TestRetainIsNeverInMemory runs the methods, and an audit, on a retain set of
// 48 MiB. What is in use stays below a third of that: the batches, which may be
// 16 MiB in the first look at a request, the model, and a few numbers a sample.
func TestRetainIsNeverInMemory(t *testing.T) {
	names := baseline.Names()
	if testing.Short() {
		names = []string{"align", "scrub"}
	}
	for _, name := range names {
		method, err := baseline.ByName(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			withoutMemory(t, func(m feature.Trainable, d dlfd.Data) error {
				opt := &dlfd.Options{Budget: dlfd.Budget{Passes: 3 * int64(d.Retain.Len())}}
				_, err := method.Unlearn(context.Background(), m, d, opt)
				if errors.Is(err, dlfd.ErrDiverged) { // as NewtonHead does where the model is not trained
					return nil
				}
				return err
			})
		})
	}
	t.Run("audit", func(t *testing.T) {
		withoutMemory(t, func(m feature.Trainable, d dlfd.Data) error {
			a := dlfd.AuditData{Retain: d.Retain, Forget: d.Forget, Test: d.Holdout, Member: d.Forget, NonMember: d.Holdout}
			_, err := dlfd.Audit(context.Background(), m, a, nil)
			return err
		})
	})
}

// withoutMemory fails the test if f has more than 16 MiB in use.
func withoutMemory(t *testing.T, f func(feature.Trainable, dlfd.Data) error) {
	t.Helper()
	m, err := nn.MLP(nn.MLPConfig{Input: []int{virtualSize}, Hidden: []int{4}, Classes: 3, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.GC() // the first leaves what pools hold
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	const retain, limit = 1536, 16 << 20
	var reads atomic.Int64
	var live atomic.Uint64
	d := dlfd.Data{
		Retain:  virtual{retain, 0, &reads, &live},
		Forget:  virtual{40, retain, &reads, &live},
		Holdout: virtual{40, retain + 40, &reads, &live},
	}
	if err := f(m, d); err != nil {
		t.Error(err)
	}
	used := int64(live.Load()) - int64(s.HeapAlloc)
	t.Logf("%.1f MiB in %d reads", float64(used)/(1<<20), reads.Load())
	if used > limit {
		t.Errorf("%.1f MiB are in use, the retain set has %d", float64(used)/(1<<20), retain*virtualSize*4>>20)
	}
}
