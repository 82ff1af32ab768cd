package receipt

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
)

const payloadType = "application/vnd.in-toto+json"

// MaxSize is the number of bytes that an envelope stays below.
const MaxSize = 16 << 10

// envelope is a DSSE envelope. encoding/json decodes the standard base64 of its
// fields.
type envelope struct {
	PayloadType string      `json:"payloadType"`
	Payload     []byte      `json:"payload"`
	Signatures  []signature `json:"signatures"`
}

// signature does not name its key: every verifier has its own way to name keys, and
// passes over signatures with another name than its own.
type signature struct {
	KeyID string `json:"keyid"`
	Sig   []byte `json:"sig"`
}

// preAuth is what is signed: the pre-authentication encoding of DSSE v1.
func preAuth(payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
}

// Seal returns the file of a statement: an envelope that is signed with ECDSA P-256
// over SHA-256, or without a signature where the key is nil. Signatures of equal
// statements differ, as ECDSA draws a random number. An error wraps ErrSize if the
// envelope has MaxSize bytes or more, and ErrKey if the key is on another curve.
func Seal(statement []byte, key *ecdsa.PrivateKey) ([]byte, error) {
	e := envelope{PayloadType: payloadType, Payload: statement, Signatures: []signature{}}
	if key != nil {
		if err := checkCurve("signing", key.Curve); err != nil {
			return nil, err
		}
		sum := sha256.Sum256(preAuth(statement))
		sig, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
		if err != nil {
			return nil, fmt.Errorf("receipt: signing: %w", err)
		}
		e.Signatures = append(e.Signatures, signature{"", sig})
	}
	text, err := json.Marshal(e)
	text = append(text, '\n')
	if err == nil && len(text) >= MaxSize {
		err = fmt.Errorf("receipt: %w: %d bytes, and less than %d are allowed", ErrSize, len(text), MaxSize)
	}
	return text, err
}

// unseal reads an envelope without a look at its signatures.
func unseal(file []byte) (*envelope, error) {
	e := new(envelope)
	if err := json.Unmarshal(file, e); err != nil {
		return nil, fmt.Errorf("receipt: %w: envelope: %w", ErrFormat, err)
	}
	if e.PayloadType != payloadType {
		return nil, fmt.Errorf("receipt: %w: the envelope holds %q, not %s", ErrFormat, e.PayloadType, payloadType)
	}
	return e, nil
}

// verify returns nil if one of the signatures is that of the key. named is the key that
// the statement names: it says which error there is, and nothing else.
func (e *envelope) verify(key *ecdsa.PublicKey, named *Hash) error {
	id, err := KeyID(key)
	if err != nil {
		return err
	}
	if len(e.Signatures) == 0 {
		return fmt.Errorf("receipt: %w", ErrUnsigned)
	}
	sum := sha256.Sum256(preAuth(e.Payload))
	for _, s := range e.Signatures {
		if ecdsa.VerifyASN1(key, sum[:], s.Sig) {
			return nil
		}
	}
	if named != nil && *named != id {
		return fmt.Errorf("receipt: %w: it names key %s, and the one given is %s", ErrOtherKey, named, id)
	}
	return fmt.Errorf("receipt: %w, or the signature was: it is not valid under key %s", ErrAltered, id)
}
