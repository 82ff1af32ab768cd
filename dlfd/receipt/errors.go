package receipt

import (
	"errors"

	"github.com/dlfd-go/unlearn/feature"
)

// Errors that the functions of this package wrap, one for each way to fail.
var (
	ErrParameter = feature.ErrParameter
	ErrEmpty     = feature.ErrEmpty

	ErrFormat    = errors.New("not a receipt")
	ErrSize      = errors.New("the receipt is too large")
	ErrKey       = errors.New("the key cannot be used")
	ErrUnsigned  = errors.New("the envelope is not signed")
	ErrOtherKey  = errors.New("the envelope is signed with another key")
	ErrAltered   = errors.New("the statement was changed after it was signed")
	ErrOptions   = errors.New("the options of the method do not have the hash that the receipt names")
	ErrModel     = errors.New("the model is not the one of the receipt")
	ErrInput     = errors.New("the model is not the one that the run began with")
	ErrTrace     = errors.New("the trace is not the one of the receipt")
	ErrSecret    = errors.New("the secret does not belong to the receipt")
	ErrData      = errors.New("the data are not those of the receipt")
	ErrInclusion = errors.New("the sample is not in the set of the receipt")
	ErrChain     = errors.New("the chain of receipts is broken")
	ErrReturned  = errors.New("what had to be forgotten is back in the data")
	ErrOutcome   = errors.New("the verdict of the audit is not that the samples are forgotten")
	ErrAudit     = errors.New("the figures are not those of the receipt")

	ErrLedgerKey   = errors.New("the key is not that of the ledger")
	ErrLedger      = errors.New("the ledger was changed")
	ErrLedgerGap   = errors.New("a request is missing from the ledger")
	ErrLedgerModel = errors.New("the model is not the one of the ledger")
	ErrLedgerTwice = errors.New("the request is in the ledger already")
	ErrPast        = errors.New("the samples are not those of the earlier request")
)
