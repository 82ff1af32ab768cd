//go:build (!amd64 && !arm64) || noasm

package kernel

// These stay false: this build has no assembly.
var useAsm, useWide = false, false

func hasTapRows() bool { return false }

func depthLanes() int { return 0 }
