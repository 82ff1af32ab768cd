package kernel

import (
	"os"
	"path/filepath"
	"regexp"
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
