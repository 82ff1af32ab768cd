package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A command that is interrupted and given once more writes the model of one that is not.
func TestCheckpoint(t *testing.T) {
	dir, model := trained(t)
	command := func(ctx context.Context, out string, more ...string) (int, string) {
		var text strings.Builder
		args := append([]string{"-method", "finetune", "-epochs", "80", "-rate", "1e-4"}, more...) // 160 steps
		return command(ctx, arguments(dir, model, out, args...), io.Discard, &text), text.String()
	}
	alone, again, state := filepath.Join(dir, "alone.onnx"), filepath.Join(dir, "again.onnx"), filepath.Join(dir, "state")
	if code, text := command(t.Context(), alone); code != exitForgot && code != exitNotForgotten && code != exitCannotTell {
		t.Fatalf("exit status %d: %s", code, text)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(state); err == nil {
				cancel()
			}
			time.Sleep(100 * time.Microsecond)
		}
	}()
	code, _ := command(ctx, again, "-checkpoint", state)
	cancel()
	_, err := os.Stat(state)
	t.Logf("the first command ended with %d; the checkpoint: %v", code, err)
	if err == nil {
		if code, text := command(t.Context(), again, "-checkpoint", state, "-seed", "2"); code != 1 || !strings.Contains(text, "the seed") {
			t.Errorf("another seed: exit status %d: %s", code, text)
		}
	}
	if code, text := command(t.Context(), again, "-checkpoint", state); code != exitForgot && code != exitNotForgotten && code != exitCannotTell {
		t.Fatalf("exit status %d: %s", code, text)
	}
	for _, path := range []string{alone, again} {
		if _, err := os.Stat(path); err != nil {
			t.Fatal(err)
		}
	}
	a, b := readReceipt(t, alone+".json"), readReceipt(t, again+".json")
	if a.OutWeights != b.OutWeights {
		t.Errorf("weights %s, and %s where the run was left alone", b.OutWeights, a.OutWeights)
	}
	if _, err := os.Stat(state); err == nil {
		t.Error("the checkpoint is left after success")
	}
}
