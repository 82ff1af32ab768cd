package dataset_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/dlfd-go/unlearn/feature/dataset"
)

// A table whose numbers are standardized by the rows that are retained. What is
// missing stands out in a column of its own.
func ExampleLearnEncoding() {
	dir, err := os.MkdirTemp("", "table")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "staff.csv")
	text := "name,age,city,left,split\nann,30,Oslo,no,retain\nbob,50,Rome,yes,retain\ncem,,Rome,no,forget\n"
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		log.Fatal(err)
	}
	retain := map[string][]string{"split": {"retain"}}
	encoding, err := dataset.LearnEncoding(file, dataset.EncodingOptions{
		Label: "left", Identity: "name", Ignore: []string{"split"},
		Where: retain, Impute: dataset.ImputeMedian, Indicators: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	all, err := encoding.Read(file, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%q\n", encoding.Names())
	x, label := make([]float32, encoding.Len()), make([]int, 1)
	for i := range all.Len() {
		if err := all.Read([]int{i}, x, label); err != nil {
			log.Fatal(err)
		}
		fmt.Println(all.Identity(i), x, all.ClassName(label[0]))
	}
	fmt.Printf("%+v\n", all.Imputed())
	// Output:
	// ["age" "age (missing)" "city=Oslo" "city=Rome" "city (missing)"]
	// ann [-1 0 1 0 0] no
	// bob [1 0 0 1 0] yes
	// cem [0 1 0 1 0] no
	// [{Column:age Rows:1}]
}
