//go:build !amd64 || noasm

package kernel

// These stay false: this build has no assembly.
var useAsm, useWide = false, false

// noAssembly is what the kernels panic with that this build does not have.
const noAssembly = "kernel: built without assembly"
