package receipt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
)

func numbered(n int) Contents {
	return func(yield func(Content, error) bool) {
		for i := range n {
			if !yield(Content{Sum: sumBytes(fmt.Appendf(nil, "photo %d", i)), Label: i%3 - 1}, nil) {
				return
			}
		}
	}
}

// Roots by 20 lines of Python (hmac, hashlib and struct of its standard library),
// written from the description in doc.go: key 00 01 … 1f, set "forget", contents
// "photo 0", "photo 1", …, labels −1, 0, 1, −1, ….
func TestRootsOfPython(t *testing.T) {
	var k Key
	for i := range k {
		k[i] = byte(i)
	}
	for n, want := range map[int]string{
		1:  "1c2c0280afbd40162eda946ec7200e86c74727bfda571e15376c9ca21aab18c1",
		2:  "396098012ecfa9c0d22a56da517ff0941ccd733f1f7f9175bd86d1f93c7acd50",
		3:  "cb21ee509b6a9094539febfa2f5c6c4223521901214ba25acdd032695281f5e0",
		7:  "20ea55fad48ef32a537c5dafd1949fd458d39ed60c833c1e67998acd37b4fd35",
		8:  "29ee29a9256c0b84b09f53e5ba10c832e04e450378e0a2e0bbb47c8feba3ef15",
		13: "879899e7fde315a8c1b394c8e5de9d8c8f0ba8ce2917357e1cb348dc086459a9",
	} {
		tree, err := NewTree(k, Forget, numbered(n))
		if err != nil || tree.Root().String() != want {
			t.Errorf("%d leaves: root %v, %v, want %s", n, tree.Root(), err, want)
		}
	}
	if _, err := NewTree(k, Forget, numbered(0)); !errors.Is(err, ErrEmpty) {
		t.Errorf("no leaves: %v", err)
	}
}

// TestSampleBytes has the content of a sample as Python's struct writes it:
// hashlib.sha256(pack(">III", 2, 1, 2) + pack("<ff", 1.5, -2)).
func TestSampleBytes(t *testing.T) {
	b := featuretest.NewBlobs(1, 2, 2, 1, 1, 1)
	b.X = feature.Tensor{Shape: []int{1, 1, 2}, Data: []float32{1.5, -2}}
	for c, err := range Samples(b) {
		if want := "ad2342c7789ce5a5965c3b2f498196b568264ae2f3d57694e183923364d89024"; err != nil || c.Sum.String() != want {
			t.Errorf("content %s, %v, want %s", c.Sum, err, want)
		}
	}
}

// TestPaths proves every leaf of all trees up to 33 leaves, and sees every change of a
// proof fail.
func TestPaths(t *testing.T) {
	k, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 33; n++ {
		tree, err := NewTree(k, Forget, numbered(n))
		if err != nil {
			t.Fatal(err)
		}
		for i, h := range tree.Leaves {
			p := path(tree.Leaves, i)
			if got, ok := climb(h, i, n, p); !ok || got != tree.Root() {
				t.Fatalf("leaf %d of %d: root %s, %v", i, n, got, ok)
			}
			if got, ok := climb(h, i, n, append(slices.Clone(p), h)); ok && got == tree.Root() {
				t.Fatalf("leaf %d of %d: a longer path passes", i, n)
			}
			if len(p) == 0 {
				continue
			}
			if _, ok := climb(h, i, n, p[1:]); ok {
				t.Fatalf("leaf %d of %d: a shorter path passes", i, n)
			}
			for j := range p {
				bad := slices.Clone(p)
				bad[j][31] ^= 1
				if got, _ := climb(h, i, n, bad); got == tree.Root() {
					t.Fatalf("leaf %d of %d: changed hash %d passes", i, n, j)
				}
			}
			if got, ok := climb(h, (i+1)%n, n, p); ok && got == tree.Root() {
				t.Fatalf("leaf %d of %d passes as another", i, n)
			}
		}
	}
}

