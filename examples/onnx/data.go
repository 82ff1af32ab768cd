package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/dataset"
)

// part is one folder of images.
type part struct {
	name, dir string
	set       *dataset.Set
	skipped   []dataset.Skipped
}

// data are the images of a run.
type data struct {
	parts                         []*part // those that are given
	retain, forget, holdout, test *part   // holdout and test may be nil
	steer                         feature.Dataset
	judge                         dlfd.AuditData // Test and NonMember are nil where there is nothing unseen
}

// load reads the folders as the model wants images.
func load(f *flags, s feature.Spec) (*data, error) {
	if len(s.Input) != 3 || s.Input[0] != 1 && s.Input[0] != 3 {
		hint := ""
		if len(s.Input) == 3 && (s.Input[2] == 1 || s.Input[2] == 3) {
			hint = "; it looks as if channels came last: export the model with channels first"
		}
		return nil, fmt.Errorf("the model wants samples of shape %v, and images are 1 or 3 channels×height×width%s", s.Input, hint)
	}
	d := &data{}
	o := dataset.FolderOptions{Classes: f.classes, Image: f.image(s)}
	if f.person != nil {
		o.Identity = f.who
	}
	for _, name := range sets {
		if f.dir(name) == "" {
			continue
		}
		p := &part{name: name, dir: f.dir(name)}
		if err := p.read(&o, f); err != nil {
			return nil, fmt.Errorf("%s: %w%s", name, err, hintOn(err, f))
		}
		o.Classes = p.set.ClassNames() // those of retain, which is first, hold for all
		if p.set.Classes() != s.Classes() {
			return nil, fmt.Errorf("%s: %s; -classes names the subfolders in the order of the logits, -logits another output", name, mismatch(p.set, s))
		}
		d.add(p)
	}
	return d, d.divide(f.demand())
}

// image says what images are turned into.
func (f *flags) image(s feature.Spec) dataset.ImageOptions {
	return dataset.ImageOptions{
		Channels: s.Input[0], Size: [2]int{s.Input[1], s.Input[2]}, SkipUnreadable: f.skip,
		Pixels: feature.Pixels{Mean: f.mean, Std: f.std},
	}
}

func mismatch(set *dataset.Set, s feature.Spec) string {
	names := strings.Join(set.ClassNames(), ",")
	if len(names) > 60 {
		names = names[:60] + "…"
	}
	return fmt.Sprintf("%s %s for the %d logits of %q", count(set.Classes(), "class"), names, s.Classes(), s.Logits)
}

// hintOn names the flags that help with an error.
func hintOn(err error, f *flags) string {
	switch {
	case errors.Is(err, dataset.ErrFormat) && !f.skip:
		return "; -skip-unreadable leaves out what cannot be read"
	case errors.Is(err, dataset.ErrIdentity):
		return "; -identity must match the path of every image"
	case errors.Is(err, feature.ErrLabel):
		return "; subfolders are matched by name to those of retain, or to -classes"
	case errors.Is(err, feature.ErrShape):
		return "; -mean and -std have one number a channel"
	}
	return ""
}

// read reads one folder.
func (p *part) read(o *dataset.FolderOptions, f *flags) (err error) {
	if p.set, err = dataset.Folder(p.dir, o); err != nil {
		return err
	}
	p.skipped = p.set.Skipped()
	if f.bgr {
		p.set, err = reversed(p.set)
	}
	return err
}

// reversed returns a set with the channels in the opposite order, and the
// normalization as it was. It takes four times the memory: a pixel is a float32.
func reversed(set *dataset.Set) (*dataset.Set, error) {
	plain, err := set.Normalize(feature.Pixels{})
	if err != nil {
		return nil, err
	}
	b, err := feature.ReadAll(plain)
	if err != nil {
		return nil, err
	}
	s := dataset.Samples{X: b.X, Labels: b.Labels, Classes: set.ClassNames(), Pixels: set.Pixels()}
	channels := set.Shape()[0]
	area := feature.Size(set.Shape()[1:])
	for i := range set.Len() {
		row := b.X.Row(i)
		old := slices.Clone(row)
		for c := range channels {
			copy(row[c*area:(c+1)*area], old[(channels-1-c)*area:])
		}
		s.Identities, s.Paths = append(s.Identities, set.Identity(i)), append(s.Paths, set.Path(i))
	}
	return dataset.Memory(s)
}

