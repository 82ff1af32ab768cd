package main

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/dlfd-go/unlearn/dlfd"
)

// bar shows how far a method is, on a terminal; elsewhere it is silent.
type bar struct {
	w     io.Writer // nil: silent
	title string
	bar   *progressbar.ProgressBar // nil until the number of steps is known
}

func newBar(w io.Writer) *bar {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &bar{w: w}
	}
	return &bar{}
}

// begin starts a new bar; end takes it away.
func (b *bar) begin(title string) { b.title, b.bar = title, nil }

func (b *bar) end() {
	if b.bar != nil {
		_ = b.bar.Clear() // an error of the terminal is no reason to stop
	}
}

// event follows a method: it is an observer for dlfd.Options.
func (b *bar) event(e dlfd.Event) {
	if b.w == nil || e.Steps == 0 {
		return
	}
	if b.bar == nil {
		b.bar = progressbar.NewOptions(e.Steps, progressbar.OptionSetWriter(b.w),
			progressbar.OptionSetDescription(b.title), progressbar.OptionShowCount(),
			progressbar.OptionSetWidth(30), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish())
	}
	if e.Steps != b.bar.GetMax() {
		b.bar.ChangeMax(e.Steps)
	}
	_ = b.bar.Set(e.Step)
}
