package report

import (
	"fmt"
	"slices"

	"github.com/dlfd-go/unlearn/metrics"
)

// NewROC returns the curve of an attacker who gives each sample a score, larger for
// members, with metrics.AUC and metrics.AUCInterval at level .95. Equal scores are
// one step of the curve. Errors as for AUC. Cost: O((m+n) log(m+n)).
func NewROC(model string, role Role, member, nonmember []float64) (ROC, error) {
	c := ROC{Model: model, Role: role}
	auc, err := metrics.AUC(member, nonmember)
	if err != nil {
		return c, fmt.Errorf("report: ROC of %s: %w", brief(model, maxName), err)
	}
	interval, err := metrics.AUCInterval(member, nonmember, .95)
	if err != nil {
		return c, fmt.Errorf("report: ROC of %s: %w", brief(model, maxName), err)
	}
	c.AUC = Value{Mean: auc, N: 1, Interval: &interval}
	m, n := slices.Sorted(slices.Values(member)), slices.Sorted(slices.Values(nonmember))
	c.FPR, c.TPR = []float64{0}, []float64{0}
	for i, j := len(m), len(n); i > 0 || j > 0; {
		threshold := largest(m[:i], n[:j])
		for i > 0 && m[i-1] == threshold {
			i--
		}
		for j > 0 && n[j-1] == threshold {
			j--
		}
		c.FPR = append(c.FPR, float64(len(n)-j)/float64(len(n)))
		c.TPR = append(c.TPR, float64(len(m)-i)/float64(len(m)))
	}
	return c, nil
}

// largest returns the last of two ascending lists, of which one may be empty.
func largest(a, b []float64) float64 {
	switch {
	case len(a) == 0:
		return b[len(b)-1]
	case len(b) == 0:
		return a[len(a)-1]
	}
	return max(a[len(a)-1], b[len(b)-1])
}
