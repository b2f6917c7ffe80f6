package server

import (
	"runtime/debug"
	"testing"
)

func TestGarbageIsCollectedAsTheOperatorSays(t *testing.T) {
	before := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	for chosen, want := range map[string]int{"": collection, "100": 100, "40": 40} {
		t.Setenv("GOGC", chosen)
		if chosen == "40" {
			debug.SetGCPercent(40) // as the runtime does before main
		} else {
			debug.SetGCPercent(100)
		}
		settle()
		if got := debug.SetGCPercent(100); got != want {
			t.Errorf("with GOGC=%q: %d, want %d", chosen, got, want)
		}
	}
}
