package receipt

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/internal/atomicfile"
)

// Paths are the files that go with a model at a path.
type Paths struct{ Receipt, TestResult, Page, Trace, Secret string }

// PathsOf returns the files beside a model: M.unlearn.intoto.json,
// M.unlearn.test.intoto.json, M.unlearn.md, M.unlearn.trace.json and
// M.unlearn.secret.json for the model M.
func PathsOf(model string) Paths {
	at := func(what string) string { return model + ".unlearn." + what }
	return Paths{at("intoto.json"), at("test.intoto.json"), at("md"), at("trace.json"), at("secret.json")}
}

// Bundle are the contents of the files of a receipt.
type Bundle struct{ Receipt, TestResult, Page, Trace, Secret []byte }

// NewBundle seals a receipt, which speaks of the new model m, with its test result
// and writes its page. A nil key leaves the envelopes unsigned. result is where
// the trace comes from, and may be nil; where it is not, the receipt must name the hash
// of the trace, or the error wraps ErrTrace.
func NewBundle(r *Receipt, s *Secret, m Model, result *dlfd.Result, key *ecdsa.PrivateKey) (*Bundle, error) {
	var b Bundle
	var err error
	if result != nil {
		if b.Trace, _, err = TraceText(result); err == nil {
			err = r.CheckTrace(b.Trace)
		}
		if err != nil {
			return nil, err
		}
	}
	if b.Secret, err = s.Text(); err != nil {
		return nil, err
	}
	named := *r
	if named.Key = nil; key != nil {
		id, err := KeyID(&key.PublicKey)
		if err != nil {
			return nil, err
		}
		named.Key = &id
	}
	text, err := named.Statement(m)
	if err != nil {
		return nil, err
	}
	if b.Receipt, err = Seal(text, key); err != nil {
		return nil, err
	}
	o, err := OpenUnverified(b.Receipt)
	if err != nil {
		return nil, err
	}
	o.Signed = key != nil
	if text, err = o.TestResult(); err != nil {
		return nil, err
	}
	b.Page = o.Page()
	b.TestResult, err = Seal(text, key)
	return &b, err
}

// Write writes the files, each beside its name, synced and then renamed. Existing files
// keep their modes; a new secret is readable for its owner alone. The receipt is
// written last, so that what it names is there. Contents that are nil are left out.
func (b *Bundle) Write(p Paths) error {
	if err := reserve(p.Secret); err != nil {
		return err
	}
	for _, f := range []struct {
		path string
		text []byte
	}{{p.Secret, b.Secret}, {p.Trace, b.Trace}, {p.Page, b.Page}, {p.TestResult, b.TestResult}, {p.Receipt, b.Receipt}} {
		if f.text == nil {
			continue
		}
		if err := WriteFile(f.path, f.text); err != nil {
			return err
		}
	}
	return nil
}

// WriteFile replaces a file whole, or leaves it as it was.
func WriteFile(path string, text []byte) error {
	err := atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
	if err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	return nil
}

// reserve makes an empty file that its owner alone can read, unless there is one.
func reserve(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	return f.Close()
}
