package featuretest

import (
	"errors"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/feature"
)

// parameters checks reading and writing.
func (s *suite) parameters() error {
	m := s.tr
	before, err := s.forward(s.x)
	if err != nil {
		return err
	}
	old, err := feature.Snapshot(m)
	if err != nil {
		return err
	}
	for i, p := range m.Spec().Params {
		if err := s.parameter(m, i, old[i]); err != nil {
			return fmt.Errorf("parameter %q: %w", p.Name, err)
		}
	}
	if err := old.Restore(m); err != nil {
		return err
	}
	after, err := s.forward(s.x)
	for i := range after {
		if err == nil {
			err = sameBits("tap after parameters were restored", before[i].Data, after[i].Data)
		}
	}
	n := len(old)
	return errors.Join(err, want("parameter index -1", m.SetParam(-1, nil), feature.ErrParam),
		want("parameter index beyond the last", m.GetParam(n, nil), feature.ErrParam))
}

func (s *suite) parameter(m feature.Trainable, i int, old []float32) error {
	fresh := make([]float32, len(old))
	for k := range fresh {
		fresh[k] = old[k] + float32(s.src.Float64())
	}
	src, got := append([]float32(nil), fresh...), make([]float32, len(old))
	if err := m.SetParam(i, src); err != nil {
		return err
	}
	clear(src) // SetParam must have copied it
	if err := m.GetParam(i, got); err != nil {
		return err
	}
	if err := sameBits("set and got", fresh, got); err != nil {
		return err
	}
	clear(got) // GetParam must have copied, too
	if err := m.GetParam(i, src); err != nil {
		return err
	}
	if err := sameBits("got twice", fresh, src); err != nil {
		return err
	}
	if u, ok := feature.As[feature.ParamUpdater](s.m); ok {
		if err := s.update(m, u, i, fresh); err != nil {
			return err
		}
	}
	return errors.Join(want("SetParam without data", m.SetParam(i, nil), feature.ErrShape), want("SetParam of one element too many", m.SetParam(i, append(src, 0)), feature.ErrShape),
		want("GetParam of one element too few", m.GetParam(i, got[1:]), feature.ErrShape))
}

func (s *suite) update(m feature.Trainable, u feature.ParamUpdater, i int, now []float32) error {
	calls := 0
	var seen error
	if err := u.UpdateParam(i, func(w []float32) {
		calls++
		if len(w) != len(now) {
			seen = fmt.Errorf("UpdateParam shows %d elements of %d", len(w), len(now))
			return
		}
		seen = sameBits("UpdateParam", now, w)
		w[0]++
	}); err != nil || seen != nil {
		return errors.Join(err, seen)
	}
	got := make([]float32, len(now))
	if err := m.GetParam(i, got); err != nil {
		return err
	}
	if calls != 1 || got[0] != now[0]+1 {
		return fmt.Errorf("UpdateParam made %d calls and changed %v to %v, want one call and %v", calls, now[0], got[0], now[0]+1)
	}
	return nil
}

func (s *suite) paramGradients() error {
	m := s.tr
	dp := feature.NewGradients(m.Spec())
	if err := m.Grad(s.ctx, s.x, s.taps, s.lossFunc, nil, dp); err != nil {
		return err
	}
	return s.compareParams(m, dp, func() (float64, float64, error) { return s.at(s.x) })
}

// compareParams compares the gradient of each parameter.
func (s *suite) compareParams(m feature.Trainable, dp [][]float32, loss func() (float64, float64, error)) error {
	w, err := feature.Snapshot(m)
	if err != nil {
		return err
	}
	// Some gradients are zero but for rounding (a bias before batch norm): a
	// derivative counts in relation to the largest.
	var floor float64
	for i, g := range dp {
		var gg, ww float64
		for k, v := range g {
			gg += float64(v) * float64(v)
			ww += float64(w[i][k]) * float64(w[i][k])
		}
		floor = max(floor, 1e-3*math.Sqrt(gg*ww/float64(max(len(g), 1))))
	}
	for i, g := range dp {
		if g == nil {
			continue
		}
		name := fmt.Sprintf("parameter %q", m.Spec().Params[i].Name)
		err := s.compare(name, w[i], g, floor, func() (float64, float64, error) {
			if err := m.SetParam(i, w[i]); err != nil {
				return 0, 0, err
			}
			return loss()
		})
		if err = errors.Join(err, m.SetParam(i, w[i])); err != nil {
			return err
		}
	}
	return nil
}

