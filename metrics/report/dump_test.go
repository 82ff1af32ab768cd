package report

import (
	"bytes"
	"os"
	"testing"
)

func TestDump(t *testing.T) {
	dir := os.Getenv("REPORT_DUMP")
	if dir == "" {
		t.Skip()
	}
	for name, r := range map[string]*Report{"a": sample(8, 10, 1), "many": sample(40, 300, 2), "one": sample(1, 2, 3)} {
		var b bytes.Buffer
		if err := r.WriteHTML(&b); err != nil {
			t.Error(name, err)
		}
		t.Log(name, b.Len())
		os.WriteFile(dir+"/"+name+".html", b.Bytes(), 0o644)
	}
}
