package train

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/internal/checkpoint"
)

// Checkpoint says where and how often a run writes its state: weights, optimizer,
// position in every random stream, and what it has found so far. After the process was
// killed, the same call with the same arguments, on a model with the weights that it had
// at first, goes on from the file, and ends in the bits of a run that was left alone.
//
// The file says what the run depends on: the settings, the seed, the model and its
// starting weights, the data, the kernels, the compiler and the version of this module. A
// file that differs in one of these, that is damaged, or that has another version is
// refused with an error that wraps ErrCheckpoint and names the part; no run begins anew
// in silence. To begin anew, remove the file. Of functions, such as a Schedule, only the
// name is compared.
//
// A file is replaced whole: written beside, synced and renamed. It has the size of the
// weights and of the optimizer's state (SGD with momentum: as large as the weights; Adam:
// twice), and what a method keeps; as much memory is in use while it is written. It holds
// weights of the model, and so as much of the training set as these: keep it where the
// model may be kept.
type Checkpoint struct {
	// Path is the file. If it is empty, nothing is written or read.
	Path string
	// Every is the number of steps between two writes. If it is zero, 100 is used.
	Every int
	// Keep leaves the file after success, written once more after the last step. The
	// same call then takes no step again. By default the file is removed.
	Keep bool
	// Of describes what else the run depends on, such as the choice of the data or the
	// settings of a function. A checkpoint with another text is refused.
	Of string
}

// Check returns an error wrapping ErrParameter if a setting is out of range.
func (c Checkpoint) Check() error {
	if c.Every < 0 {
		return fmt.Errorf("train: %w: a checkpoint every %d steps", ErrParameter, c.Every)
	}
	return nil
}

// start opens the checkpoint, and goes on from it if there is one.
func (f *fit) start(s *Step, d feature.Dataset, descent Descent) (err error) {
	if f.Checkpoint.Path == "" {
		return nil
	}
	if err := f.Checkpoint.Check(); err != nil {
		return err
	}
	if _, err := s.State(); err != nil { // before hours of work
		return err
	}
	parts, err := f.parts(s.Model, d, descent)
	if err != nil {
		return err
	}
	if f.file, err = checkpoint.Open(checkpoint.Config(f.Checkpoint), parts); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	if _, err := f.file.Keep("training", &f.place, &f.weights, &f.history, &f.sum, &f.done); err != nil || !f.file.Waiting() {
		return err
	}
	if err := f.file.Restore(); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	if err := s.Resume(f.place); err != nil {
		return err
	}
	defer func() { f.place, f.weights = nil, nil }()
	return f.weights.Restore(s.Model)
}

// save writes the checkpoint where that is due.
func (f *fit) save(s *Step) (err error) {
	if f.file == nil || !f.file.Due(s.Number+1) && !(f.Checkpoint.Keep && s.Number+1 == s.Of) {
		return nil
	}
	if f.place, err = s.State(); err != nil {
		return err
	}
	if f.weights, err = feature.Snapshot(s.Model); err != nil {
		return err
	}
	defer func() { f.place, f.weights = nil, nil }()
	if err := f.file.Save(); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return nil
}

// parts is what a training depends on.
func (f *fit) parts(m feature.Trainable, d feature.Dataset, descent Descent) ([]checkpoint.Part, error) {
	w, err := feature.Snapshot(m)
	if err != nil {
		return nil, err
	}
	data, err := digest(d)
	if err != nil {
		return nil, err
	}
	return append([]checkpoint.Part{
		{Name: "kind", Value: "train.Fit"},
		{Name: "seed", Value: fmt.Sprint(f.Seed)},
		{Name: "numbers of epochs and of samples a step", Value: fmt.Sprint(descent.Epochs, descent.BatchSize)},
		{Name: "optimizer", Value: checkpoint.Describe(descent.Optimizer)},
		{Name: "schedule", Value: checkpoint.Describe(descent.Schedule)},
		{Name: "choice of parameters", Value: checkpoint.Describe(descent.Train)},
		{Name: "data", Value: data},
	}, checkpoint.Model(m.Spec(), w, feature.Kernels())...), nil
}

// digest describes a dataset by its size, its labels where they are known without
// reading samples, and up to 256 samples at equal distances: a whole pass over photos
// can take longer than an epoch of a small network.
func digest(d feature.Dataset) (string, error) {
	const most = 256
	sum := sha256.New()
	if l, ok := feature.As[feature.Labeled](d); ok {
		for i := range d.Len() {
			sum.Write(binary.LittleEndian.AppendUint64(nil, uint64(l.Label(i))))
		}
	}
	index := make([]int, min(d.Len(), most))
	for i := range index {
		index[i] = i * d.Len() / len(index)
	}
	part, err := feature.Subset(d, index)
	if err != nil {
		return "", err
	}
	for b, err := range feature.Batches(part, 32, nil) {
		if err != nil {
			return "", err
		}
		for i, label := range b.Labels {
			sum.Write(binary.LittleEndian.AppendUint64(nil, uint64(label)))
			for _, v := range b.X.Row(i) {
				sum.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))
			}
		}
	}
	return fmt.Sprintf("%d samples of shape %v and %d classes, SHA-256 %s", d.Len(), d.Shape(), d.Classes(), hex.EncodeToString(sum.Sum(nil))), nil
}
