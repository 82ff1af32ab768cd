package unlearn

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// Functions longer than this hide what they do.
const maxFunctionLines = 60

// TestFunctionLength reads every Go file of the module but tests, whose tables
// may be long, and names the functions that are too long. Folders whose names begin with an
// underscore or a dot hold no packages of the module.
func TestFunctionLength(t *testing.T) {
	read := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (name[0] == '_' || name[0] == '.'):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		read++
		long, err := longFunctions(path, nil)
		for _, f := range long {
			t.Errorf("%s has more than %d lines", f, maxFunctionLines)
		}
		return err
	})
	if err != nil || read == 0 {
		t.Fatalf("%d files read: %v", read, err)
	}
}

func TestLongFunctions(t *testing.T) {
	body := func(n int) string { return "package p\nfunc f() {\n" + strings.Repeat("\n", n-2) + "}\n" }
	for n, want := range map[int]int{2: 0, maxFunctionLines: 0, maxFunctionLines + 1: 1} {
		long, err := longFunctions("f.go", body(n))
		if err != nil || len(long) != want {
			t.Errorf("a function of %d lines: %v, %v; want %d functions", n, long, err, want)
		}
	}
}

// longFunctions returns place and name of the functions of one file that have
// more than maxFunctionLines lines, their doc comments not counted.
func longFunctions(path string, src any) ([]string, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var long []string
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		first, last := files.Position(f.Pos()), files.Position(f.End())
		if last.Line-first.Line >= maxFunctionLines {
			long = append(long, first.String()+": "+f.Name.Name)
		}
	}
	return long, nil
}
