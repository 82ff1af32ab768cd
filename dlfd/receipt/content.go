package receipt

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"math"
	"os"

	"github.com/dlfd-go/unlearn/feature"
)

// Content is what a leaf stands for: the SHA-256 of a sample, its label, and whom it
// shows, where that is known.
type Content struct {
	Sum      Hash
	Label    int
	Identity string // used by a Secret alone, never in a receipt
}

// Contents are the contents of a set, in order. An error ends them.
type Contents = iter.Seq2[Content, error]

// The kinds of contents, as a receipt calls them.
const (
	OfSamples = "samples" // the values that the model is given; see Samples
	OfFiles   = "files"   // the bytes of the files; see Files
)

// Samples returns the contents of a dataset, whose samples are read once, 64 at a
// time. The content of a sample is its rank and its shape as big-endian uint32,
// followed by its values as little-endian float32.
func Samples(d feature.Dataset) Contents {
	return func(yield func(Content, error) bool) {
		size := feature.Size(d.Shape())
		buf := header(d.Shape())
		values := len(buf)
		for b, err := range feature.Batches(d, 64, nil) {
			if err != nil {
				yield(Content{}, err)
				return
			}
			for row, i := range b.Index {
				buf = buf[:values]
				for _, v := range b.X.Data[row*size : (row+1)*size] {
					buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
				}
				if !yield(Content{sha256.Sum256(buf), b.Labels[row], feature.IdentityOf(d, i)}, nil) {
					return
				}
			}
		}
	}
}

func header(shape []int) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(shape)))
	for _, n := range shape {
		b = binary.BigEndian.AppendUint32(b, uint32(n))
	}
	return b
}

// Pathed is implemented by datasets that were read from files: Path is that of
// sample i.
type Pathed interface {
	Path(i int) string
}

// Files returns the contents of the files that the samples of d were read from, in the
// order of d. The content of a file is its bytes, which are read as a stream. d must be
// Pathed, by feature.As: else the error wraps ErrParameter. Samples that share a file, as
// in IDX, have no file of their own: take Samples for them.
func Files(d feature.Dataset) Contents {
	return func(yield func(Content, error) bool) {
		paths, ok := feature.As[Pathed](d)
		if !ok {
			yield(Content{}, fmt.Errorf("%w: the dataset does not know its files", ErrParameter))
			return
		}
		labels, err := feature.Labels(d)
		if err != nil {
			yield(Content{}, err)
			return
		}
		for i, label := range labels {
			sum, err := SumFile(paths.Path(i))
			if !yield(Content{sum, label, feature.IdentityOf(d, i)}, err) || err != nil {
				return
			}
		}
	}
}

// Sum returns the SHA-256 of a stream.
func Sum(r io.Reader) (Hash, error) {
	h := sha256.New()
	_, err := io.Copy(h, r)
	return Hash(h.Sum(nil)), err
}

// SumFile returns the SHA-256 of a file.
func SumFile(path string) (Hash, error) {
	f, err := os.Open(path)
	if err != nil {
		return Hash{}, err
	}
	defer f.Close()
	return Sum(f)
}

// sumBytes is Sum of bytes in memory.
func sumBytes(b []byte) Hash {
	h, _ := Sum(bytes.NewReader(b)) // reading memory does not fail
	return h
}

// count notes the labels of contents that pass through.
func count(all Contents, labels *[]int) Contents {
	return func(yield func(Content, error) bool) {
		for c, err := range all {
			if err == nil {
				for len(*labels) <= c.Label {
					*labels = append(*labels, 0)
				}
				if c.Label >= 0 {
					(*labels)[c.Label]++
				}
			}
			if !yield(c, err) {
				return
			}
		}
	}
}
