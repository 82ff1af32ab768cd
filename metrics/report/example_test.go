package report_test

import (
	"bytes"
	"fmt"
	"log"
	"strings"

	"github.com/dlfd-go/unlearn/metrics/report"
)

// A page with a verdict, a table of two methods and the trade-off between them.
func ExampleReport_WriteHTML() {
	over := func(mean, se float64) report.Value { return report.Value{Mean: mean, SE: se, N: 5} }
	r := report.Report{
		Title:   "Forgetting 500 images of one class",
		Verdict: report.Verdict{Finding: report.Within, Headline: "The method cannot be told from retraining."},
		Table: &report.Table{
			Band:    over(.012, .002),
			Columns: []report.Column{{Name: "test", About: "accuracy on the test set"}},
			Rows: []report.Row{
				{Name: "Retrained", Role: report.Retrained, Gap: over(.012, .002), Figures: []report.Value{over(.91, .003)}},
				{Name: "ShortRetrain", Role: report.Floor, Gap: over(.034, .004), Figures: []report.Value{over(.88, .004)}},
				{Name: "Align", Gap: over(.011, .002), Figures: []report.Value{over(.908, .002)}},
			},
		},
		NotJudged: []report.Omission{{What: "SWAP", Why: "needs one more training"}},
	}
	var page, table bytes.Buffer
	if err := r.WriteHTML(&page); err != nil {
		log.Fatal(err)
	}
	if err := r.WriteCSV(&table); err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.Count(page.String(), "<section"), "sections")
	fmt.Print(table.String())
	// Output:
	// 2 sections
	// section,item,figure,x,mean,se,n,lo,hi
	// methods,band,gap,,0.012,0.002,5,,
	// methods,Retrained,gap,,0.012,0.002,5,,
	// methods,Retrained,test,,0.91,0.003,5,,
	// methods,Align,gap,,0.011,0.002,5,,
	// methods,Align,test,,0.908,0.002,5,,
	// methods,ShortRetrain,gap,,0.034,0.004,5,,
	// methods,ShortRetrain,test,,0.88,0.004,5,,
}
