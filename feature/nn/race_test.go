//go:build race

package nn

func init() { raced = true }