func (d *data) add(p *part) {
	d.parts = append(d.parts, p)
	switch p.name {
	case "retain":
		d.retain = p
	case "forget":
		d.forget = p
	case "holdout":
		d.holdout = p
	case "test":
		d.test = p
	}
}

// divide keeps what steers and what judges apart, as dlfd.NewRequest does. That
// function is not used because a single forget or holdout image is no error here,
// because all forget images count for the accuracy, and because of -test.
func (d *data) divide(asked *dlfd.Demand) error {
	d.judge = dlfd.AuditData{Retain: d.retain.set, Forget: d.forget.set, Demand: asked}
	first, second, err := feature.Halves(d.forget.set)
	if err != nil {
		return err
	}
	d.judge.Member = second
	switch {
	case d.test != nil:
		d.judge.Test = d.test.set
		if d.holdout != nil {
			d.steer = d.holdout.set
		}
	case d.holdout != nil:
		if d.steer, d.judge.Test, err = feature.HalvesBeside(d.holdout.set, first, second); err != nil {
			return err
		}
		if d.steer.Len() == 0 { // all persons of the holdout are in the half that judges
			return errors.New("no image of -holdout is left to steer by: its persons all stand in the half of -forget that judges; give other persons, or -test")
		}
	}
	d.judge.NonMember = d.judge.Test
	if asked.Kind == dlfd.KindClass && d.judge.Test != nil { // unseen images of the class must be forgotten too
		gone := d.forget.counts()
		labels, err := feature.Labels(d.judge.Test)
		if err != nil {
			return err
		}
		d.judge.NonMember, _, err = feature.Partition(d.judge.Test, func(i int) bool { return gone[labels[i]] > 0 })
		return err
	}
	return nil
}

// show prints which subfolder is which logit, with the accuracy on retain, and how
// many images there are.
func (d *data) show(w io.Writer, confusion [][]int) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "logit\tfolder\tretain accuracy")
	for _, p := range d.parts {
		fmt.Fprint(t, "\t", p.name)
	}
	fmt.Fprintln(t)
	var counts [][]int
	for _, p := range d.parts {
		counts = append(counts, p.counts())
	}
	for c, name := range d.retain.set.ClassNames() {
		fmt.Fprintf(t, "%d\t%s\t%s", c, name, share(confusion[c][c], counts[0][c]))
		for _, n := range counts {
			fmt.Fprint(t, "\t", n[c])
		}
		fmt.Fprintln(t)
	}
	fmt.Fprintf(t, "all\t\t%s", share(right(confusion), d.retain.set.Len()))
	for _, p := range d.parts {
		fmt.Fprint(t, "\t", p.set.Len())
	}
	fmt.Fprintln(t)
	if err := t.Flush(); err != nil {
		return err
	}
	d.showOrder(w)
	d.showSkipped(w)
	return nil
}

func (p *part) counts() []int {
	n := make([]int, p.set.Classes())
	for i := range p.set.Len() {
		n[p.set.Label(i)]++
	}
	return n
}

// showOrder warns of numbers that are not in their order: "10" stands before "2",
// as image folders of PyTorch have it, and as a model may or may not.
func (d *data) showOrder(w io.Writer) {
	var values []int
	for _, name := range d.retain.set.ClassNames() {
		v, err := strconv.Atoi(name)
		if err != nil {
			return
		}
		values = append(values, v)
	}
	if !slices.IsSorted(values) {
		fmt.Fprintln(w, "note: the folders are numbers in the order of their spelling; -classes gives another order")
	}
}

// showSkipped lists what is in the folders and was not read.
func (d *data) showSkipped(w io.Writer) {
	const most = 5
	for _, p := range d.parts {
		if len(p.skipped) > 0 {
			fmt.Fprintf(w, "%s: %s read, %s left out:\n", p.name, count(p.set.Len(), "image"), count(len(p.skipped), "file"))
		}
		for i, s := range p.skipped {
			if i == most {
				fmt.Fprintf(w, "  and %d more\n", len(p.skipped)-most)
				break
			}
			fmt.Fprintln(w, " ", s)
		}
	}
}

// share writes k of n as the tables of the field do.
func share(k, n int) string {
	if n == 0 {
		return "none"
	}
	return fmt.Sprintf("%.3f", float64(k)/float64(n))
}

// count writes a number of things.
func count(n int, thing string) string {
	switch {
	case n == 1:
		return "1 " + thing
	case strings.HasSuffix(thing, "s"):
		return fmt.Sprint(n, " ", thing, "es")
	}
	return fmt.Sprint(n, " ", thing, "s")
}
