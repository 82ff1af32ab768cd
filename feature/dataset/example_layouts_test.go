package dataset_test

import (
	"fmt"
	"log"
	"strconv"
	"strings"

	"github.com/dlfd-go/unlearn/feature/dataset"
)

// MUFAC (Choi and Na, arXiv 2311.02240): a table for each of train, val and test,
// with the columns image_path and age_class, a to h. Names are like
// F0001_AGE_D_18_a1.jpg: what stands before the last underscore is a person of a
// family. The first 1,500 training rows are the forget set.
func ExampleCSV_mufac() {
	person := func(r dataset.Row) string {
		name := r.Get("image_path")
		return name[:max(strings.LastIndex(name, "_"), 0)]
	}
	retain, err := dataset.CSV("mufac/custom_train_dataset.csv", &dataset.CSVOptions{
		Root:         "mufac/train_images",
		Path:         "image_path",
		Label:        "age_class",
		Classes:      strings.Fields("a b c d e f g h"),
		IdentityFunc: person,
		Keep:         func(r dataset.Row) bool { return r.Number > 1500 },
		Image:        dataset.ImageOptions{Size: [2]int{128, 128}, Channels: 3},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(retain.Len())
}

// MUCAC: the images of CelebAMask-HQ, with a list of attributes in the layout of
// CelebA, a list of identities, and splits that are ranges of identities. Take one
// attribute as the class, or join several in a LabelFunc.
func ExampleCSV_mucac() {
	d, err := dataset.CSV("mucac/CelebA-HQ-attribute.txt", &dataset.CSVOptions{
		Table: dataset.TableOptions{Comma: ' ', Skip: 1}, // the first line is a count
		Path:  "0",                                       // the header does not name it
		Label: "Smiling",
		Join: []dataset.Join{{
			File:  "mucac/CelebA-HQ-identity.txt",
			Table: dataset.TableOptions{Comma: ' ', NoHeader: true, Columns: []string{"file", "identity"}},
			Key:   "file",
		}},
		Identity: "identity",
		Root:     "mucac/CelebAMask-HQ/CelebA-HQ-img",
		Keep: func(r dataset.Row) bool {
			id, err := strconv.Atoi(r.Get("identity"))
			return err == nil && 190 <= id && id < 1250
		},
		Image: dataset.ImageOptions{Size: [2]int{128, 128}, Channels: 3},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.Len())
}

// RAF-DB: lines like "train_00001.jpg 5" without a header; the aligned images
// have a suffix, the prefix tells the split, and nobody's identity is known.
func ExampleCSV_rafDB() {
	d, err := dataset.CSV("raf/EmoLabel/list_patition_label.txt", &dataset.CSVOptions{
		Table: dataset.TableOptions{Comma: ' ', NoHeader: true},
		Root:  "raf/Image/aligned",
		NameFunc: func(r dataset.Row) string {
			return strings.TrimSuffix(r.Get("0"), ".jpg") + "_aligned.jpg"
		},
		Label: "1",
		Keep:  func(r dataset.Row) bool { return strings.HasPrefix(r.Get("0"), "train") },
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.Len())
}
