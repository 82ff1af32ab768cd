package kernel

// The generator is a module of its own, so that this one does not depend on
// avo. A family F yields F_amd64.s, F_amd64.go and F_noasm.go, and, where _asm/neon
// has it, F_arm64.s and F_arm64.go.

//go:generate go -C _asm run . all
//go:generate go -C _asm run ./neon
