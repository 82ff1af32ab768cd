package graph

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"
)

type convCase struct {
	Conv
	in     [3]int
	m      int
	kernel [2]int
}

var convCases = []convCase{
	{Conv{}, [3]int{1, 1, 1}, 1, [2]int{1, 1}},
	{Conv{}, [3]int{5, 6, 7}, 4, [2]int{1, 1}},
	{Conv{Window: Window{Pad: [4]int{1, 1, 1, 1}}}, [3]int{3, 8, 8}, 5, [2]int{3, 3}},
	{Conv{Window: Window{Stride: [2]int{2, 2}, Pad: [4]int{1, 1, 1, 1}}}, [3]int{2, 9, 7}, 3, [2]int{3, 3}},
	{Conv{Window: Window{Stride: [2]int{2, 2}}}, [3]int{2, 9, 8}, 3, [2]int{2, 2}},
	{Conv{Window: Window{Stride: [2]int{2, 2}}}, [3]int{4, 8, 8}, 6, [2]int{1, 1}},
	{Conv{Window: Window{Pad: [4]int{0, 1, 1, 0}}}, [3]int{2, 5, 6}, 3, [2]int{2, 2}},
	{Conv{Window: Window{Stride: [2]int{4, 4}}}, [3]int{3, 13, 12}, 2, [2]int{4, 4}},
	{Conv{Window: Window{Stride: [2]int{2, 1}, Dilation: [2]int{2, 3}, Pad: [4]int{2, 3, 1, 0}}}, [3]int{2, 11, 13}, 3, [2]int{3, 2}},
	{Conv{Window: Window{Pad: [4]int{1, 1, 1, 1}}, Group: 2}, [3]int{4, 6, 5}, 6, [2]int{3, 3}},
	{Conv{Window: Window{Pad: [4]int{2, 2, 2, 2}}, Group: 6}, [3]int{6, 7, 9}, 6, [2]int{5, 5}},
	{Conv{Window: Window{Stride: [2]int{2, 2}, Pad: [4]int{1, 1, 1, 1}}, Group: 3}, [3]int{3, 7, 9}, 6, [2]int{3, 3}},
	{Conv{Window: Window{Pad: [4]int{0, 2, 0, 2}}}, [3]int{2, 1, 20}, 3, [2]int{1, 5}}, // one-dimensional
	{Conv{Window: Window{Pad: [4]int{4, 4, 4, 4}}}, [3]int{1, 2, 2}, 2, [2]int{3, 3}},  // windows of padding only
	{Conv{Window: Window{Pad: [4]int{1, 1, 1, 1}}}, [3]int{40, 15, 17}, 7, [2]int{3, 3}},
	{Conv{Window: Window{Pad: [4]int{1, 1, 1, 1}}}, [3]int{72, 3, 4}, 128, [2]int{3, 3}}, // wide
}

func (k convCase) net(t *testing.T, seed uint64, bias, behind bool) *net {
	n := newNet(t, seed, k.in[:]...)
	in := []Value{n.inner(behind), n.param(k.m, k.in[0]/orOne(k.Group), k.kernel[0], k.kernel[1])}
	if bias {
		in = append(in, n.param(k.m))
	}
	n.apply(k.Conv, in...)
	return n
}

func TestConvAgainstDefinition(t *testing.T) {
	for i, k := range convCases {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			for _, batch := range []int{1, 3, 10} {
				n := k.net(t, uint64(batch), batch != 3, false)
				x := uniform(n.src, batch*size(k.in[:]))
				y := n.forward(mode{}, x, n.params)
				want := k.naive(x, n.params, n.g.Shape(n.out), batch)
				for j := range want {
					// float32 sums of at most 648 products below 1: 648·2⁻²⁴
					if math.Abs(float64(y[j])-want[j]) > 4e-5*(1+math.Abs(want[j])) {
						t.Fatalf("batch %d: output %d is %v, want %v", batch, j, y[j], want[j])
					}
				}
			}
		})
	}
}

// naive is the definition, in float64.
func (k convCase) naive(x []float32, params [][]float32, out []int, batch int) []float64 {
	group := orOne(k.Group)
	cg, mg := k.in[0]/group, k.m/group
	at := func(s, c, y, x0 int) float64 {
		if y < 0 || y >= k.in[1] || x0 < 0 || x0 >= k.in[2] {
			return 0
		}
		return float64(x[((s*k.in[0]+c)*k.in[1]+y)*k.in[2]+x0])
	}
	var res []float64
	for s := range batch {
		for m := range k.m {
			for oy := range out[1] {
				for ox := range out[2] {
					v := 0.0
					if len(params) > 1 {
						v = float64(params[1][m])
					}
					for c := range cg {
						for ky := range k.kernel[0] {
							for kx := range k.kernel[1] {
								w := params[0][((m*cg+c)*k.kernel[0]+ky)*k.kernel[1]+kx]
								v += float64(w) * at(s, m/mg*cg+c, oy*orOne(k.Stride[0])+ky*orOne(k.Dilation[0])-k.Pad[0], ox*orOne(k.Stride[1])+kx*orOne(k.Dilation[1])-k.Pad[1])
							}
						}
					}
					res = append(res, v)
				}
			}
		}
	}
	return res
}

