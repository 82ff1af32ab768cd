package main

import (
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/dlfd-go/unlearn/dlfd"
)

// bar shows how far a method is, on a terminal; elsewhere it is silent.
type bar struct {
	w   io.Writer // nil: silent
	bar *progressbar.ProgressBar
}

func newBar(w io.Writer) *bar {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &bar{w: w}
	}
	return &bar{}
}

// event is an observer for dlfd.Options.
func (b *bar) event(e dlfd.Event) {
	if b.w == nil || e.Steps == 0 {
		return
	}
	if b.bar == nil {
		b.bar = progressbar.NewOptions(e.Steps, progressbar.OptionSetWriter(b.w), progressbar.OptionSetDescription(e.Method),
			progressbar.OptionShowCount(), progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish())
	}
	if e.Steps != b.bar.GetMax() {
		b.bar.ChangeMax(e.Steps)
	}
	_ = b.bar.Set(e.Step) // an error of the terminal is no reason to stop
}

func (b *bar) end() {
	if b.bar != nil {
		_ = b.bar.Clear()
	}
}
