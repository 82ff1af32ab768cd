package kernel

import "unsafe"

// packLattice packs one panel, lanes wide: dst[16p+j] = img[rows[p]+lanes[j]].
func packLattice(img []float32, rows, lanes []int32, dst []float32) {
	if !useAsm {
		packLatticePlain(img, rows, lanes, dst)
		return
	}
	n, off, to := len(rows), unsafe.SliceData(rows), unsafe.SliceData(dst)
	at := func(i int) *float32 {
		return (*float32)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(img)), 4*int(lanes[i])))
	}
	switch {
	case consecutive(lanes, 16):
		packRun16F32(n, at(0), off, to)
	case useWide && packPieces(img, rows, lanes, dst):
	case consecutive(lanes, 8):
		packRun8F32(n, at(0), at(8), off, to)
	case consecutive(lanes, 4):
		packRun4F32(n, at(0), at(4), at(8), at(12), off, to)
	default:
		var all [16]int32
		for i := copy(all[:], lanes); i < 16; i++ {
			all[i] = lanes[len(lanes)-1] // read, never stored
		}
		packGatherF32(n, unsafe.SliceData(img), off, &all[0], to)
	}
}

// consecutive reports whether there are 16 lanes in runs of the given length.
func consecutive(lanes []int32, run int) bool {
	if len(lanes) != 16 {
		return false
	}
	for i, v := range lanes {
		if v != lanes[i/run*run]+int32(i%run) {
			return false
		}
	}
	return true
}

func packLatticePlain(img []float32, rows, lanes []int32, dst []float32) {
	for p, off := range rows {
		row := dst[16*p:][:16]
		for j, lane := range lanes {
			row[j] = img[off+lane]
		}
		clear(row[len(lanes):])
	}
}

// packPieces packs lanes that make at most four runs, and reports whether they
// do.
func packPieces(img []float32, rows, lanes []int32, dst []float32) bool {
	var starts, masks [4]int32
	pieces := 0
	for first := 0; first < len(lanes); pieces++ {
		if pieces == len(starts) {
			return false
		}
		end := first + 1
		for end < len(lanes) && lanes[end] == lanes[end-1]+1 {
			end++
		}
		starts[pieces], masks[pieces] = lanes[first]-int32(first), int32(1)<<end-int32(1)<<first
		first = end
	}
	packPiecesF32(len(rows), unsafe.SliceData(img), unsafe.SliceData(rows), &starts[0], &masks[0], unsafe.SliceData(dst))
	return true
}

// packTurned is packLattice for rows of which fours[i] tells that the eight from
// 8i on are twice four side by side.
func packTurned(img []float32, rows, lanes []int32, fours []bool, dst []float32) {
	if !useAsm {
		packLatticePlain(img, rows, lanes, dst)
		return
	}
	var all [16]int32
	for i := copy(all[:], lanes); i < 16; i++ {
		all[i] = lanes[len(lanes)-1] // read, never stored
	}
	for i := 0; i < len(fours); {
		n := 1
		for i+n < len(fours) && fours[i+n] == fours[i] {
			n++
		}
		from, to := rows[8*i:], dst[16*8*i:]
		if fours[i] {
			packQuadsF32(n, unsafe.SliceData(img), unsafe.SliceData(from), &all[0], unsafe.SliceData(to))
		} else {
			packLattice(img, from[:min(8*n, len(from))], lanes, to)
		}
		i += n
	}
}

// foursOf fills fours for packTurned; a rest of fewer than eight rows is false.
func foursOf(rows []int32, fours []bool) {
	for i := range fours {
		part := rows[8*i : min(len(rows), 8*i+8)]
		fours[i] = len(part) == 8 && direct(part[:4]) && direct(part[4:])
	}
}
