package gomlx

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dlfd-go/unlearn/feature"
)

// plan says what a compiled graph computes. Two calls with equal plans run the
// same graph.
type plan struct {
	rows     int
	train    bool
	taps     []int // ascending, by position in Spec.Taps
	track    bool  // the new values of statistics are outputs, after those of the taps
	backward bool  // cotangents are inputs, and gradients the only outputs
	input    bool  // the gradient of the input is wanted
	params   []int // the parameters whose gradients are wanted, ascending
}

// program is a compiled graph.
type program struct {
	key   string
	exec  *model.Exec
	users int // calls that run it now
}

// call is the state of one call of Forward or GradMode.
type call struct {
	mode     feature.Mode
	rows     int
	asked    []int // taps in the order of the caller, with repetitions
	taps     []int // ascending, each once
	x, state *tensors.Tensor
	moved    []*tensors.Tensor // new values of statistics
}

// newCall uploads the arguments of a call, which have been checked.
func (m *Model) newCall(mode feature.Mode, x feature.Tensor, taps []string) *call {
	c := &call{mode: mode, rows: x.Rows(), x: tensors.FromFlatDataAndDimensions(x.Data, x.Shape...)}
	for _, name := range taps {
		c.asked = append(c.asked, m.tap(name))
	}
	c.taps = slices.Compact(slices.Sorted(slices.Values(c.asked)))
	if mode.Train {
		c.state = randomState(mode.Seed)
	}
	return c
}

// randomState returns a state of GoMLX's random numbers. GoMLX's own function
// reduces seeds modulo 2³¹ − 1.
func randomState(seed uint64) *tensors.Tensor {
	r := rand.NewPCG(seed, 0x676f6d6c78) // "gomlx"
	state := make([]uint64, graph.RNGStateShape.Size())
	for i := range state {
		state[i] = r.Uint64()
	}
	return tensors.FromFlatDataAndDimensions(state, graph.RNGStateShape.Dimensions...)
}

// close frees the memory of a call.
func (c *call) close() { free(append(c.moved, c.x, c.state)) }

// free frees tensors, some of which may be nil. A failure to free is not the
// caller's.
func free(values []*tensors.Tensor) {
	for _, t := range values {
		if t != nil {
			_ = t.FinalizeAll()
		}
	}
}

// inputs returns what every graph takes, before the cotangents.
func (c *call) inputs() []any {
	in := []any{c.x}
	if c.state != nil {
		in = append(in, c.state)
	}
	return in
}

// forward writes the taps into out and keeps the new values of statistics.
func (m *Model) forward(ctx context.Context, c *call, out []feature.Tensor) error {
	p := plan{rows: c.rows, train: c.mode.Train, taps: c.taps, track: c.mode.Track && m.moves()}
	if len(p.taps) == 0 && !p.track {
		return ctx.Err()
	}
	values, err := m.run(ctx, p, c.inputs())
	if err != nil {
		return err
	}
	c.moved = values[len(p.taps):]
	defer free(values[:len(p.taps)])
	for i, k := range c.asked {
		at, _ := slices.BinarySearch(p.taps, k)
		if err := read(values[at], func(flat []float32) { copy(out[i].Data, flat) }); err != nil {
			return err
		}
	}
	return nil
}

// moves reports whether there are statistics that Mode.Track moves.
func (m *Model) moves() bool {
	return slices.ContainsFunc(m.vars, func(v variable) bool { return v.moves })
}

// read shows the elements of a result.
func read(t *tensors.Tensor, f func(flat []float32)) error {
	if err := try(func() error { return tensors.ConstFlatData(t, f) }); err != nil {
		return fmt.Errorf("gomlx: %w", err)
	}
	return nil
}

// backward adds the gradients of Σ cotangent·tap.
func (m *Model) backward(ctx context.Context, c *call, cot []feature.Tensor, dx []float32, dp [][]float32) error {
	p := plan{rows: c.rows, train: c.mode.Train, taps: c.taps, backward: true, input: dx != nil}
	for i, g := range dp {
		if g != nil {
			p.params = append(p.params, i)
		}
	}
	if len(p.taps) == 0 || !p.input && len(p.params) == 0 {
		return ctx.Err()
	}
	cotangents := m.cotangents(c, cot)
	defer free(cotangents)
	in := c.inputs()
	for _, t := range cotangents {
		in = append(in, t)
	}
	values, err := m.run(ctx, p, in)
	if err != nil {
		return err
	}
	defer free(values)
	if p.input {
		err = read(values[0], func(flat []float32) { addTo(dx, flat) })
		values = values[1:]
	}
	for k, i := range p.params {
		if err == nil {
			err = read(values[k], func(flat []float32) { m.vars[i].order.add(dp[i], flat) })
		}
	}
	return err
}

func addTo(dst, src []float32) {
	for i, v := range src {
		dst[i] += v
	}
}

