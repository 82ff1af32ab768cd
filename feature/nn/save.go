package nn

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/atomicfile"
)

// metadata is what the header of a file says beside the tensors; the format
// allows strings only.
type metadata struct {
	Format       string `json:"format"`
	Architecture string `json:"unlearn.architecture"` // JSON
}

// metadataKey is the entry of the header that is no tensor.
const metadataKey = "__metadata__"

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
func (n *Network) Save(path string) error {
	if err := atomicfile.Write(path, n.encode); err != nil {
		return fmt.Errorf("nn: save: %w", err)
	}
	return nil
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
	for _, t := range n.weights() {
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
	entries := map[string]any{metadataKey: metadata{fileFormat, string(arch)}}
	var at int64
	for _, p := range n.Spec().Params {
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
