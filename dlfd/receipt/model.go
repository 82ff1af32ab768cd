package receipt

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Model has the hashes of the files of a model.
type Model struct {
	File     Hash   `json:"sha256"`
	External []Hash `json:"external_sha256,omitempty"` // of the files that hold its weights, in the order of their names
}

// SumModel hashes a model file and, where its name ends in .onnx, the files of
// external data that it names, which must be in its folder or below. A file that is
// not valid gives an error wrapping ErrFormat. Cost: the model file is read into memory,
// the others as streams.
func SumModel(path string) (Model, error) {
	if !strings.EqualFold(filepath.Ext(path), ".onnx") {
		sum, err := SumFile(path)
		return Model{File: sum}, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return Model{}, err
	}
	m := Model{File: sha256.Sum256(data)}
	names, err := externalFiles(data)
	if err != nil || len(names) == 0 {
		return m, err
	}
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return m, err
	}
	defer root.Close()
	for _, name := range names {
		sum, err := sumIn(root, name)
		if err != nil {
			return m, fmt.Errorf("receipt: external data of %s: %w", filepath.Base(path), err)
		}
		m.External = append(m.External, sum)
	}
	return m, nil
}

// sumIn hashes a file that must be below root.
func sumIn(root *os.Root, name string) (Hash, error) {
	f, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return Hash{}, err
	}
	defer f.Close()
	return Sum(f)
}

// message names the fields of a protobuf message that lead to external data.
type message int

// The messages of ONNX (onnx.proto) on the way.
const (
	modelProto message = iota
	graphProto
	nodeProto
	attributeProto
	tensorProto
	sparseProto
	functionProto
	trainingProto
	entryProto
)

var leads = map[message]map[uint64]message{
	modelProto:     {7: graphProto, 20: trainingProto, 25: functionProto},
	graphProto:     {1: nodeProto, 5: tensorProto, 15: sparseProto},
	nodeProto:      {5: attributeProto},
	attributeProto: {5: tensorProto, 6: graphProto, 10: tensorProto, 11: graphProto, 22: sparseProto, 23: sparseProto},
	tensorProto:    {13: entryProto},
	sparseProto:    {1: tensorProto, 2: tensorProto},
	functionProto:  {7: nodeProto},
	trainingProto:  {1: graphProto, 2: graphProto},
}

// externalFiles returns the names of the files that an ONNX file keeps weights in,
// sorted.
func externalFiles(data []byte) ([]string, error) {
	var names []string
	if err := walk(data, modelProto, 0, &names); err != nil {
		return nil, err
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func walk(data []byte, m message, depth int, names *[]string) error {
	if depth > 100 {
		return fmt.Errorf("receipt: ONNX file: %w: graphs in graphs, deeper than 100", ErrFormat)
	}
	if m == entryProto {
		return readEntry(data, names)
	}
	return eachField(data, func(field uint64, body []byte) error {
		if to, ok := leads[m][field]; ok && body != nil {
			return walk(body, to, depth+1, names)
		}
		return nil
	})
}

// readEntry takes the name of a file from a pair of key and value.
func readEntry(data []byte, names *[]string) error {
	var key, value string
	err := eachField(data, func(field uint64, body []byte) error {
		switch field {
		case 1:
			key = string(body)
		case 2:
			value = string(body)
		}
		return nil
	})
	if err == nil && key == "location" {
		*names = append(*names, value)
	}
	return err
}

// eachField calls f for every field of a message, with nil for numbers.
func eachField(data []byte, f func(field uint64, body []byte) error) error {
	broken := fmt.Errorf("receipt: ONNX file: %w: broken field", ErrFormat)
	for len(data) > 0 {
		tag, n := binary.Uvarint(data)
		if n <= 0 {
			return broken
		}
		data = data[n:]
		size, skip := uint64(0), 0
		switch tag & 7 {
		case 0:
			_, skip = binary.Uvarint(data)
			if skip <= 0 {
				return broken
			}
		case 1:
			size = 8
		case 2:
			if size, skip = binary.Uvarint(data); skip <= 0 {
				return broken
			}
		case 5:
			size = 4
		default:
			return broken
		}
		if data = data[skip:]; size > uint64(len(data)) {
			return broken
		}
		var body []byte
		if tag&7 == 2 {
			body = data[:size:size]
		}
		data = data[size:]
		if err := f(tag>>3, body); err != nil {
			return err
		}
	}
	return nil
}
