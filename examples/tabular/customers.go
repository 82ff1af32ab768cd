package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/feature/dataset"
)

const rows = 1600

// customers draws a table of customers, a seventh of whom ask to be deleted. Whether
// one churns follows from the numbers in part only, so that a model that is right on
// all of them has learned some by heart.
func customers(seed uint64) string {
	r := rand.New(rand.NewPCG(seed, 7))
	cities, plans := []string{"Bern", "Oslo", "Rome", "Wien"}, []string{"basic", "family", "pro"}
	var b strings.Builder
	b.WriteString("age,income,calls,visits,balance,usage,city,plan,churn,request\n")
	for range rows {
		age, calls, plan := 18+r.IntN(60), r.IntN(9), r.IntN(len(plans))
		income := fmt.Sprintf("%.0f", 2000+400*float64(plan)+800*r.NormFloat64())
		if r.IntN(20) == 0 {
			income = ""
		}
		churn := "no"
		if float64(calls)/3-float64(age)/30+float64(plan)/2+r.NormFloat64() > .2 {
			churn = "yes"
		}
		request := "none"
		if r.IntN(7) == 0 {
			request = "delete"
		}
		fmt.Fprintf(&b, "%d,%s,%d,%d,%.2f,%.3f,%s,%s,%s,%s\n", age, income, calls, r.IntN(30), 500*r.NormFloat64(), r.ExpFloat64(),
			cities[r.IntN(len(cities))], plans[plan], churn, request)
	}
	return b.String()
}

// unseen reports whether a row is left out of the training: half of those that are not
// forgotten, or where persons are known the rows of half of them.
func (s settings) unseen(r dataset.Row) bool {
	if s.leaves(r) {
		return false
	}
	key := fmt.Sprint(r.Number)
	if s.identity != "" {
		key = r.Get(s.identity)
	}
	h := sha256.Sum256(fmt.Appendf(nil, "%d %s", s.seed, key))
	return h[0]&1 == 1
}

// audit prints a line of the audit; what was not judged is a dash, and a line says why.
func audit(ctx context.Context, w io.Writer, when string, m feature.Model, request *dlfd.Request) error {
	a, err := dlfd.Audit(ctx, m, request.AuditData, nil)
	if err != nil {
		return err
	}
	verdict, forget, attack := "not judged", "–", "–"
	if a.Judgment != nil {
		verdict = a.Judgment.Verdict.String()
	}
	if a.Counts.Forget > 0 {
		forget = fmt.Sprintf("%.2f", a.ForgetAccuracy)
	}
	if t := a.LossAttack; t.AUC > 0 || t.AUCInterval.Hi > 0 {
		attack = fmt.Sprintf("%.2f (%.2f to %.2f)", t.AUC, t.AUCInterval.Lo, t.AUCInterval.Hi)
	}
	fmt.Fprintf(w, "%-6s accuracy %.2f on retain, %s on forget, %.2f on test; AUC of the loss attack %s: %s\n", when,
		a.RetainAccuracy, forget, a.TestAccuracy, attack, verdict)
	if a.Judgment == nil && len(a.NotJudged) > 0 {
		fmt.Fprintf(w, "       %s\n", a.NotJudged[0])
	}
	return nil
}
