package receipt

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"strings"
)

// ReadPrivateKey reads an ECDSA P-256 key from a PEM file, in the form PKCS #8
// ("PRIVATE KEY") or SEC 1 ("EC PRIVATE KEY"). Any other key gives an error wrapping
// ErrKey with the reason; encrypted keys are not decrypted here.
func ReadPrivateKey(path string) (*ecdsa.PrivateKey, error) {
	b, err := readPEM(path)
	if err != nil {
		return nil, err
	}
	var key any
	switch b.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(b.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(b.Bytes)
	case "PUBLIC KEY":
		return nil, fmt.Errorf("receipt: %s: %w: it is a public key; signing needs the private one", path, ErrKey)
	default:
		return nil, wrongBlock(path, b.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("receipt: %s: %w: %w", path, ErrKey, err)
	}
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("receipt: %s: %w: it is a %T; only ECDSA P-256 is used", path, ErrKey, key)
	}
	return private, checkCurve(path, private.Curve)
}

// ReadPublicKey reads an ECDSA P-256 key from a PEM file in the form PKIX ("PUBLIC
// KEY"). Any other key gives an error wrapping ErrKey with the reason.
func ReadPublicKey(path string) (*ecdsa.PublicKey, error) {
	b, err := readPEM(path)
	if err != nil {
		return nil, err
	}
	switch b.Type {
	case "PUBLIC KEY":
	case "PRIVATE KEY", "EC PRIVATE KEY":
		return nil, fmt.Errorf("receipt: %s: %w: it is a private key, which nobody who verifies should have; openssl pkey -pubout makes the public one", path, ErrKey)
	default:
		return nil, wrongBlock(path, b.Type)
	}
	key, err := x509.ParsePKIXPublicKey(b.Bytes)
	if err != nil {
		return nil, fmt.Errorf("receipt: %s: %w: %w", path, ErrKey, err)
	}
	public, ok := key.(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("receipt: %s: %w: it is a %T; only ECDSA P-256 is used", path, ErrKey, key)
	}
	return public, checkCurve(path, public.Curve)
}

// readPEM returns the first block that is not EC PARAMETERS, which openssl ecparam
// writes before a key.
func readPEM(path string) (*pem.Block, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("receipt: key: %w", err)
	}
	b, rest := pem.Decode(text)
	if b != nil && b.Type == "EC PARAMETERS" {
		b, _ = pem.Decode(rest)
	}
	switch {
	case b == nil:
		return nil, fmt.Errorf("receipt: %s: %w: there is no PEM block", path, ErrKey)
	case strings.HasPrefix(b.Type, "ENCRYPTED") || b.Headers["DEK-Info"] != "":
		return nil, fmt.Errorf("receipt: %s: %w: it is encrypted (%s); openssl pkey decrypts it", path, ErrKey, b.Type)
	}
	return b, nil
}

func wrongBlock(path, kind string) error {
	return fmt.Errorf("receipt: %s: %w: a block %q; private keys are PRIVATE KEY or EC PRIVATE KEY, public ones PUBLIC KEY", path, ErrKey, kind)
}

func checkCurve(path string, c elliptic.Curve) error {
	if c != elliptic.P256() {
		return fmt.Errorf("receipt: %s: %w: its curve is %s; only P-256 is used", path, ErrKey, c.Params().Name)
	}
	return nil
}

// KeyID returns the SHA-256 of a public key in the form PKIX, which openssl pkey
// -pubin -outform DER prints. Receipts name their key by it.
func KeyID(k *ecdsa.PublicKey) (Hash, error) {
	der, err := x509.MarshalPKIXPublicKey(k)
	if err != nil {
		return Hash{}, fmt.Errorf("receipt: %w: %w", ErrKey, err)
	}
	return sha256.Sum256(der), nil
}
