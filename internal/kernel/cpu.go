package kernel

// HasAssembly reports whether the assembly kernels are in use: the build is
// for amd64 without the tag noasm, and CPU and operating system offer AVX2 and
// FMA.
func HasAssembly() bool { return useAsm }

// Instructions names the assembly in use: "avx512", "avx2", or "" for plain Go.
// Results have the same bits only where it is the same.
func Instructions() string {
	switch {
	case useAsm && useWide:
		return "avx512"
	case useAsm:
		return "avx2"
	}
	return ""
}
