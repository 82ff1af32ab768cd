package experiment_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/dlfd-go/unlearn/dlfd"
	"github.com/dlfd-go/unlearn/dlfd/experiment"
)

// environment stands in for os.LookupEnv: "NAME=value NAME=value".
func environment(text string) func(string) (string, bool) {
	all := make(map[string]string)
	for _, entry := range strings.Fields(text) {
		name, value, _ := strings.Cut(entry, "=")
		all[name] = value
	}
	return func(name string) (string, bool) { v, ok := all[name]; return v, ok }
}

// array is the environment of a task of a Slurm array.
func array(id, first, last, step, count string) string {
	return "SLURM_JOB_ID=77 SLURM_ARRAY_JOB_ID=70 SLURM_ARRAY_TASK_ID=" + id + " SLURM_ARRAY_TASK_MIN=" + first +
		" SLURM_ARRAY_TASK_MAX=" + last + " SLURM_ARRAY_TASK_STEP=" + step + " SLURM_ARRAY_TASK_COUNT=" + count
}

func TestIndexFromEnv(t *testing.T) {
	for _, c := range []struct {
		env  string
		of   int
		want experiment.Index
	}{
		{array("0", "0", "7", "1", "8"), 0, experiment.Index{I: 0, Of: 8}},
		{array("7", "0", "7", "1", "8"), 8, experiment.Index{I: 7, Of: 8}},
		{array("3", "1", "4", "1", "4"), 0, experiment.Index{I: 2, Of: 4}},
		{array("30", "10", "50", "20", "3"), 0, experiment.Index{I: 1, Of: 3}},
		{array("5", "5", "5", "1", "1"), 0, experiment.Index{I: 0, Of: 1}},
		{"JOB_COMPLETION_INDEX=0", 8, experiment.Index{I: 0, Of: 8}},
		{"JOB_COMPLETION_INDEX=7 SLURM_JOB_ID=77", 8, experiment.Index{I: 7, Of: 8}},
	} {
		if got, err := experiment.IndexFromEnv(environment(c.env), c.of); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", c.env, got, err, c.want)
		}
	}
}

func TestIndexFromWrongEnv(t *testing.T) {
	without := func(name string) string {
		var all []string
		for _, entry := range strings.Fields(array("3", "0", "7", "1", "8")) {
			if !strings.HasPrefix(entry, name+"=") {
				all = append(all, entry)
			}
		}
		return strings.Join(all, " ")
	}
	for _, c := range []struct {
		env  string
		of   int
		want string // words of the error
	}{
		{"", 8, "neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX"},
		{array("3", "0", "7", "1", "8") + " JOB_COMPLETION_INDEX=3", 8, "JOB_COMPLETION_INDEX SLURM_ARRAY_TASK_ID two shares"},
		{without("SLURM_ARRAY_TASK_ID"), 0, "SLURM_ARRAY_TASK_ID is not set"},
		{without("SLURM_ARRAY_TASK_MIN"), 0, "SLURM_ARRAY_TASK_MIN is not set"},
		{without("SLURM_ARRAY_TASK_MAX"), 0, "SLURM_ARRAY_TASK_MAX is not set"},
		{without("SLURM_ARRAY_TASK_STEP"), 0, "SLURM_ARRAY_TASK_STEP is not set"},
		{without("SLURM_ARRAY_TASK_COUNT"), 0, "SLURM_ARRAY_TASK_COUNT is not set"},
		{array("3", "0", "7", "1", "8"), 4, "SLURM_ARRAY_TASK_COUNT is 8, to be 4"},
		{array("8", "0", "7", "1", "8"), 0, "SLURM_ARRAY_TASK_ID 8 SLURM_ARRAY_TASK_MAX 7"},
		{array("0", "1", "8", "1", "8"), 0, "SLURM_ARRAY_TASK_ID 0 SLURM_ARRAY_TASK_MIN 1"},
		{array("11", "10", "50", "20", "3"), 0, "SLURM_ARRAY_TASK_ID 11 steps of 20"},
		{array("3", "1", "7", "1", "3"), 0, "SLURM_ARRAY_TASK_COUNT 3 --array=0-7"},
		{array("1", "0", "4", "3", "2"), 0, "SLURM_ARRAY_TASK_STEP 3 SLURM_ARRAY_TASK_COUNT 2"},
		{array("1", "0", "7", "0", "8"), 0, "SLURM_ARRAY_TASK_STEP 0"},
		{array("x", "0", "7", "1", "8"), 0, `SLURM_ARRAY_TASK_ID is "x"`},
		{array("-1", "0", "7", "1", "8"), 0, `SLURM_ARRAY_TASK_ID is "-1"`},
		{"JOB_COMPLETION_INDEX=3", 0, "JOB_COMPLETION_INDEX is 3 completions must be given"},
		{"JOB_COMPLETION_INDEX=8", 8, "JOB_COMPLETION_INDEX is 8, of 8 completions"},
		{"JOB_COMPLETION_INDEX=", 8, `JOB_COMPLETION_INDEX is ""`},
		{"JOB_COMPLETION_INDEX=1", -8, "-8 shares"},
	} {
		_, err := experiment.IndexFromEnv(environment(c.env), c.of)
		if !errors.Is(err, dlfd.ErrParameter) {
			t.Errorf("%q of %d: %v", c.env, c.of, err)
			continue
		}
		for word := range strings.FieldsSeq(c.want) {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%q of %d: %v; want %q", c.env, c.of, err, c.want)
			}
		}
	}
}
