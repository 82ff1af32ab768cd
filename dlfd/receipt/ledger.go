package receipt

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/metrics"
)

// LedgerType is the type in the first line of a ledger.
const LedgerType = "https://github.com/dlfd-go/unlearn/ledger/v1"

// Ledger is the list of the requests that a model has gone through. It knows samples,
// persons and classes that had to go by keyed hashes (HMAC-SHA-256): whoever has the file
// and not the key can confirm nobody, and whoever has the key can. Keep the key apart
// from the file, as long as the model is in use.
//
// The file has a line of JSON for the first model and one for each request. Every line
// has an HMAC over itself and over that of the line before, so that none can be changed,
// left out or moved. That the last one is there is told by the model, which must be the
// one that it ends with (CheckModel).
type Ledger struct {
	First   Model   // that the first request began with
	Entries []Entry // the oldest first

	key   Key
	lines []ledgerLine
}

// Entry is a request that was carried out.
type Entry struct {
	Number   int      `json:"number"` // from 1
	ID       string   `json:"request"`
	Received string   `json:"received"`
	Scenario Scenario `json:"scenario"`
	Outcome  Outcome  `json:"outcome"`
	Receipt  Hash     `json:"receipt_sha256"` // of the file of its receipt
	Model    Model    `json:"model"`          // that it ended with
	// Samples are marks of the contents of the forget set, for wrong labels together with
	// these; Persons and Classes, of requests for them, of its identities and labels.
	Samples []Hash `json:"samples"`
	Persons []Hash `json:"persons,omitempty"`
	Classes []Hash `json:"classes,omitempty"`
	// AUC is the interval of the AUC of the loss attack when it was carried out, nil where
	// it was not judged.
	AUC *[2]float64 `json:"loss_attack_auc_interval,omitempty"`
	// Drift says what had become of the model and of earlier requests.
	Drift *dlfd.Drifted `json:"drift,omitempty"`
}

// ledgerHeader is the first line.
type ledgerHeader struct {
	Type  string `json:"type"`
	Key   Hash   `json:"key_sha256"`
	First Model  `json:"first_model"`
}

// ledgerLine is a line of the file.
type ledgerLine struct {
	Body json.RawMessage `json:"body"`
	MAC  Hash            `json:"mac"`
}

// NewLedger returns a ledger without requests. The key is that of the ledger, and not of
// a request; see NewKey.
func NewLedger(k Key, first Model) (*Ledger, error) {
	l := &Ledger{First: first, key: k}
	return l, l.seal(ledgerHeader{LedgerType, sumBytes(k[:]), first})
}

// seal adds a line.
func (l *Ledger) seal(body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("receipt: ledger: %w", err)
	}
	l.lines = append(l.lines, ledgerLine{text, l.mac(len(l.lines), text)})
	return nil
}

// mac is that of line i with the given body.
func (l *Ledger) mac(i int, body []byte) Hash {
	h := hmac.New(sha256.New, l.key[:])
	h.Write([]byte("unlearn ledger line\x00"))
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(i)))
	if i > 0 {
		h.Write(l.lines[i-1].MAC[:])
	}
	h.Write(body)
	return Hash(h.Sum(nil))
}

// Text returns the content of the ledger's file. Write it with WriteFile, which replaces
// the file whole.
func (l *Ledger) Text() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	for _, line := range l.lines {
		if err := e.Encode(line); err != nil {
			return nil, fmt.Errorf("receipt: ledger: %w", err)
		}
	}
	return b.Bytes(), nil
}

