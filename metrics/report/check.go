package report

import (
	"fmt"
	"math"
	"reflect"

	"github.com/dlfd-go/unlearn/metrics"
)

// check refuses what cannot be shown; every error names its place.
func (r *Report) check() error {
	if place, err := finite(reflect.ValueOf(r).Elem()); err != nil {
		return fmt.Errorf("report: %s: %w", place, err)
	}
	for _, check := range []func() error{r.checkWords, r.checkTable, r.checkAttack, r.checkPlots, r.checkClasses, r.checkMaps, r.checkDepth} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

var valueType = reflect.TypeFor[Value]()

// finite looks for numbers that are not finite, and for values that no sample gives.
// Places are written down only where one is found: a report may have many numbers.
func finite(v reflect.Value) (place string, err error) {
	switch v.Kind() {
	case reflect.Float64:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return "", fmt.Errorf("%w: %v", metrics.ErrNotFinite, f)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			return finite(v.Elem())
		}
	case reflect.Slice:
		if k := v.Type().Elem().Kind(); k == reflect.String || k == reflect.Bool {
			return "", nil
		}
		for i := range v.Len() {
			if place, err := finite(v.Index(i)); err != nil {
				return field(fmt.Sprintf("[%d]", i), place), err
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if place, err := finite(v.Field(i)); err != nil {
				return field(v.Type().Field(i).Name, place), err
			}
		}
		if v.Type() == valueType {
			return v.Interface().(Value).check()
		}
	}
	return "", nil
}

// field joins the parts of a place, such as Table, Rows and [3].
func field(place, rest string) string {
	if place == "" || rest == "" || rest[0] == '[' {
		return place + rest
	}
	return place + "." + rest
}

func (v Value) check() (place string, err error) {
	switch {
	case v.N < 0:
		return "N", fmt.Errorf("%w: %d", metrics.ErrRange, v.N)
	case v.SE < 0:
		return "SE", fmt.Errorf("%w: %v", metrics.ErrRange, v.SE)
	case v.Interval != nil && v.Interval.Lo > v.Interval.Hi:
		return "Interval", fmt.Errorf("%w: from %v to %v", metrics.ErrRange, v.Interval.Lo, v.Interval.Hi)
	}
	return "", nil
}

func shape(place string, got, want int) error {
	if got != want {
		return fmt.Errorf("report: %w: %s has %d elements, want %d", metrics.ErrShape, place, got, want)
	}
	return nil
}

func (r *Report) checkWords() error {
	switch r.Verdict.Finding {
	case "", Within, UnderUnlearned, Hidden, OverUnlearned, CannotTell, Outside:
	default:
		return fmt.Errorf("report: %w: Verdict.Finding is %q", metrics.ErrRange, r.Verdict.Finding)
	}
	return nil
}

func (r *Report) checkTable() error {
	if r.Table == nil {
		return nil
	}
	for i, row := range r.Table.Rows {
		if err := shape(fmt.Sprintf("Table.Rows[%d].Figures", i), len(row.Figures), len(r.Table.Columns)); err != nil {
			return err
		}
	}
	if r.Table.Utility != "" && r.Table.utility() < 0 {
		return fmt.Errorf("report: %w: Table.Utility is %q, which is no column", metrics.ErrRange, r.Table.Utility)
	}
	return nil
}

func (r *Report) checkAttack() error {
	if r.Attack == nil {
		return nil
	}
	for i, c := range r.Attack.Curves {
		place := fmt.Sprintf("Attack.Curves[%d]", i)
		if err := shape(place+".TPR", len(c.TPR), len(c.FPR)); err != nil {
			return err
		}
		for k := range c.FPR {
			if min(c.FPR[k], c.TPR[k]) < 0 || max(c.FPR[k], c.TPR[k]) > 1 || k > 0 && (c.FPR[k] < c.FPR[k-1] || c.TPR[k] < c.TPR[k-1]) {
				return fmt.Errorf("report: %w: %s at %d is (%v, %v), want rates that rise from 0 to 1", metrics.ErrRange, place, k, c.FPR[k], c.TPR[k])
			}
		}
	}
	return nil
}

func (r *Report) checkPlots() error {
	for _, s := range []struct {
		name  string
		plots []Plot
	}{{"Resurgence", r.Resurgence}, {"Relearning", r.Relearning}, {"Trace", r.Trace}} {
		for i, p := range s.plots {
			for j, c := range p.Lines {
				if err := c.check(fmt.Sprintf("%s[%d].Lines[%d]", s.name, i, j)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (c *Curve) check(place string) error {
	if err := shape(place+".Y", len(c.Y), len(c.X)); err != nil {
		return err
	}
	if len(c.SE) > 0 {
		if err := shape(place+".SE", len(c.SE), len(c.X)); err != nil {
			return err
		}
	}
	if c.Seeds < 0 || len(c.SE) > 0 && c.Seeds == 1 {
		return fmt.Errorf("report: %w: %s has %d standard errors over %d seeds", metrics.ErrRange, place, len(c.SE), c.Seeds)
	}
	for i, se := range c.SE {
		if se < 0 {
			return fmt.Errorf("report: %w: %s.SE[%d] is %v", metrics.ErrRange, place, i, se)
		}
	}
	for i := 1; i < len(c.X); i++ {
		if c.X[i] < c.X[i-1] {
			return fmt.Errorf("report: %w: %s.X falls from %v to %v at %d", metrics.ErrRange, place, c.X[i-1], c.X[i], i)
		}
	}
	return nil
}

func (r *Report) checkClasses() error {
	c := r.Classes
	if c == nil {
		return nil
	}
	if len(c.Forget) > 0 {
		if err := shape("Classes.Forget", len(c.Forget), len(c.Names)); err != nil {
			return err
		}
	}
	for i, m := range c.Models {
		if err := shape(fmt.Sprintf("Classes.Models[%d].Accuracy", i), len(m.Accuracy), len(c.Names)); err != nil {
			return err
		}
	}
	return nil
}

func (r *Report) checkMaps() error {
	if r.Maps == nil {
		return nil
	}
	for i, m := range r.Maps.Maps {
		for j, p := range m.Points {
			if p.Class < 0 || p.Class >= len(r.Maps.Classes) {
				return fmt.Errorf("report: %w: Maps.Maps[%d].Points[%d].Class is %d of %d classes", metrics.ErrLabel, i, j, p.Class, len(r.Maps.Classes))
			}
		}
	}
	return nil
}

func (r *Report) checkDepth() error {
	for i, d := range r.Depth {
		for j, line := range d.Lines {
			if err := shape(fmt.Sprintf("Depth[%d].Lines[%d].Values", i, j), len(line.Values), len(d.Layers)); err != nil {
				return err
			}
		}
	}
	return nil
}
