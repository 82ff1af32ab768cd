package onnx

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/internal/exec"
	"github.com/dlfd-go/unlearn/internal/graph"
)

// Options says how a file is read. The nil Options means all defaults.
type Options struct {
	// Logits names the tensor, or the node, that has one number a class. If it is
	// empty, the first graph output is used that has no labels. In either case, a
	// softmax, a sigmoid of one number, or an ArgMax on the way there is undone: see
	// the package page. The choice is in Notes.
	Logits string
	// Heads names the outputs, or tensors or nodes, that answer one question each, in
	// the order of the labels of a sample, where a model has several: its logits are
	// then those of all of them, one after the other, and Spec().Heads divides them. What
	// comes after the logits of each is undone as for Logits, which must be empty.
	Heads []string
	// MultiLabel says that logits which end in neither a softmax nor a sigmoid are
	// labels by themselves, with a sigmoid each, as a training by binary cross-entropy
	// with logits leaves them. By default they are classes of one softmax.
	MultiLabel bool
	// Features names the tensor or the node that Spec().Features refers to. If it
	// is empty, the first input of the last Gemm or MatMul before the logits is
	// used, or the logits where there is none.
	Features string
	// Freeze names weights that are not to be trained, by patterns in which *
	// stands for anything. They are Params with Trainable false; a batch norm
	// whose scale and shift are frozen keeps its statistics.
	Freeze []string
	// Train names weights that are to be trained although they look like something
	// else: what acts on the input before the first layer (mean and deviation),
	// masks, and tables that count up are not trained otherwise.
	Train []string
	// RunOnly accepts models without any weight that can be trained.
	RunOnly bool
	// Input is the shape of one sample. If it is nil, the file's is used, whose
	// axes must then be numbers.
	Input []int
	// MaxActivation bounds the number of elements of one activation of one
	// sample. If it is zero, 2²⁴ is used: a 64-channel image of 512×512.
	MaxActivation int
	// MaxBytes bounds the file's size. If it is zero, 2³¹ is used, which is what
	// protobuf allows.
	MaxBytes int64
	// MaxWork bounds the multiplications of a forward pass of one sample. If it
	// is zero, 2³⁸ is used: ResNet-152 takes 2³⁴ at 224×224, the largest vision
	// transformers 2³⁸. A gradient takes about three times as many.
	MaxWork int64
	// MaxKernel bounds the area of a window of a convolution or a pooling. If it
	// is zero, 2¹⁴ is used: 128×128.
	MaxKernel int
	// MaxKept bounds the bytes that all activations of one sample take, which is
	// about what a gradient keeps of them. If it is zero, 2³² is used: four times
	// what a large vision transformer takes at 224×224.
	MaxKept int64
	// MaxTables bounds the bytes of what is computed when the file is read:
	// constants, and positions for slices, transpositions, paddings and resizing.
	// If it is zero, 2²⁶ is used.
	MaxTables int
	// MaxMemory bounds the bytes that one call of the model works in, batch and
	// gradients included. If it is zero, 2³⁵ is used. Beyond it, the call gives an
	// error wrapping ErrLimit: use smaller batches.
	MaxMemory int64
}

// Defaults of Options.
const (
	defaultMaxActivation = 1 << 24
	defaultMaxBytes      = 1 << 31
	defaultMaxWork       = 1 << 38
	defaultMaxKernel     = 1 << 14
	defaultMaxKept       = 1 << 32
	defaultMaxTables     = 1 << 26
)

// resolved returns a copy of the options with the defaults in place of zeros. The
// slices are copied: the caller may change its own afterwards.
func resolved(opt *Options) (Options, error) {
	o := Options{}
	if opt != nil {
		o = *opt
	}
	o.MaxActivation = cmp.Or(o.MaxActivation, defaultMaxActivation)
	o.MaxBytes = cmp.Or(o.MaxBytes, defaultMaxBytes)
	o.MaxWork = cmp.Or(o.MaxWork, defaultMaxWork)
	o.MaxKernel = cmp.Or(o.MaxKernel, defaultMaxKernel)
	o.MaxKept = cmp.Or(o.MaxKept, defaultMaxKept)
	o.MaxTables = cmp.Or(o.MaxTables, defaultMaxTables)
	o.MaxMemory = cmp.Or(o.MaxMemory, graph.DefaultMaxBytes)
	if o.MaxActivation < 1 || o.MaxActivation > 1<<28 {
		return o, fmt.Errorf("onnx: Options.MaxActivation is %d, want 1 to 2²⁸", o.MaxActivation)
	}
	if m := min(o.MaxBytes, o.MaxWork, int64(o.MaxKernel), o.MaxKept, int64(o.MaxTables), o.MaxMemory); m < 1 {
		return o, fmt.Errorf("onnx: a limit of Options is %d, want 1 or more, or 0 for the default", m)
	}
	if len(o.Heads) > 0 && o.Logits != "" {
		return o, fmt.Errorf("onnx: Options.Logits is %q and Options.Heads %q, want one of them", o.Logits, o.Heads)
	}
	o.Input, o.Freeze, o.Train, o.Heads = slices.Clone(o.Input), slices.Clone(o.Freeze), slices.Clone(o.Train), slices.Clone(o.Heads)
	return o, nil
}

