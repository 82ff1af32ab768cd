package kernel

import (
	"math"
	"unsafe"
)

// SGDStep takes a step of stochastic gradient descent as torch.optim.SGD does,
// without dampening and without Nesterov's variant:
//
//	g = grad + wd·w    v = mu·v + g    w = w − lr·v
//
// v starts at zero and may be nil if mu is zero; v and w have at least
// len(grad) elements.
func SGDStep(w, v, grad []float32, lr, mu, wd float32) {
	w = w[:len(grad)]
	if v == nil {
		Axpby32(-lr, grad, 1-lr*wd, w)
		return
	}
	v = v[:len(grad)]
	if useAsm {
		sgdF32(len(grad), lr, mu, wd, unsafe.SliceData(grad), unsafe.SliceData(v), unsafe.SliceData(w))
		return
	}
	for i, g := range grad {
		v[i] = mu*v[i] + (g + wd*w[i])
		w[i] -= lr * v[i]
	}
}

// Adam holds the scalars of an Adam step. Zero decays mean none; the other
// fields have no defaults here.
type Adam struct {
	LR, Beta1, Beta2, Eps float64
	L2                    float64 // added to the gradient as L2·w
	Decay                 float64 // decoupled: w is multiplied by 1 − LR·Decay
	Step                  int     // counts from 1, for the bias corrections
}

// AdamStep takes one step:
//
//	g = grad + L2·w    m = β₁m + (1−β₁)g    v = β₂v + (1−β₂)g²
//	w = (1−LR·Decay)·w − LR·m̂/(√v̂ + Eps),  m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ)
//
// m and v start at zero; m, v and w have at least len(grad) elements.
//
// D. Kingma, J. Ba, Adam, ICLR 2015, algorithm 1; I. Loshchilov, F. Hutter,
// Decoupled Weight Decay Regularization, ICLR 2019, algorithm 2.
func AdamStep(w, m, v, grad []float32, o Adam) {
	w, m, v = w[:len(grad)], m[:len(grad)], v[:len(grad)]
	c1, c2 := 1-math.Pow(o.Beta1, float64(o.Step)), 1-math.Pow(o.Beta2, float64(o.Step))
	s := [9]float32{float32(o.L2), float32(o.Beta1), float32(1 - o.Beta1), float32(o.Beta2), float32(1 - o.Beta2),
		float32(1 / math.Sqrt(c2)), float32(o.Eps), float32(o.LR / c1), float32(1 - o.LR*o.Decay)}
	if useAsm {
		var coef [9 * 8]float32
		for i := range coef {
			coef[i] = s[i/8]
		}
		adamF32(len(grad), &coef[0], unsafe.SliceData(grad), unsafe.SliceData(m), unsafe.SliceData(v), unsafe.SliceData(w))
		return
	}
	for i, g := range grad {
		g += s[0] * w[i]
		m[i] = s[1]*m[i] + s[2]*g
		v[i] = s[3]*v[i] + s[4]*(g*g)
		w[i] = s[8]*w[i] - s[7]*m[i]/(float32(math.Sqrt(float64(v[i])))*s[5]+s[6])
	}
}
