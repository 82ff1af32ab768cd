package dlfd_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/train"
)

// counting counts how often each sample is read.
type counting struct {
	*featuretest.Blobs
	reads []int
}

func (c counting) Read(index []int, x []float32, labels []int) error {
	for _, i := range index {
		c.reads[i]++
	}
	return c.Blobs.Read(index, x, labels)
}

// The later passes go over the samples that are got wrong more often than over
// the others, and over some of the others too.
func TestLaterPassesRevisitWhatIsNotKnown(t *testing.T) {
	const n = 200
	reads := func(share float64) []int {
		retain := counting{featuretest.NewBlobs(n, 6, 3, 1, 7, 1), make([]int, n)}
		for i := range n / 10 {
			retain.Labels[i] = (retain.Labels[i] + 1) % 3 // wrong labels have large losses
		}
		m := featuretest.NewMLP(6, 8, 3, 1)
		unlearn(t, dlfd.Align{Epochs: 8, Rate: .02, Revisit: share}, m, dlfd.Data{
			Retain: retain, Forget: featuretest.NewBlobs(30, 6, 3, 1, 7, 2), Holdout: featuretest.NewBlobs(30, 6, 3, 1, 7, 3)})
		return retain.reads
	}
	mean := func(v []int) float64 {
		sum := 0
		for _, k := range v {
			sum += k
		}
		return float64(sum) / float64(len(v))
	}
	r := reads(.5)
	if wrong, others := mean(r[:n/10]), mean(r[n/10:]); wrong < 1.3*others {
		t.Errorf("samples with wrong labels were read %.1f times, others %.1f times", wrong, others)
	}
	if seen := slices.Min(r); seen < 2 { // the check of the samples and the first pass
		t.Errorf("a sample was read %d times only", seen)
	}
	if all := reads(1); slices.Min(all) != slices.Max(all) {
		t.Errorf("with Revisit 1 samples are read %d to %d times", slices.Min(all), slices.Max(all))
	}
}

// Where forget and held-out samples are alike by a narrow interval, nothing is
// done, unless it is asked for; where few samples leave that open, it is done.
func TestNothingToForget(t *testing.T) {
	for _, c := range []struct {
		n      int
		always bool
		want   dlfd.Stop
	}{{6000, false, dlfd.NothingToForget}, {6000, true, dlfd.Completed}, {60, false, dlfd.Completed}} {
		m := featuretest.NewMLP(6, 8, 3, 1)
		before := weights(t, m)
		data := dlfd.Data{Retain: featuretest.NewBlobs(100, 6, 3, 1, 7, 1), Forget: featuretest.NewBlobs(c.n, 6, 3, 1, 7, 2), Holdout: featuretest.NewBlobs(c.n, 6, 3, 1, 7, 3)}
		res := unlearn(t, dlfd.Align{Epochs: 1, Always: c.always}, m, data)
		if same := slices.Equal(before, weights(t, m)); res.Stop != c.want || same != (c.want == dlfd.NothingToForget) {
			t.Errorf("%d samples, always %v: stop %q, weights unchanged %v; %+v", c.n, c.always, res.Stop, same, res.Scores)
		}
		if v := res.Scores[0]; !v.Interval.Contains(v.AUC) {
			t.Errorf("AUC %v is not in %v", v.AUC, v.Interval)
		}
	}
}

// Where it is not known whether there is something to forget, a note says so. With norms
// half of the loosening is done then for a few samples, but what is set is done as it is set; without norms
// all is done: half of it left one person known of whom sixteen samples could tell nothing.
func TestAnUnclearRequest(t *testing.T) {
	blobs := func(n int, seed uint64) feature.Dataset { return featuretest.NewBlobs(n, 6, 3, 1, 7, seed) }
	unclear := dlfd.Data{Retain: blobs(100, 1), Forget: blobs(60, 2), Holdout: blobs(60, 3)}
	known, clear := memorized(t)
	plain := featuretest.NewMLP(6, 8, 3, 1)
	few := dlfd.Data{Retain: newImages(160, 1), Forget: newImages(10, 2), Holdout: newImages(20, 3)}
	person := few
	person.Demand = &dlfd.Demand{Kind: dlfd.KindPerson}
	for _, c := range []struct {
		name            string
		of              dlfd.Align
		m               feature.Trainable
		data            dlfd.Data
		shrink, perturb float64 // follow the passes
		noted           bool
	}{
		{"unclear, without norms", dlfd.Align{}, plain, unclear, .155, 3.093, true},
		{"unclear, with norms", dlfd.Align{Epochs: 2}, conv(t), few, .675, .4, true},
		{"unclear, with norms, many", dlfd.Align{Epochs: 2}, conv(t), imageData(), .35, .8, true},
		{"unclear, with norms, a person", dlfd.Align{Epochs: 2}, conv(t), person, .35, .8, true},
		{"unclear, with norms, always", dlfd.Align{Epochs: 2, Always: true}, conv(t), few, .35, .8, false},
		{"unclear, with norms, set", dlfd.Align{Epochs: 2, Shrink: .5}, conv(t), few, .5, .4, true},
		{"unclear, with norms, no noise", dlfd.Align{Epochs: 2, Perturb: dlfd.Off}, conv(t), few, .675, dlfd.Off, true},
		{"clear", dlfd.Align{}, known, clear, .173, 2.773, false},
	} {
		res := unlearn(t, c.of, c.m, c.data)
		got := res.Settings.(dlfd.Align)
		if noted := strings.Contains(strings.Join(res.Notes, " "), "cannot be told"); math.Abs(got.Shrink-c.shrink) > 1e-9 || got.Perturb != c.perturb || noted != c.noted {
			t.Errorf("%s: Shrink %v, Perturb %v, notes %q; first score %+v", c.name, got.Shrink, got.Perturb, res.Notes, res.Scores[0])
		}
	}
}

