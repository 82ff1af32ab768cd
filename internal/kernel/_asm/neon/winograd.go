package main

// winograd writes the transforms of F(2×2, 3×3) over four tiles, or six rows of
// weights, at a time.
func winograd() {
	evenOdd()
	winoInput()
	winoOutput()
	winoWeights()
}

func evenOdd() {
	begin(f32, "evenOddRows", "rows, n int, x *T, xStep int, even, odd *T, step int", "",
		"stores the elements 0, 2, … of rows of n elements in even, and 1, 3, … in odd. The rows of x are xStep bytes apart, the others step bytes.")
	rows, n, x, xStep, even, odd, step := param("rows"), param("n"), param("x"), param("xStep"), param("even"), param("odd"), param("step")
	whole("row", rows, 1, func() {
		from, toEven, toOdd, left := R(), R(), R(), R()
		for _, p := range [][2]*reg{{from, x}, {toEven, even}, {toOdd, odd}, {left, n}} {
			move(p[0], p[1])
		}
		whole("eight", left, 8, func() {
			a, b := loadTwo(from, 0)
			save(f32.three("UZP1", a, b), toEven, 0)
			save(f32.three("UZP2", a, b), toOdd, 0)
			plus(from, from, 2*width)
			advance([]*reg{toEven, toOdd}, width)
		})
		whole("two", left, 2, func() {
			f32.saveOne(f32.loadOne(from, 0), toEven, 0)
			f32.saveOne(f32.loadOne(from, 4), toOdd, 0)
			plus(from, from, 8)
			advance([]*reg{toEven, toOdd}, 4)
		})
		whole("last", left, 1, func() { f32.saveOne(f32.loadOne(from, 0), toEven, 0) })
		plus(x, x, xStep)
		plus(even, even, step)
		plus(odd, odd, step)
	})
	ret()
}

// winoInput: V = Bᵀ·d·B with Bᵀ = [1 0 −1 0; 0 1 1 0; 0 −1 1 0; 0 1 0 −1].
func winoInput() {
	begin(f32, "winoInput", "n int, even0, odd0, even1, odd1 *T, width int, dst *T, step int", "",
		"stores the sixteen transformed elements of n tiles in dst, step bytes apart. Tile i starts at even0[i]; the planes hold the even and odd columns of the even (0) and odd (1) rows, width bytes a row.")
	n, below, dst, apart := param("n"), param("width"), param("dst"), param("step")
	var plane [2][4]*reg // by the row's parity and the column
	for i, names := range [2][2]string{{"even0", "odd0"}, {"even1", "odd1"}} {
		for j, name := range names {
			plane[i][j], plane[i][j+2] = param(name), R()
			plus(plane[i][j+2], plane[i][j], f32.size)
		}
	}
	at := R()
	move(at, 0)
	blocks(f32, n, []int{1}, func(vectors int) {
		var d [4][4]*reg
		for i := range d {
			for j := range d[i] {
				d[i][j] = loadOffset(plane[i%2][j], []*reg{at, below}[i/2], vectors)
			}
		}
		to := R()
		plus(to, dst, at)
		for i, r := range []struct {
			name string
			a, b int
		}{{"FSUB", 0, 2}, {"FADD", 1, 2}, {"FSUB", 2, 1}, {"FSUB", 1, 3}} {
			var t [4]*reg
			for j := range t {
				t[j] = f32.three(r.name, d[r.a][j], d[r.b][j])
			}
			for j, v := range []*reg{f32.sub(t[0], t[2]), f32.add(t[1], t[2]), f32.sub(t[2], t[1]), f32.sub(t[1], t[3])} {
				saveSome(f32, []*reg{v}, to, vectors)
				if i+j < 6 {
					plus(to, to, apart)
				}
			}
		}
		advance([]*reg{at, below}, step(f32, vectors))
	})
	ret()
}

// loadOffset returns a vector, or an element, at base + offset in bytes.
func loadOffset(base, offset *reg, vectors int) *reg {
	if vectors > 0 {
		return loadAt(base, offset)
	}
	v := V()
	ins(1, "FMOVS (%[2]v)(%[3]v), %[1]v", v, base, offset)
	return v
}

