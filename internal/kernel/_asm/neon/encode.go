package main

import (
	"fmt"
	"strings"
)

// encoding is an instruction that Go's assembler does not know, or knows under
// restrictions. base is its word for registers 0 and, where the element type
// matters, for elements of 32 bits; bit 22 makes them 64 bits.
//
// Arm Architecture Reference Manual for A-profile, DDI 0487, C7.2.
type encoding struct {
	base uint32
	kind kind
}

type kind int

const (
	threeSame  kind = iota // Vd, Vn, Vm of one arrangement
	bitwise                // the same of 16 bytes
	twoSame                // Vd, Vn
	withZero               // Vd, Vn, #0.0
	byElement              // Vd, Vn, Vm[index]
	shiftLeft              // Vd, Vn, #shift
	duplicate              // Vd, Vn[index]
	extract                // Vd, Vn, Vm, #bytes
	clearing               // Vd of zeros
	lengthen               // Vd.2D, Vn of two of 32 bits: the lower, or the upper ones
	pairwise               // the scalar d of the two lowest elements of Vn
	across                 // the scalar d of the four elements of Vn
	scalarTwo              // the scalars d, n; the rest of d is zero
	atRegister             // Qt, [Xn, Xm]
	replicate              // Vt, [Xn]
	storeUpper             // the upper 64 bits of Vt, [Xn]
)

var encodings = map[string]encoding{
	"FADD": {0x4e20d400, threeSame}, "FSUB": {0x4ea0d400, threeSame}, "FMUL": {0x6e20dc00, threeSame}, "FDIV": {0x6e20fc00, threeSame},
	"FMAX": {0x4e20f400, threeSame}, "FMIN": {0x4ea0f400, threeSame}, "FMLA": {0x4e20cc00, threeSame}, "FMLS": {0x4ea0cc00, threeSame},
	"FCMGT": {0x6ea0e400, threeSame}, "FCMEQ": {0x4e20e400, threeSame}, "FADDP": {0x6e20d400, threeSame},
	"ADD": {0x4ea08400, threeSame}, "ZIP1": {0x4e803800, threeSame}, "ZIP2": {0x4e807800, threeSame},
	"UZP1": {0x4e801800, threeSame}, "UZP2": {0x4e805800, threeSame}, "TRN1": {0x4e802800, threeSame}, "TRN2": {0x4e806800, threeSame},
	"AND": {0x4e201c00, bitwise}, "BIC": {0x4e601c00, bitwise}, "ORR": {0x4ea01c00, bitwise}, "ORN": {0x4ee01c00, bitwise},
	"EOR": {0x6e201c00, bitwise}, "BSL": {0x6e601c00, bitwise}, "BIT": {0x6ea01c00, bitwise}, "BIF": {0x6ee01c00, bitwise},
	"FNEG": {0x6ea0f800, twoSame}, "FABS": {0x4ea0f800, twoSame}, "FSQRT": {0x6ea1f800, twoSame}, "FCMLE": {0x6ea0d800, withZero},
	"FMLA element": {0x4f801000, byElement}, "FMUL element": {0x4f809000, byElement},
	"SHL": {0x4f005400, shiftLeft}, "SSHR": {0x4f000400, shiftLeft}, "DUP": {0x4e000400, duplicate}, "EXT": {0x6e000000, extract}, "MOVI": {0x6f00e400, clearing},
	"FCVTL": {0x0e617800, lengthen}, "FCVTL2": {0x4e617800, lengthen},
	"FADDP scalar": {0x7e30d800, pairwise}, "FMAXP scalar": {0x7e30f800, pairwise}, "FMAXV": {0x6e30f800, across}, "FMOV scalar": {0x1e204000, scalarTwo},
	"LDR": {0x3ce06800, atRegister}, "STR": {0x3ca06800, atRegister}, "LD1R": {0x4d40c800, replicate}, "ST1": {0x4d008400, storeUpper},
}

// operands are the numbers of an instruction's registers and what else it
// names: an element's index, a shift, bytes.
type operands struct{ d, n, m, index int }

