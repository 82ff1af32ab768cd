package recipes

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"
)

const folder = "../../examples/compare/recipes/"

// job decodes the manifest for a stage. A field that Kubernetes does not know is an error.
func job(t *testing.T, stage int) *batch.Job {
	t.Helper()
	text, err := os.ReadFile(folder + "kubernetes-job.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var j batch.Job
	if err := yaml.UnmarshalStrict([]byte(strings.ReplaceAll(string(text), "STAGE", fmt.Sprint(stage))), &j); err != nil {
		t.Fatal(err)
	}
	return &j
}

func TestManifest(t *testing.T) {
	j := job(t, 1)
	if j.APIVersion != "batch/v1" || j.Kind != "Job" {
		t.Errorf("it is a %s of %s", j.Kind, j.APIVersion)
	}
	if wrong := validation.IsDNS1123Label(j.Name); len(wrong) > 0 {
		t.Errorf("name %q: %v", j.Name, wrong)
	}
	spec := j.Spec
	if spec.CompletionMode == nil || *spec.CompletionMode != batch.IndexedCompletion || spec.Completions == nil || spec.Parallelism == nil {
		t.Fatalf("%+v", spec)
	}
	if spec.Template.Spec.RestartPolicy != core.RestartPolicyOnFailure || len(spec.Template.Spec.Containers) != 1 {
		t.Fatalf("%+v", spec.Template.Spec)
	}
	c := spec.Template.Spec.Containers[0]
	at := slices.Index(c.Args, "-shard")
	if at < 0 || c.Args[at+1] != fmt.Sprintf("auto/%d", *spec.Completions) {
		t.Errorf("arguments %q, and there are %d completions", c.Args, *spec.Completions)
	}
	for _, m := range c.VolumeMounts {
		if !slices.ContainsFunc(spec.Template.Spec.Volumes, func(v core.Volume) bool { return v.Name == m.Name }) {
			t.Errorf("no volume %q", m.Name)
		}
	}
}

// trial is a small comparison, built once.
type trial struct {
	program, idx, dir string
	digest            string // of one process
}

// more are arguments that make a comparison small.
var more = strings.Fields("-share .2 -epochs 2 -seeds 1 -retrains 4 -deep -1 -swap -1 -methods finetune -workers 1")

var once = sync.OnceValues(func() (*trial, error) {
	dir, err := os.MkdirTemp("", "recipes")
	if err != nil {
		return nil, err
	}
	s := &trial{program: filepath.Join(dir, "compare"), idx: filepath.Join(dir, "idx"), dir: dir}
	build := exec.Command("go", "build", "-o", s.program, "./examples/compare")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	if err := writeIDX(s.idx); err != nil {
		return nil, err
	}
	out, err := exec.Command(s.program, slices.Concat(s.data(), more, []string{"-out", filepath.Join(dir, "one")})...).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	s.digest = digestIn(string(out))
	return s, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if s, err := once(); err == nil {
		os.RemoveAll(s.dir)
	}
	os.Exit(code)
}

func (s *trial) data() []string { return []string{"-idx", s.idx} }

func try(t *testing.T) *trial {
	t.Helper()
	s, err := once()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// writeIDX writes four files like those of MNIST, of 8×8 images: class c is bright in
// column c.
func writeIDX(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, part := range []struct {
		name string
		n    int
	}{{"train", 100}, {"t10k", 80}} {
		images := binary.BigEndian.AppendUint32(nil, 0x803)
		for _, v := range []int{part.n, 8, 8} {
			images = binary.BigEndian.AppendUint32(images, uint32(v))
		}
		labels := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 0x801), uint32(part.n))
		for i := range part.n {
			for p := range 64 {
				v := 90 + 60*r.NormFloat64()
				if p%8/2 == i%4 {
					v += 40
				}
				images = append(images, byte(max(0, min(255, v))))
			}
			labels = append(labels, byte(i%4))
		}
		for name, content := range map[string][]byte{"images-idx3": images, "labels-idx1": labels} {
			if err := os.WriteFile(filepath.Join(dir, part.name+"-"+name+"-ubyte"), content, 0o666); err != nil {
				return err
			}
		}
	}
	return nil
}

func digestIn(text string) string {
	m := regexp.MustCompile(`digest ([0-9a-f]{64})`).FindStringSubmatch(text)
	if m == nil {
		return "none in " + text
	}
	return m[1]
}

// TestPods runs the command of each pod as a process, all of a stage at a time, and starts
// those again that fail, as Kubernetes does. In each stage one is killed.
func TestPods(t *testing.T) {
	s := try(t)
	data := filepath.Join(t.TempDir(), "data")
	if err := os.MkdirAll(data, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(s.idx, filepath.Join(data, "idx")); err != nil {
		t.Fatal(err)
	}
	for stage := 1; stage <= 4; stage++ {
		j := job(t, stage)
		var wait sync.WaitGroup
		for i := range int(*j.Spec.Completions) {
			wait.Go(func() { pod(t, s, j, data, i, i == stage) })
		}
		wait.Wait()
	}
	checkFolder(t, s, filepath.Join(data, "out"))
}

// pod runs one process until it ends well.
func pod(t *testing.T, s *trial, j *batch.Job, data string, index int, kill bool) {
	var args []string
	for _, arg := range j.Spec.Template.Spec.Containers[0].Args {
		args = append(args, strings.ReplaceAll(arg, "/data", data))
	}
	for range 5 {
		cmd := exec.Command(s.program, append(args, more...)...)
		cmd.Env = append(os.Environ(), fmt.Sprintf("JOB_COMPLETION_INDEX=%d", index))
		if kill {
			time.AfterFunc(time.Duration(rand.IntN(300))*time.Millisecond, func() {
				if cmd.Process != nil {
					_ = cmd.Process.Kill()
				}
			})
			kill = false
		}
		if err := cmd.Run(); err == nil {
			return
		}
	}
	t.Errorf("pod %d of %s failed five times", index, j.Name)
}

// checkFolder runs the comparison in a folder where all is done, which does nothing again.
func checkFolder(t *testing.T, s *trial, out string) {
	t.Helper()
	// The name of the data, which is that of the task, is the same for all.
	text, err := exec.Command(s.program, slices.Concat(s.data(), more, []string{"-out", out})...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if regexp.MustCompile(`(?m)^\d+ of \d+: `).Match(text) {
		t.Errorf("something was not done:\n%s", text)
	}
	if got := digestIn(string(text)); got != s.digest {
		t.Errorf("digest %s, of one process %s", got, s.digest)
	}
}

func TestXargs(t *testing.T) {
	s, out := try(t), filepath.Join(t.TempDir(), "out")
	cmd := exec.Command(folder+"xargs.sh", slices.Concat(s.data(), more, []string{"-out", out})...)
	cmd.Env = append(os.Environ(), "COMPARE="+s.program, "TASKS=4")
	text, err := cmd.CombinedOutput()
	if err != nil || digestIn(string(text)) != s.digest {
		t.Fatalf("%v, and the digest of one process is %s: %s", err, s.digest, text)
	}
	checkFolder(t, s, out)
}

// TestSlurm submits to a Slurm of its own.
func TestSlurm(t *testing.T) {
	for _, tool := range []string{"sbatch", "slurmctld", "slurmd", "munged"} {
		if _, err := exec.LookPath(tool); err != nil || os.Getuid() != 0 {
			t.Skip("needs root, slurm-wlm and munge")
		}
	}
	s, out := try(t), filepath.Join(t.TempDir(), "out")
	recipes, err := filepath.Abs(folder)
	if err != nil {
		t.Fatal(err)
	}
	submitAndWait := `id=$("$0" "$@") && while squeue --noheader -j "$id" 2>/dev/null | grep -q .; do sleep 1; done && cat compare-tables-"$id".log`
	args := slices.Concat([]string{"bash", "-c", submitAndWait, recipes + "/slurm-submit.sh"}, s.data(), more, []string{"-out", out})
	cmd := exec.Command(recipes+"/slurm-once.sh", args...)
	cmd.Env, cmd.Dir = append(os.Environ(), "COMPARE="+s.program, "TASKS=4"), t.TempDir()
	text, err := cmd.CombinedOutput()
	if err != nil || digestIn(string(text)) != s.digest {
		t.Fatalf("%v, and the digest of one process is %s: %s", err, s.digest, text)
	}
	checkFolder(t, s, out)
}
