package dlfd

import (
	"fmt"

	"github.com/dlfd-go/unlearn/feature"
)

// Request is a demand to forget: what a method is given, and what the model is
// judged on before and after. What steers a method is not reported on.
type Request struct {
	// Data is for a method.
	Data Data
	// AuditData is for Audit.
	AuditData AuditData
}

// NewRequest divides a training set into what must be forgotten, the samples for
// which forget is true, and what is retained, and both the forget set and unseen,
// samples like the training set that the model was never trained on, into a half
// that may steer a method and one that a report may use; see feature.Halves.
//
//   - Data has all that is retained, all that is forgotten (methods steer on the
//     first of its halves), and the first half of unseen as the Holdout.
//   - AuditData has all that is retained, the second half of what is forgotten, and
//     the second half of unseen as Test and NonMember.
//
// A person of whom both the forget set and unseen have samples is on the same
// side of both. A forget set of one sample, or of one person, has no second half:
// Forget and Member are empty then, and Audit says that it cannot judge them.
//
// No sample is read, but for labels where a dataset is not feature.Labeled.
// Errors: ErrEmpty where a set or half of unseen is empty, ErrParameter for a
// nil argument, feature.ErrClasses, and those of the datasets.
func NewRequest(train feature.Dataset, forget func(i int) bool, unseen feature.Dataset) (*Request, error) {
	if train == nil || forget == nil || unseen == nil {
		return nil, fmt.Errorf("dlfd: request: %w: an argument is nil", ErrParameter)
	}
	if err := feature.CheckClasses(train, unseen); err != nil {
		return nil, fmt.Errorf("dlfd: request: training set and unseen: %w", err)
	}
	lose, keep, err := feature.Partition(train, forget)
	if err != nil {
		return nil, fmt.Errorf("dlfd: request: %w", err)
	}
	if lose.Len() == 0 || keep.Len() == 0 {
		return nil, fmt.Errorf("dlfd: request: %w: of %d training samples, %d are to be forgotten and %d retained", ErrEmpty, train.Len(), lose.Len(), keep.Len())
	}
	first, second, err := feature.Halves(lose)
	if err != nil {
		return nil, fmt.Errorf("dlfd: request: forget set: %w", err)
	}
	steer, report, err := feature.HalvesBeside(unseen, first, second)
	if err != nil {
		return nil, fmt.Errorf("dlfd: request: unseen: %w", err)
	}
	if steer.Len() == 0 || report.Len() == 0 {
		return nil, fmt.Errorf("dlfd: request: %w: of %d unseen samples%s, %d may steer and %d may be reported on; both need some",
			ErrEmpty, unseen.Len(), persons(unseen), steer.Len(), report.Len())
	}
	return &Request{
		Data:      Data{Retain: keep, Forget: lose, Holdout: steer},
		AuditData: AuditData{Retain: keep, Forget: second, Test: report, Member: second, NonMember: report},
	}, nil
}

func persons(d feature.Dataset) string {
	if n := len(feature.Identities(d)); n > 0 {
		return fmt.Sprintf(" of %d persons", n)
	}
	return ""
}
