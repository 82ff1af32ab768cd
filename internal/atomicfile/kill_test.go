//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package atomicfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	childFile  = "ATOMICFILE_TEST_FILE"
	childLimit = "ATOMICFILE_TEST_LIMIT"
)

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	if path := os.Getenv(childFile); path != "" {
		os.Exit(child(path))
	}
	os.Exit(m.Run())
}

// version is one whole content: a number, many times over.
func version(n int) []byte { return bytes.Repeat(fmt.Appendf(nil, "%08d\n", n), 40000) }

// child writes one version after the other.
func child(path string) int {
	if limit, err := strconv.ParseUint(os.Getenv(childLimit), 10, 64); err == nil {
		signal.Ignore(syscall.SIGXFSZ) // so that writing too much is an error
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
			return 3
		}
	}
	for n := 0; ; n++ {
		err := Write(path, func(w io.Writer) error { _, err := w.Write(version(n)); return err })
		if errors.Is(err, syscall.EFBIG) {
			return 2
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
}

func startChild(t *testing.T, path string, env ...string) *exec.Cmd {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(append(os.Environ(), childFile+"="+path), env...)
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// A process that is killed at any moment leaves a whole file, with the mode that
// it had, and the next one clears away what it left beside it.
func TestKilledAtRandomMoments(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model")
	if err := os.WriteFile(path, version(7), 0o600); err != nil {
		t.Fatal(err)
	}
	kills := 50
	if testing.Short() {
		kills = 10
	}
	r := rand.New(rand.NewPCG(1, 1))
	left := 0
	for range kills {
		c := startChild(t, path)
		time.Sleep(time.Duration(2+r.IntN(25)) * time.Millisecond)
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait() // the error says that it was killed
		got, err := os.ReadFile(path)
		if err != nil || len(got) < 9 {
			t.Fatalf("the file has %d bytes, %v", len(got), err)
		}
		n, err := strconv.Atoi(string(got[:8]))
		if err != nil || !bytes.Equal(got, version(n)) {
			t.Fatalf("the file is torn: %d bytes that begin %q", len(got), got[:9])
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("mode is %v, %v", info.Mode(), err)
		}
		left += len(others(t, path))
	}
	t.Logf("%d temporary files were left by %d killed processes", left, kills)
	if err := Write(path, func(io.Writer) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if o := others(t, path); len(o) > 0 {
		t.Errorf("after the next save there are still %q", o)
	}
}

// others lists what stands beside path.
func others(t *testing.T, path string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != filepath.Base(path) {
			names = append(names, e.Name())
		}
	}
	return names
}

// A file that does not fit leaves the old one, and nothing beside it.
func TestFileTooLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	c := startChild(t, path, childLimit+"=100000")
	if err := c.Wait(); c.ProcessState.ExitCode() != 2 {
		t.Fatalf("the writer ended with %v, want a file that is too large", err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "old" {
		t.Errorf("the file holds %d bytes, %v", len(got), err)
	}
	if o := others(t, path); len(o) > 0 {
		t.Errorf("%q were left", o)
	}
}

// TestWritersTogether writes to one file from several goroutines, which take what
// the others are about to rename for leftovers if they can lock it.
func TestWritersTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 40 {
				if err := Write(path, func(w io.Writer) error { _, err := io.WriteString(w, "whole"); return err }); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("left are %v (%v)", entries, err)
	}
}

// The temporary file of a process that lives is not a leftover.
func TestLiveTemporariesStay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model")
	err := Write(path, func(w io.Writer) error {
		if err := Write(path, func(w io.Writer) error { _, err := io.WriteString(w, "inner"); return err }); err != nil {
			return err
		}
		_, err := io.WriteString(w, "outer")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); string(got) != "outer" {
		t.Errorf("the file holds %q", got)
	}
}

// While a secret is written, nobody else can read what is there already.
func TestTemporariesAreNoWider(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := Write(path, func(io.Writer) error {
		for _, name := range others(t, path) {
			if info, err := os.Stat(filepath.Join(filepath.Dir(path), name)); err != nil || info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s has mode %v, %v", name, info.Mode(), err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestLinksAndModes(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	put := func(name string) error {
		return Write(path(name), func(w io.Writer) error { _, err := io.WriteString(w, "new"); return err })
	}
	for _, err := range []error{
		os.WriteFile(path("secret"), []byte("old"), 0o600), os.Chmod(path("secret"), 0o640),
		os.Symlink("secret", path("link")), os.Symlink("absent", path("dangling")), os.Symlink("loop", path("loop")),
		os.WriteFile(path("twin"), []byte("old"), 0o600), os.Link(path("twin"), path("twin2")),
		os.Mkdir(path("folder"), 0o755), syscall.Mkfifo(path("pipe"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"link", "dangling"} {
		if err := errors.Join(Try(path(name)), put(name)); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Lstat(path(name)); err != nil || info.Mode()&fs.ModeSymlink == 0 {
			t.Errorf("%s is no link any more: %v", name, err)
		}
	}
	for _, name := range []string{"secret", "absent"} {
		if got, err := os.ReadFile(path(name)); err != nil || string(got) != "new" {
			t.Errorf("%s holds %q, %v", name, got, err)
		}
	}
	if info, err := os.Stat(path("secret")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode is %v, %v", info.Mode(), err)
	}
	for name, want := range map[string]string{"twin": "hard links", "folder": "not a regular file", "pipe": "not a regular file", "loop": "too many", "no/file": "no such"} {
		for _, err := range []error{put(name), Try(path(name))} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error is %v, want one with %q", name, err, want)
			}
		}
	}
	if got, err := os.ReadFile(path("twin2")); err != nil || string(got) != "old" {
		t.Errorf("the twin holds %q, %v", got, err)
	}
	old := syscall.Umask(0o027)
	defer syscall.Umask(old)
	if err := put("fresh"); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path("fresh")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("a new file has mode %v under umask 027, %v", info.Mode(), err)
	}
}
