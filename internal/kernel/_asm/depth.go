package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// depthwise writes convolutions of planes with kernels of their own that read the
// planes as they are, by a program of items of three int32 each: see
// internal/kernel/depthprogram.go.
func depthwise() { depthKernels(f32, "") }

// depthwise512 writes them for ZMM registers, and those that read every other
// column or fill every other one.
func depthwise512() {
	depthKernels(f32z, "")
	depthKernels(f32z, "Even")
	for _, samples := range []int{1, 4} {
		(&depth{e: f32z, samples: samples, how: "Spread"}).planes()
	}
}

func depthKernels(e *elem, how string) {
	for _, samples := range []int{1, 4} {
		(&depth{e: e, samples: samples, how: how}).planes()
		(&depth{e: e, samples: samples, how: how}).weights()
	}
}

// item is the size of an item of a program in bytes.
const item = 12

// depth is a kernel for some samples at a time.
type depth struct {
	e       *elem
	samples int
	how     string // of reading: "" side by side, "Even" every other, "Spread" to every other lane

	x, ldx, ldx3 reg.Register // the input and the distance of its samples
	program      reg.Register
	bits         vec          // of lanes, without AVX-512
	even         vec          // indices
	own          reg.Register // lanes of the vector
}

var readings = map[string]string{"": "elements side by side", "Even": "every other of twice as many elements", "Spread": "as many elements side by side as lanes are set, which get them in order"}

// planes writes the kernel that computes planes.
func (d *depth) planes() {
	e := d.e
	fn(e, fmt.Sprintf("depth%s%d", d.how, d.samples), "channels int, program *int32, vectors int, x *T, xPlane, xSample int, y *T, yPlane, ySample int, w *T, wPlane int, bias *T, biasStep int, low, high T, add bool", "",
		fmt.Sprintf("stores planes y of %d samples: for each vector of the program, the sums over its taps of weight times input, %s, plus bias, or plus y with add, limited to [low, high]. Distances are in bytes. NaN stays.", d.samples, readings[d.how]))
	d.start()
	low, high := scalar(e, "low"), scalar(e, "high")
	channels, y := Load(Param("channels"), GP64()), Load(Param("y"), GP64())
	w, bias := Load(Param("w"), GP64()), Load(Param("bias"), GP64())
	Label("channel")
	left := Load(Param("vectors"), GP64())
	Load(Param("program"), d.program)
	Label("vector")
	out := GP64()
	MOVLQSX(Mem{Base: d.program}, out)
	LEAQ(Mem{Base: y, Index: out, Scale: 4}, out)
	d.own = d.lanes()
	acc := d.begin(out, bias)
	d.taps("tap", func(weight reg.Register, mask reg.Register) {
		b := e.reg()
		e.bcastMem(Mem{Base: w, Index: weight, Scale: 4}, b)
		for s, v := range d.read(mask) {
			e.fma231(v, b, acc[s])
		}
	})
	d.end(out, acc, low, high)
	DECQ(left)
	JNZ(LabelRef("vector"))
	ADDQ(parameter("xPlane"), d.x)
	ADDQ(parameter("yPlane"), y)
	ADDQ(parameter("wPlane"), w)
	ADDQ(parameter("biasStep"), bias)
	DECQ(channels)
	JNZ(LabelRef("channel"))
	finish()
}

// start loads what all kernels have.
func (d *depth) start() {
	d.program = GP64()
	d.x, d.ldx = Load(Param("x"), GP64()), Load(Param("xSample"), GP64())
	if d.samples > 3 {
		d.ldx3 = GP64()
		LEAQ(Mem{Base: d.ldx, Index: d.ldx, Scale: 2}, d.ldx3)
	}
	if !d.e.zmm {
		d.bits = YMM()
		VMOVDQU(table("laneBits", func(i int) uint32 { return 1 << i }, 8), d.bits)
	}
	if d.how == "Even" {
		d.even = ZMM()
		VMOVDQU32(table("evenLanes", func(i int) uint32 { return uint32(2 * i) }, 16), d.even)
	}
}

