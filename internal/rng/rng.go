// Package rng derives independent, named random streams from one seed.
//
// Every use of randomness draws from a stream named after its purpose and
// position (an epoch, a batch), so that adding a draw in one place moves no
// number in another, and the order in which goroutines run does not matter.
package rng

import "math/rand/v2"

// Stream returns the generator that belongs to seed, purpose and position.
// Equal arguments give equal streams.
func Stream(seed uint64, purpose string, position ...int) *rand.Rand {
	return rand.New(rand.NewPCG(Seed(seed, purpose, position...), mix(seed^0x9e3779b97f4a7c15)))
}

// Seed returns a seed derived from seed, purpose and position, for code that
// takes a seed and not a generator.
func Seed(seed uint64, purpose string, position ...int) uint64 {
	h := mix(seed + 0x9e3779b97f4a7c15)
	for i := range len(purpose) {
		h = mix(h ^ uint64(purpose[i])<<1)
	}
	for _, p := range position {
		h = mix(h ^ (uint64(p)<<1 | 1))
	}
	return h
}

// mix is the finaliser of splitmix64 (Steele, Lea, Flood, OOPSLA 2014).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
