package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd/experiment"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/train"
)

// TestTuning: every method of baseline.Names but Retrain has twelve settings in
// tuning.json, and every text is understood. The search runs on tiny images, with two
// of the settings of each method.
func TestTuning(t *testing.T) {
	search, err := readTuning("tuning.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range methodNames() {
		if texts := search.Methods[name]; name != "released" && (len(texts) != 12 || texts[0] != name) {
			t.Errorf("%s has the settings %q", name, texts)
		}
	}
	if _, err := search.all(); err != nil {
		t.Error(err)
	}
	if testing.Short() {
		return
	}
	out := t.TempDir()
	search.Settings = 2
	for name, texts := range search.Methods {
		search.Methods[name] = []string{texts[0], texts[11]}
	}
	content, err := json.Marshal(search)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(out, "tuning.json")
	if err := os.WriteFile(file, content, 0o666); err != nil {
		t.Fatal(err)
	}
	text := compareWith(t, "-idx", writeIDX(t), "-tune", file, "-epochs", "1", "-out", out)
	if strings.Contains(text, "failed") || strings.Count(text, " of 2\n") != len(search.Methods) {
		t.Errorf("the search:\n%s", text)
	}
	if _, err := os.Stat(filepath.Join(out, "chosen.json")); err != nil {
		t.Error(err)
	}
	search.Methods["scrub"] = search.Methods["scrub"][:1]
	if content, err = json.Marshal(search); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := readTuning(file); err == nil || !strings.Contains(err.Error(), "scrub has 1 settings") {
		t.Errorf("a method with fewer settings than others: %v", err)
	}
}

// TestForget looks at what each kind of -forget chooses.
func TestForget(t *testing.T) {
	blobs := featuretest.NewBlobs(100, 4, 3, .5, 1, 2)
	for i := range blobs.Persons {
		blobs.Persons[i] = fmt.Sprint(i / 5)
	}
	truth := slices.Clone(blobs.Labels)
	r := experiment.Recipe{Epochs: 3, BatchSize: 10, Optimizer: train.SGD{Rate: .1}, Fresh: func(seed uint64) (feature.Trainable, error) {
		return featuretest.NewMLP(4, 8, 3, seed), nil
	}}
	for kind, want := range map[string]int{"random": 20, "identity": 20, "class": 33, "mislabeled": 20, "memorized": 20} {
		f := &flags{forget: kind, share: .2, class: 1, seed: 3, out: t.TempDir()}
		var chosen [2][]int
		for again := range 2 { // memorized is read from its file the second time
			s := &source{train: blobs, settings: make(map[string]any)}
			if err := f.choose(t.Context(), s, r); err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			labels, err := feature.Labels(s.train)
			if err != nil {
				t.Fatal(err)
			}
			for i := range s.train.Len() {
				if s.forget(i) {
					chosen[again] = append(chosen[again], i)
				}
				if wrong := labels[i] != truth[i]; wrong != (kind == "mislabeled" && s.forget(i)) {
					t.Errorf("%s: sample %d has label %d, in truth %d, and goes: %v", kind, i, labels[i], truth[i], s.forget(i))
				}
				if kind == "class" && s.forget(i) != (truth[i] == 1) || kind == "identity" && s.forget(i) != s.forget(i/5*5) {
					t.Errorf("%s: sample %d goes: %v", kind, i, s.forget(i))
				}
			}
		}
		if len(chosen[0]) != want || !slices.Equal(chosen[0], chosen[1]) {
			t.Errorf("%s: %d samples, want %d, then %d", kind, len(chosen[0]), want, len(chosen[1]))
		}
	}
}

