package kernel

// Stop tells the products, which take longest, to return before they are done,
// what they have written then being worthless. It is a context's Done channel;
// nil never stops. They look at it between pieces of about a millisecond, since
// nothing interrupts assembly.
type Stop <-chan struct{}

// Now reports whether to stop.
func (s Stop) Now() bool {
	select {
	case <-s:
		return true
	default:
		return false
	}
}
