package main

import (
	"fmt"
	"math"
	"strings"
)

// elem describes an element type: its size and its lanes in a vector register.
type elem struct {
	name        string
	size, lanes int
}

var (
	f32 = &elem{"float32", 4, 4}
	f64 = &elem{"float64", 8, 2}
)

// width is the size of a vector register in bytes.
const width = 16

// three returns a∘b in a new register.
func (e *elem) three(name string, a, b *reg) *reg {
	d := V()
	word(name, e.size, false, d, a, b, 0)
	return d
}

func (e *elem) add(a, b *reg) *reg { return e.three("FADD", a, b) }
func (e *elem) sub(a, b *reg) *reg { return e.three("FSUB", a, b) }
func (e *elem) mul(a, b *reg) *reg { return e.three("FMUL", a, b) }
func (e *elem) div(a, b *reg) *reg { return e.three("FDIV", a, b) }

// maxi and mini propagate NaN.
func (e *elem) maxi(a, b *reg) *reg { return e.three("FMAX", a, b) }
func (e *elem) mini(a, b *reg) *reg { return e.three("FMIN", a, b) }

// accumulate stores acc∘b in acc.
func (e *elem) accumulate(name string, acc, b *reg) { word(name, e.size, false, acc, acc, b, 0) }

// fma adds a·b to acc, and fms subtracts it, with one rounding.
func (e *elem) fma(acc, a, b *reg) { word("FMLA", e.size, true, acc, a, b, 0) }
func (e *elem) fms(acc, a, b *reg) { word("FMLS", e.size, true, acc, a, b, 0) }

// fmaElement adds a times one element of b to acc.
func (e *elem) fmaElement(acc, a, b *reg, index int) {
	word("FMLA element", e.size, true, acc, a, b, index)
}

func (e *elem) two(name string, a *reg) *reg {
	d := V()
	word(name, e.size, false, d, a, nil, 0)
	return d
}

func bitwiseOf(name string, a, b *reg) *reg {
	d := V()
	word(name, 0, false, d, a, b, 0)
	return d
}

// insert changes the bits of d to those of a where mask is set, with BIT, or
// where it is not, with BIF.
func insert(name string, d, a, mask *reg) { word(name, 0, true, d, a, mask, 0) }

func zero() *reg {
	d := V()
	word("MOVI", 0, false, d, nil, nil, 0)
	return d
}

func zeros(count int) []*reg {
	var v []*reg
	for range count {
		v = append(v, zero())
	}
	return v
}

// load returns the vector at a byte offset from base.
func load(base *reg, at int) *reg {
	v := V()
	loadTo(v, base, at)
	return v
}

func loadTo(v, base *reg, at int) { ins(1, "FMOVQ %[3]v(%[2]v), %[1]v", v, base, at) }

func save(v, base *reg, at int) { ins(0, "FMOVQ %v, %v(%v)", v, at, base) }

// loadTwo returns two vectors side by side.
func loadTwo(base *reg, at int) (a, b *reg) {
	a, b = V(), V()
	loadTwoTo(a, b, base, at)
	return a, b
}

func loadTwoTo(a, b, base *reg, at int) {
	ins(2, "FLDPQ %[4]v(%[3]v), (%[1]v, %[2]v)", a, b, base, at)
}

func saveTwo(a, b, base *reg, at int) { ins(0, "FSTPQ (%v, %v), %v(%v)", a, b, at, base) }

// loadMany returns count vectors side by side.
func loadMany(base *reg, at, count int) []*reg {
	var v []*reg
	for len(v)+1 < count {
		a, b := loadTwo(base, at+width*len(v))
		v = append(v, a, b)
	}
	if len(v) < count {
		v = append(v, load(base, at+width*len(v)))
	}
	return v
}

func saveMany(v []*reg, base *reg, at int) {
	i := 0
	for ; i+1 < len(v); i += 2 {
		saveTwo(v[i], v[i+1], base, at+width*i)
	}
	if i < len(v) {
		save(v[i], base, at+width*i)
	}
}

// scalarMove is the move of one element.
func (e *elem) scalarMove() string {
	if e.size == 4 {
		return "FMOVS"
	}
	return "FMOVD"
}

// loadOne returns an element and zeros.
func (e *elem) loadOne(base *reg, at int) *reg {
	v := V()
	ins(1, e.scalarMove()+" %[3]v(%[2]v), %[1]v", v, base, at)
	return v
}