// A lead in accuracy is something to forget, whatever the attack says.
func TestALeadIsSomethingToForget(t *testing.T) {
	m, data := memorized(t)
	res := unlearn(t, dlfd.Align{}, m, data)
	if v := res.Scores[0]; v.Lead.Interval.Lo <= 0 || v.ForgetAccuracy <= v.Accuracy {
		t.Errorf("a model that knows the forget set by heart: %+v", v)
	}
}

// A model that still knows the forget set by heart at the end was not made to
// forget, and one that has not changed at all was left alone; the result says so.
func TestNotForgotten(t *testing.T) {
	data := dlfd.Data{Retain: featuretest.NewBlobs(200, 40, 3, 5, 7, 1), Forget: featuretest.NewBlobs(200, 40, 3, 5, 7, 2), Holdout: featuretest.NewBlobs(400, 40, 3, 5, 7, 3)}
	all, err := feature.Concat(data.Retain, data.Forget)
	if err != nil {
		t.Fatal(err)
	}
	m := featuretest.NewMLP(40, 64, 3, 1)
	if _, err := train.Fit(context.Background(), m, all, &train.Options{Epochs: 60, Optimizer: train.Adam{Rate: .01}}); err != nil {
		t.Fatal(err)
	}
	timid := dlfd.Align{Shrink: 1, Perturb: dlfd.Off, Match: dlfd.Off, Epochs: 1, Rate: 1e-6}
	if res := unlearn(t, timid, m, data); res.Stop != dlfd.NotForgotten {
		t.Errorf("timid: stop is %q, scores %+v", res.Stop, res.Scores)
	}
	if res := unlearn(t, timid, stubborn{m}, data); res.Stop != dlfd.NotForgotten && res.Stop != dlfd.NothingDone {
		t.Errorf("stubborn: stop is %q", res.Stop)
	}
	if res := unlearn(t, baseline.FineTune{}, stubborn{m}, data); res.Stop != dlfd.NothingDone {
		t.Errorf("fine-tuning of a stubborn model: stop is %q", res.Stop)
	}
	if res := unlearn(t, dlfd.Align{}, m, data); res.Stop != dlfd.Completed {
		t.Errorf("default: stop is %q, scores %+v", res.Stop, res.Scores)
	}
}

// stubborn is a model whose weights do not move.
type stubborn struct{ *featuretest.MLP }

func (stubborn) SetParam(int, []float32) error { return nil }

// One photo to forget, or one to hold out, beside few that are retained, on a
// model with batch norm: the task stays.
func TestOneSampleKeepsTheTask(t *testing.T) {
	for _, n := range [][2]int{{1, 20}, {20, 1}, {1, 1}} {
		for _, norms := range []bool{false, true} {
			data := dlfd.Data{Retain: newImages(50, 1), Forget: newImages(n[0], 2), Holdout: newImages(n[1], 3)}
			data.Holdout.(images).Labels[0] = data.Forget.(images).Labels[0]
			m := plainNet(t, norms, true)
			if _, err := train.Fit(context.Background(), m, data.Retain, &train.Options{Epochs: 20}); err != nil {
				t.Fatal(err)
			}
			before := weights(t, m)
			res, err := dlfd.Align{Always: true}.Unlearn(context.Background(), m, data, nil)
			if err != nil {
				t.Errorf("%v, norms %v: %v", n, norms, err)
				continue
			}
			out, labels, err := feature.Predict(context.Background(), m, data.Retain, []string{m.Spec().Logits}, 50)
			if err != nil {
				t.Fatal(err)
			}
			if loss, err := feature.CrossEntropy(out[0], feature.Tensor{}, labels, 1); err != nil || loss > 1 || slices.Equal(before, weights(t, m)) {
				t.Errorf("%v, norms %v: loss on retain is %v, %v; %q", n, norms, loss, err, res.Stop)
			}
		}
	}
}
