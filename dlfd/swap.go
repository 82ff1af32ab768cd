package dlfd

import (
	"context"
	"fmt"
	"slices"

	"gonum.org/v1/gonum/floats"

	"github.com/dlfd-go/unlearn/feature"
	"github.com/dlfd-go/unlearn/metrics"
)

// Swapped is the outcome of Swap.
type Swapped struct {
	// Q is 1 less the advantage of the loss attack, averaged over the two worlds, with
	// an interval at 95 %: 1 for a retrained model. What tells the two sets apart
	// without membership, labels above all, cancels; see metrics.Exchange.
	Q metrics.Estimate `json:"q"`
	// AUC has the AUC of the attack in the world of the request and in the exchanged
	// one, on sets that are not matched.
	AUC [2]float64 `json:"auc"`
	// LabelFloor is the AUC of an attacker in the first world who sees labels only.
	LabelFloor float64 `json:"label_floor"`
	Forget     int     `json:"forget"`  // samples of the forget set that are judged on
	Holdout    int     `json:"holdout"` // and of those that were never trained on
	// Result is that of the method in the exchanged world.
	Result *Result `json:"result"`
}

// Swap exchanges the forget set of a request with as many unseen samples of the same
// classes, trains and unlearns once more, and returns how well an attack on the two
// unlearned models does. m is the model of the request after u, train returns a model
// that was trained on a dataset in the way in which the model of the request was, and
// opt is what u was given.
//
// Where the unseen samples have fewer of a class than the forget set, the exchanged
// world has fewer to forget. Judged are samples that steer the method in neither
// world. The request must be one of NewRequest.
//
// Cost: one training, one run of u, and four passes over half of the forget set.
// Errors: ErrEmpty where nothing can be exchanged or judged, ErrParameter for a nil
// argument, those of train, of u and of the data.
//
// Reference: Tu, Hu and Ma, arXiv 2404.11577, section 3.4, the SWAP test.
func Swap(ctx context.Context, m feature.Model, r *Request, train func(ctx context.Context, d feature.Dataset) (feature.Trainable, error), u Unlearner, opt *Options) (*Swapped, error) {
	if m == nil || r == nil || train == nil || u == nil {
		return nil, fmt.Errorf("dlfd: swap: %w: an argument is nil", ErrParameter)
	}
	s, err := swapped(ctx, m, r, train, u, opt)
	if err != nil {
		return nil, fmt.Errorf("dlfd: swap: %w", err)
	}
	return s, nil
}

func swapped(ctx context.Context, m feature.Model, r *Request, train func(context.Context, feature.Dataset) (feature.Trainable, error), u Unlearner, opt *Options) (*Swapped, error) {
	x, err := newExchange(r, seedOf(opt))
	if err != nil {
		return nil, err
	}
	all, err := feature.Concat(r.Data.Retain, x.data.Forget)
	if err != nil {
		return nil, err
	}
	other, err := train(ctx, all)
	if err != nil {
		return nil, fmt.Errorf("training: %w", err)
	}
	s := &Swapped{Forget: x.forget.Len(), Holdout: x.holdout.Len()}
	if s.Result, err = u.Unlearn(ctx, other, x.data, opt); err != nil {
		return nil, err
	}
	return s, s.judge(ctx, [2]feature.Model{m, other}, x)
}

func seedOf(opt *Options) uint64 {
	if opt == nil {
		return 0
	}
	return opt.Seed
}

// judge attacks both models.
func (s *Swapped) judge(ctx context.Context, worlds [2]feature.Model, x *exchange) error {
	var e metrics.Exchange
	var labels [2][]int
	classes := 0
	for w, m := range worlds {
		for side, d := range []feature.Dataset{x.forget, x.holdout} {
			o, err := outputs(ctx, m, d)
			if err != nil {
				return err
			}
			scores, err := o.CrossEntropies()
			if err != nil {
				return err
			}
			floats.Scale(-1, scores)
			[]*[2][]float64{&e.Forget, &e.Holdout}[side][w] = scores
			labels[side], classes = o.Labels, o.Classes
		}
	}
	var err error
	if s.Q, err = e.Quality(auditLevel); err != nil {
		return err
	}
	if s.AUC[0], err = metrics.AUC(e.Forget[0], e.Holdout[0]); err != nil {
		return err
	}
	if s.AUC[1], err = metrics.AUC(e.Holdout[1], e.Forget[1]); err != nil {
		return err
	}
	floor, err := metrics.LabelFloor(labels[0], labels[1], classes)
	s.LabelFloor = floor.AUC
	return err
}

// exchange is the request of the exchanged world, and what is judged in both.
type exchange struct {
	data            Data
	forget, holdout feature.Dataset
}

