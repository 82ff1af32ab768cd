package receipt

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
)

// Hash is a SHA-256 or an HMAC-SHA-256. As text it has 64 hexadecimal digits.
type Hash [sha256.Size]byte

// String returns the hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText implements encoding.TextMarshaler.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hash) UnmarshalText(text []byte) error {
	if len(text) != 2*len(h) {
		return fmt.Errorf("receipt: %w: a hash has %d hexadecimal digits, not %d", ErrFormat, 2*len(h), len(text))
	}
	if _, err := hex.Decode(h[:], text); err != nil {
		return fmt.Errorf("receipt: %w: hash: %w", ErrFormat, err)
	}
	return nil
}

// Key is the key of a request. It must be random and used for one request alone.
type Key = Hash

// NewKey returns a random key.
func NewKey() (k Key, err error) {
	_, err = rand.Read(k[:])
	return k, err
}

// Tree is a keyed Merkle tree over a set of samples.
type Tree struct {
	Set    string `json:"set"`    // "forget", for example; the keys of the leaves depend on it
	Leaves []Hash `json:"leaves"` // in the order of the samples
}

// NewTree hashes all contents into a tree. It keeps 32 bytes a sample; contents are
// read once. No contents give an error wrapping ErrEmpty.
func NewTree(k Key, set string, all Contents) (*Tree, error) {
	t := &Tree{Set: set}
	for c, err := range all {
		if err != nil {
			return nil, fmt.Errorf("receipt: %s: sample %d: %w", set, len(t.Leaves), err)
		}
		t.Leaves = append(t.Leaves, leaf(leafKey(k, set, len(t.Leaves)), c.Label, c.Sum))
	}
	if len(t.Leaves) == 0 {
		return nil, fmt.Errorf("receipt: %s: %w", set, ErrEmpty)
	}
	return t, nil
}

// leafKey is the key of leaf i. It tells nothing of the other keys.
func leafKey(k Key, set string, i int) Hash {
	h := hmac.New(sha256.New, k[:])
	h.Write([]byte("unlearn receipt leaf\x00" + set + "\x00"))
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(i)))
	return Hash(h.Sum(nil))
}

func leaf(key Hash, label int, content Hash) Hash {
	h := hmac.New(sha256.New, key[:])
	h.Write([]byte{0})
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(int64(label))))
	h.Write(content[:])
	return Hash(h.Sum(nil))
}

func node(left, right Hash) Hash {
	return sha256.Sum256(slices.Concat([]byte{1}, left[:], right[:]))
}

// Root returns the root of the tree, which has one leaf at least.
func (t *Tree) Root() Hash { return root(t.Leaves) }

func root(leaves []Hash) Hash {
	if len(leaves) == 1 {
		return leaves[0]
	}
	k := split(len(leaves))
	return node(root(leaves[:k]), root(leaves[k:]))
}

// split returns the largest power of two below n, which is at least 2.
func split(n int) int {
	k := 1
	for 2*k < n {
		k *= 2
	}
	return k
}

// path returns the hashes beside the way from leaf i to the root, the lowest first.
func path(leaves []Hash, i int) []Hash {
	if len(leaves) == 1 {
		return nil
	}
	if k := split(len(leaves)); i < k {
		return append(path(leaves[:k], i), root(leaves[k:]))
	} else {
		return append(path(leaves[k:], i-k), root(leaves[:k]))
	}
}

// climb returns the root that a leaf and its path lead to. The path must have as many
// hashes as there are nodes between leaf i of n and the root.
func climb(h Hash, i, n int, path []Hash) (Hash, bool) {
	if n == 1 {
		return h, len(path) == 0
	}
	if len(path) == 0 {
		return h, false
	}
	k, last := split(n), len(path)-1
	if i < k {
		left, ok := climb(h, i, k, path[:last])
		return node(left, path[last]), ok
	}
	right, ok := climb(h, i-k, n-k, path[:last])
	return node(path[last], right), ok
}
