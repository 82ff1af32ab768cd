//go:build race

package featuretest_test

func init() { raced = true }
