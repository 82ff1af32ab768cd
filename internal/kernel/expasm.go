package kernel

// The exponentials and what sums them gain from AVX-512, as they compute more
// than they load; other loops over slices do not.

func expAsm32(n int, x, dst *float32) {
	if useWide {
		wideExpF32(n, x, dst)
	} else {
		expF32(n, x, dst)
	}
}

func expAsm64(n int, x, dst *float64) {
	if useWide {
		wideExpF64(n, x, dst)
	} else {
		expF64(n, x, dst)
	}
}

func maxAsm64(n int, x *float64) float64 {
	if useWide {
		return wideMaxF64(n, x)
	}
	return maxF64(n, x)
}

func sumExpAsm64(n int, x *float64, top float64) float64 {
	if useWide {
		return wideSumExpF64(n, x, top)
	}
	return sumExpF64(n, x, top)
}

func maxDiffAsm64(n int, f, c *float64, scale float64) float64 {
	if useWide {
		return wideMaxDiffF64(n, f, c, scale)
	}
	return maxDiffF64(n, f, c, scale)
}

func sumExpDiffAsm64(n int, f, c *float64, scale, top float64) float64 {
	if useWide {
		return wideSumExpDiffF64(n, f, c, scale, top)
	}
	return sumExpDiffF64(n, f, c, scale, top)
}
