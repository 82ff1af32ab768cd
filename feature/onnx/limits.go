package onnx

import "errors"

// Errors that the functions of this package wrap.
var (
	ErrFormat      = errors.New("not a valid ONNX file")
	ErrLimit       = errors.New("beyond a limit")
	ErrUnsupported = errors.New("not supported")
	ErrGradient    = errors.New("no useful gradient")
	ErrExternal    = errors.New("external data")
)

// Limits of what a file may hold, so that memory follows the file's size. They
// are far above those of real models.
const (
	maxName     = 1 << 12 // bytes of a name
	maxNodes    = 1 << 16
	maxTensors  = 1 << 16
	maxParsed   = 1 << 26 // bytes of what is parsed beside names and weights
	maxInts     = 1 << 16 // numbers in one attribute
	maxRank     = 8
	maxConstant = 1 << 18 // elements of one constant
	maxFolded   = 1 << 21 // elements of all constants
	maxTable    = 1 << 24 // elements of all tables of positions
)
