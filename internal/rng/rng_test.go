package rng

import "testing"

func TestStreamsAreRepeatableAndDistinct(t *testing.T) {
	seen := map[uint64]string{}
	for _, seed := range []uint64{0, 1, 1 << 63} {
		for _, purpose := range []string{"", "shuffle", "dropout"} {
			for pos := range 50 {
				a := Stream(seed, purpose, pos).Uint64()
				if b := Stream(seed, purpose, pos).Uint64(); a != b {
					t.Fatalf("stream %d/%s/%d gives %x and then %x", seed, purpose, pos, a, b)
				}
				if s, dup := seen[a]; dup {
					t.Fatalf("stream %d/%s/%d starts like %s", seed, purpose, pos, s)
				}
				seen[a] = purpose
			}
		}
	}
	if Seed(1, "a", 2, 3) == Seed(1, "a", 3, 2) {
		t.Error("positions commute")
	}
}
