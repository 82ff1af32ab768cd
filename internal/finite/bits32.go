//go:build 386 || arm || mips || mipsle

package finite

// Builds for 32 bits end with this sentence: sizes of tensors and of files are of
// type int, and need 64. Every package of the module imports this one.
var _ int = "github.com/dlfd-go/unlearn works on 64-bit platforms only"
