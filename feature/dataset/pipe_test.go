//go:build unix

package dataset

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// What is no file is refused before it can block.
func TestPipesAndSockets(t *testing.T) {
	dir := t.TempDir()
	writeImage(t, dir, "a/1.png", gray(0, 2, 2))
	pipe := filepath.Join(dir, "a", "2.png")
	if err := syscall.Mkfifo(pipe, 0o666); err != nil {
		t.Skip(err)
	}
	calls := map[string]func() error{
		"Folder": func() error { _, err := Folder(dir, nil); return err },
		"NPY":    func() error { _, err := NPY(pipe); return err },
		"IDX":    func() error { _, err := IDX(pipe, pipe, nil); return err },
		"table":  func() error { _, err := CSV(pipe, nil); return err },
		"image": func() error {
			_, err := CSV(write(t, dir, "m.csv", "p,l\n2.png,x\n"), &CSVOptions{Root: filepath.Join(dir, "a"), Path: "p", Label: "l"})
			return err
		},
	}
	for name, call := range calls {
		done := make(chan error)
		go func() { done <- call() }()
		select {
		case err := <-done:
			wantError(t, err, ErrFormat, "2.png", "named pipe")
		case <-time.After(5 * time.Second):
			t.Fatalf("%s waits for the pipe", name)
		}
	}
	os.Remove(pipe)
	l, err := net.Listen("unix", pipe)
	if err != nil {
		t.Skip(err)
	}
	defer l.Close()
	_, err = Folder(dir, nil)
	wantError(t, err, ErrFormat, "socket")
	if runtime.GOOS == "linux" {
		_, err = NPY("/dev/zero")
		wantError(t, err, ErrFormat, "/dev/zero", "device")
	}
	_, err = NPY(dir)
	wantError(t, err, ErrFormat, "a folder, not a file")
	_, err = Folder(filepath.Join(dir, "a", "1.png"), nil)
	wantError(t, err, ErrFormat, "a file, not a folder")
}
