package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The words of known are those of LLVM's assembler, llvm-mc 14.0.6
// -triple=aarch64 -show-encoding, and of GNU's, aarch64-linux-gnu-as 2.40, which
// agree, for the texts beside them.
var known = []struct {
	name string
	size int
	operands
	text string
	word uint32
}{
	{"ADD", 4, operands{1, 2, 3, 0}, "ADD V1.4S, V2.4S, V3.4S", 0x4ea38441},
	{"ADD", 4, operands{30, 29, 19, 0}, "ADD V30.4S, V29.4S, V19.4S", 0x4eb387be},
	{"ADD", 8, operands{1, 2, 3, 0}, "ADD V1.2D, V2.2D, V3.2D", 0x4ee38441},
	{"ADD", 8, operands{30, 29, 19, 0}, "ADD V30.2D, V29.2D, V19.2D", 0x4ef387be},
	{"AND", 4, operands{1, 2, 3, 0}, "AND V1.16B, V2.16B, V3.16B", 0x4e231c41},
	{"AND", 4, operands{30, 29, 19, 0}, "AND V30.16B, V29.16B, V19.16B", 0x4e331fbe},
	{"BIC", 4, operands{1, 2, 3, 0}, "BIC V1.16B, V2.16B, V3.16B", 0x4e631c41},
	{"BIC", 4, operands{30, 29, 19, 0}, "BIC V30.16B, V29.16B, V19.16B", 0x4e731fbe},
	{"BIF", 4, operands{1, 2, 3, 0}, "BIF V1.16B, V2.16B, V3.16B", 0x6ee31c41},
	{"BIF", 4, operands{30, 29, 19, 0}, "BIF V30.16B, V29.16B, V19.16B", 0x6ef31fbe},
	{"BIT", 4, operands{1, 2, 3, 0}, "BIT V1.16B, V2.16B, V3.16B", 0x6ea31c41},
	{"BIT", 4, operands{30, 29, 19, 0}, "BIT V30.16B, V29.16B, V19.16B", 0x6eb31fbe},
	{"BSL", 4, operands{1, 2, 3, 0}, "BSL V1.16B, V2.16B, V3.16B", 0x6e631c41},
	{"BSL", 4, operands{30, 29, 19, 0}, "BSL V30.16B, V29.16B, V19.16B", 0x6e731fbe},
	{"DUP", 4, operands{1, 2, 0, 1}, "DUP V1.4S, V2.S[1]", 0x4e0c0441},
	{"DUP", 4, operands{30, 29, 0, 3}, "DUP V30.4S, V29.S[3]", 0x4e1c07be},
	{"DUP", 8, operands{1, 2, 0, 1}, "DUP V1.2D, V2.D[1]", 0x4e180441},
	{"DUP", 8, operands{30, 29, 0, 1}, "DUP V30.2D, V29.D[1]", 0x4e1807be},
	{"EOR", 4, operands{1, 2, 3, 0}, "EOR V1.16B, V2.16B, V3.16B", 0x6e231c41},
	{"EOR", 4, operands{30, 29, 19, 0}, "EOR V30.16B, V29.16B, V19.16B", 0x6e331fbe},
	{"EXT", 4, operands{1, 2, 3, 4}, "EXT V1.16B, V2.16B, V3.16B, #4", 0x6e032041},
	{"EXT", 4, operands{30, 29, 19, 12}, "EXT V30.16B, V29.16B, V19.16B, #12", 0x6e1363be},
	{"FABS", 4, operands{1, 2, 0, 0}, "FABS V1.4S, V2.4S", 0x4ea0f841},
	{"FABS", 4, operands{30, 29, 0, 0}, "FABS V30.4S, V29.4S", 0x4ea0fbbe},
	{"FABS", 8, operands{1, 2, 0, 0}, "FABS V1.2D, V2.2D", 0x4ee0f841},
	{"FABS", 8, operands{30, 29, 0, 0}, "FABS V30.2D, V29.2D", 0x4ee0fbbe},
	{"FADD", 4, operands{1, 2, 3, 0}, "FADD V1.4S, V2.4S, V3.4S", 0x4e23d441},
	{"FADD", 4, operands{30, 29, 19, 0}, "FADD V30.4S, V29.4S, V19.4S", 0x4e33d7be},
	{"FADD", 8, operands{1, 2, 3, 0}, "FADD V1.2D, V2.2D, V3.2D", 0x4e63d441},
	{"FADD", 8, operands{30, 29, 19, 0}, "FADD V30.2D, V29.2D, V19.2D", 0x4e73d7be},
	{"FADDP", 4, operands{1, 2, 3, 0}, "FADDP V1.4S, V2.4S, V3.4S", 0x6e23d441},
	{"FADDP", 4, operands{30, 29, 19, 0}, "FADDP V30.4S, V29.4S, V19.4S", 0x6e33d7be},
	{"FADDP", 8, operands{1, 2, 3, 0}, "FADDP V1.2D, V2.2D, V3.2D", 0x6e63d441},
	{"FADDP", 8, operands{30, 29, 19, 0}, "FADDP V30.2D, V29.2D, V19.2D", 0x6e73d7be},
	{"FADDP scalar", 4, operands{1, 2, 0, 0}, "FADDP S1, V2.2S", 0x7e30d841},
	{"FADDP scalar", 4, operands{30, 29, 0, 0}, "FADDP S30, V29.2S", 0x7e30dbbe},
	{"FADDP scalar", 8, operands{1, 2, 0, 0}, "FADDP D1, V2.2D", 0x7e70d841},
	{"FADDP scalar", 8, operands{30, 29, 0, 0}, "FADDP D30, V29.2D", 0x7e70dbbe},
	{"FCMEQ", 4, operands{1, 2, 3, 0}, "FCMEQ V1.4S, V2.4S, V3.4S", 0x4e23e441},
	{"FCMEQ", 4, operands{30, 29, 19, 0}, "FCMEQ V30.4S, V29.4S, V19.4S", 0x4e33e7be},
	{"FCMEQ", 8, operands{1, 2, 3, 0}, "FCMEQ V1.2D, V2.2D, V3.2D", 0x4e63e441},
	{"FCMEQ", 8, operands{30, 29, 19, 0}, "FCMEQ V30.2D, V29.2D, V19.2D", 0x4e73e7be},
	{"FCMGT", 4, operands{1, 2, 3, 0}, "FCMGT V1.4S, V2.4S, V3.4S", 0x6ea3e441},
	{"FCMGT", 4, operands{30, 29, 19, 0}, "FCMGT V30.4S, V29.4S, V19.4S", 0x6eb3e7be},
	{"FCMGT", 8, operands{1, 2, 3, 0}, "FCMGT V1.2D, V2.2D, V3.2D", 0x6ee3e441},
	{"FCMGT", 8, operands{30, 29, 19, 0}, "FCMGT V30.2D, V29.2D, V19.2D", 0x6ef3e7be},
	{"FCMLE", 4, operands{1, 2, 0, 0}, "FCMLE V1.4S, V2.4S, #0.0", 0x6ea0d841},
	{"FCMLE", 4, operands{30, 29, 0, 0}, "FCMLE V30.4S, V29.4S, #0.0", 0x6ea0dbbe},
	{"FCMLE", 8, operands{1, 2, 0, 0}, "FCMLE V1.2D, V2.2D, #0.0", 0x6ee0d841},
	{"FCMLE", 8, operands{30, 29, 0, 0}, "FCMLE V30.2D, V29.2D, #0.0", 0x6ee0dbbe},
	{"FCVTL", 4, operands{1, 2, 0, 0}, "FCVTL V1.2D, V2.2S", 0x0e617841},
	{"FCVTL", 4, operands{30, 29, 0, 0}, "FCVTL V30.2D, V29.2S", 0x0e617bbe},
	{"FCVTL2", 4, operands{1, 2, 0, 0}, "FCVTL2 V1.2D, V2.4S", 0x4e617841},
	{"FCVTL2", 4, operands{30, 29, 0, 0}, "FCVTL2 V30.2D, V29.4S", 0x4e617bbe},
	{"FDIV", 4, operands{1, 2, 3, 0}, "FDIV V1.4S, V2.4S, V3.4S", 0x6e23fc41},
	{"FDIV", 4, operands{30, 29, 19, 0}, "FDIV V30.4S, V29.4S, V19.4S", 0x6e33ffbe},
	{"FDIV", 8, operands{1, 2, 3, 0}, "FDIV V1.2D, V2.2D, V3.2D", 0x6e63fc41},
	{"FDIV", 8, operands{30, 29, 19, 0}, "FDIV V30.2D, V29.2D, V19.2D", 0x6e73ffbe},
	{"FMAX", 4, operands{1, 2, 3, 0}, "FMAX V1.4S, V2.4S, V3.4S", 0x4e23f441},
	{"FMAX", 4, operands{30, 29, 19, 0}, "FMAX V30.4S, V29.4S, V19.4S", 0x4e33f7be},
	{"FMAX", 8, operands{1, 2, 3, 0}, "FMAX V1.2D, V2.2D, V3.2D", 0x4e63f441},
	{"FMAX", 8, operands{30, 29, 19, 0}, "FMAX V30.2D, V29.2D, V19.2D", 0x4e73f7be},
	{"FMAXP scalar", 4, operands{1, 2, 0, 0}, "FMAXP S1, V2.2S", 0x7e30f841},
	{"FMAXP scalar", 4, operands{30, 29, 0, 0}, "FMAXP S30, V29.2S", 0x7e30fbbe},
	{"FMAXP scalar", 8, operands{1, 2, 0, 0}, "FMAXP D1, V2.2D", 0x7e70f841},
	{"FMAXP scalar", 8, operands{30, 29, 0, 0}, "FMAXP D30, V29.2D", 0x7e70fbbe},
	{"FMAXV", 4, operands{1, 2, 0, 0}, "FMAXV S1, V2.4S", 0x6e30f841},
	{"FMAXV", 4, operands{30, 29, 0, 0}, "FMAXV S30, V29.4S", 0x6e30fbbe},
	{"FMIN", 4, operands{1, 2, 3, 0}, "FMIN V1.4S, V2.4S, V3.4S", 0x4ea3f441},
	{"FMIN", 4, operands{30, 29, 19, 0}, "FMIN V30.4S, V29.4S, V19.4S", 0x4eb3f7be},
	{"FMIN", 8, operands{1, 2, 3, 0}, "FMIN V1.2D, V2.2D, V3.2D", 0x4ee3f441},
	{"FMIN", 8, operands{30, 29, 19, 0}, "FMIN V30.2D, V29.2D, V19.2D", 0x4ef3f7be},
	{"FMLA", 4, operands{1, 2, 3, 0}, "FMLA V1.4S, V2.4S, V3.4S", 0x4e23cc41},
	{"FMLA", 4, operands{30, 29, 19, 0}, "FMLA V30.4S, V29.4S, V19.4S", 0x4e33cfbe},
	{"FMLA", 8, operands{1, 2, 3, 0}, "FMLA V1.2D, V2.2D, V3.2D", 0x4e63cc41},
	{"FMLA", 8, operands{30, 29, 19, 0}, "FMLA V30.2D, V29.2D, V19.2D", 0x4e73cfbe},
	{"FMLA element", 4, operands{1, 2, 3, 1}, "FMLA V1.4S, V2.4S, V3.S[1]", 0x4fa31041},
	{"FMLA element", 4, operands{30, 29, 19, 3}, "FMLA V30.4S, V29.4S, V19.S[3]", 0x4fb31bbe},
	{"FMLA element", 8, operands{1, 2, 3, 1}, "FMLA V1.2D, V2.2D, V3.D[1]", 0x4fc31841},
	{"FMLA element", 8, operands{30, 29, 19, 1}, "FMLA V30.2D, V29.2D, V19.D[1]", 0x4fd31bbe},
	{"FMLS", 4, operands{1, 2, 3, 0}, "FMLS V1.4S, V2.4S, V3.4S", 0x4ea3cc41},
	{"FMLS", 4, operands{30, 29, 19, 0}, "FMLS V30.4S, V29.4S, V19.4S", 0x4eb3cfbe},
	{"FMLS", 8, operands{1, 2, 3, 0}, "FMLS V1.2D, V2.2D, V3.2D", 0x4ee3cc41},
	{"FMLS", 8, operands{30, 29, 19, 0}, "FMLS V30.2D, V29.2D, V19.2D", 0x4ef3cfbe},
	{"FMOV scalar", 4, operands{1, 2, 0, 0}, "FMOV S1, S2", 0x1e204041},
	{"FMOV scalar", 4, operands{30, 29, 0, 0}, "FMOV S30, S29", 0x1e2043be},
	{"FMOV scalar", 8, operands{1, 2, 0, 0}, "FMOV D1, D2", 0x1e604041},
	{"FMOV scalar", 8, operands{30, 29, 0, 0}, "FMOV D30, D29", 0x1e6043be},
	{"FMUL", 4, operands{1, 2, 3, 0}, "FMUL V1.4S, V2.4S, V3.4S", 0x6e23dc41},
	{"FMUL", 4, operands{30, 29, 19, 0}, "FMUL V30.4S, V29.4S, V19.4S", 0x6e33dfbe},
	{"FMUL", 8, operands{1, 2, 3, 0}, "FMUL V1.2D, V2.2D, V3.2D", 0x6e63dc41},
	{"FMUL", 8, operands{30, 29, 19, 0}, "FMUL V30.2D, V29.2D, V19.2D", 0x6e73dfbe},
	{"FMUL element", 4, operands{1, 2, 3, 1}, "FMUL V1.4S, V2.4S, V3.S[1]", 0x4fa39041},
	{"FMUL element", 4, operands{30, 29, 19, 3}, "FMUL V30.4S, V29.4S, V19.S[3]", 0x4fb39bbe},
	{"FMUL element", 8, operands{1, 2, 3, 1}, "FMUL V1.2D, V2.2D, V3.D[1]", 0x4fc39841},
	{"FMUL element", 8, operands{30, 29, 19, 1}, "FMUL V30.2D, V29.2D, V19.D[1]", 0x4fd39bbe},
	{"FNEG", 4, operands{1, 2, 0, 0}, "FNEG V1.4S, V2.4S", 0x6ea0f841},
	{"FNEG", 4, operands{30, 29, 0, 0}, "FNEG V30.4S, V29.4S", 0x6ea0fbbe},
	{"FNEG", 8, operands{1, 2, 0, 0}, "FNEG V1.2D, V2.2D", 0x6ee0f841},
	{"FNEG", 8, operands{30, 29, 0, 0}, "FNEG V30.2D, V29.2D", 0x6ee0fbbe},
	{"FSQRT", 4, operands{1, 2, 0, 0}, "FSQRT V1.4S, V2.4S", 0x6ea1f841},
	{"FSQRT", 4, operands{30, 29, 0, 0}, "FSQRT V30.4S, V29.4S", 0x6ea1fbbe},
	{"FSQRT", 8, operands{1, 2, 0, 0}, "FSQRT V1.2D, V2.2D", 0x6ee1f841},
	{"FSQRT", 8, operands{30, 29, 0, 0}, "FSQRT V30.2D, V29.2D", 0x6ee1fbbe},
	{"FSUB", 4, operands{1, 2, 3, 0}, "FSUB V1.4S, V2.4S, V3.4S", 0x4ea3d441},
	{"FSUB", 4, operands{30, 29, 19, 0}, "FSUB V30.4S, V29.4S, V19.4S", 0x4eb3d7be},
	{"FSUB", 8, operands{1, 2, 3, 0}, "FSUB V1.2D, V2.2D, V3.2D", 0x4ee3d441},
	{"FSUB", 8, operands{30, 29, 19, 0}, "FSUB V30.2D, V29.2D, V19.2D", 0x4ef3d7be},
	{"LD1R", 4, operands{1, 2, 0, 0}, "LD1R {V1.4S}, [X2]", 0x4d40c841},
	{"LD1R", 4, operands{30, 26, 0, 0}, "LD1R {V30.4S}, [X26]", 0x4d40cb5e},
	{"LD1R", 8, operands{1, 2, 0, 0}, "LD1R {V1.2D}, [X2]", 0x4d40cc41},
	{"LD1R", 8, operands{30, 26, 0, 0}, "LD1R {V30.2D}, [X26]", 0x4d40cf5e},
	{"LDR", 4, operands{1, 2, 3, 0}, "LDR Q1, [X2, X3]", 0x3ce36841},
	{"LDR", 4, operands{30, 26, 19, 0}, "LDR Q30, [X26, X19]", 0x3cf36b5e},
	{"MOVI", 4, operands{1, 0, 0, 0}, "MOVI V1.2D, #0", 0x6f00e401},
	{"MOVI", 4, operands{30, 0, 0, 0}, "MOVI V30.2D, #0", 0x6f00e41e},
	{"ORN", 4, operands{1, 2, 3, 0}, "ORN V1.16B, V2.16B, V3.16B", 0x4ee31c41},
	{"ORN", 4, operands{30, 29, 19, 0}, "ORN V30.16B, V29.16B, V19.16B", 0x4ef31fbe},
	{"ORR", 4, operands{1, 2, 3, 0}, "ORR V1.16B, V2.16B, V3.16B", 0x4ea31c41},
	{"ORR", 4, operands{30, 29, 19, 0}, "ORR V30.16B, V29.16B, V19.16B", 0x4eb31fbe},
	{"SHL", 4, operands{1, 2, 0, 1}, "SHL V1.4S, V2.4S, #1", 0x4f215441},
	{"SHL", 4, operands{30, 29, 0, 31}, "SHL V30.4S, V29.4S, #31", 0x4f3f57be},
	{"SHL", 8, operands{1, 2, 0, 1}, "SHL V1.2D, V2.2D, #1", 0x4f415441},
	{"SHL", 8, operands{30, 29, 0, 63}, "SHL V30.2D, V29.2D, #63", 0x4f7f57be},
	{"SSHR", 4, operands{1, 2, 0, 1}, "SSHR V1.4S, V2.4S, #1", 0x4f3f0441},
	{"SSHR", 4, operands{30, 29, 0, 31}, "SSHR V30.4S, V29.4S, #31", 0x4f2107be},
	{"SSHR", 8, operands{1, 2, 0, 1}, "SSHR V1.2D, V2.2D, #1", 0x4f7f0441},
	{"SSHR", 8, operands{30, 29, 0, 63}, "SSHR V30.2D, V29.2D, #63", 0x4f4107be},
	{"ST1", 4, operands{1, 2, 0, 0}, "ST1 {V1.D}[1], [X2]", 0x4d008441},
	{"ST1", 4, operands{30, 26, 0, 0}, "ST1 {V30.D}[1], [X26]", 0x4d00875e},
	{"STR", 4, operands{1, 2, 3, 0}, "STR Q1, [X2, X3]", 0x3ca36841},
	{"STR", 4, operands{30, 26, 19, 0}, "STR Q30, [X26, X19]", 0x3cb36b5e},
	{"TRN1", 4, operands{1, 2, 3, 0}, "TRN1 V1.4S, V2.4S, V3.4S", 0x4e832841},
	{"TRN1", 4, operands{30, 29, 19, 0}, "TRN1 V30.4S, V29.4S, V19.4S", 0x4e932bbe},
	{"TRN1", 8, operands{1, 2, 3, 0}, "TRN1 V1.2D, V2.2D, V3.2D", 0x4ec32841},
	{"TRN1", 8, operands{30, 29, 19, 0}, "TRN1 V30.2D, V29.2D, V19.2D", 0x4ed32bbe},
	{"TRN2", 4, operands{1, 2, 3, 0}, "TRN2 V1.4S, V2.4S, V3.4S", 0x4e836841},
	{"TRN2", 4, operands{30, 29, 19, 0}, "TRN2 V30.4S, V29.4S, V19.4S", 0x4e936bbe},
	{"TRN2", 8, operands{1, 2, 3, 0}, "TRN2 V1.2D, V2.2D, V3.2D", 0x4ec36841},
	{"TRN2", 8, operands{30, 29, 19, 0}, "TRN2 V30.2D, V29.2D, V19.2D", 0x4ed36bbe},
	{"UZP1", 4, operands{1, 2, 3, 0}, "UZP1 V1.4S, V2.4S, V3.4S", 0x4e831841},
	{"UZP1", 4, operands{30, 29, 19, 0}, "UZP1 V30.4S, V29.4S, V19.4S", 0x4e931bbe},
	{"UZP1", 8, operands{1, 2, 3, 0}, "UZP1 V1.2D, V2.2D, V3.2D", 0x4ec31841},
	{"UZP1", 8, operands{30, 29, 19, 0}, "UZP1 V30.2D, V29.2D, V19.2D", 0x4ed31bbe},
	{"UZP2", 4, operands{1, 2, 3, 0}, "UZP2 V1.4S, V2.4S, V3.4S", 0x4e835841},
	{"UZP2", 4, operands{30, 29, 19, 0}, "UZP2 V30.4S, V29.4S, V19.4S", 0x4e935bbe},
	{"UZP2", 8, operands{1, 2, 3, 0}, "UZP2 V1.2D, V2.2D, V3.2D", 0x4ec35841},
	{"UZP2", 8, operands{30, 29, 19, 0}, "UZP2 V30.2D, V29.2D, V19.2D", 0x4ed35bbe},
	{"ZIP1", 4, operands{1, 2, 3, 0}, "ZIP1 V1.4S, V2.4S, V3.4S", 0x4e833841},
	{"ZIP1", 4, operands{30, 29, 19, 0}, "ZIP1 V30.4S, V29.4S, V19.4S", 0x4e933bbe},
	{"ZIP1", 8, operands{1, 2, 3, 0}, "ZIP1 V1.2D, V2.2D, V3.2D", 0x4ec33841},
	{"ZIP1", 8, operands{30, 29, 19, 0}, "ZIP1 V30.2D, V29.2D, V19.2D", 0x4ed33bbe},
	{"ZIP2", 4, operands{1, 2, 3, 0}, "ZIP2 V1.4S, V2.4S, V3.4S", 0x4e837841},
	{"ZIP2", 4, operands{30, 29, 19, 0}, "ZIP2 V30.4S, V29.4S, V19.4S", 0x4e937bbe},
	{"ZIP2", 8, operands{1, 2, 3, 0}, "ZIP2 V1.2D, V2.2D, V3.2D", 0x4ec37841},
	{"ZIP2", 8, operands{30, 29, 19, 0}, "ZIP2 V30.2D, V29.2D, V19.2D", 0x4ed37bbe},
}

