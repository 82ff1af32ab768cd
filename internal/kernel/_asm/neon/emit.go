package main

import (
	"fmt"
	"strings"
)

// reg is a virtual register, which assign maps to one of the machine.
type reg struct {
	vector bool
	number int // of the machine's register, once assigned
}

// R returns a new integer register, V a new vector register.
func R() *reg { return &reg{} }
func V() *reg { return &reg{vector: true} }

// line is an instruction or a label.
type line struct {
	text      func() string
	def, use  []*reg
	label     string
	jump      string // the label that it may go on at
	noReturns bool   // it never goes on to the next line
}

// function is the assembly function being written.
type function struct {
	e         *elem
	name      string
	signature *signature
	doc       string
	frame     int // bytes of local memory
	lines     []*line
	entry     []*line // constants, which are put before the lines after the parameters' loads
	table     *reg    // address of the constants
	held      map[uint64]*reg
	labels    int
}

// fn is the function being written; functions those of the family so far.
var (
	fn        *function
	functions []*function
)

// begin starts the function name for the element type, which params and result
// write as T; result may be empty.
func begin(e *elem, name, params, result, doc string) {
	name = fmt.Sprintf("%sF%d", name, 8*e.size)
	fn = &function{e: e, name: name, doc: name + " " + doc, held: map[uint64]*reg{}}
	fn.signature = parseSignature(strings.ReplaceAll(params, "T", e.name), strings.ReplaceAll(result, "T", e.name))
	functions = append(functions, fn)
}

func add(l *line) { fn.lines = append(fn.lines, l) }

// ins writes an instruction in the syntax of Go's assembler, which has the
// destination last. The format refers to args, registers and other values; the
// first defs of them are written, the other registers read.
func ins(defs int, format string, args ...any) {
	l := &line{}
	for i, a := range args {
		if r, ok := a.(*reg); ok {
			if i < defs {
				l.def = append(l.def, r)
			} else {
				l.use = append(l.use, r)
			}
		}
	}
	l.text = func() string { return goText(format, args) }
	add(l)
}

// goText fills in the names of the registers that were assigned.
func goText(format string, args []any) string {
	values := make([]any, len(args))
	for i, a := range args {
		r, ok := a.(*reg)
		switch {
		case !ok:
			values[i] = a
		case r.vector:
			values[i] = fmt.Sprintf("F%d", r.number)
		default:
			values[i] = fmt.Sprintf("R%d", r.number)
		}
	}
	return fmt.Sprintf(format, values...)
}

// word writes an instruction by its encoding. reads tells that the destination
// is an operand too.
func word(name string, size int, reads bool, d, n, m *reg, index int) {
	l := &line{def: []*reg{d}}
	if reads {
		l.use = append(l.use, d)
	}
	for _, r := range []*reg{n, m} {
		if r != nil {
			l.use = append(l.use, r)
		}
	}
	l.text = func() string {
		o := operands{d: d.number, index: index}
		if n != nil {
			o.n = n.number
		}
		if m != nil {
			o.m = m.number
		}
		w, text := encode(name, size, o)
		return fmt.Sprintf("WORD $0x%08x // %s", w, text)
	}
	add(l)
}

// store is word for an instruction that only reads.
func store(name string, t, n, m *reg) {
	word(name, 0, true, t, n, m, 0)
	fn.lines[len(fn.lines)-1].def = nil
}

func label(name string) { add(&line{label: name}) }

// fresh returns a label that no other has.
func fresh(name string) string {
	fn.labels++
	return fmt.Sprintf("%s%d", name, fn.labels)
}

// jump goes on at the label where the condition of the last comparison holds.
func jump(condition, to string) {
	add(&line{jump: to, noReturns: condition == "", text: func() string { return "B" + condition + " " + to }})
}

// ifZero goes on at the label if the register is 0.
func ifZero(r *reg, to string) {
	add(&line{jump: to, use: []*reg{r}, text: func() string { return fmt.Sprintf("CBZ R%d, %s", r.number, to) }})
}

func ret() { add(&line{noReturns: true, text: func() string { return "RET" }}) }

// compare sets the flags for a − b, a register or a number each.
func compare(a *reg, b any) {
	if n, ok := b.(int); ok {
		ins(0, "CMP $%v, %v", n, a)
		return
	}
	ins(0, "CMP %v, %v", b, a)
}

// The moves and sums of integer registers and numbers.

func move(d *reg, from any) {
	if n, ok := from.(int); ok {
		ins(1, "MOVD $%[2]v, %[1]v", d, n)
		return
	}
	ins(1, "MOVD %[2]v, %[1]v", d, from)
}

// plus stores a + b in d.
func plus(d, a *reg, b any) { sumOf("ADD", d, a, b) }

func minus(d, a *reg, b any) { sumOf("SUB", d, a, b) }

// minusFlags is minus and sets the flags of its result.
func minusFlags(d, a *reg, b any) { sumOf("SUBS", d, a, b) }

func sumOf(name string, d, a *reg, b any) {
	if _, ok := b.(int); ok {
		ins(1, name+" $%[3]v, %[2]v, %[1]v", d, a, b)
		return
	}
	ins(1, name+" %[3]v, %[2]v, %[1]v", d, a, b)
}

// scaled stores a + b·2^shift in d.
func scaled(d, a, b *reg, shift int) { ins(1, "ADD %[3]v<<%[4]v, %[2]v, %[1]v", d, a, b, shift) }

// offset loads a signed number of 32 bits at byte at behind base.
func offset(base *reg, at int) *reg {
	r := R()
	ins(1, "MOVW %[3]v(%[2]v), %[1]v", r, base, at)
	return r
}

// param loads a parameter that is a pointer, an int or a bool.
func param(name string) *reg {
	r := R()
	p := fn.signature.find(name)
	load := "MOVD"
	if p.size == 1 {
		load = "MOVBU"
	}
	ins(1, load+" %[2]v+%[3]v(FP), %[1]v", r, name, p.at)
	return r
}
