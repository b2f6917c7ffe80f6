// Command verdict reads `go test -json` from standard input and says what a
// person wants to know: a line for each package, all output of what failed,
// and the totals. It exits with 1 when a test failed, when none ran, and under
// CI=true when one was skipped: a skipped test proves nothing.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

func main() {
	ok, err := judge(os.Stdin, os.Stdout, os.Getenv("CI") == "true")
	if err != nil {
		fmt.Fprintln(os.Stderr, "verdict:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// event is a line of `go test -json`, see `go doc cmd/test2json`.
type event struct {
	Action  string `json:"Action"`
	Package string `json:"Package"`
	Test    string `json:"Test"` // empty: the package as a whole
	Output  string `json:"Output"`
}

// totals is the state of one reading.
type totals struct {
	w              io.Writer
	output         map[string]*strings.Builder // by package and test, until they end
	passed, failed int
	skipped        []string
	brokenPackages []string
}

// judge copies what matters from r to w and reports whether all is well.
func judge(r io.Reader, w io.Writer, skipIsFailure bool) (bool, error) {
	t := &totals{w: w, output: map[string]*strings.Builder{}}
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			t.read(line)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return false, fmt.Errorf("read test events: %w", err)
		}
	}
	return t.close(skipIsFailure), nil
}

func (t *totals) read(line []byte) {
	var e event
	if line[0] != '{' || json.Unmarshal(line, &e) != nil {
		t.print(string(line)) // the go command speaking for itself
		return
	}
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		t.keep(key, e)
	case "build-output":
		t.print(e.Output)
	case "pass":
		delete(t.output, key)
		if e.Test != "" {
			t.passed++
		}
	case "skip":
		delete(t.output, key)
		if e.Test != "" { // without one it is a package that has no tests
			t.skipped = append(t.skipped, key)
		}
	case "fail":
		t.fail(key, e)
	}
}

// keep stores the output of a test until its end; the closing lines of
// packages are shown at once.
func (t *totals) keep(key string, e event) {
	if e.Test == "" && (strings.HasPrefix(e.Output, "ok  \t") || strings.HasPrefix(e.Output, "FAIL\t")) {
		t.print(e.Output)
		return
	}
	if t.output[key] == nil {
		t.output[key] = &strings.Builder{}
	}
	t.output[key].WriteString(e.Output)
}

func (t *totals) fail(key string, e event) {
	if out := t.output[key]; out != nil {
		t.print(out.String())
		delete(t.output, key)
	}
	if e.Test != "" {
		t.failed++
		return
	}
	t.brokenPackages = append(t.brokenPackages, e.Package)
	for _, other := range t.unfinished(e.Package) { // a panic ends a package in the middle of a test
		t.print(t.output[other].String())
		delete(t.output, other)
	}
}

func (t *totals) unfinished(pkg string) []string {
	var keys []string
	for key := range t.output {
		if strings.HasPrefix(key, pkg+" ") {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func (t *totals) close(skipIsFailure bool) bool {
	for _, name := range t.skipped {
		t.print("skipped: " + name + "\n")
	}
	if len(t.brokenPackages) > 0 {
		t.print("failed: " + strings.Join(t.brokenPackages, " ") + "\n")
	}
	ok := t.failed == 0 && len(t.brokenPackages) == 0
	if t.passed+t.failed == 0 {
		t.print("no test ran\n")
		ok = false
	}
	if skipIsFailure && len(t.skipped) > 0 {
		t.print("under CI=true a skipped test is a failure\n")
		ok = false
	}
	t.print(fmt.Sprintf("%d passed, %d failed, %d skipped\n", t.passed, t.failed, len(t.skipped)))
	return ok
}

func (t *totals) print(s string) { _, _ = io.WriteString(t.w, s) }
