package dataset

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/dlfd-go/unlearn/feature"
	"gonum.org/v1/gonum/mat"
)

// VectorOptions says how vectors are labeled.
type VectorOptions struct {
	// Labels is the file with the labels, told apart by its first bytes: an array as
	// NumPy saves it, of n or n×1 integers from 0, or a table with one row a sample,
	// in the order of the samples.
	Labels string

	// Table, Label and Identity are those of the table, as in CSVOptions. Identity
	// may be empty.
	Table           TableOptions
	Label, Identity string
	// Targets and TargetClasses are those of the table, as in CSVOptions, for several
	// labels a sample.
	Targets       []string
	TargetClasses map[string][]string

	// Classes names the classes. If it is nil, those of a table are its different
	// labels; those of an array have no names and are as many as the largest label
	// asks for.
	Classes []string
}

// Vectors reads an array of n×… numbers as NumPy saves it, such as the embeddings
// of another program, and their labels. Numbers are those of [NPY]. Standardize them
// by [LearnScale], if that is wanted.
//
// Memory grows with the data that is really there. Errors name the file, and the row
// and the element, or the row, the line and the column. They wrap what those of NPY
// and [CSV] wrap.
func Vectors(file string, o VectorOptions) (*Set, error) {
	x, err := NPY(file)
	if err != nil {
		return nil, err
	}
	if len(x.Shape) < 2 || feature.Size(x.Shape) == 0 {
		return nil, fmt.Errorf("dataset: %s: %w: an array of shape %v, want n×… with two axes or more, none of them empty", file, feature.ErrShape, x.Shape)
	}
	if err := x.CheckFinite(); err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", file, bare(err))
	}
	s := Samples{X: x, Classes: o.Classes}
	if err := o.label(&s); err != nil {
		return nil, err
	}
	d, err := Memory(s)
	if err != nil {
		return nil, fmt.Errorf("dataset: %s, %s: %w", file, o.Labels, bare(err))
	}
	return d, nil
}

// label reads the labels of s.
func (o VectorOptions) label(s *Samples) error {
	isArray, err := startsLikeNPY(o.Labels)
	if err != nil {
		return err
	}
	n := 0
	if isArray && o.Targets != nil {
		return fmt.Errorf("dataset: %s: %w: Targets %q are columns of a table, and this is an array", o.Labels, feature.ErrParameter, o.Targets)
	}
	if isArray {
		n, err = s.labelArray(o.Labels)
	} else {
		n, err = s.labelTable(o)
	}
	if err == nil && n != s.X.Rows() {
		err = fmt.Errorf("dataset: %s: %w: %d labels of %d samples", o.Labels, feature.ErrShape, n, s.X.Rows())
	}
	return err
}

