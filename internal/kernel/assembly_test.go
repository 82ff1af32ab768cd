package kernel

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A legacy SSE instruction between AVX ones costs over 100 ns on some CPUs, so
// the assembly must have none.
func TestAssemblyHasNoSSE(t *testing.T) {
	files, err := filepath.Glob("*_amd64.s")
	if err != nil || len(files) < 6 {
		t.Fatal(files, err)
	}
	sse := regexp.MustCompile(`(?m)^\t(MOV[SAU]P?[SD]|MOVUPS|MOVAPS|MOVSS|MOVSD|(ADD|SUB|MUL|DIV|XOR|AND|MAX|MIN|SQRT)[SP][SD])\s.*$`)
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if found := sse.Find(text); found != nil {
			t.Errorf("%s: %s", name, found)
		}
	}
}

// Only files named after AVX-512 may use its registers, which the assembler
// accepts anywhere.
func TestAVX512StaysInItsFiles(t *testing.T) {
	files, err := filepath.Glob("*_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	wide := regexp.MustCompile(`(?m)^\t.*\b(Z\d+|K[0-7]|[XY](1[6-9]|2\d|3[01]))\b.*$`)
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found := wide.Find(text)
		if named := strings.Contains(name, "512"); named != (found != nil) {
			t.Errorf("%s: %s", name, found)
		}
	}
}
