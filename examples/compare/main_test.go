package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd/experiment"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/featuretest"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/train"
)

// TestMain lets the test binary stand in for the program, so that a test can kill it.
func TestMain(m *testing.M) {
	if args := os.Getenv("COMPARE_TEST_ARGS"); args != "" {
		os.Exit(command(context.Background(), strings.Split(args, "\n"), os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// writeIDX writes four files like those of MNIST, of 8×8 images: class c is bright in
// column c.
func writeIDX(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 2))
	for part, n := range map[string]int{"train": 100, "t10k": 80} {
		images := binary.BigEndian.AppendUint32(nil, 0x803)
		for _, v := range []int{n, 8, 8} {
			images = binary.BigEndian.AppendUint32(images, uint32(v))
		}
		labels := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 0x801), uint32(n))
		for i := range n {
			label := i % 4
			for p := range 64 {
				v := 90 + 60*r.NormFloat64()
				if p%8/2 == label {
					v += 40
				}
				images = append(images, byte(math.Max(0, math.Min(255, v))))
			}
			labels = append(labels, byte(label))
		}
		for name, content := range map[string][]byte{"images-idx3": images, "labels-idx1": labels} {
			if err := os.WriteFile(filepath.Join(dir, part+"-"+name+"-ubyte"), content, 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// arguments are those of a comparison that takes a second.
func arguments(idx, out string, more ...string) []string {
	return append([]string{"-idx", idx, "-share", ".2", "-epochs", "1", "-seeds", "1", "-retrains", "2", "-deep", "-1", "-methods", "finetune,neggrad+:beta=1", "-workers", "1", "-out", out}, more...)
}

// compareWith runs the program in this process and returns what it prints.
func compareWith(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := command(t.Context(), args, &out, &errs); code != 0 {
		t.Fatalf("code %d: %s", code, errs.String())
	}
	return out.String()
}

func digestIn(t *testing.T, text string) string {
	t.Helper()
	m := regexp.MustCompile(`digest ([0-9a-f]{64})`).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no digest in\n%s", text)
	}
	return m[1]
}

// killAfter starts the program in a process of its own and kills it, as kill -9 does,
// when it has told of so many finished jobs.
func killAfter(t *testing.T, jobs int, args []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "COMPARE_TEST_ARGS="+strings.Join(args, "\n"))
	errs, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(errs)
	for done := 0; done < jobs && lines.Scan(); {
		if regexp.MustCompile(`^\d+ of \d+: `).MatchString(lines.Text()) {
			done++
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatalf("the process ended before it was killed: %v", err)
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the process was not killed: %v", err)
	}
}

// TestKilledTwice kills the program in the middle, twice, and lets it end then.
func TestKilledTwice(t *testing.T) {
	idx, dir := writeIDX(t), t.TempDir()
	alone := digestIn(t, compareWith(t, arguments(idx, filepath.Join(dir, "alone"))...))
	killed := filepath.Join(dir, "killed")
	for _, jobs := range []int{3, 8} {
		killAfter(t, jobs, arguments(idx, killed))
		if _, err := os.Stat(filepath.Join(killed, "results.json")); err == nil {
			t.Fatal("the killed process had written the tables already")
		}
	}
	if got := digestIn(t, compareWith(t, arguments(idx, killed)...)); got != alone {
		t.Errorf("killed twice: digest %s, left alone: %s", got, alone)
	}
	a, errA := os.ReadFile(filepath.Join(dir, "alone", "results.json"))
	b, errB := os.ReadFile(filepath.Join(killed, "results.json"))
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("results.json differ: %v, %v", errA, errB)
	}
}

// TestEightShards runs eight shards in folders of their own, and merges them.
func TestEightShards(t *testing.T) {
	idx, dir := writeIDX(t), t.TempDir()
	alone := digestIn(t, compareWith(t, arguments(idx, filepath.Join(dir, "alone"))...))
	var folders []string
	for i := range 8 {
		folders = append(folders, filepath.Join(dir, fmt.Sprint(i)))
		text := compareWith(t, arguments(idx, folders[i], "-shard", fmt.Sprintf("%d/8", i))...)
		if !strings.Contains(text, "this share is done") {
			t.Errorf("shard %d: %s", i, text)
		}
	}
	text := compareWith(t, arguments(idx, folders[7], "-shard", "7/8", "-merge", strings.Join(folders[:7], ","))...)
	if got := digestIn(t, text); got != alone {
		t.Errorf("8 shards merged: digest %s, one process: %s", got, alone)
	}
}

func TestWrongArguments(t *testing.T) {
	for _, c := range [][2]string{
		{"", "one of -task, -data and -idx"},
		{"-idx a -data b", "one of -task, -data and -idx"},
		{"-data b", "go together"},
		{"-idx a -forget all", `-forget "all"`},
		{"-idx a -share 2", "-share 2"},
		{"-idx a -seeds 0", "-seeds 0"},
		{"-idx a -retrains 1", "-retrains 1"},
		{"-idx a -shard 8/8", "wants i/n"},
		{"-idx a -mean .1", "-mean has 1"},
		{"-idx a more", `"more"`},
		{"-task yaleb-light -testdata x -model y", "a -task has its own"},
	} {
		var errs bytes.Buffer
		if code := command(t.Context(), strings.Fields(c[0]), io.Discard, &errs); code != 2 || !strings.Contains(errs.String(), c[1]) {
			t.Errorf("%q: code %d, %s", c[0], code, errs.String())
		}
	}
	for _, spelling := range [][2]string{{"mislabelled", "mislabeled"}, {"memorised", "memorized"}, {"memorized", "memorized"}} {
		if f, err := parse([]string{"-idx", "a", "-forget", spelling[0]}); err != nil || f.forget != spelling[1] {
			t.Errorf("-forget %s: %v", spelling[0], err)
		}
	}
}

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
