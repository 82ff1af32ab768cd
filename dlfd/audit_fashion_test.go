package dlfd_test

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/dataset"
	"github.com/dlfd-go/unlearn/feature/onnx"
	"github.com/dlfd-go/unlearn/metrics"
)

// padded is Fashion-MNIST as the conv net of the test data sees it: with a border of
// two black pixels, normalized.
type padded struct{ feature.Dataset }

func (padded) Shape() []int { return []int{1, 32, 32} }
func (padded) Pixels() feature.Pixels {
	return feature.Pixels{Mean: []float64{.2860}, Std: []float64{.3530}}
}

func (p padded) Read(index []int, x []float32, labels []int) error {
	raw := make([]float32, 28*28*len(index))
	if err := p.Dataset.Read(index, raw, labels); err != nil {
		return err
	}
	for i := range x {
		v, row, col := float32(0), i/32%32-2, i%32-2
		if row >= 0 && row < 28 && col >= 0 && col < 28 {
			v = raw[i/1024*784+row*28+col]
		}
		x[i] = (v - .2860) / .3530
	}
	return nil
}

// fashionRequest has the first n samples of what the conv net was trained on, has to
// forget, and never saw.
func fashionRequest(t *testing.T, root string, n int) (retain, forget, holdout feature.Dataset) {
	t.Helper()
	file := func(name string) string { return filepath.Join(root, "fashion-mnist", name) }
	raw, err := dataset.IDX(file("train-images-idx3-ubyte.gz"), file("train-labels-idx1-ubyte.gz"), nil)
	if err != nil {
		t.Fatal(err)
	}
	sets := make([]feature.Dataset, 3)
	for i, name := range []string{"retain", "forget", "holdout"} {
		b, err := os.ReadFile(filepath.Join(root, "fashion-cnn", name+".npy"))
		if err != nil {
			t.Fatal(err)
		}
		b = b[10+int(binary.LittleEndian.Uint16(b[8:])):]
		index := make([]int, min(n, len(b)/8))
		for k := range index {
			index[k] = int(binary.LittleEndian.Uint64(b[8*k:]))
		}
		if sets[i], err = feature.Subset(padded{raw}, index); err != nil {
			t.Fatal(err)
		}
	}
	return sets[0], sets[1], sets[2]
}

// On a conv net from PyTorch the original fails and a retrained model passes beside
// two others.
func TestAuditOfTheConvNet(t *testing.T) {
	root := os.Getenv("UNLEARN_TESTDATA")
	if root == "" || testing.Short() {
		t.Skip("UNLEARN_TESTDATA is not set, or -short is")
	}
	retain, forget, holdout := fashionRequest(t, root, 1500)
	load := func(name string) feature.Model {
		m, err := onnx.Load(filepath.Join(root, "fashion-cnn", name+".onnx"), nil)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	data := dlfd.AuditData{Retain: retain, Forget: forget, Test: holdout, Member: forget, NonMember: holdout}
	opt := &dlfd.AuditOptions{Original: &dlfd.Reference{Model: load("orig")}, Retrained: []dlfd.Reference{{Model: load("retrain-1")}, {Model: load("retrain-2")}}}
	for _, name := range []string{"orig", "retrain-3"} {
		a, err := dlfd.Audit(context.Background(), load(name), data, opt)
		if err != nil {
			t.Fatal(err)
		}
		opt.Original.Audited = a.References.Original
		for i, r := range a.References.Retrained {
			opt.Retrained[i].Audited = r
		}
		t.Logf("%s: retain %.3f, forget %.3f, test %.3f, AUC %.3f, LiRA %.3f, RMIA %.3f, IAM %.3f, scatter ratio %.3f, new head %.3f, residual %.3f, SMI %.3f, SDE %+v, two-sample p %.3f, gap %.4f\n\t%v",
			name, a.RetainAccuracy, a.ForgetAccuracy, a.TestAccuracy, a.LossAttack.AUCInterval, a.Attacks.LiRA.AUC, a.Attacks.RMIA.AUC, a.Attacks.IAM.AUC,
			a.Scatter.Ratio, a.Head.Lead, *a.Residual, *a.SMI, *a.SDE, a.TwoSample.P, a.Gap.Mean, a.Judgment)
		if passes := a.Judgment.Verdict == metrics.WithinBand; passes != (name == "retrain-3") {
			t.Errorf("%s gets %v", name, a.Judgment)
		}
		if leads := a.Attacks.LiRA.AUCInterval.Lo > .53; leads != (name == "orig") {
			t.Errorf("%s: LiRA reaches %v", name, a.Attacks.LiRA)
		}
	}
}
