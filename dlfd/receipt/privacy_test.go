package receipt_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd/receipt"
)

// told is everything that a receipt tells to the public: its statement and its files.
func told(t *testing.T, b *receipt.Bundle) string {
	t.Helper()
	var all []byte
	for _, file := range [][]byte{b.Receipt, b.TestResult} {
		var e struct{ Payload []byte }
		if err := json.Unmarshal(file, &e); err != nil {
			t.Fatal(err)
		}
		all = slices.Concat(all, file, e.Payload)
	}
	return string(slices.Concat(all, b.Page, b.Trace))
}

// dictionary is what somebody without the key may guess: names, paths and contents.
func dictionary(t *testing.T, d *made) map[string][]byte {
	t.Helper()
	words := make(map[string][]byte)
	for _, p := range []photos{d.retain, d.forget, d.holdout} {
		for i := range p.Len() {
			name := p.Path(i)
			for _, w := range []string{name, filepath.Base(name), filepath.Base(filepath.Dir(name)), p.Persons[i], strings.TrimSuffix(filepath.Base(name), ".png"), string(p.content(i))} {
				words[w] = []byte(w)
			}
		}
	}
	return words
}

// guesses are the hashes that a dictionary is tried with.
func guesses(word []byte) map[string]bool {
	all := make(map[string]bool)
	sum := sha256.Sum256(word)
	var empty receipt.Key
	for label := byte(0); label < 3; label++ {
		leaf := slices.Concat([]byte{0}, make([]byte, 7), []byte{label}, sum[:])
		for _, text := range [][]byte{word, sum[:], leaf, append([]byte{0}, word...), append(slices.Clone(word), '\n')} {
			for _, h := range []hash.Hash{sha256.New(), sha1.New(), md5.New(), sha512.New(), hmac.New(sha256.New, nil), hmac.New(sha256.New, empty[:]), hmac.New(sha256.New, word)} {
				h.Write(text)
				all[fmt.Sprintf("%x", h.Sum(nil))] = true
			}
		}
	}
	return all
}

// TestNothingConfirmed tries a dictionary of all names and contents against every hash
// and every text of a receipt. With the key it would find the forget set of one photo,
// so that the search is one that can succeed.
func TestNothingConfirmed(t *testing.T) {
	d := carryOut(t, "R-1", nil)
	d.forget.X, d.forget.Labels, d.forget.Persons = d.forget.X.Slice(0, 1), d.forget.Labels[:1], d.forget.Persons[:1]
	d.sources.Forget = receipt.Files(d.forget) // one photo: the root is its leaf
	d.seal(t, d.private)
	text := told(t, d.bundle)
	hashes := regexp.MustCompile(`[0-9a-f]{32,}`).FindAllString(text, -1)
	if len(hashes) < 10 {
		t.Fatalf("only %d hashes", len(hashes))
	}
	for name, word := range dictionary(t, d) {
		if strings.Contains(text, name) || strings.Contains(text, base64.StdEncoding.EncodeToString(word)) {
			t.Errorf("the receipt has the text %q", name)
		}
		guessed := guesses(word)
		for _, h := range hashes {
			if guessed[h] {
				t.Errorf("hash %s is one of %q", h, name)
			}
		}
	}
	s := d.secret(t)
	if root := s.Forget.Root().String(); !slices.Contains(hashes, root) {
		t.Errorf("the search does not see root %s", root)
	}
	if bytes.Contains([]byte(text), []byte(s.Key.String())) {
		t.Error("the receipt has the key")
	}
	for _, h := range slices.Concat(s.Samples, s.Persons) {
		if strings.Contains(text, h.String()) {
			t.Errorf("the receipt has mark %s of the secret", h)
		}
	}
}

// TestProofTellsOnlyOne tries the dictionary against a proof, with the key in it: it
// confirms its own photo and none of the others.
func TestProofTellsOnlyOne(t *testing.T) {
	d := carryOut(t, "R-1", nil)
	sum := receipt.Hash(sha256.Sum256(d.forget.content(4)))
	p, err := d.secret(t).Prove(sum, 3)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for i := range d.forget.Len() {
		sum := sha256.Sum256(d.forget.content(i))
		h := hmac.New(sha256.New, p.Key[:])
		h.Write(slices.Concat([]byte{0}, make([]byte, 7), []byte{byte(d.forget.Label(i))}, sum[:]))
		if leaf := receipt.Hash(h.Sum(nil)); slices.Contains(p.Path, leaf) || slices.Contains(d.secret(t).Forget.Leaves, leaf) {
			found++
		}
	}
	if found != 1 {
		t.Errorf("the key of a proof confirms %d photos", found)
	}
}
