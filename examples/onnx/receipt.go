package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/dlfd-go/unlearn/dlfd"
)

// receipt says what was done to a model. Hashes are SHA-256.
type receipt struct {
	Model       string            `json:"model"`
	ModelHash   string            `json:"model_sha256"`
	Out         string            `json:"out"`
	OutHash     string            `json:"out_sha256"`
	Method      string            `json:"method"`
	Options     map[string]string `json:"options"`
	OptionsHash string            `json:"options_sha256"` // of the options as JSON
	ForgetFiles int               `json:"forget_files"`
	ForgetHash  string            `json:"forget_list_sha256"` // of the sorted paths, one a line
	Seed        uint64            `json:"seed"`
	Before      *dlfd.Audited     `json:"before"`
	After       *dlfd.Audited     `json:"after"`
	Result      *dlfd.Result      `json:"result"` // with the ledger
}

// options are the flags that change the outcome.
func (f flags) options() map[string]string {
	return map[string]string{
		"method": f.method, "epochs": fmt.Sprint(f.epochs), "fit": fmt.Sprint(f.fit), "seed": fmt.Sprint(f.seed),
		"rate": fmt.Sprint(f.rate), "shrink": fmt.Sprint(f.shrink), "logits": f.logits, "classes": f.classes, "identity": f.identity, "mean": f.mean.String(), "std": f.std.String(), "allow-overlap": fmt.Sprint(f.overlap),
	}
}

// write fills in the hashes and writes the receipt beside the model.
func (r *receipt) write(d *data) (err error) {
	if r.ModelHash, err = hashFile(r.Model); err != nil {
		return err
	}
	if r.OutHash, err = hashFile(r.Out); err != nil {
		return err
	}
	options, err := json.Marshal(r.Options) // keys are sorted
	if err != nil {
		return err
	}
	r.OptionsHash = hash(options)
	var paths []string
	for i := range d.forget.Len() {
		paths = append(paths, d.forget.Path(i)+"\n")
	}
	slices.Sort(paths)
	r.ForgetHash = hash([]byte(strings.Join(paths, "")))
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(r.Out+".json", append(text, '\n'), 0o644)
}

func hash(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

func hashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), err
}

// bar shows how far a method is, on a terminal; elsewhere it is silent.
type bar struct {
	w   io.Writer // nil: silent
	bar *progressbar.ProgressBar
}

func newBar(w io.Writer) *bar {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &bar{w: w}
	}
	return &bar{}
}

// event is an observer for dlfd.Options.
func (b *bar) event(e dlfd.Event) {
	if b.w == nil || e.Steps == 0 {
		return
	}
	if b.bar == nil {
		b.bar = progressbar.NewOptions(e.Steps, progressbar.OptionSetWriter(b.w), progressbar.OptionSetDescription(e.Method),
			progressbar.OptionShowCount(), progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish())
	}
	b.bar.ChangeMax(e.Steps)
	_ = b.bar.Set(e.Step) // an error of the terminal is no reason to stop
}

func (b *bar) end() {
	if b.bar != nil {
		_ = b.bar.Clear()
	}
}
