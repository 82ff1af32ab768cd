package featuretest_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/nn"
)

func network(t *testing.T) *nn.Network {
	t.Helper()
	n, err := nn.ResNet(nn.ResNetConfig{Input: []int{1, 6, 6}, Classes: 3, Widths: []int{3, 4}, Blocks: []int{1, 1}, Hidden: []int{5}, Dropout: .1, Seed: 4})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAcceptsANetwork(t *testing.T) {
	if err := featuretest.Check(network(t), nil); err != nil {
		t.Error(err)
	}
	opt := &featuretest.Options{Rows: 2, Taps: []string{"stage1.0", "features"}, Seed: 9}
	if err := featuretest.Check(network(t), opt); err != nil {
		t.Error(err)
	}
}

// gradFunc is GradMode's type.
type gradFunc func(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error

// mutant is a network with one thing wrong; a nil field is right.
type mutant struct {
	*nn.Network
	forward func(ctx context.Context, x feature.Tensor, taps []string, out []feature.Tensor) error
	grad    gradFunc
	get     func(i int, dst []float32) error
	set     func(i int, src []float32) error
	clone   func() (feature.Trainable, error)
	spec    func(feature.Spec) feature.Spec

	mu sync.Mutex // what is wrong is not meant to be a race
}

func (m *mutant) Spec() feature.Spec {
	if m.spec != nil {
		return m.spec(m.Network.Spec())
	}
	return m.Network.Spec()
}

func (m *mutant) Forward(ctx context.Context, x feature.Tensor, taps []string, out []feature.Tensor) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.forward != nil {
		return m.forward(ctx, x, taps, out)
	}
	return m.Network.Forward(ctx, x, taps, out)
}

func (m *mutant) Grad(ctx context.Context, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
	return m.GradMode(ctx, feature.Mode{}, x, taps, loss, dx, dp)
}

func (m *mutant) GradMode(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.grad != nil {
		return m.grad(ctx, mode, x, taps, loss, dx, dp)
	}
	return m.Network.GradMode(ctx, mode, x, taps, loss, dx, dp)
}

func (m *mutant) GetParam(i int, dst []float32) error {
	if m.get != nil {
		return m.get(i, dst)
	}
	return m.Network.GetParam(i, dst)
}

func (m *mutant) SetParam(i int, src []float32) error {
	if m.set != nil {
		return m.set(i, src)
	}
	return m.Network.SetParam(i, src)
}

func (m *mutant) Clone() (feature.Trainable, error) {
	if m.clone != nil {
		return m.clone()
	}
	return m.Network.Clone()
}

// after changes the gradients of a right network: dx and dp hold what it alone
// gives, in zeroed buffers, before they are added to the caller's.
func after(n *nn.Network, change func(mode feature.Mode, dx []float32, dp [][]float32)) gradFunc {
	return func(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
		own := zeros([][]float32{dx})[0]
		ownP := zeros(dp)
		if err := n.GradMode(ctx, mode, x, taps, loss, own, ownP); err != nil {
			return err
		}
		change(mode, own, ownP)
		add(dx, own)
		for i, g := range dp {
			add(g, ownP[i])
		}
		return nil
	}
}

func zeros(g [][]float32) [][]float32 {
	if g == nil {
		return nil
	}
	z := make([][]float32, len(g))
	for i, v := range g {
		if v != nil {
			z[i] = make([]float32, len(v))
		}
	}
	return z
}

func add(dst, x []float32) {
	for i := range dst {
		dst[i] += x[i]
	}
}

func scale(x []float32, by float32) {
	for i := range x {
		x[i] *= by
	}
}

// param returns the gradient of the parameter with the given name.
func param(n *nn.Network, dp [][]float32, name string) []float32 {
	for i, p := range n.Spec().Params {
		if p.Name == name && dp != nil {
			return dp[i]
		}
	}
	return nil
}

// gradMutants break Grad.
func gradMutants(n *nn.Network) map[string]gradFunc {
	right := n.GradMode
	return map[string]gradFunc{
		"sign of the input gradient": after(n, func(_ feature.Mode, dx []float32, _ [][]float32) { scale(dx, -1) }),
		"input gradient 10 % large":  after(n, func(_ feature.Mode, dx []float32, _ [][]float32) { scale(dx, 1.1) }),
		"one row's input gradient":   after(n, func(_ feature.Mode, dx []float32, _ [][]float32) { clear(dx[:min(len(dx), 36)]) }),
		"sign of one bias' gradient": after(n, func(_ feature.Mode, _ []float32, dp [][]float32) { scale(param(n, dp, "fc.0.bias"), -1) }),
		"weight gradient missing":    after(n, func(_ feature.Mode, _ []float32, dp [][]float32) { clear(param(n, dp, "stem.conv.weight")) }),
		"training gradient of evaluation": func(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
			mode.Train = mode.Train && (mode.Track || dx == nil && dp == nil)
			return right(ctx, mode, x, taps, loss, dx, dp)
		},
		"overwrites": func(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
			clear(dx)
			return right(ctx, mode, x, taps, loss, dx, dp)
		},
		"overwrites a parameter's": func(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
			clear(param(n, dp, "stem.bn.bias"))
			return right(ctx, mode, x, taps, loss, dx, dp)
		},
		"loss called twice": func(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
			return right(ctx, mode, x, taps, func(val, cot []feature.Tensor) error {
				if err := loss(val, cot); err != nil {
					return err
				}
				for _, c := range cot {
					clear(c.Data)
				}
				return loss(val, cot)
			}, dx, dp)
		},
		"loss not called when nothing is wanted": func(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
			if dx == nil && dp == nil && !mode.Train && x.CheckFinite() == nil && x.Rows() == 5 {
				return nil
			}
			return right(ctx, mode, x, taps, loss, dx, dp)
		},
		"hides the loss' error": func(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
			return right(ctx, mode, x, taps, func(val, cot []feature.Tensor) error {
				if err := loss(val, cot); err != nil {
					return errors.New(err.Error())
				}
				return nil
			}, dx, dp)
		},
		"dirty cotangents": func(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
			return right(ctx, mode, x, taps, func(val, cot []feature.Tensor) error {
				cot[0].Data[0] = 1e-3
				return loss(val, cot)
			}, dx, dp)
		},
		"ignores the second tap": func(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
			return right(ctx, mode, x, taps, func(val, cot []feature.Tensor) error {
				err := loss(val, cot)
				if len(cot) > 1 {
					clear(cot[1].Data)
				}
				return err
			}, dx, dp)
		},
		"modifies the input": func(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
			err := right(ctx, mode, x, taps, loss, dx, dp)
			if err == nil {
				x.Data[0]++
			}
			return err
		},
		"tracks always": func(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
			mode.Track = mode.Train
			return right(ctx, mode, x, taps, loss, dx, dp)
		},
		"tracks never": func(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
			mode.Track = false
			return right(ctx, mode, x, taps, loss, dx, dp)
		},
		"steps": func(ctx context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
			err := right(ctx, mode, x, taps, loss, dx, dp)
			return errors.Join(err, n.UpdateParam(0, func(w []float32) { w[0] *= 1.0001 }))
		},
		"ignores the context": func(_ context.Context, mode feature.Mode, x feature.Tensor, taps []string, loss feature.LossFunc, dx []float32, dp [][]float32) error {
			return right(context.Background(), mode, x, taps, loss, dx, dp)
		},
	}
}

// otherMutants break something else.
func otherMutants(n *nn.Network) map[string]*mutant {
	ms := map[string]*mutant{}
	ms["modifies x"] = &mutant{forward: func(ctx context.Context, x feature.Tensor, taps []string, out []feature.Tensor) error {
		err := n.Forward(ctx, x, taps, out)
		if err == nil {
			x.Data[0]++
		}
		return err
	}}
	ms["adds to the outputs"] = &mutant{forward: func(ctx context.Context, x feature.Tensor, taps []string, out []feature.Tensor) error {
		own := make([]feature.Tensor, len(out))
		for i, t := range out {
			own[i] = t.Clone()
		}
		err := n.Forward(ctx, x, taps, own)
		for i := range out {
			if err == nil {
				add(out[i].Data, own[i].Data)
			}
		}
		return err
	}}
	ms["rows depend on others"] = &mutant{forward: func(ctx context.Context, x feature.Tensor, taps []string, out []feature.Tensor) error {
		err := n.Forward(ctx, x, taps, out)
		if err == nil {
			out[0].Data[0] += .01 * float32(x.Rows())
		}
		return err
	}}
	calls := float32(0)
	ms["counts its calls"] = &mutant{forward: func(ctx context.Context, x feature.Tensor, taps []string, out []feature.Tensor) error {
		err := n.Forward(ctx, x, taps, out)
		if calls++; err == nil {
			out[0].Data[0] += calls * 1e-5
		}
		return err
	}}
	ms["accepts NaN"] = &mutant{forward: func(ctx context.Context, x feature.Tensor, taps []string, out []feature.Tensor) error {
		if x.CheckFinite() != nil {
			return nil
		}
		return n.Forward(ctx, x, taps, out)
	}}
	ms["wrong error for a tap"] = &mutant{forward: func(ctx context.Context, x feature.Tensor, taps []string, out []feature.Tensor) error {
		if err := n.Forward(ctx, x, taps, out); !errors.Is(err, feature.ErrNoTap) {
			return err
		}
		return feature.ErrShape
	}}
	ms["ignores the context"] = &mutant{forward: func(_ context.Context, x feature.Tensor, taps []string, out []feature.Tensor) error {
		return n.Forward(context.Background(), x, taps, out)
	}}
	kept := map[int][]float32{}
	ms["keeps src"] = &mutant{
		set: func(i int, src []float32) error { err := n.SetParam(i, src); kept[i] = src; return err },
	}
	ms["keeps src"].get = func(i int, dst []float32) error {
		if src := kept[i]; src != nil && len(src) == len(dst) {
			copy(dst, src)
			return nil
		}
		return n.GetParam(i, dst)
	}
	ms["rounds"] = &mutant{set: func(i int, src []float32) error {
		r := make([]float32, len(src))
		for k, v := range src {
			r[k] = v * (1 + 1e-6)
		}
		return n.SetParam(i, r)
	}}
	ms["accepts any length"] = &mutant{get: func(i int, dst []float32) error {
		err := n.GetParam(i, dst)
		if errors.Is(err, feature.ErrShape) {
			return nil
		}
		return err
	}}
	ms["clones itself"] = &mutant{}
	ms["clones itself"].clone = func() (feature.Trainable, error) { return n, nil }
	ms["names no logits"] = &mutant{spec: func(s feature.Spec) feature.Spec { s.Features = "nothing"; return s }}
	return ms
}

func TestRejectsMutants(t *testing.T) {
	n := network(t)
	mutants := otherMutants(n)
	for name, g := range gradMutants(n) {
		mutants["Grad "+name] = &mutant{grad: g}
	}
	right := &mutant{Network: n}
	if err := featuretest.Check(right, nil); err != nil {
		t.Fatalf("the mutant without a mutation: %v", err)
	}
	for name, m := range mutants {
		m.Network = n
		err := featuretest.Check(m, nil)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		t.Logf("%s: %s", name, strings.SplitN(err.Error(), "\n", 2)[0])
	}
}