// startsLikeNPY tells an array from a table.
func startsLikeNPY(file string) (bool, error) {
	f, err := openFile(file)
	if err != nil {
		return false, fmt.Errorf("dataset: %w", err)
	}
	defer f.Close()
	var start [6]byte
	_, err = io.ReadFull(f, start[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, fmt.Errorf("dataset: %s: %w", file, bareError(err))
	}
	return bytes.Equal(start[:], []byte("\x93NUMPY")), nil
}

// labelArray takes labels from an array and returns their number.
func (s *Samples) labelArray(file string) (int, error) {
	y, err := NPY(file)
	if err != nil {
		return 0, err
	}
	if len(y.Shape) != 1 && (len(y.Shape) != 2 || y.Shape[1] != 1) {
		return 0, fmt.Errorf("dataset: %s: %w: labels of shape %v, want n or n×1", file, feature.ErrShape, y.Shape)
	}
	limit := 1 << 24 // integers are exact in float32 up to here
	if s.Classes != nil {
		limit = len(s.Classes)
	}
	s.Labels = make([]int, len(y.Data))
	for i, v := range y.Data {
		if !(v >= 0 && v < float32(limit)) || v != float32(math.Trunc(float64(v))) {
			return 0, fmt.Errorf("dataset: %s: %w: element %d is %v, want an integer in [0, %d)", file, feature.ErrLabel, i, v, limit)
		}
		s.Labels[i] = int(v)
	}
	return len(y.Data), nil
}

// labelTable takes labels from a table and returns their number.
func (s *Samples) labelTable(o VectorOptions) (int, error) {
	t, err := readTable(o.Labels, o.Table)
	if err != nil {
		return 0, err
	}
	who, err := t.subjects(&CSVOptions{Label: o.Label, Identity: o.Identity, Targets: o.Targets, TargetClasses: o.TargetClasses, Classes: o.Classes})
	if err != nil {
		return 0, err
	}
	if err := who.nameClasses(t, o.Classes, o.TargetClasses); err != nil {
		return 0, err
	}
	s.Classes, s.Targets = who.classes, who.targets
	var errs []error
	for i := range t.rows {
		label, identity, err := who.of(t.row(i))
		if err != nil {
			errs = append(errs, fmt.Errorf("dataset: %s: column %q: %w", t.where(i), columnOf(err, cmp.Or(o.Label, strings.Join(o.Targets, ", ")), o.Identity), err))
		}
		s.Labels = append(s.Labels, label)
		if o.Identity != "" {
			s.Identities = append(s.Identities, identity)
		}
	}
	return len(t.rows), firstErrors(errs)
}

// FromMatrix returns a Set of the rows of x. Everything but X, which must be empty, is
// taken from s. Numbers are rounded to float32. Errors wrap what those of [Memory] wrap.
func FromMatrix(x mat.Matrix, s Samples) (*Set, error) {
	if x == nil || s.X.Data != nil || s.X.Shape != nil {
		return nil, fmt.Errorf("dataset: %w: want a matrix, and no Samples.X beside it", feature.ErrParameter)
	}
	n, dim := x.Dims()
	if n == 0 || dim == 0 {
		return nil, fmt.Errorf("dataset: %w: a matrix of %d×%d", ErrEmpty, n, dim)
	}
	s.X = feature.NewTensor(n, dim)
	for i := range n {
		for j, row := 0, s.X.Row(i); j < dim; j++ {
			row[j] = float32(x.At(i, j))
		}
	}
	return Memory(s)
}

// ToMatrix returns the samples of d as the rows of a matrix, and their labels. The
// error wraps ErrEmpty if there are none.
func ToMatrix(d feature.Dataset) (*mat.Dense, []int, error) {
	if d.Len() == 0 {
		return nil, nil, fmt.Errorf("dataset: %w: a matrix without rows", ErrEmpty)
	}
	b, err := feature.ReadAll(d)
	if err != nil {
		return nil, nil, err
	}
	data := make([]float64, len(b.X.Data))
	for i, v := range b.X.Data {
		data[i] = float64(v)
	}
	return mat.NewDense(d.Len(), b.X.RowLen(), data), slices.Clone(b.Labels), nil
}

// Embed returns the values that a tap of m has on the samples of d, each as one
// vector, with the labels, the names of classes and the identities of d: what a head
// is trained on. m runs in evaluation mode, batch samples at a time. Errors are those
// of feature.Predict.
func Embed(ctx context.Context, m feature.Model, tap string, d feature.Dataset, batch int) (*Set, error) {
	if d.Len() == 0 || batch < 1 {
		return nil, fmt.Errorf("dataset: %w: %d samples in batches of %d", ErrEmpty, d.Len(), batch)
	}
	out, labels, err := feature.Predict(ctx, m, d, []string{tap}, batch)
	if err != nil {
		return nil, err
	}
	return beside(d, feature.Tensor{Shape: []int{d.Len(), out[0].RowLen()}, Data: out[0].Data}, labels)
}

// beside returns a Set of other values with what else is known of d.
func beside(d feature.Dataset, x feature.Tensor, labels []int) (*Set, error) {
	s := Samples{X: x, Labels: labels, Targets: feature.TargetsOf(d)}
	if c, ok := feature.As[feature.ClassNamed](d); ok {
		s.Classes = c.ClassNames()
	}
	if id, ok := feature.As[feature.Identified](d); ok {
		s.Identities = make([]string, d.Len())
		for i := range s.Identities {
			s.Identities[i] = id.Identity(i)
		}
	}
	set, err := Memory(s)
	if err != nil {
		return nil, err
	}
	set.count = d.Classes() // some may have no sample here
	return set, nil
}

// bare returns err without the prefix of a package, for texts that have one.
func bare(err error) error { return bareText{err} }

type bareText struct{ error }

func (e bareText) Error() string {
	return strings.TrimPrefix(strings.TrimPrefix(e.error.Error(), "dataset: "), "feature: ")
}

func (e bareText) Unwrap() error { return e.error }
