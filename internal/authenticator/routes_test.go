package authenticator_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
)

// What is mounted where, and whether people visit it in a browser, which keeps
// the scripts of other origins out of it.
func TestTheTableOfRoutesIsWhatItWas(t *testing.T) {
	w, engine := onSQLite(t), gin.New()
	w.Mount(engine)
	methods := map[string][]string{}
	for _, r := range engine.Routes() {
		methods[r.Path] = append(methods[r.Path], r.Method)
	}
	var table strings.Builder
	for _, path := range slices.Sorted(maps.Keys(methods)) {
		slices.Sort(methods[path])
		fmt.Fprintf(&table, "%s %s", path, strings.Join(methods[path], " "))
		if w.IsPage(path) {
			table.WriteString(" page")
		}
		table.WriteString("\n")
	}
	want, err := os.ReadFile("testdata/routes.txt")
	if err != nil {
		t.Error(err)
	}
	if got := table.String(); got != string(want) {
		t.Errorf("the table in testdata/routes.txt is another; it is now:\n%s", got)
	}
}
