package feature

import (
	"context"
	"fmt"
)

// OneHead returns the classifier that head k of m is: a model with one softmax over
// the classes of the head, (0, z) being the logits of a sigmoid of z, and with the
// other taps and the parameters of m, which it shares. What judges a model with one
// label judges a head by it, together with the datasets of [OneLabel]. It is
// Differentiable and Trainable if m is, and offers Cloner, ModeGrader, ParamUpdater
// and Sharer if m does; training it moves m along the loss of that head alone. Its
// logits are a new tap, the last. An error wraps ErrHeads.
func OneHead(m Model, k int) (Model, error) {
	spec := m.Spec()
	if k < 0 || k >= len(spec.Heads) {
		return nil, fmt.Errorf("feature: %w: head %d of %d", ErrHeads, k, len(spec.Heads))
	}
	if err := spec.Heads.Check(spec.Outputs()); err != nil {
		return nil, err
	}
	return viewHead(m, k), nil
}

func viewHead(m Model, k int) Model {
	v := oneHead{of: m, head: k, spec: m.Spec()}
	v.heads, v.logits = v.spec.Heads, v.spec.Logits
	name := fmt.Sprintf("%s, head %d", v.logits, k)
	if v.spec.Features == v.logits {
		v.spec.Features = name
	}
	v.spec.Heads, v.spec.Logits = nil, name
	v.spec.Taps = append(v.spec.Taps[:len(v.spec.Taps):len(v.spec.Taps)], Tap{name, []int{v.heads[k].Classes()}})
	if t, ok := m.(Trainable); ok {
		return trainableHead{differentiableHead{v, t}, t}
	}
	if d, ok := m.(Differentiable); ok {
		return differentiableHead{v, d}
	}
	return v
}

// oneHead is a model seen as one of its heads.
type oneHead struct {
	of     Model
	head   int
	heads  Heads
	logits string // of the model
	spec   Spec
}

type (
	differentiableHead struct {
		oneHead
		of Differentiable
	}
	trainableHead struct {
		differentiableHead
		of Trainable
	}
)

// Spec implements Model.
func (v oneHead) Spec() Spec { return v.spec }

// taps returns the taps of the model behind those of the view.
func (v oneHead) taps(taps []string) []string {
	inner := make([]string, len(taps))
	for i, t := range taps {
		if inner[i] = t; t == v.spec.Logits {
			inner[i] = v.logits
		}
	}
	return inner
}

// Forward implements Model.
func (v oneHead) Forward(ctx context.Context, x Tensor, taps []string, out []Tensor) error {
	if err := CheckForward(v.spec, x, taps, out); err != nil {
		return err
	}
	all := append([]Tensor(nil), out...)
	for i, t := range taps {
		if t == v.spec.Logits {
			all[i] = NewTensor(x.Rows(), v.width())
		}
	}
	if err := v.of.Forward(ctx, x, v.taps(taps), all); err != nil {
		return err
	}
	for i, t := range taps {
		if t == v.spec.Logits {
			copy(out[i].Data, v.heads.Part(v.head, all[i]).Data)
		}
	}
	return nil
}

// width returns the number of logits of the model.
func (v oneHead) width() int { return v.heads.start(len(v.heads)) }

// loss returns a loss on the taps of the model for one on those of the view.
func (v oneHead) loss(taps []string, loss LossFunc) LossFunc {
	return func(val, cot []Tensor) error {
		val, inner := append([]Tensor(nil), val...), cot
		cot = append([]Tensor(nil), cot...)
		for i, t := range taps {
			if t == v.spec.Logits {
				val[i] = v.heads.Part(v.head, val[i])
				cot[i] = NewTensor(val[i].Shape...)
			}
		}
		if err := loss(val, cot); err != nil {
			return err
		}
		for i, t := range taps {
			if t == v.spec.Logits {
				v.heads.AddPart(v.head, inner[i], cot[i])
			}
		}
		return nil
	}
}

// Grad implements Differentiable.
func (v differentiableHead) Grad(ctx context.Context, x Tensor, taps []string, loss LossFunc, dx []float32, dp [][]float32) error {
	if err := CheckGrad(v.spec, Mode{}, x, taps, dx, dp); err != nil {
		return err
	}
	return v.of.Grad(ctx, x, v.taps(taps), v.loss(taps, loss), dx, dp)
}

