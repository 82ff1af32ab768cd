package onnx

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/dlfd-go/unlearn/feature/internal/onnxfile"
)

// valueInfo is a graph input or output. A dim is -1 where it is not a number.
type valueInfo struct {
	name    string
	elem    int64
	dims    []int64
	symbols []string
	ranked  bool
}

// parseValue reads what a graph says of an input or output. Types other than tensors,
// such as the sequences of maps of scikit-learn's exports, have element type 0.
func parseValue(fd field, list []valueInfo, where string) ([]valueInfo, error) {
	if len(list) == maxTensors {
		return nil, fmt.Errorf("onnx: %w: more than %d %ss", ErrLimit, maxTensors, where)
	}
	var v valueInfo
	m, err := fd.sub(where)
	if err != nil {
		return nil, err
	}
	err = m.each(func(fd field) (err error) {
		switch fd.num {
		case onnxfile.ValueName:
			v.name, err = fd.text(where)
		case onnxfile.ValueType:
			err = v.parseType(fd, where)
		}
		return err
	})
	return append(list, v), err
}

// parseType reads a TypeProto that is a tensor's.
func (v *valueInfo) parseType(fd field, where string) error {
	return within(fd, where+" type", onnxfile.TypeTensor, func(fd field) error {
		return within(fd, where+" tensor type", 0, func(fd field) (err error) {
			switch fd.num {
			case onnxfile.ElemType:
				v.elem, err = fd.number(where + " element type")
			case onnxfile.ElemShape:
				v.ranked = true
				err = within(fd, where+" shape", onnxfile.ShapeDim, func(fd field) error { return v.parseDim(fd, where) })
			}
			return err
		})
	})
}

// within calls f for the fields with the given number, or all if it is 0, of the
// message in a field.
func within(fd field, where string, num protowire.Number, f func(fd field) error) error {
	m, err := fd.sub(where)
	if err != nil {
		return err
	}
	return m.each(func(fd field) error {
		if num != 0 && fd.num != num {
			return nil
		}
		return f(fd)
	})
}

// parseDim reads the length of an axis: a number, or a symbol, for which -1 stands.
func (v *valueInfo) parseDim(fd field, where string) error {
	if len(v.dims) == maxRank {
		return fmt.Errorf("onnx: %w: %s has more than %d axes", ErrLimit, where, maxRank)
	}
	dim, symbol := int64(-1), ""
	err := within(fd, where+" axis", 0, func(fd field) (err error) {
		switch fd.num {
		case onnxfile.DimValue:
			dim, err = fd.number(where + " axis")
		case onnxfile.DimParam:
			symbol, err = fd.text(where + " axis")
		}
		return err
	})
	v.dims, v.symbols = append(v.dims, dim), append(v.symbols, symbol)
	return err
}
