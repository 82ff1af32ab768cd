package receipt_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd/receipt"
)

// must returns v, and panics on an error.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestKeys reads all kinds of keys that are used, and refuses the others with the
// reason.
func TestKeys(t *testing.T) {
	k := newKey(t)
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	_, ed := must2(ed25519.GenerateKey(rand.Reader))
	pkcs8 := func(k any) []byte { return must(x509.MarshalPKCS8PrivateKey(k)) }
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	sec1, public := block("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(k))), block("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(&k.PublicKey)))
	for _, c := range []struct {
		name, want string // want is empty where the key is read
		public     bool
		text       []byte
	}{
		{"PKCS #8", "", false, block("PRIVATE KEY", pkcs8(k))},
		{"SEC 1", "", false, sec1},
		{"SEC 1 after its parameters", "", false, append(block("EC PARAMETERS", []byte{6, 8}), sec1...)},
		{"PKIX", "", true, public},
		{"public for private", "it is a public key", false, public},
		{"private for public", "it is a private key", true, sec1},
		{"encrypted PKCS #8", "it is encrypted", false, block("ENCRYPTED PRIVATE KEY", []byte{1})},
		{"encrypted SEC 1", "it is encrypted", false, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}, Bytes: []byte{1}})},
		{"encrypted by cosign", "it is encrypted", false, block("ENCRYPTED SIGSTORE PRIVATE KEY", []byte{1})},
		{"P-384", "its curve is P-384", false, block("PRIVATE KEY", pkcs8(p384))},
		{"P-384 public", "its curve is P-384", true, block("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(&p384.PublicKey)))},
		{"Ed25519", "ed25519.PrivateKey", false, block("PRIVATE KEY", pkcs8(ed))},
		{"RSA", "rsa.PublicKey", true, block("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(&must(rsa.GenerateKey(rand.Reader, 2048)).PublicKey)))},
		{"PKCS #1", `a block "RSA PRIVATE KEY"`, false, block("RSA PRIVATE KEY", []byte{1})},
		{"certificate", `a block "CERTIFICATE"`, true, block("CERTIFICATE", []byte{1})},
		{"broken", "asn1", false, block("PRIVATE KEY", []byte{1})},
		{"no PEM", "no PEM block", true, []byte("ssh-ed25519 AAAA")},
	} {
		file := filepath.Join(t.TempDir(), "key.pem")
		if err := os.WriteFile(file, c.text, 0o600); err != nil {
			t.Fatal(err)
		}
		var err error
		if c.public {
			_, err = receipt.ReadPublicKey(file)
		} else {
			_, err = receipt.ReadPrivateKey(file)
		}
		if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, receipt.ErrKey) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := receipt.Seal([]byte("{}"), p384); !errors.Is(err, receipt.ErrKey) {
		t.Errorf("signing on P-384: %v", err)
	}
}

func must2[A, B any](a A, b B, err error) (A, B) {
	if err != nil {
		panic(err)
	}
	return a, b
}

// TestOpenSSL lets openssl verify a signature of this package, and this package one of
// openssl, with keys that openssl made.
func TestOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not there")
	}
	dir := t.TempDir()
	openssl := func(args ...string) {
		t.Helper()
		c := exec.Command("openssl", args...)
		c.Dir = dir
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("openssl %s: %v\n%s", args, err, out)
		}
	}
	openssl("ecparam", "-name", "prime256v1", "-genkey", "-out", "key.pem")
	openssl("pkey", "-in", "key.pem", "-pubout", "-out", "pub.pem")
	in := func(name string) string { return filepath.Join(dir, name) }
	private, public := must(receipt.ReadPrivateKey(in("key.pem"))), must(receipt.ReadPublicKey(in("pub.pem")))
	d := carryOut(t, "R-1", nil)
	d.seal(t, private)
	type signature struct {
		KeyID string `json:"keyid"`
		Sig   []byte `json:"sig"`
	}
	var e struct {
		PayloadType string      `json:"payloadType"`
		Payload     []byte      `json:"payload"`
		Signatures  []signature `json:"signatures"`
	}
	if err := json.Unmarshal(d.bundle.Receipt, &e); err != nil {
		t.Fatal(err)
	}
	pae := bytes.Join([][]byte{[]byte("DSSEv1"), []byte("28"), []byte("application/vnd.in-toto+json"), []byte(itoa(len(e.Payload))), e.Payload}, []byte(" "))
	if err := errors.Join(os.WriteFile(in("pae"), pae, 0o600), os.WriteFile(in("sig"), e.Signatures[0].Sig, 0o600)); err != nil {
		t.Fatal(err)
	}
	openssl("dgst", "-sha256", "-verify", "pub.pem", "-signature", "sig", "pae")
	openssl("dgst", "-sha256", "-sign", "key.pem", "-out", "sig2", "pae")
	e.Signatures[0] = signature{"", must(os.ReadFile(in("sig2")))}
	if o, err := receipt.Open(must(json.Marshal(e)), public); err != nil || !o.Signed {
		t.Errorf("a signature of openssl: %v", err)
	}
}

func itoa(n int) string { return string(must(json.Marshal(n))) }

// TestWrite looks at the files: all there, modes kept, the secret for its owner alone.
func TestWrite(t *testing.T) {
	d := carryOut(t, "R-1", nil)
	p := receipt.PathsOf(filepath.Join(t.TempDir(), "m2.onnx"))
	if err := os.WriteFile(p.Page, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	for range 2 { // over nothing, and over what is there
		if err := d.bundle.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string][]byte{p.Receipt: d.bundle.Receipt, p.TestResult: d.bundle.TestResult, p.Page: d.bundle.Page, p.Trace: d.bundle.Trace, p.Secret: d.bundle.Secret} {
		if got, err := os.ReadFile(path); err != nil || len(got) == 0 || !bytes.Equal(got, want) {
			t.Errorf("%s has %d bytes, %v", filepath.Base(path), len(got), err)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(p.Page)); err != nil || len(left) != 5 {
		t.Errorf("files %v, %v", left, err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	for path, want := range map[string]fs.FileMode{p.Page: 0o640, p.Secret: 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v, want %v", filepath.Base(path), info.Mode(), err, want)
		}
	}
}

// TestPage says what has to be said, and the same twice.
func TestPage(t *testing.T) {
	d := carryOut(t, "R-1", nil)
	o := d.open(t)
	page := string(o.Page())
	if page != string(must(receipt.Open(d.bundle.Receipt, &d.private.PublicKey)).Page()) || page != string(d.bundle.Page) {
		t.Error("two pages of one receipt differ")
	}
	for _, want := range append(receipt.Limits(), "# Receipt of the deletion request R-1", "## What was asked", "to forget 21 persons: 21 samples of 81",
		"## What was done", "NegGrad+", "## What an attacker sees now", "right in ", "| loss attack AUC |", "## What this does not prove", "## How to check it", o.Model.File.String(), o.Hash.String()) {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
	if testing.Verbose() {
		t.Log(page)
	}
}

// TestTooLarge has more text than a receipt may hold.
func TestTooLarge(t *testing.T) {
	d := carryOut(t, "R-1", nil)
	d.facts.Reading = map[string]string{"note": strings.Repeat("long ", 3000)}
	r, s, err := receipt.New(d.key, d.sources, d.facts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := receipt.NewBundle(r, s, receipt.Model{}, nil, nil); !errors.Is(err, receipt.ErrSize) || !strings.Contains(err.Error(), "less than 16384") {
		t.Errorf("error %v", err)
	}
}
