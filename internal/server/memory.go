package server

import "runtime/debug"

// defaultCollection and ours are how much a heap grows, in percent of what is
// in use, before garbage is collected (GOGC).
const (
	defaultCollection = 100
	collection        = 200
)

// settle gives back what the start took and has garbage collected half as
// often as Go does by default: requests leave much of it, while what is kept is
// little. An operator's GOGC stands.
func settle() {
	debug.FreeOSMemory()
	if chosen := debug.SetGCPercent(collection); chosen != defaultCollection {
		debug.SetGCPercent(chosen)
	}
}
