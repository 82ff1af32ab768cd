package dlfd_test

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/dataset"
	"github.com/dlfd-go/unlearn/feature/nn"
	"github.com/dlfd-go/unlearn/feature/onnx"
	"github.com/dlfd-go/unlearn/feature/train"
)

// A classifier in a file was trained on 720 samples, and has to forget every
// third of them.
func Example() {
	dir, trained, unseen := trainedClassifier()
	defer os.RemoveAll(dir)
	ctx, mustGo := context.Background(), func(i int) bool { return i%3 == 0 }

	model, err := onnx.Load(filepath.Join(dir, "classifier.onnx"), nil)
	check(err)
	request, err := dlfd.NewRequest(trained, mustGo, unseen)
	check(err)
	before, err := dlfd.Audit(ctx, model, request.AuditData, nil)
	check(err)
	result, err := dlfd.Recommended().Unlearn(ctx, model, request.Data, nil)
	check(err)
	after, err := dlfd.Audit(ctx, model, request.AuditData, nil)
	check(err)
	check(model.Save(filepath.Join(dir, "forgotten.onnx")))

	fmt.Println(result.Stop, "after", result.Ledger.Steps, "steps")
	for _, a := range []*dlfd.Audited{before, after} {
		fmt.Printf("accuracy on test %.1f, attack AUC %.1f\n", a.TestAccuracy, a.LossAttack.AUC)
	}
	// Output:
	// completed after 75 steps
	// accuracy on test 0.6, attack AUC 0.8
	// accuracy on test 0.6, attack AUC 0.5
}

// trainedClassifier writes classifier.onnx, a classifier that knows its training
// set by heart, into a folder of its own.
func trainedClassifier() (dir string, trained, unseen feature.Dataset) {
	trained, unseen = samples(1, 720), samples(2, 1500)
	model, err := nn.MLP(nn.MLPConfig{Input: []int{24}, Classes: 3, Seed: 2})
	check(err)
	_, err = train.Fit(context.Background(), model, trained, &train.Options{Epochs: 60})
	check(err)
	dir, err = os.MkdirTemp("", "unlearn")
	check(err)
	check(model.SaveONNX(filepath.Join(dir, "classifier.onnx")))
	return dir, trained, unseen
}

// samples draws n points of three overlapping classes.
func samples(seed uint64, n int) feature.Dataset {
	r := rand.New(rand.NewPCG(seed, 0))
	s := dataset.Samples{X: feature.NewTensor(n, 24), Labels: make([]int, n)}
	for i := range n {
		s.Labels[i] = r.IntN(3)
		for k := range 24 {
			s.X.Row(i)[k] = float32(r.NormFloat64())
		}
		s.X.Row(i)[s.Labels[i]] += 1.2
	}
	d, err := dataset.Memory(s)
	check(err)
	return d
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
