package nn

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
)

func TestSaveAndLoad(t *testing.T) {
	for name, n := range small(t) {
		path := filepath.Join(t.TempDir(), "net.safetensors")
		if err := n.Save(path); err != nil {
			t.Fatal(err)
		}
		m, err := Load(path)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		again := filepath.Join(t.TempDir(), "again")
		if err := m.Save(again); err != nil {
			t.Fatal(err)
		}
		a, _ := os.ReadFile(path)
		b, _ := os.ReadFile(again)
		if !bytes.Equal(a, b) || len(a) == 0 {
			t.Errorf("%s: saved, loaded and saved again gives another file", name)
		}
		x := feature.NewTensor(append([]int{2}, n.Spec().Input...)...)
		for i := range x.Data {
			x.Data[i] = float32(i%7) - 3
		}
		if y, z := logits(t, n, x), logits(t, m, x); !slices.Equal(y, z) {
			t.Errorf("%s: loaded network gives %v, want %v", name, z, y)
		}
		if left, _ := filepath.Glob(path + "*"); len(left) != 1 {
			t.Errorf("%s: files left beside: %v", name, left)
		}
	}
}

func logits(t *testing.T, n *Network, x feature.Tensor) []float32 {
	t.Helper()
	out := feature.NewTensor(x.Rows(), n.Spec().Classes())
	if err := n.Forward(context.Background(), x, []string{"logits"}, []feature.Tensor{out}); err != nil {
		t.Fatal(err)
	}
	return out.Data
}

func encoded(t testing.TB, n *Network) []byte {
	var buf bytes.Buffer
	if err := n.encode(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestLoadRefusesWhatDoesNotFit(t *testing.T) {
	good := encoded(t, small(t)["mlp"])
	replace := func(old, with string) []byte {
		header := good[8 : 8+binary.LittleEndian.Uint64(good)]
		changed := bytes.Replace(header, []byte(old), []byte(with), 1)
		if bytes.Equal(header, changed) {
			t.Fatalf("header has no %q: %s", old, header)
		}
		file := binary.LittleEndian.AppendUint64(nil, uint64(len(changed)))
		return slices.Concat(file, changed, good[8+len(header):])
	}
	huge := slices.Clone(good)
	binary.LittleEndian.PutUint64(huge, 1<<60)
	for _, c := range []struct {
		file   []byte
		want   error
		tensor string
	}{
		{nil, ErrFormat, ""},
		{good[:20], ErrFormat, ""},
		{huge, ErrFormat, ""},
		{good[:len(good)-1], ErrFormat, ""},
		{append(slices.Clone(good), 0), ErrFormat, ""},
		{replace(`"F32"`, `"F16"`), ErrFormat, "fc1.bias"},
		{replace(`"shape":[9,12]`, `"shape":[12,9]`), ErrFormat, "fc1.weight"},
		{replace(`"fc1.weight":`, `"fc9.weight":`), ErrFormat, "fc1.weight"},
		{replace(`unlearn/nn 1`, `unlearn/nn 9`), ErrFormat, ""},
		{replace(`\"op\":\"relu\"`, `\"op\":\"rely\"`), ErrArchitecture, ""},
		{replace(`\"out\":9`, `\"out\":90000`), ErrFormat, "fc1.weight"},
		{replace(`\"logits\":`, `\"logits\":9`), ErrFormat, ""},
		{replace(`"fc1.weight":`, `"fc1.bias":`), ErrFormat, ""}, // twice
		{replace(`"dtype":"F32"`, `"dtype":"F32","DTYPE":"F16"`), ErrFormat, "fc1.bias"},
		{replace(`"format":`, `"format":"unlearn/nn 1","format":`), ErrFormat, ""},
		{slices.Concat(binary.LittleEndian.AppendUint64(nil, 2), []byte("[]"), good), ErrFormat, ""},
	} {
		_, err := decode(bytes.NewReader(c.file), int64(len(c.file)))
		if !errors.Is(err, c.want) {
			t.Errorf("error is %v, want %v", err, c.want)
		}
		var te *TensorError
		if errors.As(err, &te) != (c.tensor != "") || te != nil && te.Tensor != c.tensor {
			t.Errorf("error %v names tensor %v, want %q", err, te, c.tensor)
		}
	}
}

func TestSaveIntoNowhere(t *testing.T) {
	n := small(t)["mlp"]
	if err := n.Save(filepath.Join(t.TempDir(), "no", "such", "folder")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error is %v", err)
	}
	dir := t.TempDir() // a folder cannot be replaced by a file
	if err := n.Save(dir); err == nil || !strings.Contains(err.Error(), "nn: save") {
		t.Errorf("error is %v", err)
	}
}

func FuzzLoad(f *testing.F) {
	for _, n := range small(f) {
		f.Add(encoded(f, n))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		n, err := decode(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			return
		}
		var size int
		for _, w := range n.weights() {
			size += 4 * len(w)
		}
		if size > len(file) {
			t.Errorf("%d bytes of weights from a file of %d", size, len(file))
		}
		if m, err := decode(bytes.NewReader(encoded(t, n)), int64(len(encoded(t, n)))); err != nil || len(m.weights()) != len(n.weights()) {
			t.Errorf("cannot load what was saved: %v", err)
		}
	})
}

// TestForeignFiles wants the cause named of files that are valid safetensors, but
// not of this package.
func TestForeignFiles(t *testing.T) {
	header := `{"fc.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`
	file := slices.Concat(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), []byte(header), make([]byte, 4))
	_, err := decode(bytes.NewReader(file), int64(len(file)))
	if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "no metadata with an architecture") {
		t.Errorf("without metadata: %v", err)
	}
}

// TestHostileHeaders measures what a small file can ask for.
func TestHostileHeaders(t *testing.T) {
	pool := `{"input":[1,512,512],"layers":[{"op":"maxpool","in":[0],"kernel":512,"stride":1,"pad":256}],"taps":[],"logits":1}`
	header, err := json.Marshal(map[string]any{metadataKey: metadata{fileFormat, pool}})
	if err != nil {
		t.Fatal(err)
	}
	stride, err := json.Marshal(map[string]any{metadataKey: metadata{fileFormat, strings.Replace(pool, `"kernel":512,"stride":1`, `"kernel":1,"stride":1048576`, 1)}})
	if err != nil {
		t.Fatal(err)
	}
	many := []byte("{" + strings.Repeat(`"a":0,`, 1<<21) + `"b":0}`)
	deep := []byte(`{"a":` + strings.Repeat("[", 1<<20))
	for name, header := range map[string][]byte{"pooling": header, "stride": stride, "many": many, "deep": deep} {
		file := slices.Concat(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := decode(bytes.NewReader(file), int64(len(file)))
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; !errors.Is(err, ErrFormat) && !errors.Is(err, ErrArchitecture) || used > 64<<20 {
			t.Errorf("%s: %v, with %d bytes", name, err, used)
		}
		t.Log(name, err)
	}
}
