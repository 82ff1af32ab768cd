package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/onnx"
)

// receipt is the record of a run for who ran it: it names files and folders. What is
// for others is an attestation.
//
// It says what was done to a model. Hashes are SHA-256, and those of the model
// are of the file before the run. Those of weights are of the parameters as
// float32, little-endian, in the order of the model's Spec, wherever they are kept.
type receipt struct {
	Model       string            `json:"model"`
	ModelHash   string            `json:"model_sha256"`
	Out         string            `json:"out"`
	OutHash     string            `json:"out_sha256"`
	WeightsHash string            `json:"model_weights_sha256"`
	OutWeights  string            `json:"out_weights_sha256"`
	Method      string            `json:"method"`
	Options     map[string]string `json:"options"`
	OptionsHash string            `json:"options_sha256"` // of the options as JSON
	Classes     []string          `json:"classes"`        // the subfolders in the order of the logits
	Files       map[string]int    `json:"files"`          // by set
	ForgetFiles int               `json:"forget_files"`
	ForgetHash  string            `json:"forget_list_sha256"` // of the sorted paths, one a line
	Skipped     []string          `json:"forget_skipped,omitempty"`
	Seed        uint64            `json:"seed"`
	Before      *dlfd.Audited     `json:"before"`
	After       *dlfd.Audited     `json:"after"`
	References  []*reference      `json:"references,omitempty"`
	Result      *dlfd.Result      `json:"result"`  // with the ledger
	Verdict     string            `json:"verdict"` // what the attack on the model after the run tells
}

// newReceipt hashes the model and names the data.
func newReceipt(f *flags, d *data) (*receipt, error) {
	r := &receipt{Model: f.model, Out: f.out, Method: f.method, Seed: f.seed, Options: f.options(), Files: make(map[string]int), Classes: d.retain.set.ClassNames()}
	options, err := json.Marshal(r.Options) // keys are sorted
	if err != nil {
		return nil, err
	}
	r.OptionsHash = hash(options)
	for _, p := range d.parts {
		r.Files[p.name] = p.set.Len()
	}
	for _, s := range d.forget.skipped {
		r.Skipped = append(r.Skipped, s.String())
	}
	var paths []string
	for i := range d.forget.set.Len() {
		paths = append(paths, d.forget.set.Path(i)+"\n")
	}
	slices.Sort(paths)
	r.ForgetFiles, r.ForgetHash = len(paths), hash([]byte(strings.Join(paths, "")))
	return r, nil
}

// describe sets the hashes of what was written: of m, which is the file read back,
// and of its bytes.
func (r *receipt) describe(m *onnx.Model, hash string) error {
	weights, err := feature.Snapshot(m)
	if err != nil {
		return err
	}
	r.OutHash = hash
	r.OutWeights, err = hashWeights(weights)
	return err
}

// text is the content of the receipt's file.
func (r *receipt) text() ([]byte, error) {
	text, err := json.MarshalIndent(r, "", "  ")
	return append(text, '\n'), err
}

func hashWeights(all feature.Weights) (string, error) {
	h := sha256.New()
	for _, w := range all {
		if err := binary.Write(h, binary.LittleEndian, w); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
