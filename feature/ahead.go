package feature

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
)

// AheadReader is implemented by datasets whose samples take time to read, such as
// images that are decoded when they are asked for. Loops over batches then read
// the next batch while the caller computes on the one before.
//
// Laws: ReadAhead gives the bits that Read gives, and may run on several
// goroutines at once, beside Read.
type AheadReader interface {
	// ReadAhead is Read, which may use all processors, and returns the error of ctx
	// soon after ctx is done.
	ReadAhead(ctx context.Context, index []int, x []float32, labels []int) error
}

// BatchesContext is BatchesOf with a context. Where d offers [AheadReader], one
// batch is read ahead on another goroutine while the caller uses the one before,
// in a second buffer, and the loop ends with the error of ctx when that is done.
// Batches, their bits and the place of an error are those of a loop that does not
// read ahead; a panic of d comes up in the caller's goroutine. When the loop has
// ended, however it did, nothing is being read any more. The samples of a dataset
// that does not offer AheadReader are read when they are asked for, and ctx is not
// looked at.
func BatchesContext(ctx context.Context, d Dataset, size, least int, src rand.Source) iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		if size < 1 || least > size {
			yield(Batch{}, fmt.Errorf("feature: %w: batches of %d samples, and at least %d", ErrParameter, size, least))
			return
		}
		p := newPass(d, size, least, src)
		if a, ok := As[AheadReader](d); ok {
			p.ahead(ctx, a, yield)
			return
		}
		buf := p.buffer()
		for lo, hi := 0, 0; lo < len(p.order); lo = hi {
			hi = p.end(lo)
			b := buf.cut(p.order[lo:hi])
			err := d.Read(b.Index, b.X.Data, b.Labels)
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
}

// pass is one run over the samples of a dataset.
type pass struct {
	shape       []int
	order       []int
	size, least int
}

func newPass(d Dataset, size, least int, src rand.Source) pass {
	order := make([]int, d.Len())
	for i := range order {
		order[i] = i
	}
	if src != nil {
		rand.New(src).Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	return pass{d.Shape(), order, min(size, max(len(order), 1)), least}
}

// end returns where the batch that begins at lo ends.
func (p pass) end(lo int) int {
	if hi := lo + p.size; len(p.order)-hi >= p.least {
		return hi
	}
	return len(p.order)
}

// buffer returns a batch as long as the longest.
func (p pass) buffer() Batch {
	longest := min(p.size+p.least-1, max(len(p.order), 1))
	return Batch{X: NewTensor(append([]int{longest}, p.shape...)...), Labels: make([]int, longest)}
}

// cut returns the part of a buffer for the samples index.
func (b Batch) cut(index []int) Batch {
	return Batch{X: b.X.Slice(0, len(index)), Labels: b.Labels[:len(index)], Index: index}
}

// ahead runs over the batches with one that is being read. Of the two buffers, one
// belongs to the caller and one to the reading.
func (p pass) ahead(ctx context.Context, a AheadReader, yield func(Batch, error) bool) {
	if len(p.order) == 0 {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	bufs := [2]Batch{p.buffer()}
	if p.end(0) < len(p.order) {
		bufs[1] = p.buffer()
	}
	next := startReading(ctx, a, bufs[0].cut(p.order[:p.end(0)]))
	defer func() {
		cancel()
		<-next.done
	}()
	for lo, k := 0, 1; lo < len(p.order); k++ {
		this := next
		<-this.done
		if this.panicked != nil {
			panic(this.panicked)
		}
		if lo = p.end(lo); this.err == nil && lo < len(p.order) {
			next = startReading(ctx, a, bufs[k%2].cut(p.order[lo:p.end(lo)]))
		}
		if !yield(this.batch, this.err) || this.err != nil {
			return
		}
	}
}

// reading is a batch that is being read until done is closed.
type reading struct {
	batch    Batch
	done     chan struct{}
	err      error
	panicked any
}

func startReading(ctx context.Context, a AheadReader, b Batch) *reading {
	r := &reading{batch: b, done: make(chan struct{}), err: errors.New("feature: the reading ended its goroutine")}
	go func() {
		defer close(r.done)
		defer func() { r.panicked = recover() }()
		r.err = a.ReadAhead(ctx, b.Index, b.X.Data, b.Labels)
	}()
	return r
}

// readAhead reads by a where d offers it, and else by d.
func readAhead(ctx context.Context, d Dataset, index []int, x []float32, labels []int) error {
	if a, ok := As[AheadReader](d); ok {
		return a.ReadAhead(ctx, index, x, labels)
	}
	return d.Read(index, x, labels)
}

type aheadFunc func(ctx context.Context, index []int, x []float32, labels []int) error

func (f aheadFunc) ReadAhead(ctx context.Context, index []int, x []float32, labels []int) error {
	return f(ctx, index, x, labels)
}

// ahead is ReadAhead of a subset.
func (s subset) ahead(of AheadReader) aheadFunc {
	return func(ctx context.Context, index []int, x []float32, labels []int) error {
		inner, err := s.inner(index)
		if err != nil {
			return err
		}
		return of.ReadAhead(ctx, inner, x, labels)
	}
}

// ahead is ReadAhead of a concatenation: part by part.
func (c concat) ahead(ctx context.Context, index []int, x []float32, labels []int) error {
	if err := CheckRead(c, index, x, labels); err != nil {
		return err
	}
	rows, at := make([][]int, len(c.parts)), make([][]int, len(c.parts))
	for i, k := range index {
		part, inner := c.find(k)
		rows[part], at[part] = append(rows[part], i), append(at[part], inner)
	}
	n := Size(c.Shape())
	for part, d := range c.parts {
		switch len(rows[part]) {
		case 0:
			continue
		case len(index):
			return readAhead(ctx, d, at[part], x, labels)
		}
		own, ownLabels := make([]float32, len(rows[part])*n), make([]int, len(rows[part]))
		if err := readAhead(ctx, d, at[part], own, ownLabels); err != nil {
			return err
		}
		for i, row := range rows[part] {
			copy(x[row*n:(row+1)*n], own[i*n:(i+1)*n])
			labels[row] = ownLabels[i]
		}
	}
	return nil
}
