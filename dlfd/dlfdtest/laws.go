package dlfdtest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
)

// blown is what the user code of these laws panics with.
const blown = "a panic of user code"

// mustPanic runs a request in which user code panics. The panic must come
// through, and the weights must be the old ones.
func (r *request) mustPanic(unlearn func() error) error {
	before := r.weights()
	got := func() (p any) {
		defer func() { p = recover() }()
		return fmt.Sprintf("no panic, and error %v", unlearn())
	}()
	if got != blown {
		return fmt.Errorf("%v; want the panic to come through", got)
	}
	if !slices.Equal(before, r.weights()) {
		return errors.New("after a panic the weights are not the old ones")
	}
	return nil
}

func panickyObserver(u dlfd.Unlearner) error {
	r := newRequest()
	r.opt.Observer = func(e dlfd.Event) {
		if e.Step == 2 {
			panic(blown)
		}
	}
	return r.mustPanic(func() error { _, err := r.run(context.Background(), u); return err })
}

// wrapped is a model behind a wrapper that claims what the model does.
type wrapped struct {
	feature.Trainable
	grad func() // called before each Grad
}

func (w wrapped) Grad(ctx context.Context, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
	w.grad()
	return w.Trainable.Grad(ctx, x, taps, loss, dx, dp)
}

func (w wrapped) As(target any) bool {
	c, ok := target.(*feature.Cloner)
	if ok {
		*c, ok = feature.As[feature.Cloner](w.Trainable)
	}
	return ok
}

func panickyModel(u dlfd.Unlearner) error {
	r := newRequest()
	calls := 0
	m := wrapped{r.model, func() {
		if calls++; calls == 3 {
			panic(blown)
		}
	}}
	return r.mustPanic(func() error { _, err := u.Unlearn(context.Background(), m, r.data, &r.opt); return err })
}

// panicky is a dataset that panics when it has been read a few times.
type panicky struct {
	feature.Dataset
	left *int
}

func (d panicky) Read(index []int, x []float32, labels []int) error {
	if *d.left--; *d.left == 0 {
		panic(blown)
	}
	return d.Dataset.Read(index, x, labels)
}

// counted is a dataset that counts how often it is read.
type counted struct {
	feature.Dataset
	reads *int
}

func (d counted) Read(index []int, x []float32, labels []int) error {
	*d.reads++
	return d.Dataset.Read(index, x, labels)
}

// read returns the retain set of the request, or the forget set for a method that
// does not read the former: the first look at a request reads every set once.
func (r *request) read(u dlfd.Unlearner) *feature.Dataset {
	probe, reads := newRequest(), 0
	probe.data.Retain = counted{probe.data.Retain, &reads}
	if _, err := probe.run(context.Background(), u); err == nil && reads == 1 {
		return &r.data.Forget
	}
	return &r.data.Retain
}

func panickyData(u dlfd.Unlearner) error {
	r := newRequest()
	left := 4 // the first look reads it once
	d := r.read(u)
	*d = panicky{*d, &left}
	return r.mustPanic(func() error { _, err := r.run(context.Background(), u); return err })
}

func wrappedModel(u dlfd.Unlearner) error {
	a, b := newRequest(), newRequest()
	if _, err := a.run(context.Background(), u); err != nil {
		return err
	}
	if _, err := u.Unlearn(context.Background(), wrapped{b.model, func() {}}, b.data, &b.opt); err != nil {
		return err
	}
	return sameWeights(a, b, "a wrapper of the model changes the weights")
}

func wrappedData(u dlfd.Unlearner) error {
	a, b := newRequest(), newRequest()
	if _, err := a.run(context.Background(), u); err != nil {
		return err
	}
	for _, d := range []*feature.Dataset{&b.data.Retain, &b.data.Forget, &b.data.Holdout} {
		index := make([]int, (*d).Len())
		for i := range index {
			index[i] = i
		}
		s, err := feature.Subset(*d, index)
		if err != nil {
			return err
		}
		*d = s
	}
	if _, err := b.run(context.Background(), u); err != nil {
		return err
	}
	return sameWeights(a, b, "subsets of whole sets give other weights than the sets")
}

func sameWeights(a, b *request, text string) error {
	if !slices.Equal(a.weights(), b.weights()) {
		return errors.New(text)
	}
	return nil
}

// sharedSample puts the values of one retain sample into the forget set.
func sharedSample(u dlfd.Unlearner) error {
	r := newRequest()
	copied := blobs(18, 2)
	copy(copied.X.Row(3), blobs(45, 1).X.Row(7))
	r.data.Forget = copied
	return r.mustFail(context.Background(), u, dlfd.ErrOverlap)
}

func batchSize(u dlfd.Unlearner) error {
	for _, n := range []int{-1, int(^uint(0) >> 1)} {
		r := newRequest()
		r.opt.BatchSize = n
		if err := r.mustFail(context.Background(), u, dlfd.ErrParameter); err != nil {
			return fmt.Errorf("batches of %d: %w", n, err)
		}
	}
	return nil
}

// frugal: what u does not need may be missing, and changes nothing; what it needs
// may not. A method that does not say what it needs is not held to it.
func frugal(u dlfd.Unlearner) error {
	if _, ok := u.(dlfd.Needer); !ok {
		return nil
	}
	whole, part, needs := newRequest(), newRequest(), dlfd.NeedsOf(u)
	if _, err := whole.run(context.Background(), u); err != nil {
		return err
	}
	for _, set := range []struct {
		name   string
		needed bool
		data   func(*dlfd.Data) *feature.Dataset
	}{
		{"retain", needs.Retain, func(d *dlfd.Data) *feature.Dataset { return &d.Retain }},
		{"forget", needs.Forget, func(d *dlfd.Data) *feature.Dataset { return &d.Forget }},
		{"holdout", needs.Holdout, func(d *dlfd.Data) *feature.Dataset { return &d.Holdout }},
	} {
		if !set.needed {
			*set.data(&part.data) = nil
			continue
		}
		r := newRequest()
		*set.data(&r.data) = nil
		if err := r.mustFail(context.Background(), u, dlfd.ErrEmpty); err != nil {
			return fmt.Errorf("without %s, which is needed: %w", set.name, err)
		}
	}
	err := caught(func() error { _, err := part.run(context.Background(), u); return err })
	if err != nil {
		return fmt.Errorf("with what is needed (%+v) alone: %w", needs, err)
	}
	if !slices.Equal(whole.weights(), part.weights()) {
		return fmt.Errorf("with what is needed (%+v) alone the weights are others", needs)
	}
	return nil
}
