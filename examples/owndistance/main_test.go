package main

import (
	"testing"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/distance/distancetest"
)

func TestMeanShift(t *testing.T) { distancetest.Run(t, distance.Func(meanShift)) }
