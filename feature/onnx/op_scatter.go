package onnx

import (
	"fmt"
	"slices"
)

// foldScatterND puts rows into a copy of a constant: exporters write assignments to
// slices so, as Swin's masks of shifted windows are made.
func foldScatterND(b *builder, n *node, in []*konst) ([]konst, error) {
	if err := inputs(in, 3, 3); err != nil {
		return nil, err
	}
	if r := n.text("reduction", "none"); r != "none" {
		return nil, fmt.Errorf("%w: reduction %q", ErrUnsupported, r)
	}
	data, index, updates := in[0], in[1], in[2]
	rank := len(index.shape)
	if rank == 0 || index.shape[rank-1] > len(data.shape) {
		return nil, fmt.Errorf("%w: indices of shape %v into shape %v", ErrFormat, index.shape, data.shape)
	}
	depth := index.shape[rank-1]
	want := slices.Concat(index.shape[:rank-1], data.shape[depth:])
	if !slices.Equal(want, updates.shape) {
		return nil, fmt.Errorf("%w: updates of shape %v, want %v", ErrFormat, updates.shape, want)
	}
	places, err := index.ints()
	if err != nil {
		return nil, err
	}
	out, err := b.newKonst(data.typ, data.shape)
	if err != nil {
		return nil, err
	}
	copy(out.v, data.v)
	row, step := sizeOf(data.shape[depth:]), stride(data.shape)
	for i := range sizeOf(index.shape[:rank-1]) {
		at := 0
		for k, p := range places[i*depth : (i+1)*depth] {
			if p, err = wrapIndex(p, data.shape[k]); err != nil {
				return nil, err
			}
			at += p * step[k]
		}
		copy(out.v[at:at+row], updates.v[i*row:])
	}
	return []konst{out}, nil
}

// wrapIndex returns an index into an axis, counted from the end if it is negative.
func wrapIndex(i, length int) (int, error) {
	at := i
	if i < 0 {
		at += length
	}
	if at < 0 || at >= length {
		return 0, fmt.Errorf("%w: index %d into an axis of length %d", ErrFormat, i, length)
	}
	return at, nil
}
