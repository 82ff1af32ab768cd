package dlfd

import (
	"context"
	"fmt"
	"reflect"
	"sync/atomic"

	"github.com/dlfd-go/unlearn/feature"
)

// meter is a model that counts the samples which pass through another. By
// feature.As it offers what the other offers. The two interfaces that every step
// asks for are those of the concrete types below, so that asking allocates
// nothing.
type meter struct {
	feature.Trainable
	ledger *Ledger
}

type (
	modeMeter struct {
		*meter
		modes feature.ModeGrader
	}
	updateMeter struct {
		*meter
		feature.ParamUpdater
	}
	modeUpdateMeter struct {
		modeMeter
		feature.ParamUpdater
	}
)

// newMeter returns a model that counts into ledger what passes through m.
func newMeter(m feature.Trainable, ledger *Ledger) feature.Trainable {
	inner := &meter{m, ledger}
	modes, hasModes := feature.As[feature.ModeGrader](m)
	update, updates := feature.As[feature.ParamUpdater](m)
	switch {
	case hasModes && updates:
		return &modeUpdateMeter{modeMeter{inner, modes}, update}
	case hasModes:
		return &modeMeter{inner, modes}
	case updates:
		return &updateMeter{inner, update}
	}
	return inner
}

func (m *meter) count(x feature.Tensor, backward bool) {
	n := int64(x.Rows())
	atomic.AddInt64(&m.ledger.Forward, n) // a Sharer may run on several goroutines
	if backward {
		atomic.AddInt64(&m.ledger.Backward, n)
	}
}

// Forward implements feature.Model.
func (m *meter) Forward(ctx context.Context, x feature.Tensor, taps []string, out []feature.Tensor) error {
	m.count(x, false)
	return m.Trainable.Forward(ctx, x, taps, out)
}

// Grad implements feature.Differentiable.
func (m *meter) Grad(ctx context.Context, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
	m.count(x, dx != nil || wantsAny(dp))
	return m.Trainable.Grad(ctx, x, taps, loss, dx, dp)
}

// GradMode implements feature.ModeGrader.
func (m *modeMeter) GradMode(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
	m.count(x, dx != nil || wantsAny(dp))
	return m.modes.GradMode(ctx, mode, x, taps, loss, dx, dp)
}

func wantsAny(dp [][]float32) bool {
	for _, g := range dp {
		if g != nil {
			return true
		}
	}
	return false
}

// cloneMeter copies a metered model. Work on the copy is work of the run: it is
// counted into the same ledger.
type cloneMeter struct {
	feature.Cloner
	ledger *Ledger
}

// Clone implements feature.Cloner.
func (c cloneMeter) Clone() (feature.Trainable, error) {
	m, err := c.Cloner.Clone()
	if err != nil {
		return nil, err
	}
	return newMeter(m, c.ledger), nil
}

// insertMeter inserts norms into a metered model. The model that it returns counts
// into the same ledger, as do the passes that the insertion makes: one for every
// sample that it reads.
type insertMeter struct {
	feature.NormInserter
	ledger *Ledger
}

// InsertNorms implements feature.NormInserter.
func (m insertMeter) InsertNorms(ctx context.Context, d feature.Dataset) (feature.Normed, error) {
	n, err := m.NormInserter.InsertNorms(ctx, readMeter{d, m.ledger})
	if err != nil {
		return nil, err
	}
	switch t := newMeter(n, m.ledger).(type) {
	case *modeMeter:
		return normedMeter{t, n}, nil
	case *modeUpdateMeter:
		return normedUpdateMeter{t, n}, nil
	}
	return nil, fmt.Errorf("%w: the model with inserted norms has no training mode", feature.ErrMode)
}

// readMeter counts a forward pass for every sample that is read.
type readMeter struct {
	feature.Dataset
	ledger *Ledger
}

// Read implements feature.Dataset.
func (d readMeter) Read(index []int, x []float32, labels []int) error {
	atomic.AddInt64(&d.ledger.Forward, int64(len(index)))
	return d.Dataset.Read(index, x, labels)
}

// As implements the look-through of feature.As. Nothing is read ahead: it would
// count although nothing passes.
func (d readMeter) As(target any) bool {
	if _, ahead := target.(*feature.AheadReader); ahead {
		return false
	}
	return lookThrough(d.Dataset, target)
}

// normedMeter and normedUpdateMeter are metered models with inserted norms.
type (
	normedMeter struct {
		*modeMeter
		folder
	}
	normedUpdateMeter struct {
		*modeUpdateMeter
		folder
	}
)

// folder is what a feature.Normed has beside a model.
type folder interface {
	Fold() error
	Notes() []string
}

// As implements the look-through of feature.As. An interface that this package
// does not know is the model's own, and what passes through it is not counted.
func (m *meter) As(target any) bool {
	if c, ok := target.(*feature.Cloner); ok {
		inner, ok := feature.As[feature.Cloner](m.Trainable)
		if ok {
			*c = cloneMeter{inner, m.ledger}
		}
		return ok
	}
	if n, ok := target.(*feature.NormInserter); ok {
		inner, ok := feature.As[feature.NormInserter](m.Trainable)
		if ok {
			*n = insertMeter{inner, m.ledger}
		}
		return ok
	}
	return lookThrough(m.Trainable, target)
}

// lookThrough stores what v offers in *target, as feature.As does, for an
// interface that is known at run time only.
func lookThrough(v, target any) bool {
	to, from := reflect.ValueOf(target).Elem(), reflect.ValueOf(v)
	if from.Type().AssignableTo(to.Type()) {
		to.Set(from)
		return true
	}
	w, ok := v.(interface{ As(target any) bool })
	return ok && w.As(target)
}
