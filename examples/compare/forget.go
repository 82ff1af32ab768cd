package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"github.com/dlfd-go/unlearn/dlfd/experiment"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/train"
)

// choose decides what must go, as -forget says.
func (f *flags) choose(ctx context.Context, s *source, r experiment.Recipe) error {
	kind := f.forget
	if kind == "" {
		if s.forget != nil {
			return nil
		}
		kind = "random"
	}
	labels, err := feature.Labels(s.train)
	if err != nil {
		return err
	}
	var chosen []int
	switch kind {
	case "random":
		chosen = f.random(len(labels))
	case "identity":
		chosen, err = f.persons(s.train)
	case "class":
		chosen, err = f.wholeClass(labels)
	case "mislabeled":
		chosen = f.random(len(labels))
		s.train = mislabel(s.train, labels, chosen, f.stream("labels"))
	case "memorized":
		chosen, err = f.memorized(ctx, s.train, r)
	}
	if err != nil {
		return fmt.Errorf("-forget %s: %w", kind, err)
	}
	goes := make([]bool, len(labels))
	for _, i := range chosen {
		goes[i] = true
	}
	s.forget = func(i int) bool { return goes[i] }
	s.settings["forget"], s.settings["forget_share"] = kind, float64(len(chosen))/float64(len(labels))
	return nil
}

// stream returns random numbers for a purpose.
func (f *flags) stream(purpose string) *rand.Rand {
	var seed [32]byte
	copy(seed[:], fmt.Sprintf("%d %s", f.seed, purpose))
	return rand.New(rand.NewChaCha8(seed))
}

// count is the number of samples that -share stands for.
func (f *flags) count(n int) int { return max(1, int(f.share*float64(n)+.5)) }

func (f *flags) random(n int) []int { return f.stream("random").Perm(n)[:f.count(n)] }

// persons returns all samples of random persons, until they are as many as wanted.
func (f *flags) persons(d feature.Dataset) (chosen []int, err error) {
	all := feature.Identities(d)
	if len(all) < 2 {
		return nil, fmt.Errorf("the data know %d persons", len(all))
	}
	f.stream("persons").Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, person := range all[:len(all)-1] {
		for i := range d.Len() {
			if feature.IdentityOf(d, i) == person {
				chosen = append(chosen, i)
			}
		}
		if len(chosen) >= f.count(d.Len()) {
			break
		}
	}
	return chosen, nil
}

func (f *flags) wholeClass(labels []int) (chosen []int, err error) {
	for i, label := range labels {
		if label == f.class {
			chosen = append(chosen, i)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no training sample is of -class %d", f.class)
	}
	return chosen, nil
}

// relabeled is a dataset with other labels.
type relabeled struct {
	feature.Dataset
	labels []int
}

// mislabel gives the chosen samples a wrong label each.
func mislabel(d feature.Dataset, labels, chosen []int, r *rand.Rand) feature.Dataset {
	labels = slices.Clone(labels)
	for _, i := range chosen {
		labels[i] = (labels[i] + 1 + r.IntN(d.Classes()-1)) % d.Classes()
	}
	return &relabeled{d, labels}
}

// Label implements feature.Labeled.
func (d *relabeled) Label(i int) int { return d.labels[i] }

// Read implements feature.Dataset.
func (d *relabeled) Read(index []int, x []float32, labels []int) error {
	err := d.Dataset.Read(index, x, labels)
	if err != nil {
		return err
	}
	for k, i := range index {
		labels[k] = d.labels[i]
	}
	return nil
}

// As offers what the dataset offers beside its labels; see feature.As.
func (d *relabeled) As(target any) (ok bool) {
	switch t := target.(type) {
	case *feature.Identified:
		*t, ok = feature.As[feature.Identified](d.Dataset)
	case *feature.ClassNamed:
		*t, ok = feature.As[feature.ClassNamed](d.Dataset)
	case *feature.Normalized:
		*t, ok = feature.As[feature.Normalized](d.Dataset)
	}
	return ok
}

// memorized returns the samples that models get right for having seen them: those
// whose loss under a model trained on the other half of the data exceeds most that
// under the model trained on their own half (Feldman and Zhang, arXiv 2008.03703,
// with one model each). The choice is kept in the folder of the results, as it takes
// as long as one training.
func (f *flags) memorized(ctx context.Context, d feature.Dataset, r experiment.Recipe) (chosen []int, err error) {
	path := filepath.Join(f.out, "memorized.json")
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &chosen)
		return chosen, err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	score := make([]float64, d.Len())
	order := f.stream("halves").Perm(d.Len())
	half := len(order) / 2
	for side, own := range [][]int{order[:half], order[half:]} {
		losses, err := f.lossesAfter(ctx, d, own, r, uint64(side))
		if err != nil {
			return nil, err
		}
		inside := make([]bool, d.Len())
		for _, i := range own {
			inside[i] = true
		}
		for i, loss := range losses {
			if inside[i] {
				score[i] -= loss
			} else {
				score[i] += loss
			}
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(score[b], score[a]) })
	chosen = order[:f.count(d.Len())]
	if err := os.MkdirAll(f.out, 0o777); err != nil {
		return nil, err
	}
	return chosen, replace(path, func(w io.Writer) error { return json.NewEncoder(w).Encode(chosen) })
}

// lossesAfter trains on some samples and returns the losses of all.
func (f *flags) lossesAfter(ctx context.Context, d feature.Dataset, own []int, r experiment.Recipe, seed uint64) ([]float64, error) {
	m, err := r.Fresh(seed)
	if err != nil {
		return nil, err
	}
	part, err := feature.Subset(d, own)
	if err != nil {
		return nil, err
	}
	o := &train.Options{Epochs: r.Epochs, BatchSize: r.BatchSize, Optimizer: r.Optimizer, Schedule: r.Schedule, Seed: seed}
	if _, err := train.Fit(ctx, m, part, o); err != nil {
		return nil, err
	}
	out, labels, err := feature.Predict(ctx, m, d, []string{m.Spec().Logits}, 256)
	if err != nil {
		return nil, err
	}
	losses := make([]float64, d.Len())
	return losses, feature.CrossEntropies(losses, out[0], labels)
}
