package main

import (
	"strings"
	"testing"
)

func TestTheVerdictFollowsTheEvents(t *testing.T) {
	const (
		passed = `{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}
`
		skipped = `{"Action":"skip","Package":"p","Test":"TestB/postgres"}` + "\n"
		noTests = `{"Action":"skip","Package":"q"}` + "\n"
		failed  = `{"Action":"output","Package":"p","Test":"TestC","Output":"    c_test.go:1: wrong\n"}
{"Action":"fail","Package":"p","Test":"TestC"}
{"Action":"fail","Package":"p"}
`
		panics = `{"Action":"output","Package":"p","Test":"TestD","Output":"panic: boom\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
`
		broken = `{"ImportPath":"p","Action":"build-output","Output":"a.go:1: syntax error\n"}
{"Action":"fail","Package":"p","FailedBuild":"p"}
`
		chatter = "go: downloading something\n"
	)
	for name, test := range map[string]struct {
		events string
		ci     bool
		ok     bool
		shows  []string
	}{
		"all pass":              {passed + noTests, true, true, []string{"ok  \tp\t0.1s", "1 passed, 0 failed, 0 skipped"}},
		"a skip outside CI":     {passed + skipped, false, true, []string{"skipped: p TestB/postgres", "0 failed, 1 skipped"}},
		"a skip in CI":          {passed + skipped, true, false, []string{"skipped: p TestB/postgres", "skipped test is a failure"}},
		"a failure":             {passed + failed, false, false, []string{"c_test.go:1: wrong", "failed: p", "1 passed, 1 failed"}},
		"a panic":               {passed + panics, false, false, []string{"panic: boom", "FAIL\tp\t0.1s"}},
		"a build failure":       {passed + broken, false, false, []string{"a.go:1: syntax error", "failed: p"}},
		"no tests at all":       {noTests, false, false, []string{"no test ran"}},
		"nothing":               {"", false, false, []string{"no test ran"}},
		"the go command speaks": {chatter + passed, true, true, []string{"go: downloading something"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			ok, err := judge(strings.NewReader(test.events), &out, test.ci)
			if err != nil {
				t.Fatal(err)
			}
			if ok != test.ok {
				t.Errorf("the verdict is %v, want %v; it printed:\n%s", ok, test.ok, out.String())
			}
			for _, want := range test.shows {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%q is missing in:\n%s", want, out.String())
				}
			}
		})
	}
}
