package dataset

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/dlfd-go/unlearn/feature"
)

// The numbers in this file were computed from the packs by Python 3 with Pillow
// 9.4.0 and NumPy: np.asarray(Image.open(p).convert('L'), float64)/255, mean()
// and std() over all pixels; resized: .resize((16, 16), Image.BICUBIC) first.

func pack(t *testing.T, name string) string {
	t.Helper()
	root := os.Getenv("UNLEARN_TESTDATA")
	if root == "" {
		t.Skip("UNLEARN_TESTDATA is not set")
	}
	return filepath.Join(root, name)
}

var packs = []struct {
	name                string
	label               string
	shape               []int
	n                   int
	counts              map[string]int    // by label
	splits              map[string][2]int // images, persons
	train               int
	mean, std           float64
	trainMean, trainStd float64
}{
	{
		name: "cmu-faces", label: "pose", shape: []int{1, 30, 32}, n: 624,
		counts: map[string]int{"left": 157, "right": 155, "straight": 156, "up": 156},
		splits: map[string][2]int{"retain": {279, 9}, "forget": {128, 4}, "test": {92, 3}, "unseen": {125, 4}},
		train:  330,
		mean:   0.2738276667504609, std: 0.2449485070994282, trainMean: 0.2722321623093682, trainStd: 0.24499261584954113,
	},
	{
		name: "yaleb-ext", label: "az_sign", shape: []int{1, 96, 84}, n: 2414,
		counts: map[string]int{"neg": 1091, "pos": 1095, "zero": 228},
		splits: map[string][2]int{"retain": {1271, 20}, "forget": {376, 6}, "test": {384, 6}, "unseen": {383, 6}},
		train:  1336,
		mean:   0.2745884307188768, std: 0.24610383356795804, trainMean: 0.2854668624352599, trainStd: 0.2518903343675696,
	},
}

func TestFacePacks(t *testing.T) {
	for _, p := range packs {
		t.Run(p.name, func(t *testing.T) {
			file := filepath.Join(pack(t, p.name), "metadata.csv")
			o := CSVOptions{Path: "path", Label: p.label, Identity: "identity"}
			all := must[*Set](t)(CSV(file, &o))
			equal(t, "shape", all.Shape(), p.shape)
			checkMoments(t, all, p.mean, p.std)
			counts := map[string]int{}
			for _, l := range allLabels(t, all) {
				counts[l]++
			}
			for _, l := range all.ClassNames() {
				if counts[l] != p.counts[l] || all.Len() != p.n || all.Classes() != len(p.counts) {
					t.Errorf("%d of %d images are %q, want %d of %d", counts[l], all.Len(), l, p.counts[l], p.n)
				}
			}
			o.Where = map[string][]string{"split": {"retain", "forget"}, "holdout": {"0"}}
			train := must[*Set](t)(CSV(file, &o))
			equal(t, "classes", train.ClassNames(), all.ClassNames())
			if train.Len() != p.train {
				t.Errorf("%d training images, want %d", train.Len(), p.train)
			}
			checkMoments(t, train, p.trainMean, p.trainStd)
		})
	}
}

func TestFacePacksAreDisjoint(t *testing.T) {
	for _, p := range packs {
		t.Run(p.name, func(t *testing.T) {
			file := filepath.Join(pack(t, p.name), "metadata.csv")
			var parts []*Set
			for name, want := range p.splits {
				d := must[*Set](t)(CSV(file, &CSVOptions{
					Path: "path", Label: p.label, Identity: "identity", Where: map[string][]string{"split": {name}},
				}))
				if d.Len() != want[0] || len(feature.Identities(d)) != want[1] {
					t.Errorf("%s has %d images of %d persons, want %v", name, d.Len(), len(feature.Identities(d)), want)
				}
				for _, other := range parts {
					if s := must[Shared](t)(Overlap(d, other)); len(s.Identities)+len(s.Images) > 0 {
						t.Errorf("%s shares %v with another split", name, s)
					}
				}
				parts = append(parts, d)
			}
		})
	}
}

func TestResizedPack(t *testing.T) {
	file := filepath.Join(pack(t, "cmu-faces"), "metadata.csv")
	d := must[*Set](t)(CSV(file, &CSVOptions{Image: ImageOptions{Size: [2]int{16, 16}}, Path: "path", Label: "pose"}))
	// The first row of the first image, and the mean of all.
	want := []uint8{29, 32, 49, 55, 69, 61, 55, 49, 42, 43, 42, 40, 42, 45, 49, 53}
	for i, v := range want {
		if diff := int(d.bytes[i]) - int(v); diff < -1 || diff > 1 {
			t.Errorf("pixel %d is %d, want %d±1", i, d.bytes[i], v)
		}
	}
	// Roundings differ by at most one unit and cancel.
	if p := must[feature.Pixels](t)(ComputePixels(d)); math.Abs(p.Mean[0]-0.2740802686258799) > .01/255 {
		t.Errorf("mean %v", p.Mean)
	}
}

// checkMoments allows for the values being float32: 2⁻²⁴ relative.
func checkMoments(t *testing.T, d *Set, mean, std float64) {
	t.Helper()
	p := must[feature.Pixels](t)(ComputePixels(d))
	if math.Abs(p.Mean[0]-mean) > 0x1p-24 || math.Abs(p.Std[0]-std) > 0x1p-24 {
		t.Errorf("mean %v, std %v, want %v, %v", p.Mean, p.Std, mean, std)
	}
}

func TestFashionMNIST(t *testing.T) {
	dir := pack(t, "fashion-mnist")
	for _, c := range []struct {
		part      string
		n         int
		mean, std float64
	}{
		{"train", 60000, 0.2860405969887955, 0.35302424451492237},
		{"t10k", 10000, 0.2868492807122849, 0.35244415324744005},
	} {
		d := must[*Set](t)(IDX(filepath.Join(dir, c.part+"-images-idx3-ubyte.gz"), filepath.Join(dir, c.part+"-labels-idx1-ubyte.gz"), nil))
		equal(t, "shape", d.Shape(), []int{1, 28, 28})
		counts := make([]int, d.Classes())
		for _, l := range d.labels {
			counts[l]++
		}
		equal(t, "labels", counts, slices.Repeat([]int{c.n / 10}, 10))
		checkMoments(t, d, c.mean, c.std)
	}
}
