package unlearn

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/dlfd-go/unlearn/"

// mayImport lists, for every package of the module, the packages of the module
// that its code (tests apart) may import. A trailing /... covers the subtree.
// A package that is not listed fails the test: add it on purpose.
var mayImport = map[string][]string{
	"internal/par":        {},
	"internal/rng":        {},
	"internal/kernel":     {},
	"internal/atomicfile": {},
	"internal/finite":     {},
	"internal/checkpoint": {"internal/atomicfile"},
	"internal/graph":      {"internal/kernel", "internal/par", "internal/rng"},

	"feature":                 {"internal/..."},
	"feature/featuretest":     {"feature", "internal/..."},
	"feature/train":           {"feature", "internal/..."},
	"feature/train/traintest": {"feature", "feature/train", "feature/featuretest", "internal/..."},
	"feature/nn":              {"feature", "feature/internal/...", "internal/..."},
	"feature/dataset":         {"feature", "internal/..."},
	"feature/onnx":            {"feature", "feature/internal/...", "internal/..."},
	// The one adapter from internal/graph to feature.Model.
	"feature/internal/exec": {"feature", "internal/..."},
	// The ONNX format, for everything that writes it.
	"feature/internal/onnxfile": {},
	// Leaves, which nobody imports: they pull in Gorgonia.
	"feature/gotensor": {"feature", "internal/..."},
	"feature/onnxgo":   {"feature", "feature/onnx", "feature/gotensor", "feature/internal/...", "internal/..."},

	"distance":              {"internal/..."},
	"distance/distancetest": {"distance", "internal/..."},
	"metrics":               {"internal/..."},
	"metrics/report":        {"metrics"},
	"synth":                 {"distance", "feature", "internal/..."},
	"dlfd":                  {"synth", "metrics", "distance", "feature", "feature/train", "internal/..."},
	"dlfd/baseline":         {"dlfd", "synth", "metrics", "distance", "feature", "feature/train", "internal/..."},

	"dlfd/experiment": {"dlfd", "dlfd/baseline", "metrics", "metrics/report", "distance", "feature", "feature/train", "internal/..."},
	"dlfd/dlfdtest":   {"dlfd", "feature", "feature/featuretest", "internal/..."},
	// A leaf, which nobody but examples imports: the released code.
	"dlfd/released": {"dlfd", "metrics", "distance", "feature", "feature/train", "internal/..."},
	// A leaf, which nobody but examples imports: signed deletion receipts.
	"dlfd/receipt": {"dlfd", "metrics", "feature", "internal/..."},

	"examples/benchmark":       publicPackages,
	"examples/compare":         append(publicPackages, "examples/drawnfaces"),
	"examples/drawnfaces":      publicPackages,
	"examples/faces":           append(publicPackages, "examples/drawnfaces"),
	"examples/onnx":            publicPackages,
	"examples/receipt":         publicPackages,
	"examples/owndistance":     publicPackages,
	"examples/tabular":         publicPackages,
	"examples/distancegallery": publicPackages,
}

var publicPackages = []string{"feature/...", "distance/...", "synth", "metrics/...", "dlfd/..."}

type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func listPackages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []pkg
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p pkg
		switch err := dec.Decode(&p); {
		case errors.Is(err, io.EOF):
			return pkgs
		case err != nil:
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

func TestImportPicture(t *testing.T) {
	for _, p := range listPackages(t) {
		name, inside := strings.CutPrefix(p.ImportPath, module)
		if !inside {
			continue // the documentation root
		}
		allowed, known := mayImport[name]
		if !known {
			t.Errorf("%s is not in the table of layers", name)
			continue
		}
		for _, imp := range p.Imports {
			dep, own := strings.CutPrefix(imp, module)
			if own && !slices.ContainsFunc(allowed, func(a string) bool { return covers(a, dep) }) {
				t.Errorf("%s may not import %s", name, dep)
			}
		}
	}
}

func covers(pattern, name string) bool {
	root, tree := strings.CutSuffix(pattern, "/...")
	return name == root || tree && strings.HasPrefix(name, root+"/")
}

// thirdParty lists the path prefixes outside the standard library and this
// module that a package may reach, through any number of imports.
var thirdParty = map[string][]string{
	"dlfd":            {"gonum.org/v1/gonum"},
	"dlfd/baseline":   {"gonum.org/v1/gonum"},
	"dlfd/experiment": {"gonum.org/v1/gonum"},
	"dlfd/dlfdtest":   {"gonum.org/v1/gonum"},
	"dlfd/released":   {"gonum.org/v1/gonum"},
	"dlfd/receipt":    {"gonum.org/v1/gonum"},
	"distance":        {"gonum.org/v1/gonum"},

	"distance/distancetest": {"gonum.org/v1/gonum"},
	"metrics":               {"gonum.org/v1/gonum"},
	"metrics/report":        {"gonum.org/v1/gonum"},
	"synth":                 {"gonum.org/v1/gonum"},
	"feature":               {},
	"feature/train":         {},
	"feature/nn":            {},
	"feature/internal/exec": {},
	// for the wire format of protobuf, without its reflection
	"feature/onnx": {"google.golang.org/protobuf/encoding/protowire", "google.golang.org/protobuf/internal/errors", "google.golang.org/protobuf/internal/detrand"},
	// for resizing images, and for matrices as datasets
	"feature/dataset": {"golang.org/x/image", "gonum.org/v1/gonum"},
}

func TestThirdPartyReach(t *testing.T) {
	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		if strings.HasPrefix(name, "examples/") || name == "feature/gotensor" || name == "feature/onnxgo" {
			continue // nobody imports these
		}
		allowed := thirdParty[name] // none for what is not listed
		for _, dep := range p.Deps {
			first, _, _ := strings.Cut(dep, "/")
			if !strings.Contains(first, ".") || strings.HasPrefix(dep, module) || strings.HasPrefix(dep, "vendor/") {
				continue
			}
			if !slices.ContainsFunc(allowed, func(a string) bool { return strings.HasPrefix(dep, a) }) {
				t.Errorf("%s reaches %s", p.ImportPath, dep)
			}
		}
	}
}
