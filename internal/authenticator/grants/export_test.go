package grants

// ForNobody reports whether a grant opts out of the checks of persons.
func ForNobody(grantType string) bool { g := all[grantType]; return g != nil && g.rules().nobody }
