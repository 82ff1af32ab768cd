package kernel

// HasAssembly reports whether the assembly kernels are in use: the build is
// for amd64 without the tag noasm, and CPU and operating system offer AVX2 and
// FMA.
func HasAssembly() bool { return useAsm }
