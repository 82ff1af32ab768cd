// Package gomlx runs a GoMLX graph as a feature.Trainable.
package gomlx