// GetParam implements Trainable.
func (v trainableHead) GetParam(i int, dst []float32) error { return v.of.GetParam(i, dst) }

// SetParam implements Trainable.
func (v trainableHead) SetParam(i int, src []float32) error { return v.of.SetParam(i, src) }

// As implements the look-through of [As]. Norms cannot be inserted into the model in
// the name of a head.
func (v oneHead) As(target any) bool {
	switch t := target.(type) {
	case *ModeGrader:
		of, ok := As[ModeGrader](v.of)
		*t = modeHead{v, of}
		return ok
	case *ParamUpdater:
		return offer(t, v.of)
	case *Sharer:
		return offer(t, v.of)
	case *Cloner:
		of, ok := As[Cloner](v.of)
		*t = cloneHead{of, v.head}
		return ok
	}
	return false
}

type modeHead struct {
	oneHead
	of ModeGrader
}

// GradMode implements ModeGrader.
func (v modeHead) GradMode(ctx context.Context, mode Mode, x Tensor, taps []string, loss LossFunc, dx []float32, dp [][]float32) error {
	if err := CheckGrad(v.spec, mode, x, taps, dx, dp); err != nil {
		return err
	}
	return v.of.GradMode(ctx, mode, x, v.taps(taps), v.loss(taps, loss), dx, dp)
}

type cloneHead struct {
	of   Cloner
	head int
}

// Clone implements Cloner.
func (c cloneHead) Clone() (Trainable, error) {
	m, err := c.of.Clone()
	if err != nil {
		return nil, err
	}
	return viewHead(m, c.head).(Trainable), nil
}

// OneLabel returns d with the label of target k alone. What d offers beside Dataset,
// by [As], it offers too, the names of the classes being those of the target. An error
// wraps ErrHeads, of a dataset with one label a sample too.
func OneLabel(d Dataset, k int) (Dataset, error) {
	targets := TargetsOf(d)
	if k < 0 || k >= len(targets) {
		return nil, fmt.Errorf("feature: %w: label %d of %d targets", ErrHeads, k, len(targets))
	}
	if _, err := Combinations(targets); err != nil {
		return nil, err
	}
	return &oneLabel{d, targets, k}, nil
}

type oneLabel struct {
	of      Dataset
	targets []Target
	target  int
}

func (d *oneLabel) Len() int     { return d.of.Len() }
func (d *oneLabel) Shape() []int { return d.of.Shape() }
func (d *oneLabel) Classes() int { return d.targets[d.target].Classes }

// label returns the label of the target in a combination.
func (d *oneLabel) label(all int) int {
	for _, t := range d.targets[d.target+1:] {
		all /= t.Classes
	}
	return all % d.Classes()
}

func (d *oneLabel) Read(index []int, x []float32, labels []int) error {
	if err := d.of.Read(index, x, labels); err != nil {
		return err
	}
	d.split(labels)
	return nil
}

// split puts the labels of the target into the place of combinations.
func (d *oneLabel) split(labels []int) {
	for i, all := range labels {
		labels[i] = d.label(all)
	}
}

type aheadLabel struct {
	*oneLabel
	of AheadReader
}

// ReadAhead implements AheadReader.
func (d aheadLabel) ReadAhead(ctx context.Context, index []int, x []float32, labels []int) error {
	if err := d.of.ReadAhead(ctx, index, x, labels); err != nil {
		return err
	}
	d.split(labels)
	return nil
}

// As implements the look-through of [As].
func (d *oneLabel) As(target any) bool {
	switch t := target.(type) {
	case *Labeled:
		of, ok := As[Labeled](d.of)
		*t = labelFunc(func(i int) int { return d.label(of.Label(i)) })
		return ok
	case *ClassNamed:
		names := d.targets[d.target].ClassNames
		*t = classNames(names)
		return names != nil
	case *Identified:
		return offer(t, d.of)
	case *AheadReader:
		of, ok := As[AheadReader](d.of)
		*t = aheadLabel{d, of}
		return ok
	case *Normalized:
		return offer(t, d.of)
	}
	return false
}

type classNames []string

func (n classNames) ClassNames() []string { return n }
