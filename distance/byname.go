package distance

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/dlfd-go/unlearn/internal/finite"
)

// ByName returns the Distance that a text describes, for commands and
// configuration files: a name, then settings, separated by colons, for example
//
//	sinkhorn:cosine:eps=.01    divergence:sqeuclidean    emd:euclidean:root
//	mmd:sigma=2:unbiased       energy:root=2             sliced:l=128:p=1
//
// The names are sinkhorn, divergence, sharp, unbalanced (these with eps, tol,
// iter, warm and, for the last, rho), emd; mmd, laplacian, energy, linear, kid,
// rq, imq (with sigma, unbiased, lineartime); fourier (sigma, features, seed),
// sliced, maxsliced (p, l, seed), bures (ddof, ridge), fid (ridge: bures with ddof 1, not
// rooted, as published), coral; partial (share, eps) and otdd (weight; with
// Bures between classes). kid takes subsets, size and seed: without any, it is the
// estimate from all points, and with one, the mean over random subsets.
// Transport, partial and otdd take one of the costs cosine, sqeuclidean, euclidean and
// cityblock. All take root, for the square root, or root=p. A text that is not
// understood, a number that is not positive or settings that contradict each
// other give ErrParameter.
func ByName(text string) (Distance, error) {
	words := strings.Split(text, ":")
	s := settings{values: map[string]string{}}
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		if _, twice := s.values[key]; twice {
			return nil, fmt.Errorf("%w: %q in %q twice", ErrParameter, key, text)
		}
		s.values[key] = value
	}
	root := s.root()
	d := s.named(words[0])
	if d == nil {
		return nil, fmt.Errorf("%w: no distance is called %q", ErrParameter, words[0])
	}
	if len(s.values) > 0 {
		s.fail("%q has no setting %q", words[0], slices.Sorted(maps.Keys(s.values))[0])
	}
	if s.err != nil {
		return nil, fmt.Errorf("%w, in %q", s.err, text)
	}
	if root > 0 {
		d = Root{D: d, P: root}
	}
	return d, nil
}

// settings are read, and taken out, one by one.
type settings struct {
	values map[string]string
	err    error
}

func (s *settings) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("%w: %s", ErrParameter, fmt.Sprintf(format, args...))
	}
}

// flag reports whether a word without value is there.
func (s *settings) flag(key string) bool {
	v, ok := s.values[key]
	delete(s.values, key)
	if v != "" {
		s.fail("%q takes no value", key)
	}
	return ok
}

// number returns the value of a key, which must be a finite number > 0, or 0,
// which stands for the default, if the key is missing.
func (s *settings) number(key string) float64 {
	v, ok := s.values[key]
	delete(s.values, key)
	if !ok {
		return 0
	}
	x, err := strconv.ParseFloat(v, 64)
	if err != nil || !finite.Is(x) || !(x > 0) {
		s.fail("%s=%q is not a finite number > 0", key, v)
		return 0
	}
	return x
}

// integer is number for counts.
func (s *settings) integer(key string) int {
	x := s.number(key)
	if x != math.Trunc(x) || x > 1<<31 {
		s.fail("%s=%v is not a whole number up to 2³¹", key, x)
		return 0
	}
	return int(x)
}

// seed returns the value of "seed", any whole number ≥ 0.
func (s *settings) seed() uint64 {
	v, ok := s.values["seed"]
	delete(s.values, "seed")
	if !ok {
		return 0
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		s.fail("seed=%q is not a whole number from 0 to 2⁶⁴−1", v)
	}
	return n
}

// root returns the power of "root", 2 where it has no value, and 0 without it.
func (s *settings) root() float64 {
	if v, ok := s.values["root"]; ok && v == "" {
		delete(s.values, "root")
		return 2
	}
	return s.number("root")
}

func (s *settings) cost() (c Cost) {
	for _, named := range []struct {
		name string
		cost Cost
	}{{"cosine", Cosine{}}, {"sqeuclidean", SqEuclidean{}}, {"euclidean", Euclidean{}}, {"cityblock", CityBlock{}}} {
		if s.flag(named.name) {
			if c != nil {
				s.fail("more than one cost")
			}
			c = named.cost
		}
	}
	return c
}

func (s *settings) sinkhorn() Sinkhorn {
	return Sinkhorn{
		Cost: s.cost(), Epsilon: s.number("eps"), Tol: s.number("tol"),
		MaxIter: s.integer("iter"), WarmStart: s.flag("warm"),
	}
}

func (s *settings) mmd(k Kernel) MMD {
	d := MMD{Kernel: k}
	d.Unbiased, d.LinearTime = s.flag("unbiased"), s.flag("lineartime")
	if d.Unbiased && d.LinearTime {
		s.fail("unbiased and lineartime contradict each other")
	}
	return d
}

func (s *settings) sliced(most bool) SlicedWasserstein {
	return SlicedWasserstein{P: s.number("p"), L: s.integer("l"), Seed: s.seed(), Max: most}
}

func (s *settings) partial() Partial {
	d := Partial{Cost: s.cost(), Share: s.number("share"), Epsilon: s.number("eps")}
	if d.Share > 1 {
		s.fail("share=%v is more than 1", d.Share)
	}
	return d
}

func (s *settings) kid() Distance {
	_, seeded := s.values["seed"]
	q := Subsets{D: kid, Count: s.integer("subsets"), Size: s.integer("size"), Seed: s.seed()}
	if q.Count == 0 && q.Size == 0 && !seeded {
		return q.D
	}
	return q
}

func (s *settings) named(name string) Distance {
	switch name {
	case "sinkhorn":
		return s.sinkhorn()
	case "divergence":
		d := s.sinkhorn()
		d.Debiased = true
		return d
	case "sharp":
		d := s.sinkhorn()
		d.Sharp = true
		return d
	case "unbalanced":
		d := s.sinkhorn()
		d.Rho = cmp.Or(s.number("rho"), 1)
		return d
	case "emd":
		return EMD{Cost: s.cost()}
	case "fourier":
		return RandomFourier{Sigma: s.number("sigma"), Features: s.integer("features"), Seed: s.seed()}
	case "sliced", "maxsliced":
		return s.sliced(name == "maxsliced")
	case "bures":
		return Bures{DDof: s.integer("ddof"), Ridge: s.number("ridge")}
	case "fid":
		return Bures{DDof: 1, Ridge: s.number("ridge")}
	case "partial":
		return s.partial()
	case "otdd":
		return OTDD{Cost: s.cost(), Weight: s.number("weight")}
	case "coral":
		return CORAL{}
	}
	return s.namedKernel(name)
}

func (s *settings) namedKernel(name string) Distance {
	switch name {
	case "mmd":
		return s.mmd(Gaussian{Sigma: s.number("sigma")})
	case "laplacian":
		return s.mmd(Laplacian{Sigma: s.number("sigma")})
	case "energy":
		return s.mmd(Energy{})
	case "linear":
		return s.mmd(Linear{})
	case "kid":
		return s.kid()
	case "rq":
		return s.mmd(RationalQuadratic{Sigma: s.number("sigma")})
	case "imq":
		return s.mmd(RationalQuadratic{Sigma: s.number("sigma"), Alpha: .5})
	}
	return nil
}
