//go:build !amd64 || noasm

package kernel

// useAsm stays false: this build has no assembly.
var useAsm = false

// noAssembly is what the kernels panic with that this build does not have.
const noAssembly = "kernel: built without assembly"