// ReadLedger reads the file of a ledger. Errors wrap ErrFormat, ErrLedgerKey where the
// first line names another key, ErrLedgerGap where a line is missing, and ErrLedger where
// one was changed.
func ReadLedger(text []byte, k Key) (*Ledger, error) {
	l := &Ledger{key: k}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<30) // a line has 67 bytes a sample
	for lines.Scan() {
		if err := l.read(lines.Bytes()); err != nil {
			return nil, fmt.Errorf("receipt: ledger: line %d: %w", len(l.lines)+1, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("receipt: ledger: line %d: %w: %w", len(l.lines)+1, ErrFormat, err)
	}
	if len(l.lines) == 0 {
		return nil, fmt.Errorf("receipt: ledger: %w: it is empty", ErrFormat)
	}
	return l, nil
}

// read reads a line, which may be in a buffer that is used again.
func (l *Ledger) read(text []byte) error {
	var line ledgerLine
	if err := json.Unmarshal(text, &line); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	var err error
	if right := l.mac(len(l.lines), line.Body) == line.MAC; len(l.lines) == 0 {
		err = l.readHeader(line.Body, right)
	} else {
		err = l.readEntry(line.Body, right)
	}
	if err == nil {
		l.lines = append(l.lines, line)
	}
	return err
}

func (l *Ledger) readHeader(body []byte, right bool) error {
	var h ledgerHeader
	if err := json.Unmarshal(body, &h); err != nil || h.Type != LedgerType {
		return fmt.Errorf("%w: the first line has type %q, not %s", ErrFormat, h.Type, LedgerType)
	}
	switch sum := sumBytes(l.key[:]); {
	case h.Key != sum:
		return fmt.Errorf("%w: the ledger has key %s, and this is %s", ErrLedgerKey, h.Key, sum)
	case !right:
		return fmt.Errorf("%w: the first line does not have its HMAC", ErrLedger)
	}
	l.First = h.First
	return nil
}

func (l *Ledger) readEntry(body []byte, right bool) error {
	var e Entry
	if err := json.Unmarshal(body, &e); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	switch {
	case e.Number != len(l.lines):
		return fmt.Errorf("%w: number %d follows number %d", ErrLedgerGap, e.Number, len(l.lines)-1)
	case !right:
		return fmt.Errorf("%w: the line of request %s does not have its HMAC", ErrLedger, e.ID)
	}
	l.Entries = append(l.Entries, e)
	return nil
}

// Last is the model that the ledger ends with.
func (l *Ledger) Last() Model {
	if n := len(l.Entries); n > 0 {
		return l.Entries[n-1].Model
	}
	return l.First
}

// CheckModel returns an error wrapping ErrLedgerModel unless the files of the model at
// path are those that the last request ended with: requests are missing at the end, or it
// is another model.
func (l *Ledger) CheckModel(path string) error {
	if err := l.Last().compare(path, ErrLedgerModel); err != nil {
		return fmt.Errorf("%w; the ledger ends with %s", err, l.end())
	}
	return nil
}

// CheckFirst returns an error wrapping ErrLedgerModel unless the files of the model at
// path are those that the first request began with.
func (l *Ledger) CheckFirst(path string) error { return l.First.compare(path, ErrLedgerModel) }

func (l *Ledger) end() string {
	if n := len(l.Entries); n > 0 {
		return fmt.Sprintf("request %s, number %d", l.Entries[n-1].ID, n)
	}
	return "no request"
}

// CheckNew returns an error wrapping ErrLedgerTwice if a request has that id.
func (l *Ledger) CheckNew(id string) error {
	if e := l.entry(id); e != nil {
		return fmt.Errorf("receipt: %w: request %s is number %d of %d", ErrLedgerTwice, id, e.Number, len(l.Entries))
	}
	return nil
}

func (l *Ledger) entry(id string) *Entry {
	if i := slices.IndexFunc(l.Entries, func(e Entry) bool { return e.ID == id }); i >= 0 {
		return &l.Entries[i]
	}
	return nil
}

// CheckReceipt returns an error wrapping ErrLedgerGap unless the receipt is that of a
// request of the ledger.
func (l *Ledger) CheckReceipt(o *Opened) error {
	e := l.entry(o.Request.ID)
	switch {
	case e == nil:
		return fmt.Errorf("receipt: %w: none of %d is request %s", ErrLedgerGap, len(l.Entries), o.Request.ID)
	case e.Receipt != o.Hash:
		return fmt.Errorf("receipt: %w: request %s has receipt %s there, and this one is %s", ErrLedgerGap, o.Request.ID, e.Receipt, o.Hash)
	}
	return nil
}

// Was returns what the loss attack reached when a request was carried out, nil where that
// is not known, for dlfd.Past.
func (l *Ledger) Was(id string) *metrics.Interval {
	if e := l.entry(id); e != nil && e.AUC != nil {
		return &metrics.Interval{Lo: e.AUC[0], Hi: e.AUC[1]}
	}
	return nil
}

// Add adds a request that was carried out, with its receipt and what it had to forget.
// Errors wrap ErrLedgerTwice, ErrLedgerModel where it did not begin with the model that
// the ledger ends with, and ErrData where the contents are not as many as in the receipt.
func (l *Ledger) Add(o *Opened, forget Contents) error {
	if err := l.CheckNew(o.Request.ID); err != nil {
		return err
	}
	if input := (Model{o.Input.Model, o.Input.External}); !sameModel(l.Last(), input) {
		return fmt.Errorf("receipt: %w: request %s began with model %s, and the ledger ends with %s of %s", ErrLedgerModel, o.Request.ID, input.File, l.Last().File, l.end())
	}
	q := o.Request
	e := Entry{Number: len(l.Entries) + 1, ID: q.ID, Received: q.Received, Scenario: q.Scenario, Outcome: q.Outcome, Receipt: o.Hash, Model: o.Model}
	if f, ok := o.Audit.value("loss attack AUC"); ok {
		e.AUC = f.Interval
	}
	if o.Earlier != nil {
		e.Drift = o.Earlier.Drift
	}
	if err := l.remember(&e, forget); err != nil {
		return err
	}
	if want := o.Data.Forget.Count; len(e.Samples) != want {
		return fmt.Errorf("receipt: %w: request %s had %d samples to forget, and here are %d", ErrData, q.ID, want, len(e.Samples))
	}
	if err := l.seal(e); err != nil {
		return err
	}
	l.Entries = append(l.Entries, e)
	return nil
}

// remember hashes what must not come back.
func (l *Ledger) remember(e *Entry, forget Contents) error {
	seen := make(map[Hash]bool)
	once := func(to *[]Hash, h Hash) {
		if h != (Hash{}) && !seen[h] {
			seen[h] = true
			*to = append(*to, h)
		}
	}
	for c, err := range forget {
		if err != nil {
			return fmt.Errorf("receipt: forget: sample %d: %w", len(e.Samples), err)
		}
		m := l.marks(c)
		e.Samples = append(e.Samples, m[markOf(e.Scenario)])
		switch e.Scenario {
		case Person:
			once(&e.Persons, m[markPerson])
		case Class:
			once(&e.Classes, m[markClass])
		}
	}
	return nil
}

// ReadLedgerKey reads the file of a key: 64 hexadecimal digits. Errors wrap ErrKey.
func ReadLedgerKey(path string) (k Key, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return k, fmt.Errorf("receipt: %w", err)
	}
	digits := bytes.TrimSpace(text)
	if len(digits) != hex.EncodedLen(len(k)) {
		return k, fmt.Errorf("receipt: %w: %s has %d characters, not %d hexadecimal digits", ErrKey, path, len(digits), hex.EncodedLen(len(k)))
	}
	if _, err := hex.Decode(k[:], digits); err != nil {
		return k, fmt.Errorf("receipt: %w: %s: %w", ErrKey, path, err)
	}
	return k, nil
}

// WriteLedgerKey writes the file of a key, readable for its owner alone. A file that is
// there is an error.
func WriteLedgerKey(path string, k Key) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	_, err = f.WriteString(k.String() + "\n")
	if err == nil {
		err = f.Sync()
	}
	if failed := f.Close(); err == nil {
		err = failed
	}
	if err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	return nil
}