// table returns a constant of n elements.
func table(name string, f func(i int) uint32, n int) Mem {
	if m, ok := consts[name]; ok {
		return m
	}
	m := GLOBL(name, RODATA|NOPTR)
	for i := range n {
		DATA(4*i, U32(f(i)))
	}
	consts[name] = m
	return m
}

// sample returns the place of a sample's vector.
func (d *depth) sample(at, ld, ld3 reg.Register, s int) Mem {
	switch s {
	case 0:
		return Mem{Base: at}
	case 3:
		return Mem{Base: at, Index: ld3, Scale: 1}
	}
	return Mem{Base: at, Index: ld, Scale: uint8(s)}
}

// lanes returns the mask in an item's second element.
func (d *depth) lanes() reg.Register {
	at := Mem{Base: d.program, Disp: 4}
	if d.e.zmm {
		k := K()
		KMOVW(at, k)
		return k
	}
	m := YMM()
	VPBROADCASTD(at, m)
	VPAND(d.bits, m, m)
	VPCMPEQD(d.bits, m, m)
	return m
}

// taps writes the loop over the taps of a vector, whose first item is the
// vector's own and has their number.
func (d *depth) taps(name string, body func(weight, mask reg.Register)) {
	count := GP64()
	MOVLQSX(Mem{Base: d.program, Disp: 8}, count)
	ADDQ(I32(item), d.program)
	TESTQ(count, count)
	JZ(LabelRef(name + "End"))
	Label(name)
	weight := GP64()
	MOVLQSX(Mem{Base: d.program, Disp: 8}, weight)
	body(weight, d.lanes())
	ADDQ(I32(item), d.program)
	DECQ(count)
	JNZ(LabelRef(name))
	Label(name + "End")
}

// read returns the inputs of the tap at the program's place.
func (d *depth) read(mask reg.Register) []vec {
	at := GP64()
	MOVLQSX(Mem{Base: d.program}, at)
	LEAQ(Mem{Base: d.x, Index: at, Scale: 4}, at)
	var upper reg.Register
	if d.how == "Even" {
		upper = K()
		KMOVW(Mem{Base: d.program, Disp: 6}, upper)
	}
	list := make([]vec, d.samples)
	for s := range list {
		v, from := d.e.reg(), d.sample(at, d.ldx, d.ldx3, s)
		switch d.how {
		case "Even":
			second, rest := d.e.reg(), from
			rest.Disp = 64
			VMOVUPS_Z(from, mask, v)
			VMOVUPS_Z(rest, upper, second)
			VPERMT2PS(second, d.even, v)
		case "Spread":
			VEXPANDPS_Z(from, mask, v)
		default:
			d.e.mask(from, mask, v)
		}
		list[s] = v
	}
	return list
}

// begin returns the accumulators of a vector at out: the bias, or what is there
// with add.
func (d *depth) begin(out, bias reg.Register) []vec {
	acc := make([]vec, d.samples)
	for s := range acc {
		acc[s] = d.e.reg()
		d.e.bcastMem(Mem{Base: bias}, acc[s])
	}
	add := Load(Param("add"), GP8())
	TESTB(add, add)
	JZ(LabelRef("alone"))
	ld, ld3 := d.outputs()
	for s := range acc {
		d.e.mask(d.sample(out, ld, ld3, s), d.own, acc[s])
	}
	Label("alone")
	return acc
}

// outputs loads the distance of the output's samples.
func (d *depth) outputs() (ld, ld3 reg.Register) {
	if d.samples == 1 {
		return nil, nil
	}
	ld, ld3 = Load(Param("ySample"), GP64()), GP64()
	LEAQ(Mem{Base: ld, Index: ld, Scale: 2}, ld3)
	return ld, ld3
}

// end limits and stores the accumulators.
func (d *depth) end(out reg.Register, acc []vec, low, high vec) {
	ld, ld3 := d.outputs()
	for s, v := range acc {
		d.e.maxi(v, low, v)
		d.e.mini(v, high, v)
		d.e.mask(v, d.own, d.sample(out, ld, ld3, s))
	}
}

