package receipt

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
)

// Secret is what the operator of a request knows and its receipt does not tell: the
// key, and marks by which forgotten samples and persons are known again. The receipt
// has the hash of its file.
type Secret struct {
	Request string `json:"request"` // the id of the request
	Key     Key    `json:"key"`
	Forget  *Tree  `json:"forget"`
	// Samples and Persons are keyed hashes of the contents of the forget set, whatever
	// their labels, and of its identities.
	Samples []Hash `json:"samples"`
	Persons []Hash `json:"persons,omitempty"`
}

// newSecret hashes a forget set.
func newSecret(id string, k Key, forget Contents) (*Secret, error) {
	s := &Secret{Request: id, Key: k}
	seen := make(map[Hash]bool)
	var err error
	s.Forget, err = NewTree(k, Forget, func(yield func(Content, error) bool) {
		for c, err := range forget {
			if err == nil {
				s.Samples = append(s.Samples, mark(k, "sample", c.Sum[:]))
				if person := mark(k, "person", []byte(c.Identity)); c.Identity != "" && !seen[person] {
					seen[person] = true
					s.Persons = append(s.Persons, person)
				}
			}
			if !yield(c, err) {
				return
			}
		}
	})
	return s, err
}

func mark(k Key, kind string, what []byte) Hash {
	h := hmac.New(sha256.New, k[:])
	h.Write([]byte("unlearn receipt mark\x00" + kind + "\x00"))
	h.Write(what)
	return Hash(h.Sum(nil))
}

// Text returns the content of the secret's file, as JSON.
func (s *Secret) Text() ([]byte, error) {
	text, err := json.MarshalIndent(s, "", " ")
	return append(text, '\n'), err
}

// ReadSecret reads the file of a secret and checks that it is the one of the receipt:
// else the error wraps ErrSecret.
func ReadSecret(text []byte, r *Receipt) (*Secret, error) {
	if sum := sumBytes(text); sum != r.Request.Secret {
		return nil, fmt.Errorf("receipt: %w: the file has SHA-256 %s, request %s names %s", ErrSecret, sum, r.Request.ID, r.Request.Secret)
	}
	s := new(Secret)
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("receipt: %w: secret: %w", ErrFormat, err)
	}
	if s.Forget == nil || len(s.Forget.Leaves) == 0 {
		return nil, fmt.Errorf("receipt: %w: the secret has no tree", ErrFormat)
	}
	return s, nil
}

// CheckReturned returns an error wrapping ErrReturned, which names the request, if a
// sample or a person of the forget set is among the contents, such as the retain set
// of a later request. Samples are known by their content, to the bit: a photo in
// another compression is another sample, and is known by its person alone. Cost: two
// short hashes a sample.
func (s *Secret) CheckReturned(all Contents) error {
	samples, persons := asSet(s.Samples), asSet(s.Persons)
	backSamples, backPersons, first, n := 0, make(map[Hash]bool), -1, 0
	for c, err := range all {
		if err != nil {
			return fmt.Errorf("receipt: sample %d: %w", n, err)
		}
		person := mark(s.Key, "person", []byte(c.Identity))
		sample := samples[mark(s.Key, "sample", c.Sum[:])]
		if sample {
			backSamples++
		}
		if persons[person] {
			backPersons[person] = true
		}
		if first < 0 && (sample || persons[person]) {
			first = n
		}
		n++
	}
	if first < 0 {
		return nil
	}
	return fmt.Errorf("receipt: %w: request %s: samples %d, persons %d, of %d samples; the first is sample %d", ErrReturned, s.Request, backSamples, len(backPersons), n, first)
}

func asSet(list []Hash) map[Hash]bool {
	set := make(map[Hash]bool, len(list))
	for _, h := range list {
		set[h] = true
	}
	return set
}

// Proof shows that one sample was in a set of a receipt, and tells nothing of the
// others.
type Proof struct {
	Set   string `json:"set"`
	Index int    `json:"index"`
	Count int    `json:"count"` // samples of the set
	Label int    `json:"label"`
	Key   Hash   `json:"key"`  // of this leaf
	Path  []Hash `json:"path"` // beside the way to the root, the lowest first
}

// Prove returns the proof for a sample of the forget set with the given content and
// one of the labels 0 to classes−1. An error wraps ErrInclusion if there is none.
// Cost: as many hashes as the set has samples, times classes.
func (s *Secret) Prove(content Hash, classes int) (*Proof, error) {
	for i, want := range s.Forget.Leaves {
		k := leafKey(s.Key, s.Forget.Set, i)
		for label := range classes {
			if leaf(k, label, content) == want {
				return &Proof{s.Forget.Set, i, len(s.Forget.Leaves), label, k, path(s.Forget.Leaves, i)}, nil
			}
		}
	}
	return nil, fmt.Errorf("receipt: %w: none of %d samples of request %s has this content", ErrInclusion, len(s.Forget.Leaves), s.Request)
}

// Check returns an error wrapping ErrInclusion unless the content is that of the
// sample that p speaks of, and the sample in the set of the receipt.
func (p *Proof) Check(r *Receipt, content io.Reader) error {
	set := r.Data.set(p.Set)
	if set == nil || set.Count != p.Count || p.Index < 0 || p.Index >= p.Count {
		return fmt.Errorf("receipt: %w: the proof is for sample %d of %d in %q, which the receipt does not have", ErrInclusion, p.Index, p.Count, p.Set)
	}
	sum, err := Sum(content)
	if err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	if got, ok := climb(leaf(p.Key, p.Label, sum), p.Index, p.Count, p.Path); !ok || !bytes.Equal(got[:], set.Root[:]) {
		return fmt.Errorf("receipt: %w: sample %d of %d in %s: the content leads to another root than %s", ErrInclusion, p.Index, p.Count, p.Set, set.Root)
	}
	return nil
}
