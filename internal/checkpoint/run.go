package checkpoint

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/dlfd-go/unlearn/internal/atomicfile"
)

// Config says where and how often the state of a run is written. Packages feature/train
// and dlfd document it.
type Config struct {
	Path  string
	Every int
	Keep  bool
	Of    string
}

// Run is the checkpoint of one run: the values that make up its state, and the file.
type Run struct {
	Config
	parts []Part
	then  []Part // those of the file, not yet found to agree
	kept  []kept
	found []piece // of the file, not yet restored
	ready bool    // Restore was called, or there is nothing to restore
}

// kept is values under a name.
type kept struct {
	name   string
	values []any // pointers
}

// defaultEvery is the number of steps between two writes: a few minutes of a large
// network, and rare enough for a small one.
const defaultEvery = 100

// Open prepares the checkpoint of a run that depends on parts. Where there is a file,
// its state waits for Restore. Errors: those wrapping Err for a file that is damaged or
// of another run, and those of reading and writing.
func Open(o Config, parts []Part) (*Run, error) {
	o.Every = cmp.Or(o.Every, defaultEvery)
	if o.Of != "" {
		parts = append(parts, Part{"description (Checkpoint.Of)", o.Of})
	}
	c, err := read(o.Path)
	if err != nil {
		return nil, err
	}
	r := &Run{Config: o, parts: parts, ready: c == nil}
	if c == nil {
		return r, atomicfile.Try(o.Path)
	}
	r.then, r.found, r.parts = c.Parts, c.Pieces, nil
	for _, p := range parts {
		if err := r.Agree(p); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Agree adds a part on which the run depends. It returns an error wrapping Err if the
// file has another, or does not have it.
func (r *Run) Agree(p Part) error {
	r.parts = append(r.parts, p)
	if r.ready {
		return nil
	}
	i := slices.IndexFunc(r.then, func(q Part) bool { return q.Name == p.Name })
	if i < 0 {
		return r.refuse("is of another run: it does not say its %s", p.Name)
	}
	was := r.then[i].Value
	r.then = slices.Delete(slices.Clone(r.then), i, i+1)
	if was != p.Value {
		return r.refuse("is of another run: the %s: %s", p.Name, difference(was, p.Value))
	}
	return nil
}

func (r *Run) refuse(format string, a ...any) error {
	return fmt.Errorf("%w: %s %w", Err, filepath.Base(r.Path), fmt.Errorf(format, a...))
}

// Waiting reports whether there is a state that waits for Restore.
func (r *Run) Waiting() bool { return !r.ready }

// Keep makes the values that pointers lead to part of the state. A name that is
// taken gets a number. After a Restore, values of the file under that name are
// restored at once. It returns the name, for Drop.
func (r *Run) Keep(name string, pointers ...any) (string, error) {
	taken := func(name string) bool {
		return slices.ContainsFunc(r.kept, func(k kept) bool { return k.name == name })
	}
	unique := name
	for n := 2; taken(unique); n++ {
		unique = fmt.Sprintf("%s %d", name, n)
	}
	k := kept{unique, pointers}
	r.kept = append(r.kept, k)
	if !r.ready {
		return unique, nil
	}
	_, err := r.restore(k)
	return unique, err
}

// Drop takes values out of the state.
func (r *Run) Drop(name string) {
	r.kept = slices.DeleteFunc(r.kept, func(k kept) bool { return k.name == name })
}

// Peek restores the values under a name, without taking them out of the file's
// state.
func (r *Run) Peek(name string, pointers ...any) error {
	for _, p := range r.found {
		if p.Name == name {
			return r.decode(p, pointers)
		}
	}
	return r.refuse("has no %s", name)
}

// Restore restores all values that are kept. Every part of the file must have been found
// to agree.
func (r *Run) Restore() error {
	if len(r.then) > 0 {
		return r.refuse("is of another run, which depends on its %s", r.then[0].Name)
	}
	r.ready = true
	for _, k := range r.kept {
		found, err := r.restore(k)
		if err == nil && !found {
			err = r.refuse("has no %s", k.name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *Run) restore(k kept) (found bool, err error) {
	for i, p := range r.found {
		if p.Name == k.name {
			r.found = slices.Delete(r.found, i, i+1)
			return true, r.decode(p, k.values)
		}
	}
	return false, nil
}

func (r *Run) decode(p piece, pointers []any) error {
	if err := Decode(p.Data, pointers...); err != nil {
		return r.refuse("has another %s: %w", p.Name, err)
	}
	return nil
}

// Left returns an error if the file had a state that nobody restored: the run is not
// the one that wrote it.
func (r *Run) Left() error {
	if len(r.found) == 0 {
		return nil
	}
	return r.refuse("has %s, which nothing in this run keeps", r.found[0].Name)
}

// Save writes the state. What nobody has restored yet stays in the file.
func (r *Run) Save() error {
	c := content{Parts: r.parts, Pieces: slices.Clone(r.found)}
	for _, k := range r.kept {
		data, err := encodePointers(k.values)
		if err != nil {
			return fmt.Errorf("checkpoint: %s: %w", k.name, err)
		}
		c.Pieces = append(c.Pieces, piece{k.name, data})
	}
	if err := write(r.Path, c); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

// Due reports whether the state is to be written after a number of steps.
func (r *Run) Due(steps int) bool { return steps%r.Every == 0 }

// Done removes the file, if there is one, unless it is to be kept.
func (r *Run) Done() error {
	if r.Config.Keep {
		return nil
	}
	if err := os.Remove(r.Path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}
