package receipt

import (
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/dlfd-go/unlearn/feature"
)

// Tool is what the run was computed with: the same version, architecture, tags and
// kernels give the same bits.
type Tool struct {
	Module  string `json:"module"`
	Version string `json:"version"`          // of the module; "(devel)" where it was built from a folder
	Commit  string `json:"commit,omitempty"` // with "+changed" where files differed from it
	Go      string `json:"go"`
	Arch    string `json:"arch"`   // GOARCH
	Kernel  string `json:"kernel"` // feature.Kernels
	Tags    string `json:"tags,omitempty"`
}

const modulePath = "github.com/dlfd-go/unlearn"

// ThisTool describes the running program.
func ThisTool() Tool {
	t := Tool{Module: modulePath, Version: "unknown", Go: runtime.Version(), Arch: runtime.GOARCH, Kernel: feature.Kernels()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return t
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == modulePath {
			t.Version = m.Version
		}
	}
	setting := make(map[string]string)
	for _, s := range info.Settings {
		setting[s.Key] = s.Value
	}
	t.Tags = setting["-tags"]
	if info.Main.Path != modulePath {
		return t // the commit is that of another module
	}
	if t.Commit = setting["vcs.revision"]; t.Commit != "" && setting["vcs.modified"] == "true" {
		t.Commit += "+changed"
	}
	return t
}

// Repeats returns an empty text where a run of t is repeated to the bit by other, and
// else what differs.
func (t Tool) Repeats(other Tool) string {
	var differs []string
	for _, c := range []struct{ what, a, b string }{
		{"architecture", t.Arch, other.Arch}, {"kernels", t.Kernel, other.Kernel}, {"version", t.Version, other.Version}, {"commit", t.Commit, other.Commit},
	} {
		if c.a != c.b {
			differs = append(differs, c.what+" "+c.a+" and "+c.b)
		}
	}
	return strings.Join(differs, ", ")
}
