package kernel

import "unsafe"

// fewColumns computes the product of rows of A, packed in panels of mr, and a panel
// of B of which at most 4 columns count, where there is assembly for it and enough
// rows, and reports whether it did. Every element is the same sum as that of a
// tile, to the bit.
func fewColumns(kc int, a, b, c []float32, ldc, rows, cols int, add bool) bool {
	width := cols
	if cols == 3 {
		width = 4
	}
	panels, total := 8/max(1, width), (rows+mr-1)/mr
	if depthLanes() == 0 || cols > 4 || kc == 0 || total < panels {
		return false
	}
	var sums [64]float32
	for done := 0; done < total; {
		first := min(done, total-panels) // the last panels are computed again with others
		from := unsafe.SliceData(a[first*mr*kc:])
		switch width {
		case 1:
			few1F32(kc, from, 4*mr*kc, unsafe.SliceData(b), &sums[0])
		case 2:
			few2F32(kc, from, 4*mr*kc, unsafe.SliceData(b), &sums[0])
		default:
			few4F32(kc, from, 4*mr*kc, unsafe.SliceData(b), &sums[0])
		}
		for p := done - first; p < panels; p++ {
			at := (first + p) * mr
			putColumns(c[at*ldc:], ldc, sums[8*width*p:], min(mr, rows-at), cols, add)
		}
		done = first + panels
	}
	return true
}

// putColumns stores columns of 8 elements, of which rows count, in rows of c, or adds
// them.
func putColumns(c []float32, ldc int, sums []float32, rows, cols int, add bool) {
	for r := range rows {
		to := c[r*ldc:][:cols]
		for j := range to {
			if v := sums[8*j+r]; add {
				to[j] += v
			} else {
				to[j] = v
			}
		}
	}
}