// weights writes the kernel that computes gradients of weights.
func (d *depth) weights() {
	e := d.e
	fn(e, fmt.Sprintf("depth%sWeights%d", d.how, d.samples), "channels int, program *int32, vectors int, x *T, xPlane, xSample int, y *T, yPlane, ySample, groups, taps int, sums, w *T", "",
		fmt.Sprintf("adds to the weights w of every channel the sums over groups of %d samples and the vectors of the program of gradient y times input x, %s. sums is scratch, a vector for each of the taps. Distances are in bytes.", d.samples, readings[d.how]))
	d.start()
	y, sums, w := Load(Param("y"), GP64()), Load(Param("sums"), GP64()), Load(Param("w"), GP64())
	Label("channel")
	d.clear(sums)
	fromX, fromY, groups := GP64(), GP64(), GP64()
	MOVQ(d.x, fromX)
	MOVQ(y, fromY)
	Load(Param("groups"), groups)
	Label("group")
	left := Load(Param("vectors"), GP64())
	Load(Param("program"), d.program)
	Label("vector")
	d.products(fromX, fromY, sums)
	DECQ(left)
	JNZ(LabelRef("vector"))
	d.advance(fromX, "xSample")
	d.advance(fromY, "ySample")
	DECQ(groups)
	JNZ(LabelRef("group"))
	d.total(sums, w)
	ADDQ(parameter("xPlane"), d.x)
	ADDQ(parameter("yPlane"), y)
	DECQ(parameter("channels"))
	JNZ(LabelRef("channel"))
	finish()
}

// parameter returns the place of a parameter.
func parameter(name string) Mem {
	p, err := Param(name).Resolve()
	check(err)
	return p.Addr
}

// advance takes p to the next group of samples.
func (d *depth) advance(p reg.Register, sample string) {
	for range d.samples {
		ADDQ(parameter(sample), p)
	}
}

// clear zeroes the sums.
func (d *depth) clear(sums reg.Register) {
	at, n, zero := GP64(), Load(Param("taps"), GP64()), cleared(d.e, 1)[0]
	MOVQ(sums, at)
	Label("clear")
	d.e.load(zero, Mem{Base: at})
	ADDQ(I32(int32(d.e.width())), at)
	DECQ(n)
	JNZ(LabelRef("clear"))
}

// products adds the products of a vector to the sums.
func (d *depth) products(fromX, fromY, sums reg.Register) {
	out := GP64()
	MOVLQSX(Mem{Base: d.program}, out)
	LEAQ(Mem{Base: fromY, Index: out, Scale: 4}, out)
	ld, ld3 := d.outputs()
	d.own = d.lanes()
	dy := make([]vec, d.samples)
	for s := range dy {
		dy[s] = d.e.reg()
		d.e.mask(d.sample(out, ld, ld3, s), d.own, dy[s])
	}
	x := d.x
	d.x = fromX
	d.taps("tap", func(weight, mask reg.Register) {
		SHLQ(U8(d.e.lanes/8+4), weight) // a vector each
		acc, place := d.e.reg(), Mem{Base: sums, Index: weight, Scale: 1}
		d.e.load(place, acc)
		for s, v := range d.read(mask) {
			d.e.fma231(v, dy[s], acc)
		}
		d.e.load(acc, place)
	})
	d.x = x
}

// total adds the lanes of every sum to its weight.
func (d *depth) total(sums, w reg.Register) {
	at, n := GP64(), Load(Param("taps"), GP64())
	MOVQ(sums, at)
	Label("total")
	v := d.e.reg()
	d.e.load(Mem{Base: at}, v)
	x := sumLanes(d.e, v)
	VADDSS(Mem{Base: w}, x, x)
	VMOVSS(x, Mem{Base: w})
	ADDQ(I32(int32(d.e.width())), at)
	ADDQ(I32(4), w)
	DECQ(n)
	JNZ(LabelRef("total"))
}
