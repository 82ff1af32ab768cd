package baseline

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/dlfd-go/unlearn/distance"
	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/feature"
)

// methods has every method that ByName knows, with zero settings. A name has no
// colon and is in lower case.
var methods = map[string]dlfd.Unlearner{
	"align":          dlfd.Align{},
	"amun":           AMUN{},
	"badteacher":     BadTeacher{},
	"boundaryshrink": BoundaryShrink{},
	"cfk":            CFk{},
	"dlfd":           dlfd.DLFD{},
	"duck":           DUCK{},
	"euk":            EUk{},
	"exacthead":      ExactHead{},
	"finetune":       FineTune{},
	"jit":            JiT{},
	"l1sparse":       L1Sparse{},
	"msg":            MSG{},
	"neggrad":        NegGrad{},
	"neggrad+":       NegGradPlus{},
	"newtonhead":     NewtonHead{},
	"randomlabel":    RandomLabel{},
	"regun":          ReGUn{},
	"retrain":        Retrain{},
	"salun":          SalUn{},
	"scrub":          SCRUB{},
	"scrub+r":        Rewind{Of: SCRUB{}},
	"shortretrain":   ShortRetrain{},
	"shrinkperturb":  ShrinkPerturb{},
	"ssd":            SSD{},
	"surgery":        Surgery{},
	"unsir":          UNSIR{},
}

// decorators has every decorator that ByName knows, with zero settings.
var decorators = map[string]decorator{
	"budget":     Budget{},
	"earlystop":  EarlyStop{},
	"retainfree": RetainFree{},
	"rewind":     Rewind{},
	"sequential": Sequential{},
}

// decorator is a method that runs another.
type decorator interface {
	dlfd.Unlearner
	with(of dlfd.Unlearner) decorator // a copy that runs of
	inner() dlfd.Unlearner
}