// Load reads a model from a file, and from files of external data in the same
// folder. opt may be nil. Errors wrap ErrFormat, ErrLimit, ErrUnsupported,
// ErrGradient, ErrExternal or the file system's.
func Load(path string, opt *Options) (*Model, error) {
	o, err := resolved(opt)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	defer f.Close()
	m, err := read(f, filepath.Dir(path), o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Read is Load from a stream, which it reads to the end; there can be no external
// data.
func Read(r io.Reader, opt *Options) (*Model, error) {
	o, err := resolved(opt)
	if err != nil {
		return nil, err
	}
	return read(r, "", o)
}

// read reads at most one byte more than the limit, to see that there is more. The
// whole file stays in memory: saving writes the same bytes again, and weights are
// decoded from it.
func read(r io.Reader, folder string, opt Options) (*Model, error) {
	data, err := io.ReadAll(io.LimitReader(r, opt.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	if int64(len(data)) > opt.MaxBytes {
		return nil, fmt.Errorf("onnx: %w: more than %d bytes", ErrLimit, opt.MaxBytes)
	}
	f, err := parse(data)
	if err != nil {
		return nil, err
	}
	if err := f.link(); err != nil {
		return nil, err
	}
	b, spec, err := build(f, opt, folder, false)
	if err != nil {
		return nil, err
	}
	return b.model(spec, data), nil
}

// build builds the graph of a file. Where shapes have a batch size as a number
// although the input says that it varies, it is built again as a file of that
// batch size: then it must be shown that samples stay apart.
func build(f *file, opt Options, folder string, skimmed bool) (*builder, *feature.Spec, error) {
	b := newBuilder(f, opt, folder)
	b.skimmed = skimmed
	spec, err := b.build()
	var baked *bakedError
	if !errors.As(err, &baked) || b.fixed > 0 || errors.Is(err, errLeftOut) {
		return b, spec, err
	}
	again := newBuilder(f, opt, folder)
	again.skimmed, again.fixed = skimmed, baked.size
	if spec, err := again.build(); err == nil {
		return again, spec, nil
	}
	return b, nil, err
}

// newBuilder returns a builder that has seen nothing of the file yet.
func newBuilder(f *file, opt Options, folder string) *builder {
	return &builder{f: f, opt: opt, folder: folder, values: map[string]value{}, named: map[string]bool{},
		shared: map[*tensor]*weight{}, origin: map[graph.Value]origin{}, masks: map[string]bool{}}
}

// build makes the graph that the logits need.
func (b *builder) build() (*feature.Spec, error) {
	heads, err := b.findHeads()
	if err != nil {
		return nil, err
	}
	b.needed = b.f.ancestors(b.logits...)
	if err := b.f.checkOperators(b.needed); err != nil {
		return nil, err
	}
	if err := b.start(); err != nil {
		return nil, err
	}
	if err := b.nodes(); err != nil {
		return nil, err
	}
	if err := b.finishHeads(heads); err != nil {
		return nil, err
	}
	if err := b.chooseTrained(); err != nil {
		return nil, err
	}
	spec := &feature.Spec{Input: b.opt.Input, Heads: b.heads}
	for _, t := range b.taps {
		spec.Taps = append(spec.Taps, feature.Tap{Name: t.name, Shape: slices.Clone(t.view)})
	}
	for _, w := range b.weights {
		if w.t != nil {
			spec.Params = append(spec.Params, feature.Param{Name: w.name, Shape: slices.Clone(w.t.dims), Trainable: w.trainable})
		}
	}
	if err := b.nameTaps(spec); err != nil {
		return nil, err
	}
	if err := spec.Heads.Check(spec.Outputs()); err != nil {
		return nil, fmt.Errorf("onnx: %w: %w", ErrUnsupported, err)
	}
	return spec, nil
}

// model wraps what was built.
func (b *builder) model(spec *feature.Spec, data []byte) *Model {
	var taps []graph.Value
	for _, t := range b.taps {
		taps = append(taps, t.v)
	}
	exposed := []int{}
	var data32 [][]float32
	for i, w := range b.weights {
		data32 = append(data32, w.data)
		if w.t != nil {
			exposed = append(exposed, i)
		}
	}
	run := exec.New(exec.Config{Package: "onnx", Graph: b.g, Spec: *spec, Taps: taps, MaxBytes: b.opt.MaxMemory, Exposed: exposed})
	exec.SetWeights(run, data32)
	return &Model{executor: run, notes: b.allNotes(), operators: b.f.countOperators(b.needed), data: data, folder: b.folder, weights: b.weights, data32: data32, words: b.words}
}

// start makes the graph with its input and the initializers.
func (b *builder) start() error {
	in, err := b.f.input()
	if err != nil {
		return err
	}
	if err := b.inputShape(in); err != nil {
		return err
	}
	if b.g, err = graph.New(b.opt.Input); err != nil {
		return fmt.Errorf("onnx: input %q: %w", in.name, err)
	}
	view := append([]int{1}, b.opt.Input...)
	if err := b.room(view); err != nil {
		return fmt.Errorf("onnx: input %q: %w", in.name, err)
	}
	b.origin[b.g.Input()] = origin{input: true}
	b.values[in.name] = value{d: &dyn{v: b.g.Input(), view: view}}
	for _, t := range b.f.graph.tensors {
		if !isFloat(t.typ) && !b.readsTensor(t.name) {
			continue
		}
		v, err := b.initializer(t)
		if err != nil {
			return fmt.Errorf("onnx: %w", err)
		}
		b.values[t.name] = v
	}
	return nil
}

// initializer returns the value of an initializer: a weight, which is not read yet,
// or a constant if it has integers.
func (b *builder) initializer(t *tensor) (value, error) {
	if isFloat(t.typ) {
		return value{p: &param{w: b.weightFor(t, t.name), shape: t.dims}}, nil
	}
	k, err := b.read(t)
	return value{k: &k}, err
}

// readsTensor tells whether a needed node reads a name.
func (b *builder) readsTensor(name string) bool {
	for _, i := range b.f.readers[name] {
		if b.needed[i] {
			return true
		}
	}
	return false
}

// inputShape sets the shape of a sample and the fixed batch size.
func (b *builder) inputShape(in valueInfo) error {
	switch {
	case in.elem == typeInt64 || in.elem == typeInt32:
		b.tokens = true
		if err := b.checkTokens(in.name); err != nil {
			return err
		}
	case !isFloat(in.elem):
		return fmt.Errorf("onnx: %w: input %q is %s, want floating point, or int64 for numbers of words", ErrUnsupported, in.name, typeName(in.elem))
	}
	if !in.ranked && b.opt.Input == nil || in.ranked && len(in.dims) < 2 {
		return fmt.Errorf("onnx: %w: input %q has shape %v, want a batch axis and more", ErrUnsupported, in.name, in.dims)
	}
	if len(in.dims) > 0 && in.dims[0] > 0 {
		b.fixed = int(min(in.dims[0], maxAxis))
	}
	if b.opt.Input != nil {
		if in.ranked && len(b.opt.Input) != len(in.dims)-1 {
			return fmt.Errorf("onnx: %w: samples of shape %v for input %q of shape %v", feature.ErrShape, b.opt.Input, in.name, in.dims)
		}
		return nil
	}
	for i, d := range in.dims[1:] {
		if d < 1 || d > maxAxis {
			return fmt.Errorf("onnx: %w: axis %d of input %q is %q (%d), not a number above 0; set Options.Input", ErrUnsupported, i+1, in.name, in.symbols[i+1], d)
		}
		b.opt.Input = append(b.opt.Input, int(d))
	}
	return nil
}

// nameTaps finds the logits and the features among the taps.
func (b *builder) nameTaps(spec *feature.Spec) error {
	spec.Logits = b.opt.Logits
	if _, err := spec.Tap(spec.Logits); err != nil {
		return fmt.Errorf("onnx: logits: %w", err)
	}
	if b.opt.Features != "" {
		spec.Features = b.opt.Features
		if _, err := spec.Tap(b.opt.Features); err != nil {
			return fmt.Errorf("onnx: features: %w", err)
		}
		return nil
	}
	spec.Features = spec.Logits
	for i := len(b.f.graph.nodes) - 1; i >= 0; i-- {
		n := b.f.graph.nodes[i]
		if !b.needed[i] || n.op != "Gemm" && n.op != "MatMul" {
			continue
		}
		if _, err := spec.Tap(n.in[0]); err == nil {
			spec.Features = n.in[0]
			return nil
		}
	}
	return nil
}

// allNotes tells what a user should know about the model.
func (b *builder) allNotes() []string {
	tied := 0
	for _, w := range b.weights {
		tied += len(w.names)
	}
	if tied > 0 {
		b.notes = append(b.notes, fmt.Sprintf("%d names stand for initializers that have other names too (Identity): each is one parameter, and its gradients are summed", tied))
	}
	if b.fixed > 0 {
		b.notes = append(b.notes, fmt.Sprintf("the file fixes the batch size to %d; its samples do not see one another, so any batch size gives the same results", b.fixed))
	}
	return b.notes
}
