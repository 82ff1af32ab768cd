package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/metrics"
)

// causes are what makes a good model look bad.
const causes = "subfolders in another order than the logits (-classes), another normalization (-mean, -std), channels in another order (-bgr), or images that the model was not trained on"

// floor is the accuracy that retain must reach: half way between guessing among
// the classes and 1. A model that was trained on images knows them better than
// that, at least after augmentation and early stopping, and with a wrong order of
// the classes or channels it is far below.
func floor(classes int) float64 { return (1 + 1/float64(classes)) / 2 }

// usual is the accuracy below which a note says that training images mostly have
// a higher one: some wrong normalizations cost no more than that.
const usual = .9

// predictions are the logits of a model on a set.
func predictions(ctx context.Context, m feature.Model, d feature.Dataset) (metrics.Outputs, error) {
	s := m.Spec()
	const batch = 64
	logits, labels, err := feature.Predict(ctx, m, d, []string{s.Logits}, batch)
	if err != nil {
		return metrics.Outputs{}, err
	}
	return metrics.Outputs{N: len(labels), Classes: s.Classes(), Logits: logits[0].Data, Labels: labels}, nil
}

// right is the number of samples on the diagonal.
func right(confusion [][]int) (n int) {
	for c, row := range confusion {
		n += row[c]
	}
	return n
}

func total(row []int) (n int) {
	for _, k := range row {
		n += k
	}
	return n
}

// guard returns an error unless the predictions on retain are those of training
// data: the accuracy must reach floor, and no two or more classes may stand in
// one another's place. confusion has a row for each true class.
func guard(confusion [][]int, names []string, force bool, w io.Writer) error {
	n := 0
	for _, row := range confusion {
		n += total(row)
	}
	accuracy, least := float64(right(confusion))/float64(n), floor(len(confusion))
	var problem string
	if circle := exchanged(confusion); circle != nil {
		problem = fmt.Sprintf("most images of each of these subfolders get the logit of the next: %s", circleText(circle, names))
	} else if accuracy < least {
		problem = fmt.Sprintf("the accuracy on retain is %.3f; training images of %d classes should have at least %.3f", accuracy, len(confusion), least)
	}
	switch {
	case problem != "" && !force:
		return errors.New(problem + ". Causes may be " + causes + ". -force goes on all the same")
	case problem != "":
		fmt.Fprintf(w, "warning: %s; going on because of -force\n", problem)
	case accuracy < usual:
		fmt.Fprintf(w, "note: training images mostly have an accuracy above %v. Where %.3f is not what training ended with, causes may be %s\n", usual, accuracy, causes)
	}
	return nil
}

// exchanged returns classes c₀, c₁, … such that most samples of each are taken for
// the next, and those of the last for c₀; nil if there are none. A class that is
// merely not learned goes to one that is, which makes no such circle.
func exchanged(confusion [][]int) []int {
	next := make([]int, len(confusion))
	for c, row := range confusion {
		next[c] = c
		for k, n := range row {
			if 2*n > total(row) {
				next[c] = k
			}
		}
	}
	for start := range next {
		circle := []int{start}
		for c := next[start]; c != start && len(circle) <= len(next); c = next[c] {
			circle = append(circle, c)
		}
		if 1 < len(circle) && len(circle) <= len(next) {
			return circle
		}
	}
	return nil
}

func circleText(circle []int, names []string) (text string) {
	for _, c := range circle {
		text += names[c] + " → "
	}
	return text + names[circle[0]]
}
