package receipt_test

import (
	"context"
	"fmt"
	"log"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
	"github.com/dlfd-go/unlearn/dlfd/receipt"
	"github.com/dlfd-go/unlearn/feature/featuretest"
)

// A request is carried out, and its receipt written and read back. The contents are
// those of samples in memory; Files takes those of files.
func ExampleNew() {
	ctx, seed := context.Background(), uint64(1)
	train, unseen := featuretest.NewBlobs(90, 4, 3, 1, 1, 2), featuretest.NewBlobs(60, 4, 3, 1, 1, 3)
	model := featuretest.NewMLP(4, 8, 3, 4)
	request, err := dlfd.NewRequest(train, func(i int) bool { return i < 30 }, unseen)
	if err != nil {
		log.Fatal(err)
	}
	opt := &dlfd.Options{Seed: seed}
	result, err := baseline.FineTune{}.Unlearn(ctx, model, request.Data, opt)
	if err != nil {
		log.Fatal(err)
	}
	audited, err := dlfd.Audit(ctx, model, request.AuditData, &dlfd.AuditOptions{Seed: seed})
	if err != nil {
		log.Fatal(err)
	}
	audit, err := receipt.NewAudit(audited, nil, nil, seed)
	if err != nil {
		log.Fatal(err)
	}
	key, err := receipt.NewKey()
	if err != nil {
		log.Fatal(err)
	}
	r, secret, err := receipt.New(key, receipt.Sources{Retain: receipt.Samples(request.Data.Retain), Forget: receipt.Samples(request.Data.Forget)}, receipt.Facts{
		ID: "R-2026-001", Received: "2026-11-26", Scenario: receipt.Sample, Outcome: receipt.OutcomeOf(result, audit),
		Leaves: receipt.OfSamples, Classes: 3, Result: result, Options: opt, Audit: audit,
		Input: receipt.Input{}, // of a model file: receipt.SumModel
	})
	if err != nil {
		log.Fatal(err)
	}
	files, err := receipt.NewBundle(r, secret, receipt.Model{}, nil, nil) // with a key of ReadPrivateKey it is signed
	if err != nil {
		log.Fatal(err)
	}
	o, err := receipt.OpenUnverified(files.Receipt)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s by %s: outcome %q; %d samples to forget, %d to retain\n", o.Request.ID, o.Method.Name, o.Request.Outcome, o.Data.Forget.Count, o.Data.Retain.Count)
	fmt.Println("signed:", o.Signed)
	fmt.Println("data:", o.CheckData(receipt.Retain, key, receipt.Samples(request.Data.Retain)))
	// Output:
	// R-2026-001 by FineTune: outcome "cannot tell"; 30 samples to forget, 60 to retain
	// signed: false
	// data: <nil>
}

// A ledger refuses what an earlier request had to forget.
func ExampleLedger() {
	forget := featuretest.NewBlobs(3, 4, 3, 1, 1, 5) // of three persons
	key, err := receipt.NewKey()
	if err != nil {
		log.Fatal(err)
	}
	ledger, err := receipt.NewLedger(key, receipt.Model{}) // of the first model: receipt.SumModel
	if err != nil {
		log.Fatal(err)
	}
	o := &receipt.Opened{Receipt: &receipt.Receipt{ // of receipt.Open
		Request: receipt.Request{ID: "R-1", Scenario: receipt.Person}, Data: receipt.Data{Forget: &receipt.Set{Count: 3}},
	}}
	if err := ledger.Add(o, receipt.Samples(forget)); err != nil {
		log.Fatal(err)
	}
	text, err := ledger.Text() // for receipt.WriteFile
	if err != nil {
		log.Fatal(err)
	}
	if ledger, err = receipt.ReadLedger(text, key); err != nil {
		log.Fatal(err)
	}
	retain := featuretest.NewBlobs(30, 4, 3, 1, 1, 6)
	fmt.Println(ledger.CheckReturned(receipt.Samples(retain)))
	retain.Persons[4] = forget.Persons[1] // another photo of one of them
	fmt.Println(ledger.CheckReturned(receipt.Samples(retain)))
	// Output:
	// <nil>
	// receipt: what had to be forgotten is back in the data: request R-1: samples 0, persons 1, of 30 samples; the first is sample 4
}
