//go:build race

package distancetest_test

const raceDetector = true