// loadEach returns a register that repeats the element at base.
func (e *elem) loadEach(base *reg) *reg {
	v := V()
	word("LD1R", e.size, false, v, base, nil, 0)
	return v
}

func (e *elem) saveOne(v, base *reg, at int) {
	ins(0, e.scalarMove()+" %v, %v(%v)", v, at, base)
}

// repeat returns a register that repeats one element of v.
func (e *elem) repeat(v *reg, index int) *reg {
	d := V()
	word("DUP", e.size, false, d, v, nil, index)
	return d
}

// scalar loads the parameter and repeats it in every lane.
func scalar(e *elem, name string) *reg {
	v := V()
	ins(1, e.scalarMove()+" %[2]v+%[3]v(FP), %[1]v", v, name, fn.signature.find(name).at)
	return e.repeat(v, 0)
}

// result stores the low element of v as return value i.
func result(e *elem, v *reg, i int) {
	p := fn.signature.result[i]
	ins(0, e.scalarMove()+" %v, %v+%v(FP)", v, p.name, p.at)
}

// sum adds up the accumulators pairwise, then the lanes, and returns the sum in
// the low element.
func sum(e *elem, acc []*reg) *reg {
	for len(acc) > 1 {
		half := len(acc) / 2
		for i := range half {
			acc[i] = e.add(acc[i], acc[i+half])
		}
		acc = acc[:half]
	}
	v := acc[0]
	if e.size == 4 {
		v = e.three("FADDP", v, v)
	}
	return e.two("FADDP scalar", v)
}

// maxLanes joins the accumulators and returns their maximum in the low element.
func maxLanes(e *elem, acc []*reg) *reg {
	all := acc[0]
	for _, v := range acc[1:] {
		all = e.maxi(all, v)
	}
	if e.size == 4 {
		return e.two("FMAXV", all)
	}
	return e.two("FMAXP scalar", all)
}

// constantTable holds the constants of a family, a vector each.
type constantTable struct {
	order []string
	place map[string]int
}

var constants constantTable

// at returns the place of the constant that repeats b, of e's size.
func (t *constantTable) at(e *elem, b uint64) int {
	if e.size == 4 {
		b |= b << 32
	}
	key := fmt.Sprintf("$0x%016x", b)
	at, ok := t.place[key]
	if !ok {
		if t.place == nil {
			t.place = map[string]int{}
		}
		at = width * len(t.order)
		t.place[key], t.order = at, append(t.order, key)
	}
	return at
}

func (t *constantTable) write(b *strings.Builder) {
	if len(t.order) == 0 {
		return
	}
	b.WriteString("\n")
	for i, v := range t.order {
		fmt.Fprintf(b, "DATA constants<>+%d(SB)/8, %s\nDATA constants<>+%d(SB)/8, %s\n", width*i, v, width*i+8, v)
	}
	fmt.Fprintf(b, "GLOBL constants<>(SB), RODATA|NOPTR, $%d\n", width*len(t.order))
}

// base returns the register with the table's address.
func (f *function) base() *reg {
	if f.table == nil {
		f.table = R()
		atEntry(func() { ins(1, "MOVD $constants<>(SB), %v", f.table) })
	}
	return f.table
}

// atEntry writes lines before the others.
func atEntry(write func()) {
	rest := fn.lines
	fn.lines = nil
	write()
	fn.entry = append(fn.entry, fn.lines...)
	fn.lines = rest
}

// bits returns a new register that repeats the bit pattern.
func (e *elem) bits(b uint64) *reg { return load(fn.base(), constants.at(e, b)) }

// constant returns a new register that repeats x; it may be written to.
func (e *elem) constant(x float64) *reg { return e.bits(e.pattern(x)) }

func (e *elem) pattern(x float64) uint64 {
	if e.size == 4 {
		return uint64(math.Float32bits(float32(x)))
	}
	return math.Float64bits(x)
}

// keep returns a register that repeats x throughout the function, never to be
// written to.
func (e *elem) keep(x float64) *reg { return e.keepBits(e.pattern(x)) }

func (e *elem) keepBits(b uint64) *reg {
	key := b ^ uint64(e.size)<<60
	if fn.held[key] == nil {
		v, base := V(), fn.base()
		fn.held[key] = v
		atEntry(func() { loadTo(v, base, constants.at(e, b)) })
	}
	return fn.held[key]
}

func (e *elem) negInf() uint64 {
	if e.size == 4 {
		return 0xff800000
	}
	return 0xfff0000000000000
}
