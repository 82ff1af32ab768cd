//go:build !amd64 || noasm

package kernel

// useAsm stays false: this build has no assembly.
var useAsm = false
