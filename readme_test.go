package unlearn

import (
	"os"
	"strings"
	"testing"
)

// The example in README.md is the middle of the one that package dlfd runs, and
// its output is the one that is checked there.
func TestReadmeShowsTheExample(t *testing.T) {
	readme, source := read(t, "README.md"), read(t, "dlfd/example_test.go")
	_, code, found := strings.Cut(source, "\tmodel, err := onnx.Load")
	code, output, _ := strings.Cut("\tmodel, err := onnx.Load"+code, "\t// Output:\n")
	if !found {
		t.Fatal("dlfd/example_test.go does not load a model")
	}
	code = strings.TrimSpace(strings.ReplaceAll("\n"+code, "\n\t", "\n"))
	if !strings.Contains(readme, "```go\n"+code+"\n```\n") {
		t.Errorf("README.md does not show this example:\n%s", code)
	}
	output, _, _ = strings.Cut(output, "}")
	for line := range strings.Lines(output) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "// ")
		if line != "" && !strings.Contains(readme, "\n"+line+"\n") {
			t.Errorf("README.md does not show the line %q", line)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
