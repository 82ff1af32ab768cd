package dataset_test

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/dataset"
)

const metadata = `path,person,age,split
ann1.png,ann,9,forget
ann2.png,ann,10,forget
bob1.png,bob,9,retain
bob2.png,bob,10,retain
cem1.png,cem,10,test
`

// writePack writes a metadata table and the images that it names, 4×4 gray.
func writePack(dir string) error {
	for i, name := range []string{"ann1", "ann2", "bob1", "bob2", "cem1"} {
		m := image.NewGray(image.Rect(0, 0, 4, 4))
		for k := range m.Pix {
			m.SetGray(k%4, k/4, color.Gray{Y: uint8(40*i + 5*k)})
		}
		f, err := os.Create(filepath.Join(dir, name+".png"))
		if err != nil {
			return err
		}
		if err := png.Encode(f, m); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "metadata.csv"), []byte(metadata), 0o666)
}

// The retain and the forget set of a table with a column for the split. Classes
// are those of the whole table, in numerical order, so both number them alike.
func ExampleCSV() {
	dir, err := os.MkdirTemp("", "faces")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := writePack(dir); err != nil {
		log.Fatal(err)
	}
	for _, split := range []string{"retain", "forget", "test"} {
		d, err := dataset.CSV(filepath.Join(dir, "metadata.csv"), &dataset.CSVOptions{
			Path: "path", Label: "age", Identity: "person",
			Where: map[string][]string{"split": {split}},
			Image: dataset.ImageOptions{Size: [2]int{2, 2}},
		})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(split, d.Len(), d.Shape(), d.ClassNames(), feature.Identities(d))
	}
	_, err = dataset.CSV(filepath.Join(dir, "metadata.csv"), &dataset.CSVOptions{
		Table: dataset.TableOptions{Columns: []string{"file", "who", "years", "part"}},
		Path:  "file", Label: "years", Classes: []string{"10"},
		Root: dir, Keep: func(r dataset.Row) bool { return r.Get("part") == "retain" },
	})
	fmt.Println(err.Error()[len("dataset: ")+len(dir)+1:])
	// Output:
	// retain 2 [1 2 2] [9 10] [bob]
	// forget 2 [1 2 2] [9 10] [ann]
	// test 1 [1 2 2] [9 10] [cem]
	// metadata.csv: row 3 (line 4): label out of range: "9" is not one of the classes ["10"]
}

// A set that is normalized by its own pixels and cut so that nobody is on both
// sides.
func ExampleSplit() {
	d, err := dataset.Memory(dataset.Samples{
		X:          feature.Tensor{Shape: []int{6, 1, 1, 2}, Data: []float32{0, .1, .2, .3, .4, .5, .6, .7, .8, .9, 1, .5}},
		Labels:     []int{0, 1, 0, 1, 0, 1},
		Classes:    []string{"closed", "open"},
		Identities: []string{"ann", "ann", "bob", "bob", "cem", "cem"},
	})
	if err != nil {
		log.Fatal(err)
	}
	pixels, err := dataset.ComputePixels(d)
	if err != nil {
		log.Fatal(err)
	}
	if d, err = d.Normalize(pixels); err != nil {
		log.Fatal(err)
	}
	parts, err := dataset.Split(d, 1, .7, .3)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("mean %.2f, std %.2f\n", pixels.Mean, pixels.Std)
	for _, p := range parts {
		fmt.Println(p.Len(), feature.Identities(p))
	}
	shared, err := dataset.Overlap(parts[0], parts[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("shared:", len(shared.Identities), len(shared.Images))
	// Output:
	// mean [0.50], std [0.30]
	// 4 [ann bob]
	// 2 [cem]
	// shared: 0 0
}

// A folder whose class dog has no photo that can be read: dog keeps its number,
// and what is not in the set is listed.
func ExampleFolder() {
	dir, err := os.MkdirTemp("", "pets")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for name, content := range map[string]string{"dog/1.heic": "", "dog/readme.txt": "Photos of May", "eel/2.jpg": "<html>not found</html>"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			log.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			log.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "cat"), 0o777); err != nil {
		log.Fatal(err)
	}
	if err := writePack(filepath.Join(dir, "eel")); err != nil { // five photos and a table
		log.Fatal(err)
	}
	d, err := dataset.Folder(dir, &dataset.FolderOptions{Image: dataset.ImageOptions{SkipUnreadable: true}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.Len(), "images of", d.ClassNames(), "- the first is of class", d.Label(0))
	for _, s := range d.Skipped() {
		reason, _, _ := strings.Cut(s.Err.Error(), ";")
		fmt.Println(filepath.Base(s.Path), "-", reason)
	}
	// Output:
	// 5 images of [cat dog eel] - the first is of class 2
	// 1.heic - malformed data: images with the extension .heic are not read
	// readme.txt - ignored: neither the extension nor the content is that of an image
	// 2.jpg - malformed data: the content is HTML, XML or SVG, not an image
	// metadata.csv - ignored: neither the extension nor the content is that of an image
}

// Images that are more than memory holds: decoded once, into a pack, of which 64
// MiB are in memory at most.
func ExampleCSV_onDemand() {
	dir, err := os.MkdirTemp("", "faces")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := writePack(dir); err != nil {
		log.Fatal(err)
	}
	d, err := dataset.CSV(filepath.Join(dir, "metadata.csv"), &dataset.CSVOptions{
		Path: "path", Label: "age", Identity: "person",
		Image: dataset.ImageOptions{Pack: filepath.Join(dir, "faces.pack"), CacheBytes: 64 << 20},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	for b, err := range feature.Batches(d, 2, nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("samples", b.Index, "have labels", b.Labels)
	}
	// Output:
	// samples [0 1] have labels [0 1]
	// samples [2 3] have labels [0 1]
	// samples [4] have labels [1]
}
