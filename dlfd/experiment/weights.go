package experiment

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/atomicfile"
)

// tensorEntry describes a tensor in the header of a safetensors file.
type tensorEntry struct {
	Type    string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"`
}

// saveWeights writes all parameters of m into a file, whole or not at all, and returns
// the file's SHA-256.
func saveWeights(path string, m feature.Trainable) (sum string, err error) {
	h := sha256.New()
	err = atomicfile.Write(path, func(file io.Writer) error { return writeWeights(io.MultiWriter(file, h), m) })
	return hex.EncodeToString(h.Sum(nil)), err
}

// sumWeights returns the SHA-256 of the file that saveWeights would write.
func sumWeights(m feature.Trainable) (string, error) {
	h := sha256.New()
	err := writeWeights(h, m)
	return hex.EncodeToString(h.Sum(nil)), err
}

// writeWeights writes all parameters in the safetensors format.
func writeWeights(out io.Writer, m feature.Trainable) error {
	w, err := feature.Snapshot(m)
	if err != nil {
		return err
	}
	header, err := weightsHeader(m.Spec().Params)
	if err != nil {
		return err
	}
	if err := binary.Write(out, binary.LittleEndian, uint64(len(header))); err != nil {
		return err
	}
	if _, err := out.Write(header); err != nil {
		return err
	}
	for _, v := range w {
		if err := writeFloats(out, v); err != nil {
			return err
		}
	}
	return nil
}

// weightsHeader says where each parameter begins and ends.
func weightsHeader(params []feature.Param) ([]byte, error) {
	header := make(map[string]tensorEntry)
	at := 0
	for _, p := range params {
		if _, twice := header[p.Name]; twice {
			return nil, fmt.Errorf("%w: two parameters have the name %q", feature.ErrParam, p.Name)
		}
		size := 4 * feature.Size(p.Shape)
		header[p.Name] = tensorEntry{"F32", append([]int{}, p.Shape...), [2]int{at, at + size}}
		at += size
	}
	text, err := json.Marshal(header)
	return append(text, bytes.Repeat([]byte{' '}, -len(text)&7)...), err // data begin at a multiple of 8
}

// loadWeights reads the weights of a job from the first folder that has them. Where
// none has, the error is fs.ErrNotExist.
func (p *Plan) loadWeights(dirs []string, j Job, sum string, m feature.Trainable) error {
	for _, dir := range dirs {
		err := loadWeights(p.weightsPath(dir, j), sum, m)
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return fmt.Errorf("weights of %v: %w", j, fs.ErrNotExist)
}

// loadWeights reads a file that saveWeights wrote into m. A file with another SHA-256
// or for another model gives an error wrapping ErrForeign.
func loadWeights(path, sum string, m feature.Trainable) error {
	file, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if got := sha256.Sum256(file); hex.EncodeToString(got[:]) != sum {
		return fmt.Errorf("%s: %w: SHA-256 is %x, that of the weights was %s", path, ErrForeign, got, sum)
	}
	size := binary.LittleEndian.Uint64(file) // the checksum says that saveWeights wrote the file
	var header map[string]tensorEntry
	if err := json.Unmarshal(file[8:8+size], &header); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	data := file[8+size:]
	for i, p := range m.Spec().Params {
		e, ok := header[p.Name]
		if !ok || !slices.Equal(e.Shape, p.Shape) {
			return fmt.Errorf("%s: %w: parameter %s has shape %v in the file and %v in the model", path, ErrForeign, p.Name, e.Shape, p.Shape)
		}
		v := make([]float32, feature.Size(p.Shape))
		for k := range v {
			v[k] = math.Float32frombits(binary.LittleEndian.Uint32(data[e.Offsets[0]+4*k:]))
		}
		if err := m.SetParam(i, v); err != nil {
			return err
		}
	}
	return nil
}
