// Package kernel holds the loops over flat slices in which the time goes.
//
// Kernels check nothing and allocate nothing: shapes, lengths and finiteness
// are the caller's business. Every kernel runs on the calling goroutine. Where
// an assembly version exists, a generic twin is always built, and the tag noasm
// or a CPU without AVX2 and FMA selects it at run time.
package kernel
