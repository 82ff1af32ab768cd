//go:build race

package graph

func init() { raced = true }
