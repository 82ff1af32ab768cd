package graph

import (
	"fmt"
	"math"
	"testing"
)

// naiveMean is the definition, in float64: the mean of the elements of the
// window at (oy, ox), or of those and the padding's zeros.
func (op AveragePool) naiveMean(x []float32, h, w, oy, ox int) float64 {
	var sum, count float64
	for ky := range op.Kernel[0] {
		for kx := range op.Kernel[1] {
			y := oy*orOne(op.Stride[0]) + ky*orOne(op.Dilation[0]) - op.Pad[0]
			x0 := ox*orOne(op.Stride[1]) + kx*orOne(op.Dilation[1]) - op.Pad[1]
			inside := y >= 0 && y < h && x0 >= 0 && x0 < w
			if inside {
				sum += float64(x[y*w+x0])
			}
			if inside || op.IncludePad && y < h+op.Pad[2] && x0 < w+op.Pad[3] {
				count++
			}
		}
	}
	return sum / count
}

// Windows that move by one column, the whole plane, and others.
func TestAveragePoolAgainstDefinition(t *testing.T) {
	const h, w = 9, 21
	for i, k := range []AveragePool{
		{Kernel: [2]int{3, 3}},
		{Kernel: [2]int{1, 1}},
		{Kernel: [2]int{3, 3}, Window: Window{Pad: [4]int{1, 1, 1, 1}}},
		{Kernel: [2]int{3, 5}, Window: Window{Pad: [4]int{2, 4, 0, 1}, Stride: [2]int{2, 1}}, Ceil: true},
		{Kernel: [2]int{2, 3}, Window: Window{Pad: [4]int{1, 2, 1, 3}, Dilation: [2]int{3, 2}}},
		{Kernel: [2]int{1, 21}, Window: Window{Pad: [4]int{0, 20, 0, 20}}},
		{Kernel: [2]int{h, w}},
		{Kernel: [2]int{h, w}, Window: Window{Stride: [2]int{5, 5}}},
		{Kernel: [2]int{h, w}, Window: Window{Pad: [4]int{1, 0, 0, 2}}},
		{Kernel: [2]int{2, 2}, Window: Window{Stride: [2]int{2, 2}}},
	} {
		for _, k.IncludePad = range []bool{false, true} {
			t.Run(fmt.Sprint(i, k.IncludePad), func(t *testing.T) {
				n := newNet(t, 7, 2, h, w)
				n.apply(k, n.g.Input())
				x := uniform(n.src, 3*2*h*w)
				y, out := n.forward(mode{}, x, n.params), n.g.Shape(n.out)
				for j, got := range y {
					p, o := j/(out[1]*out[2]), j%(out[1]*out[2])
					want := k.naiveMean(plane(x, p, h*w), h, w, o/out[2], o%out[2])
					if math.Abs(float64(got)-want) > 2e-6 { // up to 189 roundings of sums below 20, over 189
						t.Fatalf("output %d is %v, want %v", j, got, want)
					}
				}
			})
		}
	}
}

func BenchmarkAveragePool(b *testing.B) {
	const planes, h, w = 32, 28, 28
	for _, k := range []AveragePool{
		{Kernel: [2]int{3, 3}, Window: Window{Pad: [4]int{1, 1, 1, 1}}},
		{Kernel: [2]int{h, w}},
	} {
		b.Run(fmt.Sprint(k.Kernel), func(b *testing.B) {
			shape, err := k.Infer([]Arg{{Shape: []int{planes, h, w}}})
			if err != nil {
				b.Fatal(err)
			}
			c := &Call{N: 1, Shape: [][]int{{planes, h, w}}, OutShape: shape, In: [][]float32{make([]float32, planes*h*w)}, Out: make([]float32, size(shape))}
			for b.Loop() {
				k.Forward(c)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(planes*h*w), "ns/elem")
		})
	}
}