// additive checks that gradients are added to what the buffers hold, that a nil
// gradient does not change the others, and that Grad changes no parameter.
func (s *suite) additive() error {
	m := s.tr
	before, err := feature.Snapshot(m)
	if err != nil {
		return err
	}
	dx, dp := make([]float32, len(s.x.Data)), feature.NewGradients(m.Spec())
	if err := m.Grad(s.ctx, s.x, s.taps, s.lossFunc, dx, dp); err != nil {
		return err
	}
	filled, filledP := prefilled(dx), feature.NewGradients(m.Spec())
	for i, g := range dp {
		if g != nil {
			filledP[i] = prefilled(g)
		}
	}
	if err := m.Grad(s.ctx, s.x, s.taps, s.lossFunc, filled, filledP); err != nil {
		return err
	}
	if err := added("input gradient", dx, filled); err != nil {
		return err
	}
	for i, g := range dp {
		if g == nil {
			continue
		}
		if err := added(fmt.Sprintf("gradient of parameter %q", m.Spec().Params[i].Name), g, filledP[i]); err != nil {
			return err
		}
	}
	after, err := feature.Snapshot(m)
	for i := range after {
		if err == nil {
			err = sameBits("parameter after Grad", before[i], after[i])
		}
	}
	return errors.Join(err, s.partial(m, dx, dp))
}

// offset is what buffers hold before gradients are added: of their size, so
// that little is lost to rounding.
func offset(g []float32) float32 {
	var top float32 = 1e-3
	for _, v := range g {
		top = max(top, v, -v)
	}
	return top
}

func prefilled(g []float32) []float32 {
	p, o := make([]float32, len(g)), offset(g)
	for i := range p {
		p[i] = o
	}
	return p
}

func added(what string, g, filled []float32) error {
	sum, o := make([]float32, len(g)), offset(g)
	for i, v := range g {
		sum[i] = v + o
	}
	return near(what+", added to what the buffer holds", sum, filled)
}

// partial asks for every other parameter's gradient alone.
func (s *suite) partial(m feature.Trainable, dx []float32, dp [][]float32) error {
	some := feature.NewGradients(m.Spec())
	for i := range some {
		if i%2 == 0 {
			some[i] = nil
		}
	}
	if err := m.Grad(s.ctx, s.x, s.taps, s.lossFunc, nil, some); err != nil {
		return err
	}
	for i, g := range some {
		if g == nil {
			continue
		}
		if err := near(fmt.Sprintf("gradient of %q, with others and without", m.Spec().Params[i].Name), dp[i], g); err != nil {
			return err
		}
	}
	alone := make([]float32, len(dx))
	if err := m.Grad(s.ctx, s.x, s.taps, s.lossFunc, alone, nil); err != nil {
		return err
	}
	return near("input gradient, with parameters' and without", dx, alone)
}

// clone checks that a copy equals the model and shares nothing with it.
func (s *suite) clone() error {
	m := s.tr
	if m == nil {
		return errors.New("a Cloner must be Trainable")
	}
	cloner, _ := feature.As[feature.Cloner](s.m)
	c, err := cloner.Clone()
	if err != nil {
		return err
	}
	if c == nil {
		return errors.New("Clone returned neither a model nor an error")
	}
	copied := *s
	copied.m = c
	a, err := s.forward(s.x)
	if err != nil {
		return err
	}
	b, err := copied.forward(s.x)
	for i := range b {
		if err == nil {
			err = sameBits("model and copy", a[i].Data, b[i].Data)
		}
	}
	if err != nil {
		return err
	}
	return errors.Join(separate("writing the copy changed the model", c, m), separate("writing the model changed the copy", m, c))
}

// separate writes every parameter of one model and looks at the other.
func separate(what string, write, look feature.Trainable) error {
	before, err := feature.Snapshot(look)
	if err != nil {
		return err
	}
	w, err := feature.Snapshot(write)
	if err != nil {
		return err
	}
	for i := range w {
		w[i][0]++
	}
	if err := w.Restore(write); err != nil {
		return err
	}
	after, err := feature.Snapshot(look)
	for i := range after {
		if err == nil {
			err = sameBits(what, before[i], after[i])
		}
	}
	return err
}