func TestConvGradients(t *testing.T) {
	for i, k := range convCases {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			for _, batch := range []int{1, 2, 5, 18} {
				n := k.net(t, uint64(batch), true, batch%2 == 0)
				n.check(mode{}, uniform(n.src, batch*size(k.in[:])))
			}
		})
	}
}

// TestConvAdjoint is the identity ⟨Jv, w⟩ = ⟨v, Jᵀw⟩ without differences:
// convolution is linear in the image and in the weight.
func TestConvAdjoint(t *testing.T) {
	for trial := range 60 {
		src := newNet(t, uint64(trial), 1).src
		pick := func(lo, hi int) int { return lo + src.IntN(hi-lo+1) }
		group := pick(1, 3)
		k := convCase{m: group * pick(1, 4), kernel: [2]int{pick(1, 5), pick(1, 5)}}
		k.Group, k.Stride, k.Dilation = group, [2]int{pick(1, 3), pick(1, 3)}, [2]int{pick(1, 2), pick(1, 2)}
		k.Pad = [4]int{pick(0, 3), pick(0, 3), pick(0, 3), pick(0, 3)}
		k.in = [3]int{group * pick(1, 4), pick(9, 16), pick(9, 16)}
		n := k.net(t, uint64(trial), false, trial%2 == 0)
		x := uniform(n.src, pick(1, 12)*size(k.in[:]))
		cot := uniform(n.src, len(x)/size(k.in[:])*n.g.Size(n.out))
		y, dx, dp := n.sameBits(mode{}, x, cot)
		// Both sides are float32 sums of N products: relative error of order
		// √N·2⁻²⁴ of the norms.
		want, scale := dot(y, cot), norm(y)*norm(cot)
		for _, got := range []float64{dot(x, dx), dot(n.params[0], dp[0])} {
			if math.Abs(got-want) > 1e-5*scale {
				t.Errorf("trial %d %+v: ⟨Jv, w⟩ = %v, ⟨v, Jᵀw⟩ = %v", trial, k, want, got)
			}
		}
	}
}

func TestPools(t *testing.T) {
	windows := []struct {
		Window
		kernel [2]int
		ceil   bool
	}{
		{Window{Stride: [2]int{2, 2}}, [2]int{2, 2}, false},
		{Window{Stride: [2]int{2, 2}}, [2]int{2, 2}, true},
		{Window{Stride: [2]int{2, 2}, Pad: [4]int{1, 1, 1, 1}}, [2]int{3, 3}, false},
		{Window{Stride: [2]int{2, 2}, Pad: [4]int{1, 1, 1, 1}}, [2]int{3, 3}, true},
		{Window{Stride: [2]int{3, 2}, Pad: [4]int{1, 0, 0, 1}}, [2]int{3, 2}, true},
		{Window{Pad: [4]int{0, 1, 1, 0}}, [2]int{2, 3}, false},
		{Window{Dilation: [2]int{2, 2}, Stride: [2]int{1, 2}, Pad: [4]int{2, 1, 1, 2}}, [2]int{2, 3}, true},
	}
	for i, w := range windows {
		for _, op := range []Op{MaxPool{w.Window, w.kernel, w.ceil}, AveragePool{w.Window, w.kernel, w.ceil, false}, AveragePool{w.Window, w.kernel, w.ceil, true}} {
			t.Run(fmt.Sprintf("%d%T", i, op), func(t *testing.T) {
				for _, batch := range []int{1, 2, 5, 18} {
					n := newNet(t, uint64(batch), 2, 7, 6)
					n.apply(op, n.inner(batch%2 == 0))
					n.check(mode{}, apart(n.src, batch*84))
				}
			})
		}
	}
}

// TestPoolsAgainstPyTorch compares with testdata/pool.json.
func TestPoolsAgainstPyTorch(t *testing.T) {
	raw, err := os.ReadFile("testdata/pool.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Kernel, Stride, Pad, Dilation [2]int
		Ceil                          bool
		Shape                         []int
		Max, Avg, AvgPad              []float64
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	x := make([]float32, 42)
	for i := range x {
		x[i] = float32(math.Sin(float64(i*i) / 7))
	}
	for i, k := range cases {
		w := Window{Stride: k.Stride, Dilation: k.Dilation, Pad: [4]int{k.Pad[0], k.Pad[1], k.Pad[0], k.Pad[1]}}
		for _, op := range []struct {
			Op
			want []float64
		}{
			{MaxPool{w, k.Kernel, k.Ceil}, k.Max},
			{AveragePool{w, k.Kernel, k.Ceil, false}, k.Avg},
			{AveragePool{w, k.Kernel, k.Ceil, true}, k.AvgPad},
		} {
			if op.want == nil {
				continue
			}
			n := newNet(t, 1, 1, 7, 6)
			n.apply(op.Op, n.g.Input())
			if shape := n.g.Shape(n.out)[1:]; !slices.Equal(shape, k.Shape) {
				t.Errorf("case %d: %T gives %v, want %v", i, op.Op, shape, k.Shape)
				continue
			}
			for j, v := range n.forward(mode{}, x, nil) {
				if math.Abs(float64(v)-op.want[j]) > 1e-6 { // float32 sums of nine
					t.Errorf("case %d: %T element %d is %v, want %v", i, op.Op, j, v, op.want[j])
				}
			}
		}
	}
}
