// Package testdoc keeps documents true: a test says what a marked section of
// a document must be, and UPDATE_DOCS=1 writes it. Tests only.
package testdoc

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Section fails the test unless the section of a document, a path from the
// root of the project, that begins with the line <!-- name --> and ends with
// <!-- end --> is want.
func Section(t *testing.T, document, name, want string) {
	t.Helper()
	path := filepath.Join(root(t), document)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), "<!-- "+name+" -->\n")
	have, after, ended := strings.Cut(rest, "<!-- end -->")
	if !found || !ended {
		t.Fatalf("%s has no section %q", document, name)
	}
	want = strings.TrimSpace(want) + "\n"
	if have == want {
		return
	}
	if os.Getenv("UPDATE_DOCS") == "" {
		t.Fatalf("section %q of %s is not what the program says; run the tests with UPDATE_DOCS=1", name, document)
	}
	if err := os.WriteFile(path, []byte(before+"<!-- "+name+" -->\n"+want+"<!-- end -->"+after), 0o600); err != nil {
		t.Fatal(err)
	}
}

// root is the directory of go.mod.
func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = parent
	}
}
