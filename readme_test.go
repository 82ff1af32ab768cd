package unlearn

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The example in README.md is the one that package dlfd runs, and its output is
// the one that is checked there.
func TestReadmeShowsTheExample(t *testing.T) {
	readme, source := read(t, "README.md"), read(t, "dlfd/example_test.go")
	code := regexp.MustCompile("(?s)```go\n(.*?)```\n").FindStringSubmatch(readme)
	if code == nil {
		t.Fatal("README.md has no block of Go")
	}
	body, _, _ := strings.Cut(source, "\t// Output:")
	if want := strings.NewReplacer("package dlfd_test", "package main", "func Example()", "func main()").Replace(body + "}\n"); code[1] != want {
		t.Error("the example in README.md is not that of dlfd/example_test.go")
	}
	_, output, _ := strings.Cut(source, "\t// Output:\n")
	for _, line := range strings.Split(strings.TrimSuffix(strings.TrimSpace(output), "}"), "\n") {
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