// cotangents uploads one tensor for each tap; those of a tap that was asked for
// twice are added.
func (m *Model) cotangents(c *call, cot []feature.Tensor) []*tensors.Tensor {
	sums := make([][]float32, len(c.taps))
	for i, k := range c.asked {
		at, _ := slices.BinarySearch(c.taps, k)
		if sums[at] == nil {
			sums[at] = cot[i].Data // of this call alone
		} else {
			addTo(sums[at], cot[i].Data)
		}
	}
	up := make([]*tensors.Tensor, len(sums))
	for at, sum := range sums {
		up[at] = tensors.FromFlatDataAndDimensions(sum, append([]int{c.rows}, m.spec.Taps[c.taps[at]].Shape...)...)
	}
	return up
}

// move gives the statistics their new values.
func (m *Model) move(c *call) error {
	if len(c.moved) == 0 {
		return nil
	}
	for _, p := range m.vars {
		if !p.moves {
			continue
		}
		if err := p.wrap(try(func() error { return p.v.SetValue(c.moved[0]) })); err != nil {
			return err
		}
		c.moved = c.moved[1:]
	}
	return nil
}

// run runs the graph of a plan and returns its outputs, which the caller must
// free.
func (m *Model) run(ctx context.Context, p plan, in []any) (values []*tensors.Tensor, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	prog, err := m.program(p, in)
	if err != nil {
		return nil, err
	}
	defer m.release(prog)
	err = try(func() (err error) {
		values, err = prog.exec.Call(in...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("gomlx: %w", err)
	}
	return values, nil
}

// program returns the compiled graph of a plan, which the caller must release.
// One graph is compiled at a time, as compiling writes to the store.
func (m *Model) program(p plan, in []any) (*program, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := fmt.Sprint(p)
	i := slices.IndexFunc(m.programs, func(q *program) bool { return q.key == key })
	var prog *program
	if i >= 0 {
		prog = m.programs[i]
		m.programs = slices.Delete(m.programs, i, i+1)
	} else {
		var err error
		if prog, err = m.compile(p, in); err != nil {
			return nil, err
		}
		prog.key = key
	}
	prog.users++
	m.programs = slices.Insert(m.programs, 0, prog)
	m.evict()
	return prog, nil
}

// release says that a call no longer runs prog.
func (m *Model) release(prog *program) {
	m.mu.Lock()
	defer m.mu.Unlock()
	prog.users--
	m.evict()
}

// evict frees the graphs used longest ago, beyond Options.Graphs, that no call
// runs. The caller holds the lock.
func (m *Model) evict() {
	for i := len(m.programs) - 1; i >= m.opt.Graphs; i-- {
		if p := m.programs[i]; p.users == 0 {
			_ = try(func() error { p.exec.Finalize(); return nil })
			m.programs = slices.Delete(m.programs, i, i+1)
		}
	}
}

// compile builds and compiles the graph of a plan. The caller holds the lock.
func (m *Model) compile(p plan, in []any) (*program, error) {
	prog := &program{}
	err := try(func() (err error) {
		prog.exec, err = model.NewExec(m.backend, m.store, func(scope *model.Scope, in []*graph.Node) []*graph.Node {
			return m.outputs(p, scope, in)
		})
		if err != nil {
			return err
		}
		prog.exec.WithName(fmt.Sprintf("graph for %d rows", p.rows))
		return prog.exec.PreCompile(in...)
	})
	if err != nil {
		return nil, fmt.Errorf("gomlx: %w", err)
	}
	m.compiled++
	return prog, nil
}

// outputs builds the graph of a plan. It panics with an error.
func (m *Model) outputs(p plan, scope *model.Scope, in []*graph.Node) []*graph.Node {
	x, rest := in[0], in[1:]
	var state *graph.Node
	if p.train {
		state, rest = rest[0], rest[1:]
	}
	t := m.trace(scope, x, state)
	if len(t.vars) != len(m.vars) {
		panic(fmt.Errorf("%w: it reads %d variables for %d rows, and read %d for 2", ErrGraph, len(t.vars), p.rows, len(m.vars)))
	}
	var taps []*graph.Node
	for _, k := range p.taps {
		if k >= len(t.taps) || t.taps[k].name != m.spec.Taps[k].Name || !slices.Equal(t.taps[k].shape, m.spec.Taps[k].Shape) {
			panic(fmt.Errorf("%w: its taps changed: number %d was %q of shape %v", ErrGraph, k, m.spec.Taps[k].Name, m.spec.Taps[k].Shape))
		}
		taps = append(taps, t.taps[k].node)
	}
	if p.backward {
		return m.gradients(p, t, x, taps, rest)
	}
	if p.track {
		for _, v := range m.vars {
			if v.moves {
				taps = append(taps, t.find(v.v).after)
			}
		}
	}
	return taps
}

// gradients adds the gradients of Σ cotangent·tap to a graph.
func (m *Model) gradients(p plan, t *trace, x *graph.Node, taps, cot []*graph.Node) []*graph.Node {
	loss := graph.ReduceAllSum(graph.Mul(taps[0], cot[0]))
	for k := 1; k < len(taps); k++ {
		loss = graph.Add(loss, graph.ReduceAllSum(graph.Mul(taps[k], cot[k])))
	}
	var of []*graph.Node
	if p.input {
		of = append(of, x)
	}
	for _, i := range p.params {
		of = append(of, t.find(m.vars[i].v).before)
	}
	return graph.Gradient(loss, of...)
}
