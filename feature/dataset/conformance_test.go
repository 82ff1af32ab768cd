package dataset

import (
	"path/filepath"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
)

func TestConformance(t *testing.T) {
	file := peopleTable(t, people)
	dir := t.TempDir()
	im, lb := write(t, dir, "i", idx(ramp(18), 3, 2, 3)), write(t, dir, "l", idx([]byte{2, 0, 2}, 3))
	p := feature.Pixels{Mean: []float64{.5}, Std: []float64{.25}}
	for name, d := range map[string]*Set{
		"table":  must[*Set](t)(CSV(file, &CSVOptions{Path: "path", Label: "age", Identity: "identity"})),
		"folder": must[*Set](t)(Folder(filepath.Dir(file), &FolderOptions{Image: ImageOptions{Channels: 3, Pixels: p}})),
		"IDX":    must[*Set](t)(IDX(im, lb, nil)),
		"memory": numbersSet(t, 7, feature.Pixels{Mean: []float64{.1, .2}, Std: []float64{2, 3}}),
	} {
		t.Run(name, func(t *testing.T) { featuretest.RunDataset(t, d) })
	}
}
