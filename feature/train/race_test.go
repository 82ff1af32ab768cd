//go:build race

package train_test

func init() { raced = true }
