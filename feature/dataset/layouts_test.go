package dataset

import (
	"strconv"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
)

// The released split of MUFAC: custom_train_dataset.csv with image_path and
// age_class a to h, one folder a split; the family stands in the file's name; the
// first 1,500 rows are the forget set (here 2).
func TestLayoutMUFAC(t *testing.T) {
	dir := t.TempDir()
	names := []string{"F0001_AGE_D_18_a1.jpg", "F0001_AGE_M_40_e1.jpg", "F0002_AGE_D_18_a1.jpg", "F0300_AGE_S_30_h1.jpg"}
	text := "\ufeffimage_path,age_class,family_id,person\r\n"
	for i, n := range names {
		writeImage(t, dir, "train_images/"+n, gradient(i, 16, 16))
		text += n + "," + []string{"a", "e", "a", "h"}[i] + "," + n[:5] + "," + n[10:11] + "\r\n"
	}
	file := write(t, dir, "custom_train_dataset.csv", text)
	o := &CSVOptions{
		Root: dir + "/train_images", Path: "image_path", Label: "age_class",
		Classes:      strings.Fields("a b c d e f g h"),
		IdentityFunc: func(r Row) string { return r.Get("family_id") + "/" + r.Get("person") },
		Keep:         func(r Row) bool { return r.Number > 2 },
	}
	d := must[*Set](t)(CSV(file, o))
	equal(t, "shape", d.Shape(), []int{3, 16, 16})
	equal(t, "labels", allLabels(t, d), []string{"a", "h"})
	equal(t, "identities", allIdentities(d), []string{"F0002/D", "F0300/S"})
	o.Keep, o.IdentityFunc = nil, func(r Row) string {
		family, _, _ := strings.Cut(r.Get("image_path"), "_")
		return family
	}
	d = must[*Set](t)(CSV(file, o))
	equal(t, "families", feature.Identities(d), []string{"F0001", "F0002", "F0300"})
}

// MUCAC: the attribute list of CelebA (a count, a header without the first
// column, white space) and a list of identities without header; the splits are
// ranges of identities.
func TestLayoutMUCAC(t *testing.T) {
	dir := t.TempDir()
	for i := range 4 {
		writeImage(t, dir, "CelebA-HQ-img/"+strconv.Itoa(i)+".jpg", gradient(i, 8, 8))
	}
	attributes := write(t, dir, "CelebA-HQ-attribute.txt",
		"4\nMale Smiling Young\n0.jpg  1 -1  1\n1.jpg -1  1  1\n2.jpg  1  1 -1\n3.jpg -1 -1 -1\n")
	identities := write(t, dir, "CelebA-HQ-identity.txt", "3.jpg 189\n1.jpg 190\n2.jpg 1250\n0.jpg 190\n")
	o := &CSVOptions{
		Image: ImageOptions{Size: [2]int{4, 4}},
		Table: TableOptions{Comma: ' ', Skip: 1},
		Join: []Join{{
			File: identities, Key: "file",
			Table: TableOptions{Comma: ' ', NoHeader: true, Columns: []string{"file", "identity"}},
		}},
		Root: dir + "/CelebA-HQ-img", Path: "0", Label: "Smiling", Identity: "identity",
		Keep: func(r Row) bool {
			id, err := strconv.Atoi(r.Get("identity"))
			return err == nil && 190 <= id && id < 1250
		},
	}
	d := must[*Set](t)(CSV(attributes, o))
	equal(t, "classes", d.ClassNames(), []string{"-1", "1"})
	equal(t, "labels", allLabels(t, d), []string{"-1", "1"})
	equal(t, "identities", allIdentities(d), []string{"190", "190"})
	if d.Path(1) != "1.jpg" {
		t.Errorf("path %q", d.Path(1))
	}
	o.LabelFunc = func(r Row) string { return r.Get("Male") + r.Get("Smiling") } // several attributes as one class
	d = must[*Set](t)(CSV(attributes, o))
	equal(t, "classes", d.ClassNames(), []string{"-1-1", "-11", "1-1", "11"})
	equal(t, "labels", allLabels(t, d), []string{"1-1", "-11"})
}

// MUCAC's lists are also passed on with commas.
func TestLayoutMUCACWithCommas(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		writeImage(t, dir, strconv.Itoa(i)+".jpg", gradient(i, 8, 8))
	}
	file := write(t, dir, "celeba.csv", "image_id,identity,Male,Smiling\n0.jpg,7,1,-1\n1.jpg,7,-1,1\n2.jpg,11,1,1\n")
	d := must[*Set](t)(CSV(file, &CSVOptions{Path: "image_id", Label: "Male", Identity: "identity"}))
	equal(t, "labels", allLabels(t, d), []string{"1", "-1", "1"})
	equal(t, "identities", allIdentities(d), []string{"7", "7", "11"})
}

// RAF-DB: list_patition_label.txt, "train_00001.jpg 5", no header; the images
// are called train_00001_aligned.jpg; the split is the prefix; nobody is known.
func TestLayoutRAFDB(t *testing.T) {
	dir := t.TempDir()
	for i, n := range []string{"train_00001", "train_00002", "test_0001"} {
		writeImage(t, dir, "Image/aligned/"+n+"_aligned.jpg", gradient(i, 10, 10))
	}
	file := write(t, dir, "EmoLabel/list_patition_label.txt", "train_00001.jpg 5\r\ntrain_00002.jpg 1\r\ntest_0001.jpg 7\r\n")
	split := func(prefix string) *Set {
		return must[*Set](t)(CSV(file, &CSVOptions{
			Table: TableOptions{Comma: ' ', NoHeader: true},
			Root:  dir + "/Image/aligned", Path: "0", Label: "1",
			NameFunc: func(r Row) string { return strings.TrimSuffix(r.Get("0"), ".jpg") + "_aligned.jpg" },
			Keep:     func(r Row) bool { return strings.HasPrefix(r.Get("0"), prefix) },
		}))
	}
	train, test := split("train"), split("test")
	equal(t, "classes", test.ClassNames(), []string{"1", "5", "7"})
	equal(t, "labels", allLabels(t, train), []string{"5", "1"})
	equal(t, "labels", allLabels(t, test), []string{"7"})
	equal(t, "identities", feature.Identities(train), nil)
	if train.Path(0) != "train_00001_aligned.jpg" || feature.IdentityOf(test, 0) != "" {
		t.Errorf("path %q, identity %q", train.Path(0), feature.IdentityOf(test, 0))
	}
}
