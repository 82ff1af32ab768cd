package receipt

import (
	"fmt"

	"github.com/dlfd-go/unlearn/metrics"
)

// TestPredicateType is the type of a test result in a statement; see
// https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md.
const TestPredicateType = "https://in-toto.io/attestation/test-result/v0.1"

// The results of a test.
const (
	Passed = "PASSED"
	Warned = "WARNED"
	Failed = "FAILED"
)

type testResult struct {
	Result        string    `json:"result"`
	Configuration []Subject `json:"configuration"` // the receipt
	PassedTests   []string  `json:"passedTests,omitempty"`
	WarnedTests   []string  `json:"warnedTests,omitempty"`
	FailedTests   []string  `json:"failedTests,omitempty"`
}

// TestResult returns a statement about the same model, for Seal, on which gates can
// act: its result is that of the worst of its tests.
//
//   - forgetting: PASSED where the verdict is "within the band"; WARNED where it
//     cannot tell, there is none, or the model is over-unlearned; else FAILED
//   - outcome: PASSED where the outcome is forgotten, WARNED where it cannot be told,
//     else FAILED
//   - separation: WARNED where something stood in two of the sets
//   - utility: WARNED where the test accuracy is not known or fell by more than .03
func (o *Opened) TestResult() ([]byte, error) {
	t := testResult{Configuration: make([]Subject, 1)}
	t.Configuration[0].Name, t.Configuration[0].Digest.SHA256 = "receipt", o.Hash
	t.add("forgetting", o.Audit.result())
	t.add("outcome", outcomeResult(o.Request.Outcome))
	t.add("separation", warnIf(o.Overlap != Overlap{}))
	test, ok := o.Audit.value("test accuracy")
	t.add("utility", warnIf(!ok || test.Before == nil || *test.Before-test.Value > .03))
	switch {
	case len(t.FailedTests) > 0:
		t.Result = Failed
	case len(t.WarnedTests) > 0:
		t.Result = Warned
	default:
		t.Result = Passed
	}
	return newStatement(o.Model, TestPredicateType, t)
}

func (t *testResult) add(name, result string) {
	switch result {
	case Passed:
		t.PassedTests = append(t.PassedTests, name)
	case Warned:
		t.WarnedTests = append(t.WarnedTests, name)
	default:
		t.FailedTests = append(t.FailedTests, name)
	}
}

func outcomeResult(o Outcome) string {
	switch o {
	case Forgotten:
		return Passed
	case CannotTell:
		return Warned
	}
	return Failed
}

func warnIf(bad bool) string {
	if bad {
		return Warned
	}
	return Passed
}

// Failed reports whether the verdict is that the samples are not forgotten:
// under-unlearned or hidden.
func (a *Audit) Failed() bool { return a.result() == Failed }

// tells reports whether there is a verdict that says something.
func (a *Audit) tells() bool {
	return a.Verdict != NoVerdict && a.Verdict != metrics.CannotTell.String()
}

// result is what the verdict means to a gate.
func (a *Audit) result() string {
	switch a.Verdict {
	case fmt.Sprint(metrics.WithinBand):
		return Passed
	case fmt.Sprint(metrics.CannotTell), fmt.Sprint(metrics.OverUnlearned), NoVerdict:
		return Warned
	}
	return Failed
}
