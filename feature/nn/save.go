package nn

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/dlfd-go/unlearn/feature"
)

// metadata is what the header of a file says beside the tensors; the format
// allows strings only.
type metadata struct {
	Format       string `json:"format"`
	Architecture string `json:"unlearn.architecture"` // JSON
}

// fileFormat is the value of metadata.Format.
const fileFormat = "unlearn/nn 1"

// tensorInfo is a tensor in the header.
type tensorInfo struct {
	Dtype   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"` // in bytes, from the end of the header
}

// Save writes the network in the safetensors format (a header in JSON with
// names, shapes and offsets, then the parameters as little-endian float32; the
// architecture is in the header's metadata), which PyTorch reads. The file
// appears under its name only once it is complete and on disk: it is written
// beside, synced and renamed.
func (n *Network) Save(path string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".tmp*")
	if err != nil {
		return fmt.Errorf("nn: save: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("nn: save: %w", errors.Join(err, os.Remove(f.Name())))
		}
	}()
	w := bufio.NewWriterSize(f, 1<<16)
	if err = errors.Join(n.encode(w), w.Flush(), f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func (n *Network) encode(w io.Writer) error {
	header, err := n.header()
	if err != nil {
		return err
	}
	if err := binary.Write(w, binary.LittleEndian, uint64(len(header))); err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	var buf [4]byte
	for _, t := range n.weights {
		for _, v := range t {
			binary.LittleEndian.PutUint32(buf[:], math.Float32bits(v))
			if _, err := w.Write(buf[:]); err != nil {
				return err
			}
		}
	}
	return nil
}

// header returns the JSON header, padded with spaces to a multiple of 8 bytes
// so that the data are aligned.
func (n *Network) header() ([]byte, error) {
	arch, err := json.Marshal(n.arch)
	if err != nil {
		return nil, err
	}
	entries := map[string]any{"__metadata__": metadata{fileFormat, string(arch)}}
	var at int64
	for _, p := range n.spec.Params {
		end := at + 4*int64(feature.Size(p.Shape))
		entries[p.Name] = tensorInfo{"F32", p.Shape, [2]int64{at, end}}
		at = end
	}
	header, err := json.Marshal(entries)
	for len(header)%8 != 0 {
		header = append(header, ' ')
	}
	return header, err
}