// TestMemorizedAreTheHardOnes: points far from all others of their class are what a
// model gets right for having seen them only.
func TestMemorizedAreTheHardOnes(t *testing.T) {
	blobs := featuretest.NewBlobs(120, 4, 3, .3, 1, 2)
	for i := range 12 {
		blobs.Labels[i] = (blobs.Labels[i] + 1) % 3
	}
	f := &flags{forget: "memorized", share: .1, seed: 1, out: t.TempDir()}
	s := &source{train: blobs, settings: make(map[string]any)}
	err := f.choose(t.Context(), s, experiment.Recipe{Epochs: 60, BatchSize: 10, Optimizer: train.SGD{Rate: .2, Momentum: .9}, Fresh: func(seed uint64) (feature.Trainable, error) {
		return featuretest.NewMLP(4, 32, 3, seed), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for i := range 12 {
		if s.forget(i) {
			found++
		}
	}
	if found < 8 {
		t.Errorf("of 12 samples with wrong labels, %d count as memorized", found)
	}
}

// TestRelabeledWrapsWhole checks the laws of a wrapper, with labels as they are.
func TestRelabeledWrapsWhole(t *testing.T) {
	blobs := featuretest.NewBlobs(30, 4, 3, .5, 1, 2)
	featuretest.RunDataset(t, &relabeled{blobs, blobs.Labels})
}

// trainedFiles writes an original model and two retrained ones for what -forget random
// chooses of the images of writeIDX, as ONNX files.
func trainedFiles(t *testing.T, idx, dir string) (original string, retrained []string) {
	t.Helper()
	f, err := parse([]string{"-idx", idx, "-share", ".2", "-epochs", "2", "-forget", "random"})
	if err != nil {
		t.Fatal(err)
	}
	task, err := f.own(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, kept, err := feature.Partition(task.Train, task.Forget)
	if err != nil {
		t.Fatal(err)
	}
	for k, d := range []feature.Dataset{task.Train, kept, kept} {
		m, err := task.Recipe.Fresh(uint64(k))
		if err == nil {
			_, err = train.Fit(t.Context(), m, d, &train.Options{Epochs: 2, Seed: uint64(k)})
		}
		file := filepath.Join(dir, fmt.Sprintf("%d.onnx", k))
		if err == nil {
			err = m.(*nn.Network).SaveONNX(file)
		}
		if err != nil {
			t.Fatal(err)
		}
		retrained = append(retrained, file)
	}
	return retrained[0], retrained[1:]
}

// TestGivenModels compares on a model from a file, with retrained models from files and
// without.
func TestGivenModels(t *testing.T) {
	idx, dir := writeIDX(t), t.TempDir()
	original, retrained := trainedFiles(t, idx, dir)
	for name, more := range map[string][]string{"given": {"-retrained", strings.Join(retrained, ",")}, "retrained here": nil} {
		text := compareWith(t, arguments(idx, filepath.Join(dir, name), append([]string{"-model", original, "-forget", "random"}, more...)...)...)
		if !strings.Contains(text, "over 2 models") || !strings.Contains(text, "finetune") || strings.Contains(text, "failed") {
			t.Errorf("%s:\n%s", name, text)
		}
	}
}

// TestNamedTasks makes tasks of UNLEARN_TESTDATA; what PyTorch's models score is known.
func TestNamedTasks(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 70,000 images")
	}
	f := &flags{testdata: os.Getenv("UNLEARN_TESTDATA"), batch: 32, rate: .05, tasks: list{"yaleb-light", "cmu-pose", "fashion-cnn", drawnTask}}
	if f.testdata == "" {
		f.tasks = list{drawnTask}
	}
	all, err := f.allTasks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	samples := map[string][4]int{ // training, forget, unseen, test
		"yaleb-light": {1336, 304, 383, 384}, "cmu-pose": {330, 104, 125, 92}, "drawn-faces": {960, 240, 240, 240},
		"fashion-cnn": {20000, 1500, 1500, 10000},
	}
	for _, task := range all {
		goes := 0
		for i := range task.Train.Len() {
			if task.Forget(i) {
				goes++
			}
		}
		if got := [4]int{task.Train.Len(), goes, task.Unseen.Len(), task.Test.Len()}; got != samples[task.Name] {
			t.Errorf("%s has %v samples, want %v", task.Name, got, samples[task.Name])
		}
	}
	for _, task := range all {
		if task.Name == "fashion-cnn" { // PyTorch's accuracies are .899 and .898
			for name, m := range map[string]feature.Model{"original": task.Original, "retrained": task.Retrained[0]} {
				if got := accuracy(t, m, task.Test); math.Abs(got-.898) > .004 {
					t.Errorf("%s: test accuracy %.4f", name, got)
				}
			}
		}
	}
}

func accuracy(t *testing.T, m feature.Model, d feature.Dataset) float64 {
	t.Helper()
	out, labels, err := feature.Predict(t.Context(), m, d, []string{m.Spec().Logits}, 256)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i, label := range labels {
		row := out[0].Row(i)
		if slices.Index(row, slices.Max(row)) == label {
			right++
		}
	}
	return float64(right) / float64(len(labels))
}
