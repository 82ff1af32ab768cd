package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/dataset"
)

// readIDX reads two files of a folder, plain or compressed.
func readIDX(dir, part string, o dataset.ImageOptions) (*dataset.Set, error) {
	images := filepath.Join(dir, part+"-images-idx3-ubyte")
	set, err := dataset.IDX(images, labelsFile(dir, part), &dataset.IDXOptions{Image: o})
	if errors.Is(err, fs.ErrNotExist) {
		return dataset.IDX(images+".gz", labelsFile(dir, part), &dataset.IDXOptions{Image: o})
	}
	return set, err
}

// labelsFile is the compressed file where there is no plain one.
func labelsFile(dir, part string) string {
	file := filepath.Join(dir, part+"-labels-idx1-ubyte")
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return file + ".gz"
	}
	return file
}

// checkLabels refuses, before anything is trained, a label that no comparison could
// use: one above all of the other file, and one above so many others that half of
// the classes have no image.
func checkLabels(dir string, train, test feature.Dataset) error {
	files := [2]string{labelsFile(dir, "train"), labelsFile(dir, "t10k")}
	occur := make(map[int]bool)
	var highest, at [2]int // label, and where it stands first
	for k, d := range []feature.Dataset{train, test} {
		labels, err := feature.Labels(d)
		if err != nil {
			return err
		}
		for i, label := range labels {
			occur[label] = true
			if i == 0 || label > highest[k] {
				highest[k], at[k] = label, i
			}
		}
	}
	k := 0
	if highest[1] > highest[0] {
		k = 1
	}
	wrong := fmt.Sprintf("%s: item %d has label %d", files[k], at[k], highest[k])
	switch {
	case highest[k] != highest[1-k]:
		return fmt.Errorf("%s, and those of %s go up to %d: that class is on one side alone", wrong, files[1-k], highest[1-k])
	case 2*len(occur) < highest[k]+1:
		return fmt.Errorf("%s, and of the classes from 0 to there only %d have an image", wrong, len(occur))
	}
	return nil
}
