package dlfd

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/dlfd-go/unlearn/metrics"
)

// goneAccuracy sets the accuracies within and without the classes that go, in a request
// for them.
func (a *audit) goneAccuracy(context.Context) error {
	if a.Kind != KindClass {
		return nil
	}
	gone, err := a.classesOf()
	if err != nil {
		return err
	}
	c := &GoneClasses{Classes: gone}
	right := [2]int{}
	for i, y := range a.out[testSet].Labels {
		side := 0
		if slices.Contains(gone, y) {
			side = 1
		}
		*[]*int{&c.OthersSamples, &c.UnseenSamples}[side]++
		if toldRight(a.out[testSet], i) {
			right[side]++
		}
	}
	if c.OthersSamples > 0 {
		c.Others = float64(right[0]) / float64(c.OthersSamples)
	} else {
		a.leftOut("test accuracy without the classes %v: there is no sample of another class", gone)
	}
	if c.UnseenSamples > 0 {
		i, err := metrics.Wilson(right[1], c.UnseenSamples, auditLevel)
		if err != nil {
			return err
		}
		c.Unseen = &metrics.Estimate{Value: float64(right[1]) / float64(c.UnseenSamples), Interval: i}
	} else {
		a.leftOut("accuracy on unseen samples of the classes %v: there is none", gone)
	}
	a.Class = c
	return nil
}

// classesOf returns the classes that the request is for. Retained samples of one give
// an error.
func (a *audit) classesOf() ([]int, error) {
	gone := distinct(slices.Concat(a.out[forgetSet].Labels, a.out[memberSet].Labels))
	if d := a.data.Demand.Classes; len(d) > 0 {
		gone = distinct(d)
	}
	for _, c := range gone {
		if i := slices.Index(a.out[retainSet].Labels, c); i >= 0 {
			return nil, fmt.Errorf("%w: the request is for the whole of class %d, and sample %d of retain is of it", ErrOverlap, c, i)
		}
	}
	return gone, nil
}

// others returns the test accuracy without the classes, and false where it is not
// known.
func (a *Audited) others() (float64, bool) {
	if a.Class == nil || a.Class.OthersSamples == 0 {
		return 0, false
	}
	return a.Class.Others, true
}

// unseenOfClass returns the accuracy within the classes, and false where it is not
// known.
func (a *Audited) unseenOfClass() (float64, bool) {
	if a.Class == nil || a.Class.Unseen == nil {
		return 0, false
	}
	return a.Class.Unseen.Value, true
}

// wrongLabels sets what is left of wrong labels, in a request for them.
func (a *audit) wrongLabels(context.Context) error {
	if a.Kind != KindMislabeled {
		return nil
	}
	a.Mislabeled = &WrongLabels{Wrong: a.ForgetAccuracy}
	right := a.data.Demand.Right
	if len(right) == 0 {
		a.Notes = append(a.Notes, "right labels are not known: unseen samples have right labels and forget samples wrong ones, so that a retrained model treats them differently too; attacks are evidence beside retrained models alone")
	}
	if len(right) == 0 || len(right) != a.Counts.Forget {
		return nil
	}
	n := 0
	for i, y := range right {
		if argMax(a.out[forgetSet].Row(i)) == y {
			n++
		}
	}
	share := float64(n) / float64(len(right))
	a.Mislabeled.Right = &share
	return nil
}

// notFound says how many wrong labels may be retained, in a request for those that were
// found.
func (a *audit) notFound(retain, test metrics.Features) {
	if a.Kind != KindMislabeled {
		return
	}
	if err := a.Mislabeled.count(retain, test); err != nil {
		a.Notes = append(a.Notes, "wrong labels that were not found are still retained, if there are any; they cannot be counted: "+err.Error())
		return
	}
	a.Notes = append(a.Notes, a.Mislabeled.left())
}

// left says how many wrong labels may be retained.
func (w *WrongLabels) left() string {
	of := fmt.Sprintf("other features contradict the labels of %.3f of the retained samples and of %.3f of the unseen ones", *w.Doubted, *w.DoubtedUnseen)
	if i := w.Left.Interval; i.Lo > 0 {
		return fmt.Sprintf("wrong labels are still retained, about %.3f of the samples [%.3f, %.3f]: %s", w.Left.Value, i.Lo, i.Hi, of)
	}
	return "wrong labels that were not found may still be retained; these features, which hide them where a model knows its samples by heart, show no sign of them: " + of
}

// count fits a last layer to one half of the retained features and asks it for the
// other half, and for unseen samples.
func (w *WrongLabels) count(retain, test metrics.Features) error {
	if retain.Dim > headDims {
		return fmt.Errorf("the features have %d dimensions, more than the %d with which a last layer is fitted", retain.Dim, headDims)
	}
	half := [2][]int{}
	for _, of := range positionsByClass(retain) {
		for k, i := range of {
			half[k%2] = append(half[k%2], i)
		}
	}
	head, err := metrics.FitHead(selectFeatures(retain, half[0]))
	if err != nil {
		return err
	}
	var doubted [2]float64
	var n [2]int
	for side, f := range []metrics.Features{selectFeatures(retain, half[1]), test} {
		accuracy, err := head.Accuracy(f)
		if err != nil {
			return err
		}
		doubted[side], n[side] = 1-accuracy, f.N
	}
	left, err := shareAbove(doubted, n)
	if err != nil {
		return err
	}
	w.Doubted, w.DoubtedUnseen, w.Left = &doubted[0], &doubted[1], left
	return nil
}

// shareAbove returns the difference of two shares of n samples each, with an interval
// at 95 %; see metrics.Newcombe.
func shareAbove(share [2]float64, n [2]int) (*metrics.Estimate, error) {
	var k [2]int
	for side := range k {
		k[side] = int(math.Round(share[side] * float64(n[side])))
	}
	i, err := metrics.Newcombe(k[0], n[0], k[1], n[1], auditLevel)
	return &metrics.Estimate{Value: share[0] - share[1], Interval: i}, err
}

// withoutRightLabels takes out of the evidence what is none in a request for wrong
// labels where there is no retrained model: its value in theory is that for samples
// whose labels are right.
func (a *audit) withoutRightLabels(e *metrics.Evidence) {
	if a.Kind != KindMislabeled {
		return
	}
	e.SMI = nil // retained samples of the same label look otherwise
	if len(a.References.Retrained) == 0 {
		e.Scatter = nil
	}
	if len(a.data.Demand.Right) > 0 {
		return
	}
	e.SDE, e.TwoSample = 0, 0
	if len(a.References.Retrained) == 0 {
		e.AUC, e.OriginalAUC = nil, 0
	}
}