// encode returns the instruction's word and its text as GNU's assembler reads
// it, for elements of size bytes.
func encode(name string, size int, o operands) (word uint32, text string) {
	e, ok := encodings[name]
	if !ok {
		panic("no encoding of " + name)
	}
	long := uint32(0)
	if size == 8 {
		long = 1 << 22
	}
	word = e.base | uint32(o.d) | uint32(o.n)<<5
	if e.kind != shiftLeft && e.kind != duplicate {
		word |= uint32(o.m) << 16
	}
	mnemonic, _, _ := strings.Cut(name, " ")
	text = mnemonic + " " + e.kind.text(mnemonic, size, o)
	switch e.kind {
	case threeSame, twoSame, withZero, pairwise, scalarTwo:
		word |= long
	case byElement:
		word |= long | elementIndex(size, o.index)
	case shiftLeft:
		word |= uint32(shiftField(name, size, o.index)) << 16
	case duplicate:
		word |= uint32(o.index*2*size+size) << 16
	case extract:
		word |= uint32(o.index) << 11
	case replicate:
		word |= long >> 12
	}
	return word, text
}

// elementIndex places an index in the bits H and L, or in H alone.
func elementIndex(size, index int) uint32 {
	if size == 8 {
		return uint32(index) << 11
	}
	return uint32(index>>1)<<11 | uint32(index&1)<<21
}

// shiftField holds the element size and the shift, upward for a shift to the
// left and downward from twice the size for one to the right.
func shiftField(name string, size, shift int) int {
	if name == "SSHR" {
		return 16*size - shift
	}
	return 8*size + shift
}

// text writes the operands.
func (k kind) text(mnemonic string, size int, o operands) string {
	arrangement, letter := "4S", "S"
	if size == 8 {
		arrangement, letter = "2D", "D"
	}
	switch k {
	case threeSame:
		return fmt.Sprintf("V%d.%s, V%d.%[2]s, V%[4]d.%[2]s", o.d, arrangement, o.n, o.m)
	case bitwise:
		return fmt.Sprintf("V%d.16B, V%d.16B, V%d.16B", o.d, o.n, o.m)
	case twoSame:
		return fmt.Sprintf("V%d.%s, V%d.%[2]s", o.d, arrangement, o.n)
	case withZero:
		return fmt.Sprintf("V%d.%s, V%d.%[2]s, #0.0", o.d, arrangement, o.n)
	case byElement:
		return fmt.Sprintf("V%d.%s, V%d.%[2]s, V%[4]d.%[5]s[%[6]d]", o.d, arrangement, o.n, o.m, letter, o.index)
	case shiftLeft:
		return fmt.Sprintf("V%d.%s, V%d.%[2]s, #%[4]d", o.d, arrangement, o.n, o.index)
	case duplicate:
		return fmt.Sprintf("V%d.%s, V%d.%s[%d]", o.d, arrangement, o.n, letter, o.index)
	case extract:
		return fmt.Sprintf("V%d.16B, V%d.16B, V%d.16B, #%d", o.d, o.n, o.m, o.index)
	case clearing:
		return fmt.Sprintf("V%d.2D, #0", o.d)
	}
	return k.textOdd(mnemonic, arrangement, letter, o)
}

// textOdd writes the operands of instructions whose arrangements differ.
func (k kind) textOdd(mnemonic, arrangement, letter string, o operands) string {
	switch k {
	case lengthen:
		lanes := map[string]string{"FCVTL": "2S", "FCVTL2": "4S"}[mnemonic]
		return fmt.Sprintf("V%d.2D, V%d.%s", o.d, o.n, lanes)
	case pairwise:
		return fmt.Sprintf("%s%d, V%d.2%[1]s", letter, o.d, o.n)
	case across:
		return fmt.Sprintf("S%d, V%d.4S", o.d, o.n)
	case scalarTwo:
		return fmt.Sprintf("%s%d, %[1]s%[3]d", letter, o.d, o.n)
	case atRegister:
		return fmt.Sprintf("Q%d, [X%d, X%d]", o.d, o.n, o.m)
	case replicate:
		return fmt.Sprintf("{V%d.%s}, [X%d]", o.d, arrangement, o.n)
	case storeUpper:
		return fmt.Sprintf("{V%d.D}[1], [X%d]", o.d, o.n)
	}
	panic("no text")
}