// TestDomains has an inner node in the place of a leaf, and trees that a doubling of
// the last leaf would confuse.
func TestDomains(t *testing.T) {
	var k Key
	tree, err := NewTree(k, Forget, numbered(3))
	if err != nil {
		t.Fatal(err)
	}
	doubled := append(slices.Clone(tree.Leaves), tree.Leaves[2])
	if root(doubled) == tree.Root() {
		t.Error("three leaves and four have one root")
	}
	other, err := NewTree(k, Retain, numbered(3))
	if err != nil || other.Leaves[0] == tree.Leaves[0] || tree.Leaves[0] == tree.Leaves[1] {
		t.Error("leaves of two sets, or of two places, are equal")
	}
	var one, two Hash
	if leaf(one, 0, two) == node(one, two) {
		t.Error("a leaf is a node")
	}
}

// hashed is a dataset of one file.
type hashed struct {
	*featuretest.Blobs
	name string
}

func (h hashed) Path(int) string { return h.name }

// TestStreams hashes a file without taking memory for it.
func TestStreams(t *testing.T) {
	name := filepath.Join(t.TempDir(), "large")
	f, err := os.Create(name)
	if err == nil {
		err = errors.Join(f.Truncate(64<<20), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	d := hashed{featuretest.NewBlobs(1, 1, 2, 1, 1, 1), name}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	tree, err := NewTree(Key{}, Forget, Files(d))
	runtime.ReadMemStats(&after)
	if taken := after.TotalAlloc - before.TotalAlloc; err != nil || taken > 1<<20 {
		t.Errorf("64 MiB took %d bytes of memory, %v", taken, err)
	}
	want, err := SumFile(name)
	if err != nil || tree.Leaves[0] != leaf(leafKey(Key{}, Forget, 0), 0, want) {
		t.Errorf("leaf %s, %v", tree.Leaves[0], err)
	}
	if _, err := NewTree(Key{}, Forget, Files(d.Blobs)); !errors.Is(err, ErrParameter) {
		t.Errorf("a dataset without paths: %v", err)
	}
	d.name += "r"
	if _, err := NewTree(Key{}, Forget, Files(d)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

// field is a protobuf field with bytes, number below 16.
func field(number byte, body ...byte) []byte {
	return append([]byte{number<<3 | 2, byte(len(body))}, body...)
}

func entry(key, value string) []byte {
	return field(13, append(field(1, []byte(key)...), field(2, []byte(value)...)...)...)
}

// TestExternalFiles has a model with weights in two files, one of them named by a
// tensor in an attribute, and files that are none.
func TestExternalFiles(t *testing.T) {
	dir := t.TempDir()
	initializer := field(5, slices.Concat(entry("location", "b.bin"), entry("offset", "0"))...)
	inNode := field(1, field(5, field(5, entry("location", "a.bin")...)...)...)
	number := []byte{1 << 3, 8} // ir_version
	file := filepath.Join(dir, "m.ONNX")
	write := func(name string, text []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("m.ONNX", slices.Concat(number, field(7, slices.Concat(initializer, inNode)...)))
	write("a.bin", []byte("a"))
	if _, err := SumModel(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without b.bin: %v", err)
	}
	write("b.bin", []byte("b"))
	m, err := SumModel(file)
	if err != nil || !slices.Equal(m.External, []Hash{sumBytes([]byte("a")), sumBytes([]byte("b"))}) {
		t.Errorf("external data %v, %v", m.External, err)
	}
	write("m.ONNX", field(7, field(5, entry("location", "../b.bin")...)...))
	if _, err := SumModel(file); err == nil || !strings.Contains(err.Error(), "escapes") {
		t.Errorf("a path that leads outside: %v", err)
	}
	for _, text := range []string{"\x3a\xff", "\x3f", "\x08", "\x3a\x02\x2a\x05"} {
		write("m.ONNX", []byte(text))
		if _, err := SumModel(file); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v", text, err)
		}
	}
	write("m.nn", []byte("\x3a\xff"))
	if m, err := SumModel(filepath.Join(dir, "m.nn")); err != nil || m.File != sumBytes([]byte("\x3a\xff")) {
		t.Errorf("a file of another kind: %v", err)
	}
}