// winoOutput: Y = Aᵀ·M·A with Aᵀ = [1 1 1 0; 0 1 −1 −1].
func winoOutput() {
	begin(f32, "winoOutput", "n int, m *T, step int, top, bottom *T", "",
		"stores the 2×2 outputs of n tiles side by side in top and bottom, from their sixteen products at m, step bytes apart. It reads and writes as if n were a multiple of 4.")
	n, apart, dst := param("n"), []*reg{nil, param("step"), R(), R()}, []*reg{param("top"), param("bottom")}
	plus(apart[2], apart[1], apart[1])
	plus(apart[3], apart[2], apart[1])
	row := []*reg{param("m"), R(), R(), R()}
	for i := 1; i < 4; i++ {
		scaled(row[i], row[i-1], apart[1], 2)
	}
	from := func(i, j int) *reg {
		if j == 0 {
			return load(row[i], 0)
		}
		return loadAt(row[i], apart[j])
	}
	plus(n, n, 3)
	whole("four", n, 4, func() {
		var s [2][4]*reg
		for j := range 4 {
			first, second := from(1, j), from(2, j)
			s[0][j] = f32.add(f32.add(first, second), from(0, j))
			s[1][j] = f32.sub(f32.sub(first, second), from(3, j))
		}
		for i, t := range s {
			even := f32.add(f32.add(t[1], t[2]), t[0])
			odd := f32.sub(f32.sub(t[1], t[2]), t[3])
			saveTwo(f32.three("ZIP1", even, odd), f32.three("ZIP2", even, odd), dst[i], 0)
		}
		advance(row, width)
		advance(dst, 2*width)
	})
	ret()
}

// winoWeights: U = G·g·Gᵀ with G = [1 0 0; ½ ½ ½; ½ −½ ½; 0 0 1].
func winoWeights() {
	begin(f32, "winoWeights", "n int, w *T, next, tap int, lanes *int32, dst *T, step int", "",
		"transforms n columns of six 3×3 kernels: the first taps at w+lanes[0:6], the others tap bytes on each, the columns next bytes apart; it stores six elements for each column, and the sixteen elements of the transform step bytes apart.")
	n, w, next, tap, dst, apart := param("n"), param("w"), param("next"), param("tap"), param("dst"), param("step")
	lanes := lanesOf("lanes", mr)
	whole("column", n, 1, func() {
		for _, part := range [][2]int{{0, 4}, {4, mr}} {
			var a [4][3]*reg
			at, to := R(), R()
			move(at, w)
			var g [3][3]*reg
			for i := range g {
				for j := range g[i] {
					g[i][j] = together(at, lanes[part[0]:part[1]])
					plus(at, at, tap)
				}
			}
			for j := range 3 {
				a[0][j], a[1][j], a[2][j], a[3][j] = combine(g[0][j], g[1][j], g[2][j])
			}
			plus(to, dst, 4*part[0])
			for i := range a {
				u0, u1, u2, u3 := combine(a[i][0], a[i][1], a[i][2])
				for j, u := range []*reg{u0, u1, u2, u3} {
					if part[1]-part[0] == 4 {
						save(u, to, 0)
					} else {
						ins(0, "FMOVD %v, (%v)", u, to)
					}
					if i+j < 6 {
						plus(to, to, apart)
					}
				}
			}
		}
		plus(dst, dst, 4*mr)
		plus(w, w, next)
	})
	ret()
}

// together returns the two or four elements at base + lanes.
func together(base *reg, lanes []*reg) *reg {
	var v []*reg
	for _, lane := range lanes {
		one := V()
		ins(1, "FMOVS (%[2]v)(%[3]v<<2), %[1]v", one, base, lane)
		v = append(v, one)
	}
	if len(v) == 2 {
		return f32.three("ZIP1", v[0], v[1])
	}
	return f64.three("ZIP1", f32.three("ZIP1", v[0], v[1]), f32.three("ZIP1", v[2], v[3]))
}

// combine multiplies a column by G.
func combine(x, y, z *reg) (a, b, c, d *reg) {
	half := f32.keep(0.5)
	s, h := f32.mul(f32.add(x, z), half), f32.mul(y, half)
	return x, f32.add(s, h), f32.sub(s, h), z
}
