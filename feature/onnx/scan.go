package onnx

import "fmt"

// Layout is what other decoders need to know about a file before they read it.
type Layout struct {
	Opset int
	Input []int // shape of one sample; nil if it has symbolic axes or no rank
}

// Scan checks that a file is well-formed and declares nothing larger than the
// file or than limit elements, without building it: other decoders may
// allocate what a file only declares. The operators are not looked at.
// Errors wrap ErrFormat, ErrLimit or ErrUnsupported.
func Scan(data []byte, limit int) (Layout, error) {
	f, err := parse(data)
	if err != nil {
		return Layout{}, err
	}
	if err := f.link(); err != nil {
		return Layout{}, err
	}
	for _, t := range f.allTensors() {
		if err := t.check(); err != nil {
			return Layout{}, err
		}
	}
	for _, list := range [][]valueInfo{f.graph.inputs, f.graph.outputs, f.graph.values} {
		for _, v := range list {
			if err := v.within(limit); err != nil {
				return Layout{}, err
			}
		}
	}
	in, err := f.input()
	l := Layout{Opset: f.opset}
	for _, d := range in.dims[min(1, len(in.dims)):] {
		if d < 1 {
			return Layout{Opset: f.opset}, err
		}
		l.Input = append(l.Input, int(d))
	}
	return l, err
}

// within returns an error if a declared shape has more than limit elements.
func (v valueInfo) within(limit int) error {
	n := int64(1)
	for _, d := range v.dims {
		if d > int64(limit) || d > 0 && n > int64(limit)/d {
			return fmt.Errorf("onnx: %w: %q has shape %v, above %d elements", ErrLimit, v.name, v.dims, limit)
		}
		n *= max(d, 1)
	}
	return nil
}
