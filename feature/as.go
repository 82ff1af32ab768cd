package feature

// As returns what v offers for the optional interface T: v itself where it
// implements T, and otherwise what v's method
//
//	As(target any) bool
//
// stores in a *T. Wrappers of models and datasets have that method. They offer an
// optional interface exactly where the wrapped value does, which a type
// assertion on the wrapper cannot tell; so ask by As, never by an assertion:
//
//	if id, ok := feature.As[feature.Identified](d); ok { … }
func As[T any](v any) (T, bool) {
	if t, ok := v.(T); ok {
		return t, true
	}
	var t T
	w, ok := v.(interface{ As(target any) bool })
	return t, ok && w.As(&t)
}