func newExchange(r *Request, seed uint64) (*exchange, error) {
	first, _, err := feature.Halves(r.Data.Forget) // steers in the first world
	if err != nil {
		return nil, fmt.Errorf("forget: %w", err)
	}
	report := r.AuditData
	steer, err := likeOf(first, r.Data.Holdout, seed)
	if err != nil {
		return nil, fmt.Errorf("holdout: %w", err)
	}
	judge, err := likeOf(report.Member, report.NonMember, seed)
	if err != nil {
		return nil, fmt.Errorf("non-members: %w", err)
	}
	x := &exchange{data: Data{Retain: r.Data.Retain, Holdout: first}, forget: report.Member}
	if first.Len() == 0 || x.forget.Len() == 0 || steer.Len() == 0 || judge.Len() == 0 {
		return nil, fmt.Errorf("%w: %d and %d forget samples that steer and are judged, %d and %d unseen ones of their classes", ErrEmpty, first.Len(), x.forget.Len(), steer.Len(), judge.Len())
	}
	if err := x.arrange(steer, judge); err != nil {
		return nil, err
	}
	if x.holdout.Len() == 0 {
		return nil, fmt.Errorf("%w: every unseen sample that could be judged steers the method in the exchanged world", ErrEmpty)
	}
	return x, nil
}

// arrange makes the forget set of the exchanged world of samples that steer and
// samples that are judged in the first one, in turns, so that most of the latter are
// in the half that does not steer in the exchanged world either. Those that are, it
// judges.
func (x *exchange) arrange(steer, judge feature.Dataset) error {
	both, err := feature.Concat(steer, judge)
	if err != nil {
		return err
	}
	labels, err := feature.Labels(both)
	if err != nil {
		return err
	}
	order := inTurns(labels, steer.Len())
	if x.data.Forget, err = feature.Subset(both, order); err != nil {
		return err
	}
	second, err := secondHalf(x.data.Forget)
	if err != nil {
		return err
	}
	var judged []int
	for _, k := range second {
		if order[k] >= steer.Len() {
			judged = append(judged, order[k])
		}
	}
	x.holdout, err = feature.Subset(both, judged)
	return err
}

// inTurns orders positions by their label, and within a label one below from and one
// at or above it in turns.
func inTurns(labels []int, from int) []int {
	order, rank := make([]int, len(labels)), make([]int, len(labels))
	next := make(map[[2]int]int) // by label and side
	for i, y := range labels {
		side := 0
		if i >= from {
			side = 1
		}
		order[i], rank[i] = i, 2*next[[2]int{y, side}]+side
		next[[2]int{y, side}]++
	}
	slices.SortStableFunc(order, func(i, j int) int {
		if labels[i] != labels[j] {
			return labels[i] - labels[j]
		}
		return rank[i] - rank[j]
	})
	return order
}

// likeOf returns samples of d of the classes of like, as many of each as there are
// in like, or all.
func likeOf(like, d feature.Dataset, seed uint64) (feature.Dataset, error) {
	a, err := feature.Labels(like)
	if err != nil {
		return nil, err
	}
	b, err := feature.Labels(d)
	if err != nil {
		return nil, err
	}
	if len(a) == 0 || len(b) == 0 {
		return feature.Subset(d, nil)
	}
	match, err := metrics.MatchClasses(a, b, max(like.Classes(), d.Classes()), seed)
	if err != nil {
		return nil, err
	}
	return feature.Subset(d, match.NonMembers)
}

// secondHalf returns the positions of the second of feature.Halves.
func secondHalf(d feature.Dataset) ([]int, error) {
	labels, err := feature.Labels(d)
	if err != nil {
		return nil, err
	}
	p := positions{labels: labels, of: d}
	_, second, err := feature.Halves(p)
	if err != nil {
		return nil, err
	}
	b, err := feature.ReadAll(second)
	if err != nil {
		return nil, err
	}
	index := make([]int, len(b.Labels))
	for i := range index {
		index[i] = int(b.X.Row(i)[0])<<12 + int(b.X.Row(i)[1])
	}
	return index, nil
}

// positions is a dataset with the labels and the persons of another, whose samples
// are the positions, in two numbers that float32 has exactly.
type positions struct {
	labels []int
	of     feature.Dataset
}

func (p positions) Len() int              { return len(p.labels) }
func (p positions) Shape() []int          { return []int{2} }
func (p positions) Classes() int          { return p.of.Classes() }
func (p positions) Label(i int) int       { return p.labels[i] }
func (p positions) Identity(i int) string { return feature.IdentityOf(p.of, i) }

func (p positions) Read(index []int, x []float32, labels []int) error {
	if err := feature.CheckRead(p, index, x, labels); err != nil {
		return err
	}
	for i, k := range index {
		x[2*i], x[2*i+1], labels[i] = float32(k>>12), float32(k&(1<<12-1)), p.labels[k]
	}
	return nil
}
