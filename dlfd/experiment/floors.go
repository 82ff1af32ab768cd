package experiment

import (
	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/baseline"
)

// addFloors marks the methods that every other must beat, and adds those that are
// missing.
func addFloors(methods []Method) []Method {
	var short, shrink bool
	for i := range methods {
		_, isShort := methods[i].Unlearner.(baseline.ShortRetrain)
		_, isShrink := methods[i].Unlearner.(baseline.ShrinkPerturb)
		methods[i].Floor = methods[i].Floor || isShort || isShrink
		short, shrink = short || isShort, shrink || isShrink
	}
	for _, f := range []struct {
		there bool
		u     dlfd.Unlearner
	}{{short, baseline.ShortRetrain{}}, {shrink, baseline.ShrinkPerturb{}}} {
		if !f.there {
			methods = append(methods, Method{Unlearner: f.u, Floor: true})
		}
	}
	return methods
}