// Names returns the names of the methods that ByName knows, sorted; decorators,
// which are no methods by themselves, are not among them.
func Names() []string {
	names := make([]string, 0, len(methods))
	for name := range methods {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// ByName returns the method that a text describes, for commands and configuration
// files: a name, then settings, separated by colons, for example
//
//	scrub:rate=.01:epochs=3    align:match=off    shrinkperturb:shrink=.6:nonorms
//
// Names are those of [Names], [dlfd.Align] and [dlfd.DLFD] among them. Settings are
// the exported fields of the method that are numbers, flags or texts, in lower case, and
// dlfd.Off is "off"; a flag may stand without a value. Fields of structs within are
// named with a dot, a distance is one of distance.ByName with slashes in the place of
// colons, and the numbers of an array have slashes between them:
//
//	dlfd:synth.distance=sinkhorn/eps=.1:steering.cap=.05:lambda=0/1
//
// Fields of other types, such as schedules, have their defaults. A decorator stands before what it runs:
//
//	budget:passes=100000:scrub    rewind:every=50:neggrad+:beta=.2
//
// Methods that start from fresh weights draw them by feature.Reinitialize; see
// [WithFresh]. A text that is not understood gives an error wrapping
// dlfd.ErrParameter; whether a value is in range is found when the method runs.
func ByName(text string) (dlfd.Unlearner, error) {
	u, err := byWords(strings.Split(text, ":"))
	if err != nil {
		return nil, fmt.Errorf("baseline: %w, in %q", err, text)
	}
	return u, nil
}

func byWords(words []string) (dlfd.Unlearner, error) {
	if u, ok := methods[words[0]]; ok {
		return set(u, words[0], words[1:])
	}
	d, ok := decorators[words[0]]
	if !ok {
		return nil, fmt.Errorf("%w: no method is called %q", dlfd.ErrParameter, words[0])
	}
	n := 1 + slices.IndexFunc(words[1:], isName)
	if n == 0 {
		return nil, fmt.Errorf("%w: %q is not followed by a method", dlfd.ErrParameter, words[0])
	}
	of, err := byWords(words[n:])
	if err != nil {
		return nil, err
	}
	return set(d.with(of), words[0], words[1:n])
}

func isName(word string) bool { return methods[word] != nil || decorators[word] != nil }

// set returns a copy of a method, which is a struct, with the settings of the words.
func set(u dlfd.Unlearner, name string, words []string) (dlfd.Unlearner, error) {
	v := reflect.New(reflect.TypeOf(u)).Elem()
	v.Set(reflect.ValueOf(u))
	fields := make(map[string]reflect.Value)
	settable(v, "", fields)
	for _, word := range words {
		key, value, given := strings.Cut(word, "=")
		f, ok := fields[key]
		if !ok {
			return nil, fmt.Errorf("%w: %q has no setting %q, or it is there twice", dlfd.ErrParameter, name, key)
		}
		delete(fields, key)
		if !given && f.Kind() == reflect.Bool {
			value = "true"
		}
		if err := parse(f, value); err != nil {
			return nil, fmt.Errorf("%w: %s=%q is not %s", dlfd.ErrParameter, key, value, err)
		}
	}
	return v.Interface().(dlfd.Unlearner), nil
}

// settable adds the exported numbers, flags, texts, distances and arrays of numbers of a
// struct by their names in lower case, those of embedded structs as if they were its
// own, and those of other structs behind the name of the field and a dot.
func settable(v reflect.Value, prefix string, fields map[string]reflect.Value) {
	for i := range v.NumField() {
		f, t := v.Field(i), v.Type().Field(i)
		name := prefix + strings.ToLower(t.Name)
		switch {
		case t.Anonymous && f.Kind() == reflect.Struct:
			settable(f, prefix, fields)
		case !t.IsExported():
		case f.Kind() == reflect.Struct:
			settable(f, name+".", fields)
		case f.CanInt() || f.CanUint() || f.CanFloat() || f.Kind() == reflect.Bool || f.Kind() == reflect.String || f.Type() == distances,
			f.Kind() == reflect.Array && f.Type().Elem().Kind() == reflect.Float64:
			fields[name] = f
		}
	}
}

var distances = reflect.TypeFor[distance.Distance]()

// parse sets a field. An error says what was expected.
func parse(f reflect.Value, text string) error {
	switch {
	case f.Type() == distances:
		d, err := distance.ByName(strings.ReplaceAll(text, "/", ":"))
		if err != nil {
			return fmt.Errorf("a distance: %w", err)
		}
		f.Set(reflect.ValueOf(d))
	case f.Kind() == reflect.Array:
		parts := strings.Split(text, "/")
		if len(parts) != f.Len() {
			return fmt.Errorf("%d numbers with slashes between them", f.Len())
		}
		for i, part := range parts {
			if err := parse(f.Index(i), part); err != nil {
				return err
			}
		}
	case f.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("true or false")
		}
		f.SetBool(b)
	case f.Kind() == reflect.String:
		if text == "" {
			return fmt.Errorf("a name")
		}
		f.SetString(text)
	default:
		return parseNumber(f, text)
	}
	return nil
}

func parseNumber(f reflect.Value, text string) error {
	switch {
	case f.CanInt():
		n, err := strconv.ParseInt(text, 10, f.Type().Bits())
		if err != nil {
			return fmt.Errorf("a whole number")
		}
		f.SetInt(n)
	case f.CanUint():
		n, err := strconv.ParseUint(text, 10, f.Type().Bits())
		if err != nil {
			return fmt.Errorf("a whole number from 0")
		}
		f.SetUint(n)
	case text == "off":
		f.SetFloat(dlfd.Off)
	default:
		x, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("a number")
		}
		f.SetFloat(x)
	}
	return nil
}

// WithFresh returns u with fresh as the source of fresh weights, where u, or what u
// runs as a decorator, is a Retrain or a ShortRetrain without one; and u as it is
// where not.
func WithFresh(u dlfd.Unlearner, fresh func(seed uint64) (feature.Trainable, error)) dlfd.Unlearner {
	switch t := u.(type) {
	case Retrain:
		if t.Fresh == nil {
			t.Fresh = fresh
		}
		return t
	case ShortRetrain:
		if t.Fresh == nil {
			t.Fresh = fresh
		}
		return t
	case decorator:
		return t.with(WithFresh(t.inner(), fresh))
	}
	return u
}

// nameOf is dlfd.NameOf with a name for what has none.
func nameOf(u dlfd.Unlearner) string { return cmp.Or(dlfd.NameOf(u), "method") }
