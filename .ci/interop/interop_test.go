package interop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"

	testresult "github.com/in-toto/attestation/go/predicates/test_result/v0"
	attestation "github.com/in-toto/attestation/go/v1"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/secure-systems-lab/go-securesystemslib/signerverifier"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/dlfd-go/unlearn/dlfd/receipt"
)

// bundle is a signed receipt with its test result.
func bundle(t *testing.T, key *ecdsa.PrivateKey) *receipt.Bundle {
	t.Helper()
	options := `{"Epochs":1}`
	sum, err := receipt.Sum(strings.NewReader(options))
	if err != nil {
		t.Fatal(err)
	}
	r := &receipt.Receipt{
		Request: receipt.Request{ID: "R-1", Received: "2026-11-26", Scenario: receipt.Sample, Outcome: receipt.Forgotten},
		Data:    receipt.Data{Leaves: receipt.OfFiles, Classes: 2, Retain: &receipt.Set{Count: 2}, Forget: &receipt.Set{Count: 1}},
		Method:  receipt.Method{Name: "FineTune", Options: json.RawMessage(options), Hash: sum},
		Audit:   receipt.Audit{Verdict: receipt.NoVerdict}, Tool: receipt.ThisTool(), Limits: receipt.Limits(),
	}
	b, err := receipt.NewBundle(r, &receipt.Secret{}, receipt.Model{File: sum, External: []receipt.Hash{sum, sum}}, nil, key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestReaders has the signature verified by go-securesystemslib, and the statement and
// the test result read by in-toto/attestation, which knows no other fields than those of
// the specification.
func TestReaders(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public, err := signerverifier.LoadKey(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	one, err := signerverifier.NewECDSASignerVerifierFromSSLibKey(public)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := dsse.NewEnvelopeVerifier(one)
	if err != nil {
		t.Fatal(err)
	}
	b := bundle(t, key)
	for kind, file := range map[string][]byte{receipt.PredicateType: b.Receipt, receipt.TestPredicateType: b.TestResult} {
		var e dsse.Envelope
		if err := json.Unmarshal(file, &e); err != nil {
			t.Fatal(err)
		}
		if keys, err := verifier.Verify(t.Context(), &e); err != nil || len(keys) != 1 {
			t.Errorf("%s: %d keys, %v", kind, len(keys), err)
		}
		text, err := e.DecodeB64Payload()
		if err != nil {
			t.Fatal(err)
		}
		var s attestation.Statement
		if err := protojson.Unmarshal(text, &s); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if err := s.Validate(); err != nil || s.PredicateType != kind || len(s.Subject) != 3 {
			t.Errorf("%s: predicate type %s, %d subjects, %v", kind, s.PredicateType, len(s.Subject), err)
		}
		e.Payload = e.Payload[:len(e.Payload)-8] + "AAAAAAA="
		if _, err := verifier.Verify(t.Context(), &e); err == nil {
			t.Errorf("%s: a changed statement passes", kind)
		}
		if kind != receipt.TestPredicateType {
			continue
		}
		predicate, err := protojson.Marshal(s.Predicate)
		if err != nil {
			t.Fatal(err)
		}
		var r testresult.TestResult
		if err := protojson.Unmarshal(predicate, &r); err != nil || r.Result != receipt.Warned || len(r.Configuration) != 1 {
			t.Errorf("test result %v, %v", &r, err)
		}
	}
}