func TestEncode(t *testing.T) {
	tested := map[string]bool{}
	for _, k := range known {
		tested[k.name] = true
		if word, text := encode(k.name, k.size, k.operands); word != k.word || text != k.text {
			t.Errorf("%s: %08x (%s), want %08x", k.text, word, text, k.word)
		}
	}
	for name := range encodings {
		if !tested[name] {
			t.Errorf("%s is in no test", name)
		}
	}
}

// Every word of the generated files is what another assembler makes of the
// comment beside it.
func TestWordsOfFiles(t *testing.T) {
	assembler, err := exec.LookPath("llvm-mc")
	if err != nil {
		t.Skip("llvm-mc is not there")
	}
	files, err := filepath.Glob("../../*_arm64.s")
	if err != nil || len(files) != len(families) {
		t.Fatal(files, err)
	}
	words := map[string]uint64{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`WORD +\$0x([0-9a-f]{8}) // (.*)`).FindAllStringSubmatch(string(text), -1) {
			if words[m[2]], err = strconv.ParseUint(m[1], 16, 32); err != nil {
				t.Fatal(err)
			}
		}
	}
	var source []string
	for text := range words {
		source = append(source, text)
	}
	run := exec.Command(assembler, "-triple=aarch64", "-show-encoding")
	run.Stdin = strings.NewReader(strings.Join(source, "\n") + "\n")
	out, err := run.Output()
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`encoding: \[0x(..),0x(..),0x(..),0x(..)\]`).FindAllSubmatch(out, -1)
	if len(found) != len(source) || len(source) < 1000 {
		t.Fatalf("%d words for %d instructions", len(found), len(source))
	}
	for i, m := range found {
		want, err := strconv.ParseUint(string(bytes.Join([][]byte{m[4], m[3], m[2], m[1]}, nil)), 16, 32)
		if err != nil || want != words[source[i]] {
			t.Errorf("%s: %08x, want %08x, %v", source[i], words[source[i]], want, err)
		}
	}
}

// Registers that hold values at the same time are different ones, across a loop
// too, and what is too much is refused.
func TestAssign(t *testing.T) {
	begin(f32, "test", "n int, x *T", "", "is a test")
	functions = nil
	n, x, kept := param("n"), param("x"), f32.constant(1)
	whole("loop", n, 1, func() {
		v := load(x, 0)
		f32.accumulate("FADD", v, kept)
		save(v, x, 0)
	})
	fn.finish()
	seen := map[*reg]bool{}
	for _, l := range fn.lines {
		for _, r := range append(l.def, l.use...) {
			if seen[r] = true; r != kept && r.vector && r.number == kept.number {
				t.Errorf("the constant's register V%d is used for another value", kept.number)
			}
		}
	}
	if len(seen) != 5 || n.number == x.number {
		t.Errorf("%d registers; n is R%d, x R%d", len(seen), n.number, x.number)
	}
	defer func() {
		if recover() == nil {
			t.Error("33 values in 32 registers")
		}
	}()
	begin(f32, "test", "n int", "", "is a test")
	functions = nil
	sum(f32, zeros(33))
	fn.finish()
}
