package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// elem describes an element type: its size, its lanes in a YMM register, and
// the instructions that differ in their last letter only.
type elem struct {
	name                           string
	size, lanes                    int
	add, sub, mul, div, maxi, mini func(...Op)
	and, xor, or                   func(...Op)
	load                           func(...Op)
	mask                           func(a, b, c Op)
	fma231, fma213                 func(...Op) // dst += a*b; dst = a*dst + b
	fnma231                        func(...Op)
	fmsub213                       func(...Op) // dst = a*dst - b
	bcastMem                       func(...Op)
	zmm                            bool // of 64 bytes a register, for AVX-512
}

// wider returns e for ZMM registers. Its constants are single elements, which
// instructions broadcast: whole registers of them would straddle cache lines.
func (e *elem) wider(masked func(a, b, c Op)) *elem {
	w := *e
	w.zmm = true
	w.lanes *= 2
	w.mask = func(a, b, c Op) {
		if _, ok := a.(Mem); ok {
			masked(a, b, c)
		} else {
			e.load(a, b, c)
		}
	}
	return &w
}

// orBroadcast returns plain for registers and broadcast for a constant.
func orBroadcast(plain, broadcast func(...Op)) func(...Op) {
	return func(ops ...Op) {
		if _, constant := ops[0].(Mem); constant {
			broadcast(ops...)
		} else {
			plain(ops...)
		}
	}
}

var f32z, f64z = wider32(), wider64()

func wider32() *elem {
	w := f32.wider(VMOVUPS_Z)
	w.add, w.sub, w.mul = orBroadcast(VADDPS, VADDPS_BCST), orBroadcast(VSUBPS, VSUBPS_BCST), orBroadcast(VMULPS, VMULPS_BCST)
	w.fma213, w.fnma231 = orBroadcast(VFMADD213PS, VFMADD213PS_BCST), orBroadcast(VFNMADD231PS, VFNMADD231PS_BCST)
	return w
}

func wider64() *elem {
	w := f64.wider(VMOVUPD_Z)
	w.add, w.sub, w.mul = orBroadcast(VADDPD, VADDPD_BCST), orBroadcast(VSUBPD, VSUBPD_BCST), orBroadcast(VMULPD, VMULPD_BCST)
	w.fma213, w.fnma231 = orBroadcast(VFMADD213PD, VFMADD213PD_BCST), orBroadcast(VFNMADD231PD, VFNMADD231PD_BCST)
	return w
}

// constant puts a constant into a new register.
func (e *elem) constant(m Mem) vec {
	v := e.reg()
	if e.zmm {
		e.bcastMem(m, v)
	} else {
		VMOVUPS(m, v)
	}
	return v
}

// width is the size of a register in bytes.
func (e *elem) width() int { return e.size * e.lanes }

func (e *elem) reg() vec {
	if e.zmm {
		return ZMM()
	}
	return YMM()
}

// tail returns the mask of the first n lanes, n below lanes.
func (e *elem) tail(n reg.Register) reg.Register {
	if e.zmm {
		return lowMask(n)
	}
	return tailMask(e, n)
}

var f32 = &elem{"float32", 4, 8, VADDPS, VSUBPS, VMULPS, VDIVPS, VMAXPS, VMINPS, VANDPS, VXORPS, VORPS, VMOVUPS, VMASKMOVPS,
	VFMADD231PS, VFMADD213PS, VFNMADD231PS, VFMSUB213PS, VBROADCASTSS, false}

var f64 = &elem{"float64", 8, 4, VADDPD, VSUBPD, VMULPD, VDIVPD, VMAXPD, VMINPD, VANDPD, VXORPD, VORPD, VMOVUPD, VMASKMOVPD,
	VFMADD231PD, VFMADD213PD, VFNMADD231PD, VFMSUB213PD, VBROADCASTSD, false}

// consts holds the constants already written, by name.
var consts = map[string]Mem{}

// vconst returns a constant that repeats v.
func vconst(e *elem, v float64) Mem {
	if e.size == 4 {
		return bits(e, uint64(math.Float32bits(float32(v))))
	}
	return bits(e, math.Float64bits(v))
}

// bits returns a constant that repeats the bit pattern b: a YMM register full of
// it, or one element for ZMM registers.
func bits(e *elem, b uint64) Mem {
	name := fmt.Sprintf("c%d_%x", 8*e.size, b)
	if e.zmm {
		name = "z" + name
	}
	if m, ok := consts[name]; ok {
		return m
	}
	m := GLOBL(name, RODATA|NOPTR)
	copies := e.lanes
	if e.zmm {
		copies = 1
	}
	for i := range copies {
		if e.size == 4 {
			DATA(4*i, U32(uint32(b)))
		} else {
			DATA(8*i, U64(b))
		}
	}
	consts[name] = m
	return m
}

// maskTable is lanes elements of ones followed by lanes of zeros, repeated
// for two registers: the mask of the first n of w lanes starts at element w-n.
func maskTable(e *elem) Mem {
	name := "mask" + e.name
	if m, ok := consts[name]; ok {
		return m
	}
	m := GLOBL(name, RODATA|NOPTR)
	for i := range 2 * e.lanes {
		if e == f32 {
			DATA(4*i, U32(0xffffffff))
		} else {
			DATA(8*i, U64(0xffffffffffffffff))
		}
	}
	for i := range 2 * e.lanes {
		if e == f32 {
			DATA(8*e.lanes+4*i, U32(0))
		} else {
			DATA(16*e.lanes+8*i, U64(0))
		}
	}
	consts[name] = m
	return m
}

