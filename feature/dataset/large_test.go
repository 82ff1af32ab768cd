package dataset_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/dataset"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/train"
	"github.com/dlfd-go/unlearn/internal/par"
	"github.com/dlfd-go/unlearn/internal/rng"
)

var (
	large       = flag.Int("large", 0, "number of JPEGs of TestLarge, 0 for none; 100000 take 6 GB of disk")
	largeDir    = flag.String("large.dir", "", "folder for the images and the pack of TestLarge, which stay there (default: a temporary one)")
	largeModes  = flag.String("large.modes", "memory,pack,files,memory,pack", "programs that TestLarge runs one after the other")
	largeEpochs = flag.Int("large.epochs", 3, "epochs of TestLarge, 2 at least")
	largeCache  = flag.Int64("large.cache", 0, "ImageOptions.CacheBytes of TestLarge in MiB, 0 for the default")
	largeGray   = flag.Bool("large.gray", false, "whether TestLarge reads gray images: 16 kB an image in memory, not 49")
	largeWide   = flag.Int("large.width", 8, "channels of the first convolution of TestLarge")
)

// writeJPEGs writes n different images of side×side in four classes.
func writeJPEGs(t testing.TB, dir string, n, side int) {
	t.Helper()
	for class := range 4 {
		if err := os.MkdirAll(filepath.Join(dir, fmt.Sprint(class)), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	errs := make([]error, n)
	par.Each(n, func(_, i int) {
		var f *os.File
		if f, errs[i] = os.Create(filepath.Join(dir, fmt.Sprint(i%4), fmt.Sprintf("%06d.jpg", i))); errs[i] == nil {
			errs[i] = jpeg.Encode(f, drawn(i, side), nil)
			f.Close()
		}
	})
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// waves is a wave in 1024 steps.
var waves = func() (w [1024]int) {
	for i := range w {
		w[i] = int(40 * math.Sin(float64(i)*math.Pi/512))
	}
	return w
}()

// drawn is an image of class i mod 4: waves whose direction the class decides, over
// tiles of any brightness.
func drawn(i, side int) image.Image {
	m := image.NewYCbCr(image.Rect(0, 0, side, side), image.YCbCrSubsampleRatio420)
	r := rng.Stream(1, "image", i)
	var tiles [16]int
	for k := range tiles {
		tiles[k] = r.IntN(160)
	}
	angle := float64(i%4)*math.Pi/4 + .3*r.NormFloat64()
	dx, dy, from := int(800*math.Cos(angle))*8/side, int(800*math.Sin(angle))*8/side, r.IntN(len(waves))
	for y := range side {
		for x := range side {
			wave := waves[(dx*x+dy*y+from)&(len(waves)-1)]
			m.Y[y*m.YStride+x] = uint8(50 + tiles[4*(4*y/side)+4*x/side] + wave)
		}
	}
	for k := range m.Cb {
		m.Cb[k], m.Cr[k] = uint8(96+tiles[k%3]/4), uint8(96+tiles[3]/3)
	}
	return m
}

// classifier is a small convolutional network.
func classifier(t testing.TB, channels, side, width int) *nn.Network {
	t.Helper()
	b := nn.NewBuilder(3, channels, side, side)
	x := b.ReLU(b.Conv("conv1", b.Input(), nn.Conv{Out: width, Kernel: 5, Stride: 4, Pad: 2}))
	x = b.ReLU(b.Conv("conv2", x, nn.Conv{Out: 2 * width, Kernel: 3, Stride: 2, Pad: 1}))
	m, err := b.Build(b.Linear("fc", b.Flatten(b.GlobalAveragePool(x)), 4))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func digestOfWeights(t testing.TB, m feature.Trainable) string {
	t.Helper()
	w, err := feature.Snapshot(m)
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	for _, v := range w {
		if err := binary.Write(h, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
}

// imageOptions are those of a mode.
func imageOptions(mode, packPath string, cache int64) dataset.ImageOptions {
	o := dataset.ImageOptions{Pixels: feature.Pixels{Mean: []float64{.5}, Std: []float64{.25}}, MaxBytes: 1 << 34}
	switch mode {
	case "files":
		o.OnDemand, o.CacheBytes = true, cache
	case "pack":
		o.Pack, o.CacheBytes = packPath, cache
	}
	return o
}

// TestTrainingOnDemand trains and unlearns on images in memory, in files and in a
// pack, each with next to no cache: the weights are equal to the bit.
func TestTrainingOnDemand(t *testing.T) {
	const n, side = 120, 16
	dir, ctx := t.TempDir(), context.Background()
	writeJPEGs(t, filepath.Join(dir, "images"), n, side)
	var want []string
	for _, mode := range []string{"memory", "files", "pack"} {
		d, err := dataset.Folder(filepath.Join(dir, "images"), &dataset.FolderOptions{Image: imageOptions(mode, filepath.Join(dir, "pack"), 5000)})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		m := classifier(t, 3, side, 4)
		trained, unseen, err := feature.Partition(d, func(i int) bool { return i%4 > 0 })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := train.Fit(ctx, m, trained, &train.Options{Epochs: 2, BatchSize: 7}); err != nil {
			t.Fatal(err)
		}
		got := []string{digestOfWeights(t, m)}
		r, err := dlfd.NewRequest(trained, func(i int) bool { return i%6 == 0 }, unseen)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (dlfd.Align{Epochs: 2, Always: true}).Unlearn(ctx, m, r.Data, &dlfd.Options{BatchSize: 8}); err != nil {
			t.Fatal(err)
		}
		got = append(got, digestOfWeights(t, m))
		audit, err := dlfd.Audit(ctx, m, r.AuditData, nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(audit)
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, string(text)); want == nil {
			want = got
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: weights after training and unlearning, and the audit, are %v, in memory %v", mode, got, want)
		}
	}
}

// largeResult is what a program of TestLarge prints.
type largeResult struct {
	Mode    string
	Weights string
	Load    float64   // seconds
	Epochs  []float64 // seconds each
	CPU     []float64 // seconds of processors, of each epoch
	Peak    int       // VmHWM, MiB
	Held    int       // RssAnon at the end, MiB: what the system cannot take back
	Mean    []float64 // of the pixels
	Stats   float64   // seconds for that
}

// TestLarge writes -large JPEGs of 128×128 and trains on them, in one program after
// the other: the weights are equal; a program that does not have the images in
// memory stays below 1 GiB, and with a pack it trains at .9 of the speed of one
// that has them, from the second epoch on.
func TestLarge(t *testing.T) {
	if mode := os.Getenv("UNLEARN_TEST_LARGE"); mode != "" {
		trainLarge(t, mode)
		return
	}
	if *large == 0 {
		t.Skip("-large asks for it")
	}
	dir := *largeDir
	if dir == "" {
		dir = t.TempDir()
	}
	if _, err := os.Stat(filepath.Join(dir, "images")); err != nil {
		begin := time.Now()
		writeJPEGs(t, filepath.Join(dir, "images"), *large, 128)
		t.Logf("%d images are written in %.0f s", *large, time.Since(begin).Seconds())
	}
	speed, work := map[string]float64{}, map[string]float64{} // the best, from the second epoch on
	weights := map[string]bool{}
	for _, mode := range strings.Split(*largeModes, ",") {
		r := runLarge(t, dir, mode)
		t.Logf("%+v", r)
		weights[r.Weights] = true
		for i, s := range r.Epochs[1:] {
			speed[mode] = max(speed[mode], float64(*large)/s)
			work[mode] = max(work[mode], float64(*large)/max(r.CPU[i+1], .01))
		}
		if mode != "memory" && r.Peak >= 1024 {
			t.Errorf("%s: %d MiB at the peak", mode, r.Peak)
		}
	}
	t.Logf("samples a second: %v; a second of one processor: %v", speed, work)
	if len(weights) != 1 {
		t.Errorf("the weights differ: %v", weights)
	}
	if m, p := max(work["memory"], 1), work["pack"]; p > 0 && p < .9*m {
		t.Errorf("with a pack %.0f samples a second of a processor, in memory %.0f", p, m)
	}
}

func runLarge(t *testing.T, dir, mode string) (r largeResult) {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run", "^TestLarge$", "-test.timeout", "1h", "-large.dir", dir, "-large.width", fmt.Sprint(*largeWide), "-large.epochs", fmt.Sprint(*largeEpochs), fmt.Sprint("-large.gray=", *largeGray), "-large.cache", fmt.Sprint(*largeCache))
	c.Env = append(os.Environ(), "UNLEARN_TEST_LARGE="+mode)
	out, err := c.CombinedOutput()
	_, line, found := strings.Cut(string(out), "result: ")
	line, _, _ = strings.Cut(line, "\n")
	if err != nil || !found || json.Unmarshal([]byte(line), &r) != nil {
		t.Fatalf("%s: %v: %s", mode, err, out)
	}
	return r
}

// trainLarge is a program of TestLarge.
func trainLarge(t *testing.T, mode string) {
	if mode == "memory" {
		debug.SetGCPercent(20) // of what is there, which is much
	}
	begin := time.Now()
	o := imageOptions(mode, filepath.Join(*largeDir, fmt.Sprintf("pack-%t", *largeGray)), *largeCache<<20)
	if *largeGray {
		o.Channels = 1
	}
	d, err := dataset.Folder(filepath.Join(*largeDir, "images"), &dataset.FolderOptions{Image: o})
	if err != nil {
		t.Fatal(err)
	}
	r := largeResult{Mode: mode, Load: time.Since(begin).Seconds()}
	m := classifier(t, d.Shape()[0], 128, *largeWide)
	last, cpu, epoch := time.Now(), cpuSeconds(), 0
	_, err = train.Fit(context.Background(), m, d, &train.Options{Epochs: *largeEpochs, Observer: func(p train.Progress) {
		if p.Step+1 == p.Steps || p.Epoch > epoch {
			r.Epochs, r.CPU = append(r.Epochs, time.Since(last).Seconds()), append(r.CPU, cpuSeconds()-cpu)
			last, cpu, epoch = time.Now(), cpuSeconds(), p.Epoch
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	r.Weights = digestOfWeights(t, m)
	if mode == "pack" {
		begin = time.Now()
		plain, err := d.Normalize(feature.Pixels{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := dataset.ComputePixels(plain)
		if err != nil {
			t.Fatal(err)
		}
		r.Mean, r.Stats = p.Mean, time.Since(begin).Seconds()
	}
	r.Peak, r.Held = peakMiB(t)
	line, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("result: %s\n", line)
}

// peakMiB returns the most memory that the program has had, and what it has now
// apart from files that are mapped; 0 where the system does not tell.
func peakMiB(t *testing.T) (peak, held int) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Logf("no peak of memory: %v", err)
		return 0, 0
	}
	for name, to := range map[string]*int{"VmHWM:": &peak, "RssAnon:": &held} {
		_, rest, _ := strings.Cut(string(status), name)
		if _, err := fmt.Sscan(rest, to); err != nil {
			t.Fatal(err)
		}
		*to /= 1024
	}
	return peak, held
}

// cpuSeconds returns how long processors have worked for the program, 0 where the
// system does not tell. On a machine that is shared it is steadier than the clock.
func cpuSeconds() float64 {
	stat, _ := os.ReadFile("/proc/self/stat")
	_, rest, _ := strings.Cut(string(stat), ") ")
	var user, system float64
	if f := strings.Fields(rest); len(f) > 12 {
		fmt.Sscan(f[11], &user)
		fmt.Sscan(f[12], &system)
	}
	return (user + system) / 100 // Linux counts in hundredths for programs
}
