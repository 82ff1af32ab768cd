package dlfd

import (
	"context"

	"github.com/dlfd-go/unlearn/metrics"
)

// bandModels is the least number of retrained models that make a band.
const bandModels = 3

// gap compares the scores with those of the retrained models.
func (a *audit) gap(context.Context) error {
	refs := a.References.Retrained
	if len(refs) == 0 {
		return nil
	}
	if !a.attacked() || a.Counts.Forget == 0 {
		a.leftOut("gap to retraining: it needs the accuracy on forget and the loss attack")
		return nil
	}
	g := new(RetrainedGap)
	for _, r := range refs {
		gap, err := metrics.RetrainGap(a.Scores(), r.Scores())
		if err != nil {
			return err
		}
		g.Gaps = append(g.Gaps, gap)
		g.Mean += gap.Mean / float64(len(refs))
	}
	a.Gap = g
	if len(refs) < bandModels {
		return nil
	}
	return g.band(refs)
}

// band sets the mean gap between the retrained models.
func (g *RetrainedGap) band(refs []*Audited) error {
	var sum float64
	for i, r := range refs {
		for _, q := range refs[:i] {
			gap, err := metrics.RetrainGap(r.Scores(), q.Scores())
			if err != nil {
				return err
			}
			sum += gap.Mean
		}
	}
	band := sum / float64(len(refs)*(len(refs)-1)/2)
	g.Band = &band
	if band > 0 {
		bands := g.Mean / band
		g.Bands = &bands
	}
	return nil
}