// tailMask returns the mask of the first n lanes, n below lanes.
func tailMask(e *elem, n reg.Register) reg.VecVirtual {
	base := GP64()
	at := maskTable(e)
	LEAQ(at.Offset(2*e.lanes*e.size), base)
	neg := GP64()
	MOVQ(n, neg)
	NEGQ(neg)
	m := YMM()
	VMOVDQU(Mem{Base: base, Index: neg, Scale: uint8(e.size)}, m)
	return m
}

// loop is a kernel over n elements of several slices: body receives one
// register for every input and returns one for every output. Inputs and
// outputs are parameters of the same name; acc are accumulators that live
// across the loop (unroll sets of them, joined by join at the end).
type loop struct {
	e      *elem
	unroll int
	in     []string
	out    []string
	body   func(u int, in []reg.VecVirtual, mask reg.Register) []reg.VecVirtual
}

// emit writes the loop: unrolled whole vectors, single vectors, and a masked
// last vector. It never touches memory outside the slices.
func (l *loop) emit() {
	e := l.e
	n := Load(Param("n"), GP64())
	ptr := map[string]reg.Register{}
	for _, p := range append(append([]string{}, l.in...), l.out...) {
		if ptr[p] == nil {
			ptr[p] = Load(Param(p), GP64())
		}
	}
	step := func(count int) {
		for u := range count {
			l.vector(ptr, u, nil)
		}
		for _, p := range l.pointers(ptr) {
			ADDQ(I32(int32(e.width()*count)), p)
		}
		SUBQ(I32(int32(e.lanes*count)), n)
	}
	if l.unroll > 1 {
		Label("wide")
		CMPQ(n, I32(int32(e.lanes*l.unroll)))
		JLT(LabelRef("single"))
		step(l.unroll)
		JMP(LabelRef("wide"))
	}
	Label("single")
	CMPQ(n, I32(int32(e.lanes)))
	JLT(LabelRef("last"))
	step(1)
	JMP(LabelRef("single"))
	Label("last")
	TESTQ(n, n)
	JLE(LabelRef("done"))
	l.vector(ptr, 0, e.tail(n))
	Label("done")
}

func (l *loop) pointers(ptr map[string]reg.Register) []reg.Register {
	var list []reg.Register
	seen := map[string]bool{}
	for _, p := range append(append([]string{}, l.in...), l.out...) {
		if !seen[p] {
			seen[p] = true
			list = append(list, ptr[p])
		}
	}
	return list
}

func (l *loop) vector(ptr map[string]reg.Register, u int, mask reg.Register) {
	var in []reg.VecVirtual
	for _, name := range l.in {
		v := l.e.reg()
		at := Mem{Base: ptr[name], Disp: l.e.width() * u}
		if mask == nil {
			l.e.load(at, v)
		} else {
			l.e.mask(at, mask, v)
		}
		in = append(in, v)
	}
	for i, v := range l.body(u, in, mask) {
		at := Mem{Base: ptr[l.out[i]], Disp: l.e.width() * u}
		if mask == nil {
			l.e.load(v, at)
		} else {
			l.e.mask(v, mask, at)
		}
	}
}

// scalar loads the parameter and repeats it in every lane. It uses no SSE
// instruction: with the upper halves of YMM registers in use, one such costs
// over 100 ns on some CPUs.
func scalar(e *elem, name string) reg.VecVirtual {
	p, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	y := e.reg()
	e.bcastMem(p.Addr, y)
	return y
}

// result stores the low element of v as return value i, without SSE as well.
func result(e *elem, v reg.VecVirtual, i int) {
	r, err := ReturnIndex(i).Resolve()
	if err != nil {
		panic(err)
	}
	if e.size == 4 {
		VMOVSS(v, r.Addr)
	} else {
		VMOVSD(v, r.Addr)
	}
}

// zeros returns count cleared registers.
func zeros(count int) []reg.VecVirtual { return cleared(f32, count) }

func cleared(e *elem, count int) []reg.VecVirtual {
	var v []reg.VecVirtual
	for range count {
		y := e.reg()
		e.xor(y, y, y)
		v = append(v, y)
	}
	return v
}

// sum adds up the accumulators pairwise, then the lanes, and returns the low
// XMM of the result.
func sum(e *elem, acc []reg.VecVirtual) reg.VecVirtual {
	for len(acc) > 1 {
		half := len(acc) / 2
		for i := range half {
			e.add(acc[i+half], acc[i], acc[i])
		}
		acc = acc[:half]
	}
	return sumLanes(e, acc[0])
}

func sumLanes(e *elem, v reg.VecVirtual) reg.VecVirtual {
	v = halve(e, v, e.add)
	low, high := XMM(), XMM()
	VEXTRACTF128(Imm(1), v, high)
	e.add(high, v.AsX(), low)
	if e.size == 4 {
		VMOVHLPS(low, low, high)
		VADDPS(high, low, low)
		VMOVSHDUP(low, high)
		VADDSS(high, low, low)
		return low
	}
	VUNPCKHPD(low, low, high)
	VADDSD(high, low, low)
	return low
}

// halve joins the halves of a ZMM register and returns the YMM register.
func halve(e *elem, v vec, join func(...Op)) vec {
	if !e.zmm {
		return v
	}
	high, both := YMM(), YMM()
	VEXTRACTF64X4(Imm(1), v, high)
	join(high, v.AsY(), both)
	return both
}

// finish clears the upper halves and returns.
func finish() {
	VZEROUPPER()
	RET()
}
